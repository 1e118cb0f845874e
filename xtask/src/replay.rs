//! `cargo xtask replay`: the recordings, one row each.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use gaptree::{BTreeStore, Page, RangeStore, SortedVecStore};
use indicatif::{ProgressBar, ProgressStyle};
use reference::ReferenceStore;
use reference::trace::{
    Disagreement, Exceptions, Kept, Recording, Report, Results, TraceError, find,
};

use crate::project;

/// What `cargo xtask replay` accepts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The engine under the address space.
    #[arg(long, value_enum, default_value_t = Store::Btree)]
    store: Store,
    /// Traces (`.trace`, `.trace.xz`) or folders of them; by default those in
    /// the project's `tests/traces`.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Store {
    /// `BTreeStore`.
    Btree,
    /// `SortedVecStore`.
    SortedVec,
    /// `ReferenceStore`, the oracle: slow.
    Reference,
}

/// Why a replay ended early.
enum Failure {
    /// What was given cannot be replayed.
    Input(TraceError),
    /// The kernel did something else.
    Disagreement(Box<Disagreement>),
    /// Nobody reads our output.
    Output(io::Error),
}

impl From<TraceError> for Failure {
    fn from(error: TraceError) -> Self {
        Self::Input(error)
    }
}

impl From<Box<Disagreement>> for Failure {
    fn from(disagreement: Box<Disagreement>) -> Self {
        Self::Disagreement(disagreement)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Exit status 1 for a disagreement, 2 for input that cannot be replayed.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let result = match arguments.store {
        Store::Btree => replay_all::<BTreeStore<Page, Kept>>(&arguments.paths),
        Store::SortedVec => replay_all::<SortedVecStore<Page, Kept>>(&arguments.paths),
        Store::Reference => replay_all::<ReferenceStore<Page, Kept>>(&arguments.paths),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Disagreement(disagreement)) => {
            eprintln!("disagreement: {disagreement}");
            ExitCode::from(1)
        }
        Err(Failure::Input(error)) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
        Err(Failure::Output(error)) => {
            eprintln!("error: cannot write the result: {error}");
            ExitCode::from(2)
        }
    }
}

fn replay_all<S: RangeStore<Page, Kept>>(paths: &[PathBuf]) -> Result<(), Failure> {
    let mut traces = Vec::new();
    if paths.is_empty() {
        traces.extend(find(&project::from_here("tests/traces"))?);
    }
    for path in paths {
        traces.extend(find(path)?);
    }
    let bar = ProgressBar::new(0).with_style(style());
    let say = |line: String| bar.suspend(|| writeln!(io::stdout(), "{line}"));
    say(heading())?;
    let (mut total, mut exceptions) = (Row::default(), Exceptions::default());
    let (mut unlisted, mut results) = (0, Results::default());
    for (index, path) in traces.iter().enumerate() {
        bar.set_prefix(format!("{}/{}", index + 1, traces.len()));
        bar.set_position(0);
        bar.set_message(path.display().to_string());
        let recording = Recording::load(path)?;
        bar.set_length(recording.trace.ops.len() as u64);
        let report = recording.replay::<S>(|done| bar.set_position(done as u64))?;
        exceptions = exceptions + report.exceptions;
        results.add(&report.results);
        let row = Row {
            report,
            time: recording.time::<S>()?,
            timed: recording.timed(),
        };
        unlisted += usize::from(recording.listings.is_empty());
        say(row.line(&recording.name))?;
        total.add(&row);
    }
    say(total.line(&format!("total of {}", traces.len())))?;
    bar.finish_and_clear();
    if exceptions.total() > 0 {
        say(format!(
            "look-ups of pages that are not mapped, or not for this access: {exceptions}"
        ))?;
    }
    say("exact: listings whose rows are the kernel's without that any are coalesced".to_owned())?;
    if unlisted > 0 {
        say(format!(
            "skipped: listings of {unlisted} traces, which have none"
        ))?;
    }
    say(predictions(&results))?;
    say("every trace agrees with the kernel".to_owned())?;
    Ok(())
}

/// A table of what was predicted, and a line for each reason to follow instead.
fn predictions(results: &Results) -> String {
    let mut text = "\npredicted from the state alone:".to_owned();
    let mut total = 0;
    for ((call, outcome), count) in &results.predicted {
        total += count;
        write!(text, "\n  {call:<9} {outcome:<10} {count:>8}").expect("a string");
    }
    write!(text, "\n  {:<20} {total:>8}", "in all").expect("a string");
    for (reason, count) in &results.followed {
        write!(text, "\nfollowed: {count} of {reason}").expect("a string");
    }
    text
}

fn style() -> ProgressStyle {
    let template = "{prefix} {wide_bar} {pos}/{len} {msg}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn heading() -> String {
    format!(
        "{:<22} {:>10} {:>10} {:>8} {:>6} {:>8} {:>10} {:>7} {:>7}",
        "trace",
        "operations",
        "placements",
        "listings",
        "exact",
        "look-ups",
        "exceptions",
        "regions",
        "ns/op"
    )
}

/// One trace, or all of them.
#[derive(Default)]
struct Row {
    report: Report,
    /// How long `timed` operations took.
    time: Duration,
    timed: usize,
}

impl Row {
    fn line(&self, name: &str) -> String {
        let Report {
            operations,
            placements,
            listings,
            exact,
            lookups,
            exceptions,
            peak,
            results: _,
        } = self.report;
        let each = self
            .time
            .as_nanos()
            .checked_div(self.timed as u128)
            .unwrap_or(0);
        let exceptions = exceptions.total();
        format!(
            "{name:<22} {operations:>10} {placements:>10} {listings:>8} {exact:>6} {lookups:>8} {exceptions:>10} {peak:>7} {each:>7}"
        )
    }

    /// Sums, but the largest peak.
    fn add(&mut self, other: &Self) {
        let (sum, report) = (&mut self.report, &other.report);
        sum.operations += report.operations;
        sum.placements += report.placements;
        sum.listings += report.listings;
        sum.exact += report.exact;
        sum.lookups += report.lookups;
        sum.exceptions = sum.exceptions + report.exceptions;
        sum.peak = sum.peak.max(report.peak);
        self.time += other.time;
        self.timed += other.timed;
    }
}
