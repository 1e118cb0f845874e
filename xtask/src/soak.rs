//! `cargo xtask soak`: the long versions of all checks, and one table.

use std::env;
use std::panic;
use std::process::{Command, ExitCode};
use std::time::Instant;

use gaptree::{BTreeStore, Page, SortedVecStore};
use reference::closure::{Physical, closure};
use reference::kernel::{Layout, Outcome};
use reference::sequences::all_sequences;

use crate::fuzz::{self, Options};
use crate::{kernel, project};

/// Inputs of the property tests, each of some hundred operations.
const CASES: u32 = 20_000;

/// What `cargo xtask soak` accepts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long to run in all, about; what is not fuzzing takes some ten
    /// minutes, fuzzing the rest.
    #[arg(long, value_name = "N", default_value_t = 60)]
    minutes: u64,
    /// How many memory calls to ask of the kernel, in both layouts together.
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    kernel_ops: u64,
    /// Where random calls to the kernel begin.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

/// A line of the table.
struct Row {
    check: String,
    /// Operations that were compared; a dash where nothing counts them.
    operations: Option<u64>,
    placements: Option<u64>,
    states: Option<u64>,
    ended: Ended,
    seconds: u64,
}

enum Ended {
    Agreed,
    Disagreed,
    Skipped(String),
}

impl Row {
    fn new(check: impl Into<String>, ended: Ended) -> Self {
        Self {
            check: check.into(),
            operations: None,
            placements: None,
            states: None,
            ended,
            seconds: 0,
        }
    }

    fn print(&self) {
        let number = |number: Option<u64>| number.map_or("-".to_owned(), |n| n.to_string());
        let (operations, placements) = (number(self.operations), number(self.placements));
        let (states, seconds) = (number(self.states), self.seconds);
        let ended = match &self.ended {
            Ended::Agreed => "0 disagreements".to_owned(),
            Ended::Disagreed => "DISAGREES".to_owned(),
            Ended::Skipped(reason) => format!("skipped: {reason}"),
        };
        println!(
            "{:<34} {operations:>12} {placements:>10} {states:>8} {seconds:>6}  {ended}",
            self.check
        );
    }
}

/// Exit status 1 if anything disagrees.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let begin = Instant::now();
    let mut rows = Vec::new();
    let mut add = |work: &mut dyn FnMut() -> Vec<Row>| {
        let begin = Instant::now();
        let mut done = work();
        let count = done.len().max(1) as u64;
        for row in &mut done {
            if row.seconds == 0 {
                row.seconds = begin.elapsed().as_secs() / count;
            }
            row.print();
        }
        rows.append(&mut done);
    };
    heading();
    for layout in Layout::ALL {
        add(&mut || vec![ask_kernel(layout, arguments)]);
    }
    add(&mut || vec![close::<SortedVecStore<Page, u8>>("sorted vector", 9)]);
    add(&mut || vec![close::<BTreeStore<Page, u8, 3, 3>>("tree, nodes of 3", 7)]);
    add(&mut || vec![close::<BTreeStore<Page, u8, 4, 4>>("tree, nodes of 4", 8)]);
    add(&mut || {
        vec![sequences(
            "sorted vector",
            all_sequences::<SortedVecStore<u8, u8>>,
        )]
    });
    add(&mut || {
        vec![sequences(
            "tree, nodes of 3",
            all_sequences::<BTreeStore<u8, u8, 3, 3>>,
        )]
    });
    add(&mut || {
        vec![sequences(
            "tree, nodes of 4",
            all_sequences::<BTreeStore<u8, u8, 4, 4>>,
        )]
    });
    add(&mut || vec![program("recorded programs", &["replay"])]);
    add(&mut || vec![tests("property tests", &["--test", "lockstep"], CASES)]);
    add(&mut || vec![tests("all other tests", &["--workspace"], 0)]);
    let rest = (arguments.minutes * 60).saturating_sub(begin.elapsed().as_secs());
    add(&mut || fuzz_for(rest));
    println!();
    heading();
    rows.iter().for_each(Row::print);
    if rows.iter().any(|row| matches!(row.ended, Ended::Disagreed)) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn heading() {
    println!(
        "{:<34} {:>12} {:>10} {:>8} {:>6}",
        "check", "operations", "placements", "states", "s"
    );
}

