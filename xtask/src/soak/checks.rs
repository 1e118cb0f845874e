//! The long versions of the checks, each a function that returns rows.

use std::panic;
use std::time::{Duration, Instant};

use gaptree::{BTreeStore, Page, SortedVecStore};
use reference::exhaustive::{Physical, all_sequences, all_states};
use reference::kernel::{Layout, Outcome};
use reference::lockstep::{Body, Compare};
use reference::trace::{Kept, Recording, find};

use super::row::{Ended, Row};
use crate::fuzz::{self, Options};
use crate::{kernel, project};

/// A check that is waiting for a processor.
pub(super) type Check = Box<dyn FnOnce() -> Row + Send>;

/// How large the checks are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) kernel_ops: u64,
    pub(super) seed: u64,
    /// How many keys fewer than in a long run, where every state is reached.
    pub(super) fewer_keys: u8,
    /// The length of the sequences.
    pub(super) depth: usize,
    /// How long each body runs on random inputs.
    pub(super) random: Duration,
}

/// Everything but fuzzing, the longest first.
pub(super) fn all(scale: Scale) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    for layout in Layout::ALL {
        checks.push(Box::new(move || ask_kernel(layout, scale)));
    }
    let depth = scale.depth;
    checks.push(Box::new(move || {
        sequences(
            "tree, nodes of 3",
            all_sequences::<BTreeStore<u8, u8, 3, 3>>,
            depth,
        )
    }));
    checks.push(Box::new(move || {
        sequences(
            "tree, nodes of 4",
            all_sequences::<BTreeStore<u8, u8, 4, 4>>,
            depth,
        )
    }));
    checks.push(Box::new(move || {
        sequences(
            "sorted vector",
            all_sequences::<SortedVecStore<u8, u8>>,
            depth,
        )
    }));
    let fewer = scale.fewer_keys;
    checks.push(Box::new(move || {
        states::<BTreeStore<Page, u8, 3, 3>>("tree, nodes of 3", 7 - fewer)
    }));
    checks.push(Box::new(move || {
        states::<BTreeStore<Page, u8, 4, 4>>("tree, nodes of 4", 8 - fewer)
    }));
    checks.push(Box::new(move || {
        states::<SortedVecStore<Page, u8>>("sorted vector", 9 - fewer)
    }));
    for (name, body) in fuzz::TARGETS {
        checks.push(Box::new(move || random(name, body, scale.random)));
    }
    checks.push(Box::new(recordings));
    checks
}

fn ask_kernel(layout: Layout, scale: Scale) -> Row {
    let name = format!("the kernel, {layout} layout");
    match kernel::check(layout, scale.kernel_ops / 2, scale.seed) {
        Ok(Outcome::Agreed(report)) => Row {
            placements: Some(report.placements),
            ..Row::agreed(name, report.operations)
        },
        Ok(Outcome::Skipped(reason)) => Row::skipped(name, reason),
        Ok(Outcome::Disagreed(problem)) => {
            eprintln!("disagreement: {problem}");
            Row::new(name, Ended::Disagreed)
        }
        Err(error) => Row::skipped(name, error),
    }
}

/// Every state that can be reached; a disagreement is printed by the panic.
fn states<S: Physical>(name: &str, keys: u8) -> Row {
    let name = format!("every state, {name}, {keys} keys");
    match panic::catch_unwind(|| all_states::<S>(keys)) {
        Ok(explored) => Row {
            states: Some(explored.states),
            ..Row::agreed(name, explored.transitions + explored.questions)
        },
        Err(_) => Row::new(name, Ended::Disagreed),
    }
}

fn sequences(engine: &str, run: fn(usize) -> u64, depth: usize) -> Row {
    let name = format!("sequences of up to {depth}, {engine}");
    match panic::catch_unwind(|| run(depth)) {
        Ok(sequences) => Row::agreed(name, sequences),
        Err(_) => Row::new(name, Ended::Disagreed),
    }
}

/// Random inputs, the whole state compared after every operation.
fn random(target: &str, body: Body, time: Duration) -> Row {
    /// Bytes.
    const LENGTH: usize = 1000;
    let name = format!("random operations, {target}");
    let run = || {
        let begin = Instant::now();
        let inputs = (0..).map(|seed| fuzz::corpus::random(seed, LENGTH));
        let in_time = inputs.take_while(|_| begin.elapsed() < time);
        in_time.map(|input| body(&input, Compare::Always)).sum()
    };
    match panic::catch_unwind(run) {
        Ok(operations) => Row::agreed(name, operations),
        Err(_) => Row::new(name, Ended::Disagreed),
    }
}

/// Recorded programs on every engine.
fn recordings() -> Row {
    const NAME: &str = "recorded programs, two engines";
    let mut row = Row {
        placements: Some(0),
        ..Row::agreed(NAME, 0)
    };
    let paths = match find(&project::from_here("tests/traces")) {
        Ok(paths) => paths,
        Err(error) => return Row::skipped(NAME, error),
    };
    for path in paths {
        let recording = match Recording::load(&path) {
            Ok(recording) => recording,
            Err(error) => return Row::skipped(NAME, error),
        };
        let reports = [
            recording.replay::<BTreeStore<Page, Kept>>(|_| ()),
            recording.replay::<SortedVecStore<Page, Kept>>(|_| ()),
        ];
        for report in reports {
            match report {
                Ok(report) => {
                    row.operations = row.operations.map(|n| n + report.operations as u64);
                    row.placements = row.placements.map(|n| n + report.placements as u64);
                }
                Err(disagreement) => {
                    eprintln!("disagreement: {disagreement}");
                    return Row::new(NAME, Ended::Disagreed);
                }
            }
        }
    }
    row
}

/// How the time for fuzzing is shared out, in percent: an operation on stores or
/// maps is slower, and there are more engines and types of key.
const SHARES: [(&str, u64); 4] = [
    ("store_ops", 45),
    ("map_ops", 25),
    ("space_ops", 15),
    ("capi_ops", 15),
];

/// Every target for its share of the time, one after the other.
pub(super) fn fuzzing(seconds: u64, jobs: u32) -> Vec<Row> {
    let share = |percent: u64| (seconds * percent / 100).max(10);
    let rows = SHARES.map(|(target, percent)| fuzz_target(target, share(percent), jobs));
    rows.into_iter().collect()
}

fn fuzz_target(target: &str, seconds: u64, jobs: u32) -> Row {
    let name = format!("fuzzing, {target}");
    let options = Options::long(seconds, jobs);
    let row = match fuzz::fuzz(&[target.to_owned()], &options) {
        Ok(fuzz::Outcome::Clean(all)) => {
            let operations = all.iter().map(|(_, figures)| figures.operations).sum();
            Row {
                time: Duration::from_secs(seconds),
                ..Row::agreed(name, operations)
            }
        }
        Ok(fuzz::Outcome::Failed) => Row::new(name, Ended::Disagreed),
        Ok(fuzz::Outcome::Skipped(reason)) => Row::skipped(name, reason),
        Err(error) => {
            eprintln!("error: {error}");
            Row::new(name, Ended::Disagreed)
        }
    };
    println!("{}", row.line());
    row
}

#[cfg(test)]
mod tests {
    use super::{SHARES, fuzz};

    #[test]
    fn every_target_has_a_share() {
        assert_eq!(
            SHARES.map(|(name, _)| name),
            fuzz::TARGETS.map(|(name, _)| name)
        );
        assert_eq!(SHARES.map(|(_, percent)| percent).iter().sum::<u64>(), 100);
    }
}
