//! The oracle's own oracle: `ReferenceStore` against one slot a key, for the
//! two key types that are small enough, with brute force for placements.

use std::fmt::Debug;
use std::ops::Range;

use gaptree::{GapQuery, Order, RangeStore, Segment};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use reference::ops::{Input, Scatter, StoreOp};
use reference::{Position, ReferenceStore};

/// One slot for each key but the largest, in ascending order.
struct Slots<K> {
    keys: Vec<K>,
    values: Vec<Option<u8>>,
}

/// A key type small enough for a slot a key.
trait Small: Position + Into<i32> + Debug {}
impl Small for u8 {}
impl Small for i8 {}

impl<K: Small> Slots<K> {
    fn new() -> Self {
        let keys: Vec<K> = (0..255).filter_map(K::at).collect();
        Self {
            values: vec![None; keys.len()],
            keys,
        }
    }

    /// The keys of a range, as slots.
    fn slots(&self, range: &Range<K>) -> Vec<usize> {
        (0..self.keys.len())
            .filter(|&i| range.contains(&self.keys[i]))
            .collect()
    }

    /// The key after that of a slot.
    fn after(&self, slot: usize) -> K {
        self.keys.get(slot + 1).copied().unwrap_or(K::MAX)
    }

    /// Maximal runs of equal slots among `slots`, ascending.
    fn runs(&self, slots: &[usize]) -> Vec<(Range<K>, Option<u8>)> {
        let mut runs: Vec<(Range<K>, Option<u8>)> = Vec::new();
        for &i in slots {
            match runs.last_mut() {
                Some((range, value)) if range.end == self.keys[i] && *value == self.values[i] => {
                    range.end = self.after(i);
                }
                _ => runs.push((self.keys[i]..self.after(i), self.values[i])),
            }
        }
        runs
    }

    fn entries(&self, slots: &[usize]) -> Vec<(Range<K>, u8)> {
        let runs = self.runs(slots).into_iter();
        runs.filter_map(|(range, value)| Some((range, value?)))
            .collect()
    }

    fn all(&self) -> Vec<usize> {
        (0..self.keys.len()).collect()
    }

    fn gaps(&self, window: &Range<K>) -> Vec<Range<K>> {
        let runs = self.runs(&self.slots(window)).into_iter();
        runs.filter(|(_, value)| value.is_none())
            .map(|(range, _)| range)
            .collect()
    }

    /// The whole run around a key; a key without a slot has none.
    fn run_around(&self, key: K) -> Option<(Range<K>, Option<u8>)> {
        self.runs(&self.all())
            .into_iter()
            .find(|(range, _)| range.contains(&key))
    }

    fn set(&mut self, range: &Range<K>, value: Option<u8>) {
        for i in self.slots(range) {
            self.values[i] = value;
        }
    }

    /// Tries every start.
    fn find_gap(&self, query: &GapQuery<K>) -> Option<K> {
        let (len, align) = (K::wide(query.len), K::wide(query.align));
        let phase = K::wide(query.phase);
        if len == 0 || ![1, 2, 4, 8, 16, 32, 64, 128].contains(&align) || phase >= align {
            return None;
        }
        let fits = |&start: &usize| {
            let end = start as u128 + len;
            let free = |i: u128| {
                let i = usize::try_from(i).expect("below 256");
                self.values[i].is_none() && query.window.contains(&self.keys[i])
            };
            let number: i32 = self.keys[start].into();
            let residue = number.rem_euclid(i32::try_from(align).expect("below 256"));
            end <= self.keys.len() as u128
                && (start as u128..end).all(free)
                && i128::from(residue) == phase.cast_signed()
        };
        let mut starts = 0..self.keys.len();
        let found = match query.order {
            Order::Lowest => starts.find(fits),
            Order::Highest => starts.rfind(fits),
        };
        found.map(|i| self.keys[i])
    }

    /// The end of a placement.
    fn end(start: K, query: &GapQuery<K>) -> K {
        K::at_most(start.position() + K::wide(query.len))
    }
}

