//! `cargo xtask soak`: the long versions of all checks that have one, and one
//! table. The others, such as the table of hostile arguments, are complete in
//! `cargo xtask ci`.
//!
//! | file | what |
//! |---|---|
//! | `checks.rs` | the checks |
//! | `row.rs` | the table |

mod checks;
mod row;

use std::fs;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::project;
use checks::{Check, Scale};
use row::{Row, table};

/// Below this many minutes everything is smaller.
const WHOLE: u64 = 30;

/// Where the table goes.
const TABLE: &str = "soak.md";

/// What `cargo xtask soak` accepts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long to run in all, about: fuzzing gets what the other checks leave.
    /// Below 30 minutes all checks are smaller.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// How many memory calls to ask of the kernel, in both layouts together; by
    /// default 10,000,000, or in proportion where the run is a short one.
    #[arg(long, value_name = "N")]
    kernel_ops: Option<u64>,
    /// Where random calls to the kernel begin.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How many checks, or processes of a fuzz target, run at once; by default
    /// as many as there are processors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    jobs: Option<u32>,
}

impl Arguments {
    fn scale(&self) -> Scale {
        let whole = self.minutes >= WHOLE;
        let kernel_ops = if whole {
            10_000_000
        } else {
            10_000_000 * self.minutes / 60
        };
        Scale {
            kernel_ops: self.kernel_ops.unwrap_or(kernel_ops),
            seed: self.seed,
            fewer_keys: u8::from(!whole),
            depth: if whole { 4 } else { 3 },
            random: Duration::from_secs(3 * self.minutes),
        }
    }

    fn jobs(&self) -> u32 {
        let processors = || thread::available_parallelism().map_or(1, |n| n.get());
        self.jobs
            .unwrap_or_else(|| u32::try_from(processors()).unwrap_or(1))
    }
}

/// Exit status 1 if anything disagrees.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let begin = Instant::now();
    let jobs = arguments.jobs();
    let mut rows = at_once(checks::all(arguments.scale()), jobs);
    let rest = (arguments.minutes * 60).saturating_sub(begin.elapsed().as_secs());
    println!("fuzzing for the remaining {rest} s, {jobs} processes a target");
    rows.extend(checks::fuzzing(rest, jobs));
    let table = table(&rows);
    println!("\n{table}\n{} s in all", begin.elapsed().as_secs());
    match write(&table) {
        Ok(path) => println!("written: {path}"),
        Err(error) => eprintln!("error: {error}"),
    }
    if rows.iter().any(Row::disagrees) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Runs a check and says what came out.
fn timed(check: Check) -> Row {
    let begin = Instant::now();
    let mut row = check();
    if row.time == Duration::ZERO {
        row.time = begin.elapsed();
    }
    println!("{}", row.line());
    row
}

/// Runs checks, `jobs` at a time; the rows are in the order of the checks.
fn at_once(checks: Vec<Check>, jobs: u32) -> Vec<Row> {
    let waiting = Mutex::new(checks.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    let next = || {
        waiting
            .lock()
            .unwrap_or_else(|lock| lock.into_inner())
            .next()
    };
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some((index, check)) = next() {
                    let row = timed(check);
                    let mut done = done.lock().unwrap_or_else(|lock| lock.into_inner());
                    done.push((index, row));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(|lock| lock.into_inner());
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, row)| row).collect()
}

/// Writes the table into cargo's target folder.
fn write(table: &str) -> Result<String, String> {
    let metadata = project::metadata().map_err(|error| error.to_string())?;
    let path = metadata.target_directory.join(TABLE);
    fs::write(&path, format!("{table}\n")).map_err(|error| format!("{path}: {error}"))?;
    Ok(path.into_string())
}
