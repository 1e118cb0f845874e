//! `cargo xtask mutants`: whether the tests notice when the library is changed.

use std::process::ExitCode;

use crate::project;

/// What `cargo xtask mutants` accepts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files of the library to change; by default all. May be patterns.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// How many mutants to test at once; each builds the library.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: u32,
    /// Only one of so many parts, such as 0/8.
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
}

/// Tests that see nearly everything, quickly.
const TESTS: [&str; 4] = ["lockstep", "exhaustive", "addr_space", "range_map"];

/// Exit status as that of cargo-mutants: not 0 if a mutant survives.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    if !project::installed("mutants", "cargo-mutants") {
        println!("skipped: mutants: cargo-mutants is missing and cannot be installed");
        return ExitCode::SUCCESS;
    }
    let mut command = project::cargo(&["mutants", "--package", "gaptree", "--baseline=run"]);
    command.args(["--jobs", &arguments.jobs.to_string()]);
    command.args(["--output", "target", "--colors=never", "--no-times"]);
    for file in &arguments.files {
        command.args(["--file", file]);
    }
    if let Some(shard) = &arguments.shard {
        command.args(["--shard", shard]);
    }
    command.arg("--").arg("--lib");
    for test in TESTS {
        command.args(["--test", test]);
    }
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
