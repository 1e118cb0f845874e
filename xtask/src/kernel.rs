//! `cargo xtask kernel`: the running kernel against `linux::Mm`.

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use reference::kernel::{self, Layout, Outcome};

/// What `cargo xtask kernel` accepts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many memory calls to make, in both layouts together; at least 2.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(2..))]
    ops: u64,
    /// Where the random calls begin; one seed gives one sequence of calls.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

/// Exit status 1 for a disagreement.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    for layout in Layout::ALL {
        let begin = Instant::now();
        let outcome = check(layout, arguments.ops / 2, arguments.seed);
        let seconds = begin.elapsed().as_secs_f64();
        match outcome {
            Ok(Outcome::Agreed(report)) => {
                println!("{layout} layout agrees: {report}; {seconds:.0} s");
            }
            Ok(Outcome::Skipped(reason)) => println!("skipped: {layout} layout: {reason}"),
            Ok(Outcome::Disagreed(problem)) => {
                eprintln!("disagreement: {problem}");
                status = ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("error: {layout} layout: {error}");
                status = ExitCode::FAILURE;
            }
        }
    }
    status
}

/// One layout, with a bar on a terminal.
pub(crate) fn check(layout: Layout, operations: u64, seed: u64) -> io::Result<Outcome> {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
    let bar = ProgressBar::new(operations)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(format!("{layout} layout"));
    let outcome = kernel::check(layout, operations, seed, |done| bar.set_position(done));
    bar.finish_and_clear();
    outcome
}
