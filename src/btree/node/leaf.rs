//! A leaf: up to `LEAF` entries in columns, and the longest gap between them.

use core::mem;
use core::ops::Range;

use arrayvec::ArrayVec;

use super::owned::Owned;
use super::summary::Summary;
use crate::alloc_error::AllocError;
use crate::ordinal::Ordinal;
use crate::run::Run;
use crate::span::Span;

/// An edit moves a column's keys in groups of this many. The end of a loop of
/// varying length is mispredicted; groups leave fewer lengths. Padding behind
/// the last entry may move too.
const MOVED_AT_ONCE: usize = 4;

/// The fields are in the order in which a look-up needs them.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Leaf<R, V, const LEAF: usize> {
    /// Ends, ascending; padded.
    pub(crate) ends: [R; LEAF],
    /// Starts, ascending; padded.
    pub(crate) starts: [R; LEAF],
    /// Entries; slots beyond are detached or padding.
    len: usize,
    /// The longest gap between two entries of this leaf.
    pub(crate) max_gap: R,
    pub(crate) values: ArrayVec<V, LEAF>,
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize> Leaf<R, V, LEAF> {
    fn new() -> Self {
        Self {
            ends: [R::PAD; LEAF],
            starts: [R::ZERO; LEAF],
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
        debug_assert!(self.len > 0);
        Summary {
            min_start: self.starts[0],
            max_end: self.ends[self.len - 1],
            max_gap: self.max_gap,
        }
    }

    /// The entry of a slot.
    #[inline]
    pub(crate) fn entry(&self, slot: usize) -> Option<(Span<R>, &V)> {
        let value = self.values.get(slot)?;
        Some((Span::new(self.starts[slot], self.ends[slot]), value))
    }

    /// The entry that contains `key`.
    #[inline]
    pub(crate) fn get(&self, key: R) -> Option<(Span<R>, &V)> {
        self.entry(R::rank_up_to_at_once(&self.ends, self.len, key))
            .filter(|(span, _)| span.start <= key)
    }

    /// How many entries start before `key`.
    #[inline]
    pub(crate) fn starts_below_key(&self, key: R) -> usize {
        let slot = self.ends_below(key);
        slot + usize::from(slot < self.len && self.starts[slot] < key)
    }

    /// Adds a slot behind all others; the length stays.
    fn push(&mut self, span: Span<R>, value: V) {
        let slot = self.values.len();
        (self.starts[slot], self.ends[slot]) = (span.start, span.end);
        self.values.push(value);
    }

    /// Moves the entries from slot `at` on to the empty leaf `upper`.
    pub(crate) fn split_off(&mut self, at: usize, upper: &mut Self) {
        debug_assert_eq!(upper.len, 0);
        let moved = self.values.drain(at..);
        for (slot, value) in moved.enumerate() {
            let span = Span::new(self.starts[at + slot], self.ends[at + slot]);
            upper.push(span, value);
        }
        upper.len = self.len - at;
        self.starts[at..].fill(R::ZERO);
        self.ends[at..].fill(R::PAD);
        self.len = at;
        self.recompute_max_gap();
        upper.recompute_max_gap();
    }

    /// Takes over the entries of the leaf above; they fit.
    pub(crate) fn merge(&mut self, upper: Self) {
        debug_assert!(self.has_room(upper.len));
        let (starts, ends) = (upper.starts, upper.ends);
        for (slot, value) in upper.values.into_iter().enumerate() {
            self.push(Span::new(starts[slot], ends[slot]), value);
        }
        self.len = self.values.len();
        self.recompute_max_gap();
    }

    /// Closes the columns of the first slots.
    #[cold]
    pub(crate) fn close_columns(&mut self, slots: usize) {
        for (column, padding) in [(&mut self.starts, R::ZERO), (&mut self.ends, R::PAD)] {
            column.copy_within(slots.., 0);
            column[LEAF - slots..].fill(padding);
        }
    }

    /// Moves entries between this leaf and the one above until both have half, the
    /// upper one more if the sum is odd:
    ///
    /// ```text
    /// |aaaaaaaa|bbb.....|  ->  |aaaaa...|aaabbb..|
    /// |aaa.....|bbbbbbbb|  ->  |aaabb...|bbbbbb..|
    /// ```
    pub(crate) fn redistribute(&mut self, upper: &mut Self) {
        let half = usize::midpoint(self.len, upper.len);
        let mut old = mem::replace(upper, Self::new());
        if self.len > half {
            self.split_off(half, upper);
            upper.merge(old);
        } else {
            old.split_off(half - self.len, upper);
            self.merge(old);
        }
    }

    pub(crate) fn try_clone(&self) -> Result<Owned<Self>, AllocError> {
        let mut copy = Self::try_new()?;
        (copy.starts, copy.ends) = (self.starts, self.ends);
        (copy.len, copy.max_gap) = (self.len, self.max_gap);
        copy.values.extend(self.values.iter().cloned());
        Ok(copy)
    }

    pub(crate) fn recompute_max_gap(&mut self) {
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

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize> Run<R, V> for Leaf<R, V, LEAF> {
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
        self.len + slots <= LEAF
    }

    #[inline]
    fn open(&mut self, slot: usize, span: Span<R>, value: V) {
        debug_assert!(self.detached() == 0 && self.has_room(1));
        self.values.insert(slot, value);
        let mut at = slot + (self.len - slot).next_multiple_of(MOVED_AT_ONCE);
        while at > slot {
            at -= MOVED_AT_ONCE;
            for column in [&mut self.starts, &mut self.ends] {
                if at + MOVED_AT_ONCE < LEAF {
                    column.copy_within(at..at + MOVED_AT_ONCE, at + 1);
                } else {
                    for slot in (at..self.len).rev() {
                        column[slot + 1] = column[slot];
                    }
                }
            }
        }
        (self.starts[slot], self.ends[slot]) = (span.start, span.end);
        self.len += 1;
    }

    #[inline]
    fn close(&mut self, slot: usize) -> (Span<R>, V) {
        debug_assert_eq!(self.detached(), 0);
        let span = self.span(slot);
        let last = self.len - 1;
        let mut at = slot;
        while at < last && at + MOVED_AT_ONCE < LEAF {
            for column in [&mut self.starts, &mut self.ends] {
                column.copy_within(at + 1..at + 1 + MOVED_AT_ONCE, at);
            }
            at += MOVED_AT_ONCE;
        }
        for at in at..last {
            self.starts[at] = self.starts[at + 1];
            self.ends[at] = self.ends[at + 1];
        }
        (self.starts[last], self.ends[last]) = (R::ZERO, R::PAD);
        self.len = last;
        (span, self.values.remove(slot))
    }

    #[inline]
    fn pop(&mut self) -> Option<(Span<R>, V)> {
        let value = self.values.pop()?;
        let slot = self.values.len();
        let span = self.span(slot);
        (self.starts[slot], self.ends[slot]) = (R::ZERO, R::PAD);
        Some((span, value))
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
    fn update_max_gap(&mut self, was: R, slots: Range<usize>) {
        let now = self.longest_before(slots);
        if now >= self.max_gap {
            self.max_gap = now;
        } else if was >= self.max_gap {
            self.recompute_max_gap();
        }
    }
}
