//! The slow end: how long single operations take while a subject grows.

use std::time::Instant;

use crate::case::{State, Step};
use crate::measure::Row;
use crate::subject::{Side, Subject};

/// How often growth is repeated. Of each operation the fastest run counts, so
/// that what is left is work, not interruptions.
const PASSES: usize = 5;

/// The measured percentiles by workload name.
const PERCENTILES: [(&str, f64); 4] = [
    ("grow_p50", 0.5),
    ("grow_p99", 0.99),
    ("grow_p999", 0.999),
    ("grow_worst", 1.0),
];

/// Fills the state's ranges one by one in its order: nanoseconds of wall time,
/// some twenty of them the clock's. Nothing for subjects that would take minutes.
#[must_use]
pub fn growth<S: Subject>(state: &State, n: usize) -> Vec<Row> {
    let slow = S::SHIFTS && n > 20_000;
    if slow || matches!(S::SIDE, Side::Oracle | Side::Floor) {
        return Vec::new();
    }
    let mut fastest = vec![f64::INFINITY; state.history.len()];
    for _ in 0..PASSES {
        let mut subject = S::new();
        for (time, &step) in fastest.iter_mut().zip(&state.history) {
            let Step::Insert { start, end, value } = step else {
                unreachable!("growing only inserts")
            };
            let value = state.values[value as usize];
            let begin = Instant::now();
            subject.insert(start, end, value);
            *time = time.min(begin.elapsed().as_secs_f64() * 1e9);
        }
    }
    fastest.sort_by(f64::total_cmp);
    let at = |share: f64| fastest[((fastest.len() - 1) as f64 * share) as usize];
    PERCENTILES
        .iter()
        .map(|&(workload, share)| Row {
            workload: workload.to_owned(),
            n,
            subject: S::NAME,
            unit: "ns",
            min: at(share),
            median: at(share),
            rounds: PASSES,
            hash: 0,
        })
        .collect()
}
