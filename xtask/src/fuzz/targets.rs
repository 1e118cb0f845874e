//! The fuzz targets, and how they are run.

use reference::lockstep::{self, Body};

/// The target with a planted bug.
pub(super) const CANARY: &str = "canary";

/// A target and the body that it calls.
pub(crate) type Target = (&'static str, Body);

/// The targets that must not crash.
pub(crate) const TARGETS: [Target; 4] = [
    ("store_ops", lockstep::store_ops),
    ("map_ops", lockstep::map_ops),
    ("space_ops", lockstep::space_ops),
    ("capi_ops", lockstep::capi_ops),
];

/// How targets are run.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How long to run each target, in seconds.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) seconds: u64,
    /// Processes a target.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) jobs: u32,
    /// With `AddressSanitizer`.
    #[arg(long)]
    pub(super) asan: bool,
    /// Afterwards, put a minimal set of inputs with the same coverage into
    /// `fuzz/corpus`.
    #[arg(long)]
    pub(super) minimise: bool,
    /// Long inputs, of which the whole state is compared only after so many
    /// operations; answers always are. Many more operations a second.
    #[arg(long, value_name = "N", conflicts_with = "minimise")]
    pub(super) rarely: Option<usize>,
}

impl Options {
    /// One process a target for so long.
    pub(crate) fn seconds(seconds: u64) -> Self {
        Self {
            seconds,
            jobs: 1,
            asan: false,
            minimise: false,
            rarely: None,
        }
    }

    /// For as many operations as possible.
    pub(crate) fn long(seconds: u64, jobs: u32) -> Self {
        Self {
            jobs,
            rarely: Some(16),
            ..Self::seconds(seconds)
        }
    }
}
