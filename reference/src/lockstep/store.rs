//! Lockstep of an engine and [`ReferenceStore`].

use std::marker::PhantomData;
use std::ops::Range;
use std::panic::resume_unwind;

use gaptree::{RangeStore, Segment};

use super::driver::{Lockstep, Mismatch, Stop, same, stopped};
use crate::ops::{Call, Sample, StoreOp};
use crate::{Position, ReferenceStore};

/// An engine and its oracle.
pub(super) struct StoreLockstep<K, V, S> {
    subject: S,
    oracle: ReferenceStore<K, V>,
    values: PhantomData<V>,
}

/// What a sink was given, and whether it stopped the operation.
type Reported<K> = (Vec<(Range<K>, u8)>, bool);

/// More pieces than any operation has: it reports without end.
const ENDLESS: usize = 100_000;

/// The pieces that an operation reports to a sink that may stop it.
fn reported<K: Position, V: Sample>(
    call: Call,
    operation: impl FnOnce(&mut dyn FnMut(Range<K>, V)),
) -> Reported<K> {
    let mut pieces = Vec::new();
    let stop = stopped(|| {
        operation(&mut |range, value| {
            pieces.push((range, value.number()));
            assert!(pieces.len() < ENDLESS, "it reports without end");
            if call.stop == Some(pieces.len() - 1) {
                resume_unwind(Box::new(Stop));
            }
        });
    });
    (pieces, stop)
}

/// An entry with the number of its value.
fn numbered<K, V: Sample>((range, value): (Range<K>, &V)) -> (Range<K>, u8) {
    (range, value.number())
}

/// What is at a key, with the number of its value.
fn numbered_segment<K, V: Sample>(segment: Segment<'_, K, V>) -> (Range<K>, Option<u8>) {
    match segment {
        Segment::Entry(range, value) => (range, Some(value.number())),
        Segment::Gap(range) => (range, None),
    }
}

/// `insert_with`, plain or fallible, with everything it reports.
fn insert_with<K: Position, V: Sample>(
    store: &mut impl RangeStore<K, V>,
    range: &Range<K>,
    value: u8,
    call: Call,
) -> Reported<K> {
    reported(call, |sink: &mut dyn FnMut(Range<K>, V)| {
        if call.fallible {
            store
                .try_insert_with(range.clone(), V::of(value), sink)
                .expect("memory");
        } else {
            store.insert_with(range.clone(), V::of(value), sink);
        }
    })
}

/// `remove_with`, plain or fallible, with everything it reports.
fn remove_with<K: Position, V: Sample>(
    store: &mut impl RangeStore<K, V>,
    range: &Range<K>,
    call: Call,
) -> Reported<K> {
    reported(call, |sink: &mut dyn FnMut(Range<K>, V)| {
        if call.fallible {
            store.try_remove_with(range.clone(), sink).expect("memory");
        } else {
            store.remove_with(range.clone(), sink);
        }
    })
}

/// `update`, plain or fallible, with the pieces it calls its closure for. A
/// stop comes after the value was changed, which must not have any effect.
fn update<K: Position, V: Sample>(
    store: &mut impl RangeStore<K, V>,
    range: &Range<K>,
    change: crate::ops::Change,
    call: Call,
) -> Reported<K> {
    let mut pieces = Vec::new();
    let stop = stopped(|| {
        let f = |piece: Range<K>, value: &mut V| {
            let (old, index) = (value.number(), pieces.len());
            pieces.push((piece, old));
            assert!(pieces.len() < ENDLESS, "it reports without end");
            *value = V::of(change.of(old, index));
            if call.stop == Some(index) {
                resume_unwind(Box::new(Stop));
            }
        };
        if call.fallible {
            store.try_update(range.clone(), f).expect("memory");
        } else {
            store.update(range.clone(), f);
        }
    });
    (pieces, stop)
}

/// Inserts or removes every stripe of a pattern.
fn stripes<K: Position, V: Sample>(store: &mut impl RangeStore<K, V>, op: &StoreOp<K>) {
    let StoreOp::Stripes {
        first,
        count,
        stride,
        len,
        scatter,
        value,
    } = *op
    else {
        return;
    };
    for n in 0..count {
        let index = scatter.index(n, count);
        let start = first.position().saturating_add(u128::from(index * stride));
        let range = K::at_most(start)..K::at_most(start.saturating_add(u128::from(len)));
        match value {
            // Neighbours differ, so that nothing coalesces.
            Some(value) => {
                let parity = u8::try_from(index % 2).expect("0 or 1");
                store.insert(range, V::of(value ^ parity));
            }
            None => store.remove(range),
        }
    }
}

impl<K: Position, V: Sample, S: RangeStore<K, V>> StoreLockstep<K, V, S> {
    pub(super) fn new() -> Self {
        Self {
            subject: S::EMPTY,
            oracle: ReferenceStore::EMPTY,
            values: PhantomData,
        }
    }

    pub(super) fn subject(&self) -> &S {
        &self.subject
    }

