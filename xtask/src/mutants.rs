//! `cargo xtask mutants`: whether the tests notice when the library is changed.
//!
//! First a few tests that compile in seconds; then, only for the mutants that
//! survive them, the others.

use std::fs;
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

/// What was to be tested, a list in JSON.
const FOUND: &str = "target/mutants.out/mutants.json";

/// What survived, one a line.
const MISSED: &str = "target/mutants.out/missed.txt";

/// Exit status 1 if a mutant survives.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    if !project::installed("mutants", "cargo-mutants") {
        println!("skipped: mutants: cargo-mutants is missing and cannot be installed");
        return ExitCode::SUCCESS;
    }
    let mut survive = any_survives(command(arguments, arguments.resume, &QUICK));
    if survive == Some(false) && matches_nothing(arguments) {
        eprintln!("error: {}: no mutant there", arguments.files.join(", "));
        return ExitCode::from(2);
    }
    if survive == Some(true) && !arguments.quick {
        println!("== the other tests, on what survived");
        survive = any_survives(command(arguments, true, &THOROUGH));
    }
    match survive {
        Some(false) => ExitCode::SUCCESS,
        Some(true) => {
            println!("what survived: {MISSED}");
            ExitCode::FAILURE
        }
        // It has said why: a wrong argument, or tests that fail without a change.
        None => ExitCode::FAILURE,
    }
}

/// Whether the files that were asked for have no mutant at all.
fn matches_nothing(arguments: &Arguments) -> bool {
    let whole = arguments.shard.is_none() && !arguments.resume && !arguments.files.is_empty();
    let found = fs::read_to_string(project::root().join(FOUND));
    whole && found.is_ok_and(|found| found.trim() == "[]")
}

/// Whether a mutant survives, or `None` if none was tested.
fn any_survives(mut command: Command) -> Option<bool> {
    match command.status().ok()?.code()? {
        0 => Some(false),
        2 => Some(true),
        // Some ran out of time, which counts as caught; others may survive.
        3 => Some(!fs::read(project::root().join(MISSED)).ok()?.is_empty()),
        _ => None,
    }
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
