//! Lockstep of an engine and [`ReferenceStore`].

use std::marker::PhantomData;
use std::ops::{ControlFlow, Range};

use gaptree::{AllocError, RangeStore, Segment};

use super::driver::{Lockstep, Mismatch, Reported, reported, same};
use crate::ops::{Call, Sample, StoreOp};
use crate::{Position, ReferenceStore};

/// An engine and its oracle.
pub(super) struct StoreLockstep<K, V, S> {
    subject: S,
    oracle: ReferenceStore<K, V>,
    values: PhantomData<V>,
}

/// What a sink or closure was given: keys, and the number of their value.
pub(super) type Pieces<K> = Reported<(Range<K>, u8), AllocError>;

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
#[expect(
    clippy::unit_arg,
    reason = "what a sink says is `()` in one of two expansions"
)]
fn insert_with<K: Position, V: Sample>(
    store: &mut impl RangeStore<K, V>,
    range: &Range<K>,
    value: u8,
    call: Call,
) -> Pieces<K> {
    reported!(call, |sink| {
        let (range, value) = (range.clone(), V::of(value));
        let sink = |piece, value: V| sink((piece, value.number()));
        if call.fallible {
            store.try_insert_with(range, value, sink)
        } else {
            Ok(store.insert_with(range, value, sink))
        }
    })
}

/// `remove_with`, plain or fallible, with everything it reports.
#[expect(
    clippy::unit_arg,
    reason = "what a sink says is `()` in one of two expansions"
)]
pub(super) fn remove_with<K: Position, V: Sample>(
    store: &mut impl RangeStore<K, V>,
    range: &Range<K>,
    call: Call,
) -> Pieces<K> {
    reported!(call, |sink| {
        let range = range.clone();
        let sink = |piece, value: V| sink((piece, value.number()));
        if call.fallible {
            store.try_remove_with(range, sink)
        } else {
            Ok(store.remove_with(range, sink))
        }
    })
}

/// `update`, plain or fallible, with the pieces it calls its closure for. It stops
/// or panics after the value was changed, which must not have any effect.
#[expect(
    clippy::unit_arg,
    reason = "what a sink says is `()` in one of two expansions"
)]
fn update<K: Position, V: Sample>(
    store: &mut impl RangeStore<K, V>,
    range: &Range<K>,
    change: crate::ops::Change,
    call: Call,
) -> Pieces<K> {
    let mut index = 0;
    reported!(call, |visit| {
        let f = |piece: Range<K>, value: &mut V| {
            let old = value.number();
            *value = V::of(change.of(old, index));
            index += 1;
            visit((piece, old))
        };
        if call.fallible {
            store.try_update(range.clone(), f)
        } else {
            Ok(store.update(range.clone(), f))
        }
    })
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

    pub(super) fn both(&mut self) -> (&mut S, &mut ReferenceStore<K, V>) {
        (&mut self.subject, &mut self.oracle)
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
                let above = oracle.iter().filter(|(entry, _)| entry.end > range.start);
                let below = above.take_while(|(entry, _)| entry.start < range.end);
                let mut walked = Vec::new();
                let said = subject.walk(range.start, |entry, value| {
                    if entry.start >= range.end {
                        return ControlFlow::Break(());
                    }
                    walked.push(numbered((entry, value)));
                    ControlFlow::Continue(())
                });
                same("walked", below.map(numbered).collect(), walked)?;
                let beyond = oracle
                    .iter()
                    .any(|(entry, _)| entry.start >= range.end && entry.end > range.start);
                same("stopped", beyond, said.is_break())?;
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
            StoreOp::BestGap(query) => {
                same("start", oracle.best_gap(query), subject.best_gap(query))
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
