//! Builds the targets with the instrumentation that libFuzzer reads.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::project;

/// Records coverage; assertions and overflow checks are on. libFuzzer does not
/// watch comparisons: arguments are decoded from single bytes, so that there is
/// nothing to guess, and the reference's scans compare a lot.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Ccodegen-units=1 -Cdebug-assertions --cfg fuzzing";

/// Named, so that the flags are not used for build scripts.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// How targets are to be built.
pub(super) struct Builder {
    asan: bool,
}

/// Targets, or why there are none.
pub(super) enum Build {
    Ready(Binaries),
    Impossible(String),
}

/// Where the targets are.
pub(super) struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    pub(super) fn path(&self, target: &str) -> PathBuf {
        self.folder.join(target)
    }
}

impl Builder {
    pub(super) fn new(asan: bool) -> Self {
        Self { asan }
    }

    pub(super) fn build(&self, targets: &[&str]) -> Result<Build, String> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            let reason = "the build is for Linux on x86-64 only";
            return Ok(Build::Impossible(reason.to_owned()));
        }
        let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
        let found = Command::new(&compiler)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if !found.is_ok_and(|status| status.success()) {
            let compiler = compiler.display();
            return Ok(Build::Impossible(format!(
                "libFuzzer needs a C++ compiler, and `{compiler}` does not run"
            )));
        }
        let folder = project::root().join(if self.asan {
            "fuzz/target/asan"
        } else {
            "fuzz/target/plain"
        });
        let mut flags = FLAGS.to_owned();
        let mut cargo = project::cargo(&["build", "--quiet", "--release"]);
        cargo.args(targets.iter().flat_map(|target| ["--bin", target]));
        cargo.args(["--manifest-path", "fuzz/Cargo.toml", "--target", PLATFORM]);
        cargo.arg("--target-dir").arg(&folder);
        if self.asan {
            flags.push_str(" -Zsanitizer=address");
            // What the flag above needs of a stable compiler.
            cargo.env("RUSTC_BOOTSTRAP", "1");
        }
        let names = targets.join(", ");
        println!("building {names}; the first time takes minutes");
        let status = cargo.env("RUSTFLAGS", flags).status();
        match status {
            Ok(status) if status.success() => Ok(Build::Ready(Binaries {
                folder: folder.join(PLATFORM).join("release"),
            })),
            Ok(_) => Err("the targets do not compile".to_owned()),
            Err(error) => Err(format!("cannot run cargo: {error}")),
        }
    }
}
