//! The project's own commands: `cargo xtask COMMAND`.

mod bench;
mod capi;
mod ci;
mod coverage;
mod fuzz;
mod kernel;
mod mutants;
mod project;
mod replay;
mod report;
mod soak;
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
    /// Builds and installs the C library, a drop-in for libmmap.
    Capi(capi::Arguments),
    /// Makes random memory calls in a process of their own and compares every answer
    /// and the whole listing with the library's.
    Kernel(kernel::Arguments),
    /// Fuzzes every target for a while, and the canary, which must crash.
    Fuzz(fuzz::Arguments),
    /// Runs the long versions of all checks and prints one table.
    Soak(soak::Arguments),
    /// Shows which lines and branches of the library the tests reach.
    Coverage,
    /// Changes the library in every way that cargo-mutants knows, and shows
    /// which changes no test notices.
    Mutants(mutants::Arguments),
    /// Runs every check, as continuous integration does.
    Ci,
    /// Checks the rules of the project that no other tool checks.
    Tidy,
}

fn main() -> ExitCode {
    if let Some(status) = reference::kernel::as_child() {
        return status;
    }
    match Arguments::parse().command {
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Report => report::run(),
        Command::Test { arguments } => ci::test(&arguments),
        Command::Capi(arguments) => capi::run(&arguments),
        Command::Kernel(arguments) => kernel::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Coverage => coverage::run(),
        Command::Mutants(arguments) => mutants::run(&arguments),
        Command::Ci => ci::run(),
        Command::Tidy => tidy::run(),
    }
}
