//! Subjects: ordered maps from crates, inside one algorithm on ranges.
//!
//! The map goes from an entry's end to its start and value, so that the entry
//! around a page is the first one above the page: one descent forwards, which
//! all of these maps are good at.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

use bbtree::unsync::BBTreeMap;
use brie_tree::BTree;
use brie_tree::nonmax::NonMaxU64;

use crate::subject::{Place, Side, Subject, scan};
use crate::value::Value;

/// What is kept at an entry's end.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    start: u64,
    value: Value,
}

/// An ordered map with what the algorithm needs.
pub trait OrderedMap: Clone {
    /// What the subject is called.
    const NAME: &'static str;
    /// Whether an insertion moves everything above it.
    const SHIFTS: bool = false;

    /// A map without entries.
    fn empty() -> Self;

    /// A map of these, whose keys are in order.
    fn from_sorted(slots: impl Iterator<Item = (u64, Slot)>) -> Self {
        let mut map = Self::empty();
        slots.for_each(|(key, slot)| map.add(key, slot));
        map
    }

    /// Entries with keys above `key`, ascending.
    fn above(&self, key: u64) -> impl Iterator<Item = (u64, &Slot)>;

    /// Entries with keys up to the first that is `key` or above, descending.
    fn below(&self, key: u64) -> impl Iterator<Item = (u64, &Slot)>;

    /// The slot with exactly this key.
    fn slot(&mut self, key: u64) -> Option<&mut Slot>;

    /// Adds a key that is not there.
    fn add(&mut self, key: u64, slot: Slot);

    /// Takes a key out.
    fn take(&mut self, key: u64);
}

/// A map of ranges on an ordered map.
#[derive(Clone)]
pub struct Ordered<M>(M);

impl<M> fmt::Debug for Ordered<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ordered")
    }
}

impl<M: OrderedMap> Ordered<M> {
    /// Takes the pages out, cutting what straddles the edges.
    #[inline]
    fn remove_pages(&mut self, start: u64, end: u64) {
        loop {
            let Some((last, &slot)) = self.0.above(start).next() else {
                return;
            };
            if slot.start >= end {
                return;
            }
            if last > end {
                if let Some(rest) = self.0.slot(last) {
                    rest.start = end;
                }
            } else {
                self.0.take(last);
            }
            if slot.start < start {
                self.0.add(start, slot);
            }
            if last >= end {
                return;
            }
        }
    }

    /// Fills free pages, one entry with their equal neighbours.
    #[inline]
    fn put(&mut self, mut start: u64, end: u64, value: Value) {
        if let Some(left) = self.0.slot(start)
            && left.value == value
        {
            let merged = left.start;
            self.0.take(start);
            start = merged;
        }
        let right = self.0.above(end).next();
        let touching = right
            .filter(|(_, slot)| slot.start == end && slot.value == value)
            .map(|(key, _)| key);
        match touching.and_then(|key| self.0.slot(key)) {
            Some(slot) => slot.start = start,
            None => self.0.add(end, Slot { start, value }),
        }
    }
}

impl<M: OrderedMap> Subject for Ordered<M> {
    const NAME: &'static str = M::NAME;
    const SIDE: Side = Side::Rival;
    const SHIFTS: bool = M::SHIFTS;

    fn new() -> Self {
        Self(M::empty())
    }

    fn from_sorted(entries: &[(u64, u64, Value)]) -> Self {
        let entries = entries.iter();
        Self(M::from_sorted(
            entries.map(|&(start, end, value)| (end, Slot { start, value })),
        ))
    }

    #[inline]
    fn find(&self, page: u64) -> Option<u64> {
        let (_, slot) = self.0.above(page).next()?;
        (slot.start <= page).then_some(slot.start)
    }

    #[inline]
    fn insert(&mut self, start: u64, end: u64, value: Value) {
        self.remove_pages(start, end);
        self.put(start, end, value);
    }

    #[inline]
    fn remove(&mut self, start: u64, end: u64) {
        self.remove_pages(start, end);
    }

    fn protect(&mut self, start: u64, end: u64, prot: u32) {
        let mut done = start;
        while done < end {
            let Some((last, &slot)) = self.0.above(done).next() else {
                return;
            };
            if slot.start >= end {
                return;
            }
            let (low, high) = (slot.start.max(done), last.min(end));
            if slot.value.prot != prot {
                self.remove_pages(low, high);
                self.put(low, high, Value { prot, ..slot.value });
            }
            done = high;
        }
    }

    #[inline]
    fn overlapping(&self, start: u64, end: u64, mut f: impl FnMut(u64, u64, u32) -> bool) {
        for (last, slot) in self.0.above(start) {
            if slot.start >= end || !f(slot.start, last, slot.value.prot) {
                break;
            }
        }
    }

    #[inline]
    fn for_each(&self, mut f: impl FnMut(u64, u64, Value)) {
        self.0
            .above(0)
            .for_each(|(end, slot)| f(slot.start, end, slot.value));
    }

    fn find_gap(&self, place: &Place) -> Option<u64> {
        let (low, high) = place.window;
        if place.highest {
            let inside = self.0.below(high).filter(|(_, slot)| slot.start < high);
            let inside = inside.take_while(|&(end, _)| end > low);
            scan(place, inside.map(|(end, slot)| (slot.start, end)))
        } else {
            let inside = self.0.above(low);
            let inside = inside.take_while(|(_, slot)| slot.start < high);
            scan(place, inside.map(|(end, slot)| (slot.start, end)))
        }
    }

