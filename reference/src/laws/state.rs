//! What holds of every state of a store: L1 to L4, and that all ways to look at
//! it agree.

use std::ops::Range;

use gaptree::{RangeStore, Segment};

use super::cases::{Entry, keys};
use crate::Position;

/// Asserts that the store has exactly these entries, and that all laws about
/// its state hold.
#[track_caller]
pub(super) fn expect<K: Position, S: RangeStore<K, char>>(store: &S, entries: &[Entry]) {
    let expected: Vec<(Range<K>, char)> = entries
        .iter()
        .map(|(range, value)| (keys(range.clone()), *value))
        .collect();
    let got: Vec<(Range<K>, char)> = store.iter().map(|(range, &value)| (range, value)).collect();
    assert_eq!(got, expected, "entries");
    expect_lawful(store);
}

/// Asserts the laws about a store's state.
#[track_caller]
pub(super) fn expect_lawful<K: Position, S: RangeStore<K, char>>(store: &S) {
    store.check();
    let entries: Vec<(Range<K>, char)> =
        store.iter().map(|(range, &value)| (range, value)).collect();
    for (range, _) in &entries {
        assert!(range.start < range.end, "an entry is never empty");
    }
    for pair in entries.windows(2) {
        assert!(pair[0].0.end <= pair[1].0.start, "L1, L2: {pair:?}");
        let adjacent = pair[0].0.end == pair[1].0.start;
        assert!(!adjacent || pair[0].1 != pair[1].1, "L3: {pair:?}");
    }
    assert_eq!(store.len(), entries.len(), "len");
    assert_eq!(store.is_empty(), entries.is_empty(), "is_empty");
    let ends = (
        store.first().map(|first| first.0),
        store.last().map(|last| last.0),
    );
    let expected = (
        entries.first().map(|first| &first.0),
        entries.last().map(|last| &last.0),
    );
    assert_eq!(
        (ends.0.as_ref(), ends.1.as_ref()),
        expected,
        "first and last"
    );
    let mut backwards: Vec<_> = store
        .iter()
        .rev()
        .map(|(range, &value)| (range, value))
        .collect();
    backwards.reverse();
    assert_eq!(backwards, entries, "backwards");
    expect_tiling(store, &entries);
}

/// L4: asserts that entries and gaps tile windows, by going along them.
/// Windows are between any two of the keys at or next to an edge; of a large
/// store, of the entries at its ends.
#[track_caller]
fn expect_tiling<K: Position, S: RangeStore<K, char>>(store: &S, entries: &[(Range<K>, char)]) {
    let ends = entries.iter().take(3).chain(entries.iter().rev().take(3));
    let edges = ends.flat_map(|(range, _)| [range.start, range.end]);
    let near = |edge: K| {
        let position = edge.position();
        [
            position.saturating_sub(1),
            position,
            position.saturating_add(1),
        ]
        .map(K::at_most)
    };
    let mut edges: Vec<K> = edges.chain([K::MIN, K::MAX]).flat_map(near).collect();
    edges.sort();
    edges.dedup();
    for &start in &edges {
        expect_segment(store, entries, start);
        for &end in &edges {
            expect_window(store, entries, start..end);
        }
    }
}

/// L4 at one key: its segment is the entry, or reaches to both neighbours.
#[track_caller]
fn expect_segment<K: Position, S: RangeStore<K, char>>(
    store: &S,
    entries: &[(Range<K>, char)],
    key: K,
) {
    let around = entries.iter().find(|(range, _)| range.contains(&key));
    let expected = match around {
        Some((range, value)) => Segment::Entry(range.clone(), value),
        None => {
            let below = entries.iter().filter(|(range, _)| range.end <= key);
            let above = entries.iter().filter(|(range, _)| range.start > key);
            let start = below.map(|(range, _)| range.end).max().unwrap_or(K::MIN);
            Segment::Gap(start..above.map(|(range, _)| range.start).min().unwrap_or(K::MAX))
        }
    };
    assert_eq!(store.segment_at(key), expected, "segment_at {key:?}");
    let expected = around.map(|(range, value)| (range.clone(), value));
    assert_eq!(store.get(key), expected, "get {key:?}");
}

/// L4 in one window: entries and gaps, each from both ends, meet all its keys.
#[track_caller]
fn expect_window<K: Position, S: RangeStore<K, char>>(
    store: &S,
    entries: &[(Range<K>, char)],
    window: Range<K>,
) {
    let mut overlapping = Vec::new();
    let mut gaps = Vec::new();
    let mut from = window.start;
    for (range, value) in entries {
        if window.is_empty() || range.end <= window.start || range.start >= window.end {
            continue;
        }
        overlapping.push((range.clone(), value));
        if from < range.start {
            gaps.push(from..range.start);
        }
        from = range.end;
    }
    if from < window.end {
        gaps.push(from..window.end);
    }
    assert_eq!(
        store.overlaps(window.clone()),
        !overlapping.is_empty(),
        "overlaps {window:?}"
    );
    let got: Vec<_> = store.overlapping(window.clone()).collect();
    assert_eq!(got, overlapping, "overlapping {window:?}");
    let got: Vec<_> = store.gaps(window.clone()).collect();
    assert_eq!(got, gaps, "gaps {window:?}");
    overlapping.reverse();
    let got: Vec<_> = store.overlapping(window.clone()).rev().collect();
    assert_eq!(got, overlapping, "overlapping {window:?} backwards");
    gaps.reverse();
    let got: Vec<_> = store.gaps(window.clone()).rev().collect();
    assert_eq!(got, gaps, "gaps {window:?} backwards");
}
