//! A leaf: up to `B` entries in columns, and the longest gap between them.

use core::mem;
use core::ops::Range;

use arrayvec::ArrayVec;

use super::Summary;
use super::owned::Owned;
use crate::key::Ordinal;
use crate::run::Run;
use crate::store::AllocError;

/// How many keys of a column an edit moves at once: fewer lengths to mispredict,
/// and no more than a few slots beyond the last entry, where padding moves too.
const BLOCK: usize = 4;

/// The fields are in the order in which a look-up needs them.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Leaf<R, V, const B: usize> {
    /// Ends, ascending; padded.
    pub(crate) ends: [R; B],
    /// Starts, ascending; padded.
    pub(crate) starts: [R; B],
    /// Entries; slots beyond are detached or padding.
    len: usize,
    /// The longest gap between two entries of this leaf.
    pub(crate) max_gap: R,
    pub(crate) values: ArrayVec<V, B>,
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize> Leaf<R, V, B> {
    fn new() -> Self {
        Self {
            ends: [R::PAD; B],
            starts: [R::ZERO; B],
            len: 0,
            max_gap: R::ZERO,
            values: ArrayVec::new(),
        }
    }

    pub(crate) fn try_new() -> Result<Owned<Self>, AllocError> {
        Owned::try_with(Self::new)
    }

    /// The leaf's extent and gap; it is not empty.
    #[inline]
    pub(crate) fn summary(&self) -> Summary<R> {
        Summary {
            first: self.starts[0],
            last: self.ends[self.len - 1],
            gap: self.max_gap,
        }
    }

    /// The entry of a slot.
    #[inline]
    pub(crate) fn entry(&self, slot: usize) -> Option<(R, R, &V)> {
        let value = self.values.get(slot)?;
        Some((self.starts[slot], self.ends[slot], value))
    }

    /// The entry that contains `key`.
    #[inline]
    pub(crate) fn get(&self, key: R) -> Option<(R, R, &V)> {
        self.entry(R::rank_up_to_at_once(&self.ends, self.len, key))
            .filter(|&(start, ..)| start <= key)
    }

    /// How many entries start before `key`.
    #[inline]
    pub(crate) fn starting_below(&self, key: R) -> usize {
        let slot = self.ends_below(key);
        slot + usize::from(slot < self.len && self.starts[slot] < key)
    }

    /// Adds a slot behind all others; the length stays.
    fn push(&mut self, start: R, end: R, value: V) {
        let slot = self.values.len();
        (self.starts[slot], self.ends[slot]) = (start, end);
        self.values.push(value);
    }

    /// Moves the entries from slot `at` on to the empty leaf `upper`.
    pub(crate) fn split_off(&mut self, at: usize, upper: &mut Self) {
        let moved = self.values.drain(at..);
        for (slot, value) in moved.enumerate() {
            upper.push(self.starts[at + slot], self.ends[at + slot], value);
        }
        upper.len = self.len - at;
        self.starts[at..].fill(R::ZERO);
        self.ends[at..].fill(R::PAD);
        self.len = at;
        self.rescan();
        upper.rescan();
    }

    /// Takes over the entries of the leaf above; they fit.
    pub(crate) fn absorb(&mut self, upper: Self) {
        let (starts, ends) = (upper.starts, upper.ends);
        for (slot, value) in upper.values.into_iter().enumerate() {
            self.push(starts[slot], ends[slot], value);
        }
        self.len = self.values.len();
        self.rescan();
    }

    /// Closes the columns of the first slots.
    #[cold]
    pub(crate) fn close_columns(&mut self, slots: usize) {
        for (column, padding) in [(&mut self.starts, R::ZERO), (&mut self.ends, R::PAD)] {
            column.copy_within(slots.., 0);
            column[B - slots..].fill(padding);
        }
    }

    /// Shares the entries of both evenly with the leaf above.
    pub(crate) fn even_out(&mut self, upper: &mut Self) {
        let half = usize::midpoint(self.len, upper.len);
        let mut old = mem::replace(upper, Self::new());
        if self.len > half {
            self.split_off(half, upper);
            upper.absorb(old);
        } else {
            old.split_off(half - self.len, upper);
            self.absorb(old);
        }
    }

    pub(crate) fn try_clone(&self) -> Result<Owned<Self>, AllocError> {
        let mut copy = Self::try_new()?;
        (copy.starts, copy.ends) = (self.starts, self.ends);
        (copy.len, copy.max_gap) = (self.len, self.max_gap);
        copy.values.extend(self.values.iter().cloned());
        Ok(copy)
    }

    pub(crate) fn rescan(&mut self) {
        self.max_gap = self.longest_gap();
    }

    /// The longest gap between two entries, computed from them.
    #[inline]
    pub(crate) fn longest_gap(&self) -> R {
        if self.detached() > 0 {
            // No padding: where that would be are the detached slots.
            return self.longest_before(0..self.len);
        }
        R::longest_between(&self.starts, &self.ends, self.len)
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize> Run<R, V> for Leaf<R, V, B> {
    #[inline]
    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn set_len(&mut self, len: usize) {
        self.len = len;
    }

    #[inline]
    fn columns_mut(&mut self) -> (&mut [R], &mut [R], &mut [V]) {
        let slots = self.values.len();
        (
            &mut self.starts[..slots],
            &mut self.ends[..slots],
            &mut self.values,
        )
    }

    #[inline]
    fn start(&self, slot: usize) -> R {
        self.starts[slot]
    }

    #[inline]
    fn end(&self, slot: usize) -> R {
        self.ends[slot]
    }

    #[inline]
    fn value(&self, slot: usize) -> &V {
        &self.values[slot]
    }

    #[inline]
    fn set_start(&mut self, slot: usize, start: R) {
        self.starts[slot] = start;
    }

    #[inline]
    fn set_end(&mut self, slot: usize, end: R) {
        self.ends[slot] = end;
    }

    #[inline]
    fn replace(&mut self, slot: usize, value: V) -> V {
        mem::replace(&mut self.values[slot], value)
    }

    #[inline]
    fn detached(&self) -> usize {
        self.values.len() - self.len
    }

    #[inline]
    fn has_room(&self, slots: usize) -> bool {
        self.len + slots <= B
    }

    #[inline]
    fn open(&mut self, slot: usize, start: R, end: R, value: V) {
        self.values.insert(slot, value);
        let mut at = slot + (self.len - slot).next_multiple_of(BLOCK);
        while at > slot {
            at -= BLOCK;
            for column in [&mut self.starts, &mut self.ends] {
                if at + BLOCK < B {
                    column.copy_within(at..at + BLOCK, at + 1);
                } else {
                    for slot in (at..self.len).rev() {
                        column[slot + 1] = column[slot];
                    }
                }
            }
        }
        (self.starts[slot], self.ends[slot]) = (start, end);
        self.len += 1;
    }

    #[inline]
    fn close(&mut self, slot: usize) -> (R, R, V) {
        let (start, end) = (self.starts[slot], self.ends[slot]);
        let last = self.len - 1;
        let mut at = slot;
        while at < last && at + BLOCK < B {
            for column in [&mut self.starts, &mut self.ends] {
                column.copy_within(at + 1..at + 1 + BLOCK, at);
            }
            at += BLOCK;
        }
        for at in at..last {
            self.starts[at] = self.starts[at + 1];
            self.ends[at] = self.ends[at + 1];
        }
        (self.starts[last], self.ends[last]) = (R::ZERO, R::PAD);
        self.len = last;
        (start, end, self.values.remove(slot))
    }

    #[inline]
    fn pop(&mut self) -> Option<(R, R, V)> {
        let value = self.values.pop()?;
        let slot = self.values.len();
        let bounds = (self.starts[slot], self.ends[slot]);
        (self.starts[slot], self.ends[slot]) = (R::ZERO, R::PAD);
        Some((bounds.0, bounds.1, value))
    }

    #[inline]
    fn ends_below(&self, key: R) -> usize {
        R::rank_below(&self.ends, self.len, key)
    }

    #[inline]
    fn ends_up_to(&self, key: R) -> usize {
        R::rank_up_to(&self.ends, self.len, key)
    }

    // Ranges touch few entries: walking from `from` beats a second search.
    #[inline]
    fn starts_below(&self, from: usize, key: R) -> usize {
        let above = self.starts[from..self.len]
            .iter()
            .position(|&start| start >= key);
        above.map_or(self.len, |slots| from + slots)
    }

    #[inline]
    fn starts_up_to(&self, from: usize, key: R) -> usize {
        let above = self.starts[from..self.len]
            .iter()
            .position(|&start| start > key);
        above.map_or(self.len, |slots| from + slots)
    }

    /// O(1) unless the longest gap may be among those that went.
    #[inline]
    fn regap(&mut self, was: R, slots: Range<usize>) {
        let now = self.longest_before(slots);
        if now >= self.max_gap {
            self.max_gap = now;
        } else if was >= self.max_gap {
            self.rescan();
        }
    }
}