    #[inline]
    fn allocate(&mut self, place: &Place, value: Value) -> Option<u64> {
        // The place is free: there is nothing to remove.
        let start = self.find_gap(place)?;
        self.put(start, start + place.len, value);
        Some(start)
    }
}

/// Maps with the interface of the standard library's.
macro_rules! like_std {
    ($($map:ident, $name:literal;)*) => {$(
        impl OrderedMap for $map<u64, Slot> {
            const NAME: &'static str = $name;

            fn empty() -> Self {
                Self::new()
            }

            fn from_sorted(slots: impl Iterator<Item = (u64, Slot)>) -> Self {
                slots.collect()
            }

            #[inline]
            fn above(&self, key: u64) -> impl Iterator<Item = (u64, &Slot)> {
                let range = self.range((Bound::Excluded(key), Bound::Unbounded));
                range.map(|(&key, slot)| (key, slot))
            }

            fn below(&self, key: u64) -> impl Iterator<Item = (u64, &Slot)> {
                let straddling = self.range(key..).next();
                let rest = self.range(..key).rev();
                straddling
                    .into_iter()
                    .chain(rest)
                    .map(|(&key, slot)| (key, slot))
            }

            #[inline]
            fn slot(&mut self, key: u64) -> Option<&mut Slot> {
                self.get_mut(&key)
            }

            #[inline]
            fn add(&mut self, key: u64, slot: Slot) {
                self.insert(key, slot);
            }

            #[inline]
            fn take(&mut self, key: u64) {
                self.remove(&key);
            }
        }
    )*};
}
like_std! {
    BTreeMap, "std-btreemap";
    BBTreeMap, "bbtree";
}

/// A key of brie-tree, which keeps the largest integer for itself.
#[inline]
fn brie(key: u64) -> NonMaxU64 {
    NonMaxU64::new(key).unwrap_or(NonMaxU64::MAX)
}

impl OrderedMap for BTree<NonMaxU64, Slot> {
    const NAME: &'static str = "brie-tree";

    fn empty() -> Self {
        Self::new()
    }

    #[inline]
    fn above(&self, key: u64) -> impl Iterator<Item = (u64, &Slot)> {
        let from = self.iter_from(Bound::Excluded(brie(key)));
        from.map(|(key, slot)| (key.get(), slot))
    }

    fn below(&self, key: u64) -> impl Iterator<Item = (u64, &Slot)> {
        // Its iterators only go forwards; its cursor goes both ways.
        let mut cursor = self.cursor_at(Bound::Included(brie(key)));
        let mut first = cursor.entry();
        std::iter::from_fn(move || {
            let entry = match first.take() {
                Some(entry) => Some(entry),
                None if cursor.prev() => cursor.entry(),
                None => None,
            };
            entry.map(|(key, slot)| (key.get(), slot))
        })
    }

    #[inline]
    fn slot(&mut self, key: u64) -> Option<&mut Slot> {
        self.get_mut(brie(key))
    }

    #[inline]
    fn add(&mut self, key: u64, slot: Slot) {
        self.insert(brie(key), slot);
    }

    #[inline]
    fn take(&mut self, key: u64) {
        self.remove(brie(key));
    }
}

/// Two sorted vectors, keys and slots: what one writes without a crate.
#[derive(Clone, Debug)]
pub struct FlatVec {
    keys: Vec<u64>,
    slots: Vec<Slot>,
}

impl OrderedMap for FlatVec {
    const NAME: &'static str = "flat-vec";
    const SHIFTS: bool = true;

    fn empty() -> Self {
        Self {
            keys: Vec::new(),
            slots: Vec::new(),
        }
    }

    fn from_sorted(slots: impl Iterator<Item = (u64, Slot)>) -> Self {
        let (keys, slots) = slots.unzip();
        Self { keys, slots }
    }

    #[inline]
    fn above(&self, key: u64) -> impl Iterator<Item = (u64, &Slot)> {
        let at = self.keys.partition_point(|&other| other <= key);
        self.keys[at..].iter().copied().zip(&self.slots[at..])
    }

    fn below(&self, key: u64) -> impl Iterator<Item = (u64, &Slot)> {
        let at = self.keys.partition_point(|&other| other < key);
        let end = self.keys.len().min(at + 1);
        self.keys[..end]
            .iter()
            .copied()
            .zip(&self.slots[..end])
            .rev()
    }

    #[inline]
    fn slot(&mut self, key: u64) -> Option<&mut Slot> {
        let at = self.keys.binary_search(&key).ok()?;
        Some(&mut self.slots[at])
    }

    #[inline]
    fn add(&mut self, key: u64, slot: Slot) {
        let at = self.keys.partition_point(|&other| other < key);
        self.keys.insert(at, key);
        self.slots.insert(at, slot);
    }

    #[inline]
    fn take(&mut self, key: u64) {
        if let Ok(at) = self.keys.binary_search(&key) {
            self.keys.remove(at);
            self.slots.remove(at);
        }
    }
}
