//! Bytes: what subjects ask the allocator for.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tracking_allocator::{AllocationGroupId, AllocationTracker};

use crate::case::{State, Step};
use crate::measure::Row;
use crate::subject::{Side, Subject};

/// Bytes in use, the most there were, and the largest single request. Sizes are
/// those asked for, not what the allocator adds.
#[derive(Debug)]
pub struct Meter;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

impl AllocationTracker for Meter {
    fn allocated(&self, _: usize, size: usize, _: usize, _: AllocationGroupId) {
        let live = LIVE.fetch_add(size, Relaxed) + size;
        PEAK.fetch_max(live, Relaxed);
        LARGEST.fetch_max(size, Relaxed);
    }

    fn deallocated(
        &self,
        _: usize,
        size: usize,
        _: usize,
        _: AllocationGroupId,
        _: AllocationGroupId,
    ) {
        LIVE.fetch_sub(size, Relaxed);
    }
}

/// What a subject needs for a state that came about step by step, the subject
/// itself included: bytes a region in the end and at the peak, and the largest
/// single allocation. Only in a program whose allocator reports to [`Meter`].
#[must_use]
pub fn usage<S: Subject>(state: &State, n: usize, suffix: &str) -> Vec<Row> {
    let slow = S::SHIFTS && n > 20_000;
    if slow || !S::COUNTED || matches!(S::SIDE, Side::Oracle | Side::Floor) {
        return Vec::new();
    }
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    LARGEST.store(0, Relaxed);
    let mut subject = S::new();
    for &step in &state.history {
        match step {
            Step::Insert { start, end, value } => {
                subject.insert(start, end, state.values[value as usize]);
            }
            Step::Remove { start, end } => subject.remove(start, end),
            _ => unreachable!("a history inserts and removes"),
        }
    }
    let own = size_of::<S>();
    let live = LIVE.load(Relaxed) - before + own;
    let peak = PEAK.load(Relaxed) - before + own;
    drop(subject);
    let regions = state.entries.len() as f64;
    let row = |what: &str, unit, value: f64| Row {
        workload: format!("{what}_{suffix}"),
        n,
        subject: S::NAME,
        unit,
        min: value,
        median: value,
        rounds: 1,
        hash: 0,
    };
    vec![
        row("bytes", "bytes", live as f64 / regions),
        row("peak", "bytes", peak as f64 / regions),
        row("largest", "bytes", LARGEST.load(Relaxed) as f64),
    ]
}
