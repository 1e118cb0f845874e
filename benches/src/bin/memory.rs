//! Measures bytes: `cargo xtask bench` runs this program after the times.
//! A program of its own, for counting slows every allocation down.

use std::path::PathBuf;
use std::process::ExitCode;

use benches::for_subjects;
use benches::memory::{Meter, usage};
use benches::results::Results;
use benches::workload::{Generator, Scale};
use clap::Parser;
use tracking_allocator::{AllocationRegistry, Allocator};

#[global_allocator]
static ALLOCATOR: Allocator<std::alloc::System> = Allocator::system();

/// Bytes of all subjects, added to a results file.
#[derive(Debug, Parser)]
struct Arguments {
    /// The results to add to.
    #[arg(long)]
    out: PathBuf,
    /// Numbers of regions.
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<usize>,
    /// Subjects by name; all by default.
    #[arg(long, value_delimiter = ',')]
    subjects: Vec<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut results = Results::append(&arguments.out)?;
    AllocationRegistry::set_global_tracker(Meter)?;
    AllocationRegistry::enable_tracking();
    let mut generator = Generator::default();
    for &n in arguments.sizes.iter().filter(|&&n| n <= 100_000) {
        // Built: inserted in random order. Churned: then replaced, four times each.
        for (suffix, workload) in [("built", "find_hit"), ("churned", "churn")] {
            let scale = Scale {
                edits: 1,
                reads: 1,
                ..Scale::measured(n)
            };
            let case = generator.case(workload, n, scale).ok_or("no workload")?;
            macro_rules! each {
                ($($subject:ty),*) => {$(
                    let name = <$subject as benches::subject::Subject>::NAME;
                    if arguments.subjects.is_empty() || arguments.subjects.iter().any(|s| s == name) {
                        results.add(&usage::<$subject>(&case.state, n, suffix))?;
                    }
                )*};
            }
            for_subjects!(each);
        }
    }
    Ok(())
}
