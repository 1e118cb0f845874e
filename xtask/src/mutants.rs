//! `cargo xtask mutants`: whether the tests notice when the library is changed.
//!
//! First a few tests that compile in seconds; then, only for the mutants that
//! survive them, the others.

use std::process::{Command, ExitCode};

use crate::project;

/// What `cargo xtask mutants` accepts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files of the library to change; by default all. May be patterns.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// How many mutants to test at once; each builds the library.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// Only one of so many parts, such as 0/8.
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// Go on: leave out what earlier runs caught.
    #[arg(long)]
    resume: bool,
    /// Only the tests that compile in seconds.
    #[arg(long)]
    quick: bool,
}

/// Tests that compile in seconds and see nearly everything.
const QUICK: [&str; 2] = ["short", "balance"];

/// Tests for what survives those.
const THOROUGH: [&str; 11] = [
    "range_map",
    "traits",
    "addr_space",
    "placement",
    "hostile",
    "libmmap",
    "regressions",
    "conformance",
    "panics",
    "oom",
    "lockstep",
];

/// Seconds; without a limit a mutant that loops stops everything.
const TIMEOUT: &str = "15";

/// Exit status 1 if a mutant survives.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    if !project::installed("mutants", "cargo-mutants") {
        println!("skipped: mutants: cargo-mutants is missing and cannot be installed");
        return ExitCode::SUCCESS;
    }
    let passes = |mut command: Command| command.status().is_ok_and(|status| status.success());
    if passes(command(arguments, arguments.resume, &QUICK)) {
        return ExitCode::SUCCESS;
    }
    if !arguments.quick {
        println!("== the other tests, on what survived");
        if passes(command(arguments, true, &THOROUGH)) {
            return ExitCode::SUCCESS;
        }
    }
    println!("what survived: target/mutants.out/missed.txt");
    ExitCode::FAILURE
}

fn command(arguments: &Arguments, resume: bool, tests: &[&str]) -> Command {
    let mut command = project::cargo(&["mutants", "--package", "gaptree", "--baseline=run"]);
    command.args(["--jobs", &arguments.jobs.to_string()]);
    command.args(["--output", "target", "--colors=never", "--no-times"]);
    command.args(["--profile", "mutants", "--minimum-test-timeout", TIMEOUT]);
    // The C interface has tests in C, which take long to build.
    command.args(["--exclude", "src/capi/**"]);
    for file in &arguments.files {
        command.args(["--file", file]);
    }
    if let Some(shard) = &arguments.shard {
        command.args(["--shard", shard]);
    }
    if resume {
        command.arg("--iterate");
    }
    // Not behind `--`: those would choose the tests that run, after all were built.
    command.arg("--cargo-arg=--lib");
    for test in tests {
        command.arg(format!("--cargo-arg=--test={test}"));
    }
    command
}
