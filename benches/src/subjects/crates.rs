//! Subjects: crates that are range maps themselves, rangemap and nodit.

use std::fmt;

use nodit::interval::ii;
use nodit::{Interval, NoditMap};
use rangemap::RangeMap;

use crate::subject::{Place, Side, Subject, scan};
use crate::value::Value;

/// `rangemap::RangeMap`.
#[derive(Clone, Debug)]
pub struct Rangemap(RangeMap<u64, Value>);

impl Subject for Rangemap {
    const NAME: &'static str = "rangemap";
    const SIDE: Side = Side::Rival;

    fn new() -> Self {
        Self(RangeMap::new())
    }

    fn from_sorted(entries: &[(u64, u64, Value)]) -> Self {
        let entries = entries.iter();
        Self(
            entries
                .map(|&(start, end, value)| (start..end, value))
                .collect(),
        )
    }

    #[inline]
    fn find(&self, page: u64) -> Option<u64> {
        Some(self.0.get_key_value(&page)?.0.start)
    }

    #[inline]
    fn insert(&mut self, start: u64, end: u64, value: Value) {
        self.0.insert(start..end, value);
    }

    #[inline]
    fn remove(&mut self, start: u64, end: u64) {
        self.0.remove(start..end);
    }

    fn protect(&mut self, start: u64, end: u64, prot: u32) {
        let mut done = start;
        while let Some((range, &value)) = self.0.overlapping(done..end).next() {
            let piece = range.start.max(done)..range.end.min(end);
            done = piece.end;
            if value.prot != prot {
                self.0.insert(piece, Value { prot, ..value });
            }
            if done >= end {
                break;
            }
        }
    }

    #[inline]
    fn overlapping(&self, start: u64, end: u64, mut f: impl FnMut(u64, u64, u32) -> bool) {
        for (range, value) in self.0.overlapping(start..end) {
            if !f(range.start, range.end, value.prot) {
                break;
            }
        }
    }

    #[inline]
    fn for_each(&self, mut f: impl FnMut(u64, u64, Value)) {
        self.0
            .iter()
            .for_each(|(range, value)| f(range.start, range.end, *value));
    }

    fn find_gap(&self, place: &Place) -> Option<u64> {
        let inside = self.0.overlapping(place.window.0..place.window.1);
        let inside = inside.map(|(range, _)| (range.start, range.end));
        if place.highest {
            scan(place, inside.rev())
        } else {
            scan(place, inside)
        }
    }
}

/// `nodit::NoditMap` over closed intervals.
#[derive(Clone)]
pub struct Nodit(NoditMap<u64, Interval<u64>, Value>);

impl fmt::Debug for Nodit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nodit")
    }
}

impl Subject for Nodit {
    const NAME: &'static str = "nodit";
    const SIDE: Side = Side::Rival;

    fn new() -> Self {
        Self(NoditMap::new())
    }

    #[inline]
    fn find(&self, page: u64) -> Option<u64> {
        let (interval, _) = self.0.get_key_value_at_point(&page).ok()?;
        Some(*interval.start())
    }

    #[inline]
    fn insert(&mut self, start: u64, end: u64, value: Value) {
        let interval = ii(start, end - 1);
        // What is cut out is returned lazily, but taken out at once.
        drop(self.0.cut(&interval));
        let inserted = self
            .0
            .insert_merge_touching_if_values_equal(interval, value);
        inserted.expect("what overlapped was cut out");
    }

    #[inline]
    fn remove(&mut self, start: u64, end: u64) {
        drop(self.0.cut(&ii(start, end - 1)));
    }

    fn protect(&mut self, start: u64, end: u64, prot: u32) {
        let mut done = start;
        while done < end {
            let Some((interval, &value)) = self.0.overlapping(&ii(done, end - 1)).next() else {
                return;
            };
            let (low, high) = ((*interval.start()).max(done), (interval.end() + 1).min(end));
            if value.prot != prot {
                self.insert(low, high, Value { prot, ..value });
            }
            done = high;
        }
    }

    #[inline]
    fn overlapping(&self, start: u64, end: u64, mut f: impl FnMut(u64, u64, u32) -> bool) {
        for (interval, value) in self.0.overlapping(&ii(start, end - 1)) {
            if !f(*interval.start(), interval.end() + 1, value.prot) {
                break;
            }
        }
    }

    #[inline]
    fn for_each(&self, mut f: impl FnMut(u64, u64, Value)) {
        self.0.iter().for_each(|(interval, value)| {
            f(*interval.start(), interval.end() + 1, *value);
        });
    }

    fn find_gap(&self, place: &Place) -> Option<u64> {
        let window = ii(place.window.0, place.window.1 - 1);
        let inside = self.0.overlapping(&window);
        let inside = inside.map(|(interval, _)| (*interval.start(), interval.end() + 1));
        if place.highest {
            scan(place, inside.rev())
        } else {
            scan(place, inside)
        }
    }
}