/// Compares the answer to an operation that changes nothing.
fn ask<K: Small>(slots: &Slots<K>, store: &ReferenceStore<K, u8>, op: &StoreOp<K>) {
    let owned = |entry: (Range<K>, &u8)| (entry.0, *entry.1);
    match op {
        StoreOp::Get(key) => {
            let around = slots.run_around(*key);
            let entry = around.and_then(|(range, value)| Some((range, value?)));
            assert_eq!(store.get(*key).map(owned), entry);
        }
        StoreOp::SegmentAt(key) => match (store.segment_at(*key), slots.run_around(*key)) {
            (Segment::Entry(range, value), around) => {
                assert_eq!(around, Some((range, Some(*value))));
            }
            (Segment::Gap(range), Some(around)) => assert_eq!(around, (range, None)),
            (Segment::Gap(range), None) => {
                assert_eq!(*key, K::MAX);
                let last = slots.runs(&slots.all()).pop().expect("a run");
                let start = if last.1.is_none() {
                    last.0.start
                } else {
                    K::MAX
                };
                assert_eq!(range, start..K::MAX);
            }
        },
        StoreOp::Overlaps(range) => {
            let expected = slots
                .slots(range)
                .iter()
                .any(|&i| slots.values[i].is_some());
            assert_eq!(store.overlaps(range.clone()), expected);
        }
        StoreOp::Overlapping(range, _) => {
            let mut expected = slots.entries(&slots.all());
            let met = slots.slots(range);
            expected.retain(|(entry, _)| met.iter().any(|&i| entry.contains(&slots.keys[i])));
            assert_eq!(
                store
                    .overlapping(range.clone())
                    .map(owned)
                    .collect::<Vec<_>>(),
                expected
            );
        }
        StoreOp::Gaps(range, _) => {
            assert_eq!(store.free_ranges(range.clone()), slots.gaps(range));
            assert_eq!(
                store.gaps(range.clone()).collect::<Vec<_>>(),
                slots.gaps(range)
            );
        }
        StoreOp::LongestGap(range) => {
            let gaps = slots.gaps(range).into_iter();
            // The last of the longest when backwards is the first.
            let longest = gaps
                .rev()
                .max_by_key(|gap| gap.end.position() - gap.start.position());
            assert_eq!(store.longest_gap(range.clone()), longest);
        }
        StoreOp::FindGap(query) => assert_eq!(store.find_gap(query), slots.find_gap(query)),
        _ => {}
    }
}

/// Applies an operation to both and compares what it reports.
fn change<K: Small>(slots: &mut Slots<K>, store: &mut ReferenceStore<K, u8>, op: &StoreOp<K>) {
    match op {
        StoreOp::Allocate(query, value, _) => {
            let start = slots.find_gap(query);
            assert_eq!(store.allocate(query, *value), start);
            if let Some(start) = start {
                slots.set(&(start..Slots::end(start, query)), Some(*value));
            }
        }
        StoreOp::Insert(range, value, _) => {
            store.insert(range.clone(), *value);
            slots.set(range, Some(*value));
        }
        StoreOp::InsertWith(range, value, _) => {
            let mut pieces = Vec::new();
            store.insert_with(range.clone(), *value, |piece, old| {
                pieces.push((piece, old))
            });
            assert_eq!(pieces, slots.entries(&slots.slots(range)));
            slots.set(range, Some(*value));
        }
        StoreOp::Remove(range) => {
            store.remove(range.clone());
            slots.set(range, None);
        }
        StoreOp::RemoveWith(range, _) => {
            let mut pieces = Vec::new();
            store.remove_with(range.clone(), |piece, old| pieces.push((piece, old)));
            assert_eq!(pieces, slots.entries(&slots.slots(range)));
            slots.set(range, None);
        }
        StoreOp::Update(range, change, _) => {
            let pieces = slots.entries(&slots.slots(range));
            let mut seen = Vec::new();
            store.update(range.clone(), |piece, value| {
                seen.push((piece, *value));
                *value = change.of(*value, seen.len() - 1);
            });
            assert_eq!(seen, pieces);
            for (index, (piece, value)) in pieces.into_iter().enumerate() {
                slots.set(&piece, Some(change.of(value, index)));
            }
        }
        StoreOp::Clear => {
            store.clear();
            slots.values.fill(None);
        }
        StoreOp::Stripes {
            first,
            count,
            stride,
            len,
            value,
            scatter: Scatter::Ascending,
        } => {
            for n in 0..*count {
                let start = first.position() + u128::from(n * stride);
                let range = K::at_most(start)..K::at_most(start + u128::from(*len));
                slots.set(&range, *value);
                match value {
                    Some(value) => store.insert(range, *value),
                    None => store.remove(range),
                }
            }
        }
        _ => {}
    }
}

fn agree<K: Small>(data: &[u8]) {
    let (mut slots, mut store) = (Slots::new(), ReferenceStore::EMPTY);
    for op in StoreOp::<K>::decode_all(&mut Input::new(data)) {
        ask(&slots, &store, &op);
        change(&mut slots, &mut store, &op);
        let entries: Vec<_> = store.iter().map(|(range, &value)| (range, value)).collect();
        assert_eq!(entries, slots.entries(&slots.all()), "after {op}");
        store.check();
    }
}

proptest! {
    #![proptest_config(Config {
        cases: 300,
        rng_seed: RngSeed::Fixed(0x6f72_6163_6c65),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn the_reference_agrees_with_slots_for_unsigned_keys(data in vec(any::<u8>(), 0..400)) {
        agree::<u8>(&data);
    }

    #[test]
    fn the_reference_agrees_with_slots_for_signed_keys(data in vec(any::<u8>(), 0..400)) {
        agree::<i8>(&data);
    }
}
