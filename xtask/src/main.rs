//! The project's own commands: `cargo xtask COMMAND`.

mod bench;
mod ci;
mod project;
mod replay;
mod report;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Replays memory system calls of real programs and compares every answer
    /// with the kernel's.
    Replay(replay::Arguments),
    /// Measures this library and its rivals on the same work, and shows it as
    /// tables and charts.
    Bench(bench::Arguments),
    /// Writes the README's table and chart from the committed results.
    Report,
    /// Runs the whole test suite; further arguments go to `cargo test`.
    Test {
        /// Passed on to `cargo test --workspace`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs every check, as continuous integration does.
    Ci,
    /// Checks the rules of the project that no other tool checks.
    Tidy,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Report => report::run(),
        Command::Test { arguments } => ci::test(&arguments),
        Command::Ci => ci::run(),
        Command::Tidy => tidy::run(),
    }
}