    /// Applies an operation that changes nothing.
    fn ask(&self, op: &StoreOp<K>) -> Result<(), Mismatch> {
        let Self {
            subject, oracle, ..
        } = self;
        match op {
            StoreOp::Get(key) => {
                let (expected, got) = (oracle.get(*key), subject.get(*key));
                same("entry", expected.map(numbered), got.map(numbered))
            }
            StoreOp::SegmentAt(key) => {
                let (expected, got) = (oracle.segment_at(*key), subject.segment_at(*key));
                same("segment", numbered_segment(expected), numbered_segment(got))
            }
            StoreOp::Overlaps(range) => same(
                "answer",
                oracle.overlaps(range.clone()),
                subject.overlaps(range.clone()),
            ),
            StoreOp::Overlapping(range, walk) => {
                let expected = walk.take(oracle.overlapping(range.clone()).map(numbered));
                let got = walk.take(subject.overlapping(range.clone()).map(numbered));
                same("entries", expected, got)
            }
            StoreOp::Iterate(walk) => {
                let expected = walk.take(oracle.iter().map(numbered));
                same("entries", expected, walk.take(subject.iter().map(numbered)))
            }
            StoreOp::Gaps(range, walk) => {
                let expected = walk.take(oracle.free_ranges(range.clone()).into_iter());
                same("gaps", expected, walk.take(subject.gaps(range.clone())))
            }
            StoreOp::FindGap(query) => {
                same("start", oracle.find_gap(query), subject.find_gap(query))
            }
            StoreOp::LongestGap(range) => {
                let expected = oracle.longest_gap(range.clone());
                same("gap", expected, subject.longest_gap(range.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Applies an operation that may change something.
    fn change(&mut self, op: &StoreOp<K>) -> Result<(), Mismatch> {
        let Self {
            subject, oracle, ..
        } = self;
        match op {
            StoreOp::Insert(range, value, call) => {
                oracle.insert(range.clone(), V::of(*value));
                if call.fallible {
                    subject
                        .try_insert(range.clone(), V::of(*value))
                        .expect("memory");
                } else {
                    subject.insert(range.clone(), V::of(*value));
                }
            }
            StoreOp::InsertWith(range, value, call) => {
                let expected = insert_with(oracle, range, *value, *call);
                same(
                    "removed",
                    expected,
                    insert_with(subject, range, *value, *call),
                )?;
            }
            StoreOp::Remove(range) => {
                oracle.remove(range.clone());
                subject.remove(range.clone());
            }
            StoreOp::RemoveWith(range, call) => {
                let expected = remove_with(oracle, range, *call);
                same("removed", expected, remove_with(subject, range, *call))?;
            }
            StoreOp::Update(range, change, call) => {
                let expected = update(oracle, range, *change, *call);
                same("updated", expected, update(subject, range, *change, *call))?;
            }
            StoreOp::Allocate(query, value, call) => {
                let found = subject.find_gap(query);
                let expected = oracle.allocate(query, V::of(*value));
                let got = if call.fallible {
                    subject.try_allocate(query, V::of(*value)).expect("memory")
                } else {
                    subject.allocate(query, V::of(*value))
                };
                same("start", expected, got)?;
                same("start that find_gap promised", found, got)?;
            }
            StoreOp::Clear => {
                oracle.clear();
                subject.clear();
            }
            StoreOp::Clone(call) => renew(subject, *call),
            StoreOp::Stripes { .. } => {
                stripes(oracle, op);
                stripes(subject, op);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Puts a copy in the store's place. A copy has no sink that could stop; a call
/// with a stop asks for a store that is built from the entries in order, in which
/// the nodes of a tree are full.
fn renew<K: Position, V: Sample, S: RangeStore<K, V>>(store: &mut S, call: Call) {
    let copy = if call.fallible {
        store.try_clone().expect("memory")
    } else {
        store.clone()
    };
    store.clear();
    *store = copy;
    if call.stop.is_some() {
        store.check();
        let entries = store.iter().map(|(range, value)| (range, value.clone()));
        *store = S::try_from_entries(entries).expect("memory");
    }
}

impl<K: Position, V: Sample, S: RangeStore<K, V>> Lockstep for StoreLockstep<K, V, S> {
    type Op = StoreOp<K>;

    fn apply(&mut self, op: &StoreOp<K>) -> Result<(), Mismatch> {
        self.ask(op)?;
        self.change(op)
    }

    fn compare(&self) -> Result<(), Mismatch> {
        let Self {
            subject, oracle, ..
        } = self;
        subject.check();
        let entries: Vec<_> = oracle.iter().map(numbered).collect();
        same("entries", &entries, &subject.iter().map(numbered).collect())?;
        let backwards: Vec<_> = oracle.iter().rev().map(numbered).collect();
        same(
            "entries backwards",
            backwards,
            subject.iter().rev().map(numbered).collect(),
        )?;
        same("len", entries.len(), subject.len())?;
        same("is_empty", entries.is_empty(), subject.is_empty())?;
        same(
            "first",
            entries.first().cloned(),
            subject.first().map(numbered),
        )?;
        same(
            "last",
            entries.last().cloned(),
            subject.last().map(numbered),
        )?;
        let everything = K::MIN..K::MAX;
        let mut gaps = oracle.free_ranges(everything.clone());
        same("gaps", &gaps, &subject.gaps(everything.clone()).collect())?;
        gaps.reverse();
        same(
            "gaps backwards",
            &gaps,
            &subject.gaps(everything.clone()).rev().collect(),
        )?;
        let longest = oracle.longest_gap(everything.clone());
        same("longest gap", longest, subject.longest_gap(everything))
    }

    fn cost(&self) -> usize {
        self.oracle.len() / 2
    }

    fn name(&self) -> String {
        std::any::type_name::<S>().to_owned()
    }
}
