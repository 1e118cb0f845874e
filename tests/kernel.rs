//! The running Linux kernel agrees: 200,000 random calls in both layouts.
//!
//! A process of its own without the test harness, because the comparison needs
//! all of the address space and one thread. `cargo xtask kernel` runs longer.

use std::process::ExitCode;
use std::thread;

use reference::kernel::{self, Layout, Outcome};

/// In each layout.
const OPERATIONS: u64 = 100_000;
const SEED: u64 = 1;

fn main() -> ExitCode {
    if let Some(status) = kernel::as_child() {
        return status;
    }
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    // Each layout is a process of its own.
    let all_agree = thread::scope(|scope| {
        let runs = Layout::ALL.map(|layout| scope.spawn(move || agrees(layout)));
        runs.map(|run| run.join().unwrap_or(false)) == [true; 2]
    });
    if all_agree {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Whether nothing disagrees in a layout.
fn agrees(layout: Layout) -> bool {
    match kernel::check(layout, OPERATIONS, SEED, |_| ()) {
        Ok(Outcome::Agreed(report)) => println!("{layout} layout agrees: {report}"),
        Ok(Outcome::Skipped(reason)) => println!("SKIPPED: {layout} layout: {reason}"),
        Ok(Outcome::Disagreed(problem)) => {
            println!("DISAGREEMENT: {problem}");
            return false;
        }
        Err(error) => {
            println!("FAILED: {layout} layout: {error}");
            return false;
        }
    }
    true
}
