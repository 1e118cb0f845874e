//! The running Linux kernel agrees: 60,000 random calls in both layouts.
//!
//! A process of its own without the test harness, because the comparison needs
//! all of the address space and one thread. `cargo xtask kernel` runs longer.

use std::process::ExitCode;

use reference::kernel::{self, Layout, Outcome};

/// In each layout.
const OPERATIONS: u64 = 30_000;
const SEED: u64 = 1;

fn main() -> ExitCode {
    if let Some(status) = kernel::as_child() {
        return status;
    }
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let mut status = ExitCode::SUCCESS;
    for layout in Layout::ALL {
        match kernel::check(layout, OPERATIONS, SEED, |_| ()) {
            Ok(Outcome::Agreed(report)) => println!("{layout} layout agrees: {report}"),
            Ok(Outcome::Skipped(reason)) => println!("SKIPPED: {layout} layout: {reason}"),
            Ok(Outcome::Disagreed(problem)) => {
                println!("DISAGREEMENT: {problem}");
                status = ExitCode::FAILURE;
            }
            Err(error) => {
                println!("FAILED: {layout} layout: {error}");
                status = ExitCode::FAILURE;
            }
        }
    }
    status
}