fn ask_kernel(layout: Layout, arguments: &Arguments) -> Row {
    let name = format!("the kernel, {layout} layout");
    match kernel::check(layout, arguments.kernel_ops / 2, arguments.seed) {
        Ok(Outcome::Agreed(report)) => Row {
            operations: Some(report.operations),
            placements: Some(report.placements),
            ..Row::new(name, Ended::Agreed)
        },
        Ok(Outcome::Skipped(reason)) => Row::new(name, Ended::Skipped(reason)),
        Ok(Outcome::Disagreed(problem)) => {
            eprintln!("disagreement: {problem}");
            Row::new(name, Ended::Disagreed)
        }
        Err(error) => Row::new(name, Ended::Skipped(error.to_string())),
    }
}

/// Every state that can be reached; a disagreement is printed by the panic.
fn close<S: Physical>(name: &str, keys: u8) -> Row {
    let name = format!("closure, {name}, {keys} keys");
    match panic::catch_unwind(|| closure::<S>(keys)) {
        Ok(closure) => Row {
            operations: Some(closure.transitions + closure.questions),
            states: Some(closure.states),
            ..Row::new(name, Ended::Agreed)
        },
        Err(_) => Row::new(name, Ended::Disagreed),
    }
}

/// All sequences of four operations.
fn sequences(name: &str, all: fn(usize) -> u64) -> Row {
    const DEPTH: usize = 4;
    let name = format!("sequences of {DEPTH}, {name}");
    match panic::catch_unwind(|| all(DEPTH)) {
        Ok(sequences) => Row {
            operations: Some(sequences),
            ..Row::new(name, Ended::Agreed)
        },
        Err(_) => Row::new(name, Ended::Disagreed),
    }
}

fn ended(name: &str, command: &mut Command) -> Row {
    let ended = match command.status() {
        Ok(status) if status.success() => Ended::Agreed,
        Ok(_) => Ended::Disagreed,
        Err(error) => Ended::Skipped(error.to_string()),
    };
    Row::new(name, ended)
}

/// Another command of this program.
fn program(name: &str, arguments: &[&str]) -> Row {
    match env::current_exe() {
        Ok(program) => ended(name, Command::new(program).args(arguments)),
        Err(error) => Row::new(name, Ended::Skipped(error.to_string())),
    }
}

/// Tests, with that many cases of each property if not zero.
fn tests(name: &str, arguments: &[&str], cases: u32) -> Row {
    let mut command = project::cargo(&["test", "--quiet"]);
    command.args(arguments);
    if cases > 0 {
        command.args(["--release"]);
        command.env("PROPTEST_CASES", cases.to_string());
    }
    ended(name, &mut command)
}

/// Every target for its share of the time, one after the other.
fn fuzz_for(seconds: u64) -> Vec<Row> {
    let name = "fuzzing";
    let targets = fuzz::TARGETS.map(|(name, _)| name.to_owned());
    let share = (seconds / targets.len() as u64).max(10);
    match fuzz::fuzz(&targets, &Options::seconds(share)) {
        Ok(fuzz::Outcome::Clean(all)) => all
            .into_iter()
            .map(|(target, figures)| Row {
                operations: Some(figures.inputs),
                seconds: figures.time.as_secs(),
                ..Row::new(format!("{name}, {target}, inputs"), Ended::Agreed)
            })
            .collect(),
        Ok(fuzz::Outcome::Failed) => vec![Row::new(name, Ended::Disagreed)],
        Ok(fuzz::Outcome::Skipped(reason)) => vec![Row::new(name, Ended::Skipped(reason))],
        Err(error) => vec![Row::new(name, Ended::Skipped(error))],
    }
}
