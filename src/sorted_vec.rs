//! [`SortedVecStore`], the engine for small stores: three sorted columns and
//! the longest gap of every 32 slots.

use core::alloc::Layout;
use core::iter::FusedIterator;
use core::mem;
use core::ops::Range;

use smallvec::{CollectionAllocErr, SmallVec};

use crate::alloc_error::AllocError;
use crate::ask;
use crate::flow::Flow;
use crate::guard::ScopeGuard;
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::query::{Fit, GapQuery, Order};
use crate::run::{Full, Run};
use crate::span::{Span, is_empty};
use crate::store::RangeStore;
use crate::value;

/// Entries kept inside the store itself, without heap memory.
const INLINE: usize = 8;

/// Slots summed up by one number of the gap index.
const BLOCK: usize = 32;

/// A sorted vector: costs bytes in proportion to its entries, none on the heap
/// for up to eight. Finding is O(log n), changing O(n), placement O(n / 32).
///
/// For many small stores, or few changes; otherwise
/// [`BTreeStore`](crate::BTreeStore) is faster from some dozens of entries on.
#[derive(Debug)]
pub struct SortedVecStore<K: Key, V> {
    starts: SmallVec<[K::Ordinal; INLINE]>,
    ends: SmallVec<[K::Ordinal; INLINE]>,
    values: SmallVec<[V; INLINE]>,
    /// The longest gap before any slot of each block; the first slot has none.
    blocks: SmallVec<[K::Ordinal; 1]>,
    /// Entries; slots beyond are detached.
    len: usize,
    /// Entries when `blocks` was made.
    indexed: usize,
}

impl<K: Key, V: Clone + PartialEq> SortedVecStore<K, V> {
    /// A store without entries.
    #[must_use]
    pub const fn new() -> Self {
        Self::EMPTY
    }

    /// Overwrites the span.
    fn insert_span(&mut self, span: Span<K::Ordinal>, value: V) -> Result<(), AllocError> {
        let mut value = value;
        let replaced = loop {
            match self.overwrite(span, value) {
                Ok(replaced) => break replaced,
                Err(unused) => value = unused,
            }
            self.make_room(2)?;
        };
        // User code: whatever of it panics, the store is valid by now.
        let rest = ScopeGuard::new(self, Self::discard);
        drop(replaced);
        drop(rest);
        Ok(())
    }

    /// Obtains memory for `extra` more slots: a quarter more than there are.
    fn make_room(&mut self, extra: usize) -> Result<(), AllocError> {
        let len = self.len;
        let extra = extra.max(len / 4);
        let blocks = (len + extra).div_ceil(BLOCK) - self.blocks.len();
        reserve(&mut self.starts, extra)?;
        reserve(&mut self.ends, extra)?;
        reserve(&mut self.values, extra)?;
        reserve(&mut self.blocks, blocks)
    }

    /// Drops detached values; if dropping one panics, the others go as well.
    fn discard(&mut self) {
        while let Some(piece) = self.next_detached() {
            let rest = ScopeGuard::new(self, Self::discard);
            drop(piece);
            rest.defuse();
        }
    }

    /// The gap before a slot, `len` standing for the end of the key type.
    fn gap(&self, slot: usize) -> Span<K::Ordinal> {
        let below = slot.checked_sub(1).map(|slot| self.ends[slot]);
        let above = (slot < self.len).then(|| self.starts[slot]);
        Span::new(
            below.unwrap_or(K::Ordinal::ZERO),
            above.unwrap_or(K::MAX.to_ordinal()),
        )
    }

    /// The longest gap before any slot of a block, in keys.
    fn block_gap(&self, block: usize) -> K::Ordinal {
        let first = block * BLOCK;
        self.longest_before(first..first + BLOCK - 1)
    }

    fn find(&self, fit: &Fit<K::Ordinal>, order: Order) -> Option<K::Ordinal> {
        // Gaps are named by the slot above them. Only these reach the window.
        let low = self.ends_up_to(fit.window.start);
        let high = self.starts_below(low, fit.window.end);
        let try_slot = |slot: usize| fit.in_gap(self.gap(slot), order);
        let try_block = |block: usize| {
            if self.blocks[block] < fit.len {
                return None;
            }
            let (first, end) = (block * BLOCK, (block + 1) * BLOCK);
            in_order(
                order,
                first.max(low).max(1)..end.min(high + 1).min(self.len),
                try_slot,
            )
        };
        // The gaps at both ends of the key type are not in the index.
        in_order(order, 0..3, |part| match part {
            0 => (low == 0).then(|| try_slot(0)).flatten(),
            1 => in_order(
                order,
                low / BLOCK..self.blocks.len().min(high / BLOCK + 1),
                try_block,
            ),
            _ => (high == self.len && high > 0)
                .then(|| try_slot(high))
                .flatten(),
        })
    }
}

/// The first answer in the order asked for.
fn in_order<T, U>(
    order: Order,
    mut items: impl DoubleEndedIterator<Item = T>,
    f: impl FnMut(T) -> Option<U>,
) -> Option<U> {
    match order {
        Order::Lowest => items.find_map(f),
        Order::Highest => items.rev().find_map(f),
    }
}

fn reserve<A: smallvec::Array>(column: &mut SmallVec<A>, extra: usize) -> Result<(), AllocError> {
    column
        .try_reserve_exact(extra)
        .map_err(|error| match error {
            CollectionAllocErr::AllocErr { layout } => AllocError::new(layout),
            CollectionAllocErr::CapacityOverflow => AllocError::new(Layout::new::<A::Item>()),
        })
}

impl<K: Key, V: Clone + PartialEq> Run<K::Ordinal, V> for SortedVecStore<K, V> {
    fn len(&self) -> usize {
        self.len
    }

    fn set_len(&mut self, len: usize) {
        self.len = len;
    }

    fn columns_mut(&mut self) -> (&mut [K::Ordinal], &mut [K::Ordinal], &mut [V]) {
        (&mut self.starts, &mut self.ends, &mut self.values)
    }

    fn start(&self, slot: usize) -> K::Ordinal {
        self.starts[slot]
    }

    fn end(&self, slot: usize) -> K::Ordinal {
        self.ends[slot]
    }

    fn value(&self, slot: usize) -> &V {
        &self.values[slot]
    }

    fn set_start(&mut self, slot: usize, start: K::Ordinal) {
        self.starts[slot] = start;
    }

    fn set_end(&mut self, slot: usize, end: K::Ordinal) {
        self.ends[slot] = end;
    }

    fn replace(&mut self, slot: usize, value: V) -> V {
        mem::replace(&mut self.values[slot], value)
    }

    fn detached(&self) -> usize {
        self.values.len() - self.len
    }

    fn has_room(&self, slots: usize) -> bool {
        let len = self.len + slots;
        let columns = self.starts.capacity().min(self.ends.capacity());
        len <= columns.min(self.values.capacity()) && len.div_ceil(BLOCK) <= self.blocks.capacity()
    }

    fn open(&mut self, slot: usize, span: Span<K::Ordinal>, value: V) {
        debug_assert!(self.detached() == 0 && self.has_room(1));
        self.starts.insert(slot, span.start);
        self.ends.insert(slot, span.end);
        self.values.insert(slot, value);
        self.len += 1;
    }

    fn close(&mut self, slot: usize) -> (Span<K::Ordinal>, V) {
        debug_assert_eq!(self.detached(), 0);
        self.len -= 1;
        let span = Span::new(self.starts.remove(slot), self.ends.remove(slot));
        (span, self.values.remove(slot))
    }

    fn pop(&mut self) -> Option<(Span<K::Ordinal>, V)> {
        let span = Span::new(self.starts.pop()?, self.ends.pop()?);
        Some((span, self.values.pop()?))
    }

    fn ends_below(&self, key: K::Ordinal) -> usize {
        self.ends[..self.len].partition_point(|&end| end < key)
    }

    fn ends_up_to(&self, key: K::Ordinal) -> usize {
        self.ends[..self.len].partition_point(|&end| end <= key)
    }

    fn starts_below(&self, from: usize, key: K::Ordinal) -> usize {
        from + self.starts[from..self.len].partition_point(|&start| start < key)
    }

    fn starts_up_to(&self, from: usize, key: K::Ordinal) -> usize {
        from + self.starts[from..self.len].partition_point(|&start| start <= key)
    }

    // Whole blocks: over slices this is a third faster than slot by slot.
    fn longest_before(&self, slots: Range<usize>) -> K::Ordinal {
        let (low, high) = (slots.start.max(1), self.len.min(slots.end + 1));
        let (Some(starts), Some(ends)) = (self.starts.get(low..high), self.ends.get(low - 1..))
        else {
            return K::Ordinal::ZERO;
        };
        let gaps = starts.iter().zip(ends);
        gaps.fold(K::Ordinal::ZERO, |longest, (start, &end)| {
            longest.max(start.minus(end))
        })
    }

    fn update_max_gap(&mut self, _was: K::Ordinal, slots: Range<usize>) {
        let count = self.len.div_ceil(BLOCK);
        let shifted = self.indexed != self.len;
        let first = slots.start / BLOCK;
        let last = if shifted {
            count
        } else {
            count.min(slots.end / BLOCK + 1)
        };
        self.blocks.resize(count, K::Ordinal::ZERO);
        for block in first..last {
            self.blocks[block] = self.block_gap(block);
        }
        self.indexed = self.len;
    }
}

impl<K: Key, V: Clone + PartialEq> RangeStore<K, V> for SortedVecStore<K, V> {
    const EMPTY: Self = Self {
        starts: SmallVec::new_const(),
        ends: SmallVec::new_const(),
        values: SmallVec::new_const(),
        blocks: SmallVec::new_const(),
        len: 0,
        indexed: 0,
    };

    type Entries<'a>
        = Entries<'a, K, V>
    where
        Self: 'a,
        K: 'a,
        V: 'a;

    fn get(&self, key: K) -> Option<(Range<K>, &V)> {
        let key = key.to_ordinal();
        let slot = self.ends_up_to(key);
        (slot < self.len && self.starts[slot] <= key)
            .then(|| (self.span(slot).keys(), &self.values[slot]))
    }

    fn overlapping(&self, range: Range<K>) -> Entries<'_, K, V> {
        let low = self.ends_up_to(range.start.to_ordinal());
        let high = self.starts_below(low, range.end.to_ordinal());
        let slots = if is_empty(&range) { 0..0 } else { low..high };
        Entries {
            starts: self.starts[slots.clone()].iter(),
            ends: self.ends[slots.clone()].iter(),
            values: self.values[slots].iter(),
        }
    }

    fn iter(&self) -> Entries<'_, K, V> {
        Entries {
            starts: self.starts.iter(),
            ends: self.ends.iter(),
            values: self.values.iter(),
        }
    }

    fn len(&self) -> usize {
        self.len
    }

    fn find_gap(&self, query: &GapQuery<K>) -> Option<K> {
        let fit = Fit::new(query)?;
        self.find(&fit, query.order).map(K::from_ordinal)
    }

    fn try_insert(&mut self, range: Range<K>, value: V) -> Result<(), AllocError> {
        match Span::of(&range) {
            Some(span) => self.insert_span(span, value),
            None => Ok(()),
        }
    }

    fn try_insert_with<F: Flow>(
        &mut self,
        range: Range<K>,
        value: V,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError> {
        // Both edits together add at most two slots, and the first report must
        // not come before the memory.
        if !is_empty(&range) && !self.has_room(2) {
            self.make_room(2)?;
        }
        let said = self.try_remove_with(range.clone(), sink)?;
        if !said.stops() {
            self.try_insert(range, value)?;
        }
        Ok(said)
    }

    fn try_remove_with<F: Flow>(
        &mut self,
        range: Range<K>,
        mut sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError> {
        let Some(span) = Span::of(&range) else {
            return Ok(F::GO_ON);
        };
        if F::CAN_STOP {
            let slot = self.ends_up_to(span.start);
            let splits =
                slot < self.len && self.starts[slot] < span.start && self.ends[slot] > span.end;
            if splits && !self.has_room(1) {
                self.make_room(1)?;
            }
            return Ok(ask::remove_while(self, range, sink));
        }
        let mut report = |piece: Span<_>, value| {
            sink(piece.keys(), value);
        };
        while let Err(Full) = self.remove_keys(span, &mut report) {
            self.make_room(1)?;
        }
        Ok(F::GO_ON)
    }

    fn try_update<F: Flow>(
        &mut self,
        range: Range<K>,
        mut f: impl FnMut(Range<K>, &mut V) -> F,
    ) -> Result<F, AllocError> {
        let Some(span) = Span::of(&range) else {
            return Ok(F::GO_ON);
        };
        let slots = self.slots_to_update(span);
        if !self.has_room(slots) {
            self.make_room(slots)?;
        }
        Ok(self.update_pieces(span, &mut |piece, value| f(piece.keys(), value)))
    }

    fn try_allocate(&mut self, query: &GapQuery<K>, value: V) -> Result<Option<K>, AllocError> {
        let Some(fit) = Fit::new(query) else {
            return Ok(None);
        };
        let Some(start) = self.find(&fit, query.order) else {
            return Ok(None);
        };
        self.insert_span(fit.span(start), value)?;
        Ok(Some(K::from_ordinal(start)))
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        let mut copy = Self::EMPTY;
        reserve(&mut copy.starts, self.len)?;
        reserve(&mut copy.ends, self.len)?;
        reserve(&mut copy.values, self.len)?;
        reserve(&mut copy.blocks, self.blocks.len())?;
        copy.starts.extend_from_slice(&self.starts);
        copy.ends.extend_from_slice(&self.ends);
        copy.values.extend(self.values.iter().cloned());
        copy.blocks.extend_from_slice(&self.blocks);
        (copy.len, copy.indexed) = (self.len, self.indexed);
        Ok(copy)
    }

    fn clear(&mut self) {
        // The old values are dropped when the store is valid again.
        drop(mem::replace(self, Self::EMPTY));
    }

    fn check(&self) {
        assert_eq!(self.starts.len(), self.len, "starts");
        assert_eq!(self.ends.len(), self.len, "ends");
        assert_eq!(self.values.len(), self.len, "values");
        assert_eq!(self.indexed, self.len, "index is of another length");
        for slot in 0..self.len {
            assert!(
                self.starts[slot] < self.ends[slot],
                "L1: empty entry in slot {slot}"
            );
            if slot > 0 {
                let adjacent = self.ends[slot - 1] == self.starts[slot];
                assert!(
                    self.ends[slot - 1] <= self.starts[slot],
                    "L1, L2: slot {slot}"
                );
                let equal = value::joins(&self.values[slot - 1], &self.values[slot]);
                assert!(
                    !(adjacent && equal),
                    "L3: slot {slot} equals the one before"
                );
            }
        }
        assert_eq!(self.blocks.len(), self.len.div_ceil(BLOCK), "blocks");
        for (block, &gap) in self.blocks.iter().enumerate() {
            let slots = block * BLOCK..self.len.min((block + 1) * BLOCK);
            let longest = slots.map(|slot| self.gap_before(slot)).max();
            assert_eq!(Some(gap), longest, "gap of block {block}");
        }
    }
}

impl<K: Key, V: Clone + PartialEq> Default for SortedVecStore<K, V> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<K: Key, V: Clone + PartialEq> Clone for SortedVecStore<K, V> {
    fn clone(&self) -> Self {
        self.try_clone().unwrap_or_else(|error| error.abort())
    }
}

/// Entries of a [`SortedVecStore`], ascending and double-ended.
#[derive(Debug)]
pub struct Entries<'a, K: Key, V> {
    starts: core::slice::Iter<'a, K::Ordinal>,
    ends: core::slice::Iter<'a, K::Ordinal>,
    values: core::slice::Iter<'a, V>,
}

impl<K: Key, V> Clone for Entries<'_, K, V> {
    fn clone(&self) -> Self {
        Self {
            starts: self.starts.clone(),
            ends: self.ends.clone(),
            values: self.values.clone(),
        }
    }
}

impl<'a, K: Key, V> Iterator for Entries<'a, K, V> {
    type Item = (Range<K>, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let (start, end) = (*self.starts.next()?, *self.ends.next()?);
        Some((Span::new(start, end).keys(), self.values.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.values.size_hint()
    }
}

impl<K: Key, V> DoubleEndedIterator for Entries<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (start, end) = (*self.starts.next_back()?, *self.ends.next_back()?);
        Some((Span::new(start, end).keys(), self.values.next_back()?))
    }
}

impl<K: Key, V> FusedIterator for Entries<'_, K, V> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broken::{comb, expect_each_refused};

    type Store = SortedVecStore<u16, u8>;

    /// More than a block of entries.
    const ENTRIES: u16 = BLOCK as u16 + 20;

    #[test]
    fn edits_beside_the_border_of_a_block_update_both() {
        for i in BLOCK as u16 - 2..BLOCK as u16 + 2 {
            for cut in [
                10 * i..10 * i + 1,
                10 * i + 2..10 * i + 4,
                10 * i..10 * i + 4,
            ] {
                let mut store: Store = comb(ENTRIES);
                store.remove(cut);
                store.check();
            }
            let mut store: Store = comb(ENTRIES);
            store.update(10 * i + 1..10 * i + 2, |_, value| *value = 2);
            store.insert(10 * i + 5..10 * i + 7, 3);
            store.check();
        }
    }

    #[test]
    fn check_refuses_what_breaks_an_invariant() {
        expect_each_refused::<Store>(
            ENTRIES,
            &[
                ("starts", |s| s.starts.push(s.starts[19])),
                ("ends", |s| s.ends.push(s.ends[19])),
                ("values", |s| s.values.push(1)),
                ("index is of another length", |s| s.indexed -= 1),
                ("L1: empty entry", |s| s.ends[3] = s.starts[3]),
                ("L1, L2: slot 4", |s| s.ends[3] = s.ends[4]),
                ("L3: slot 4", |s| s.ends[3] = s.starts[4]),
                ("blocks", |s| s.blocks.push(s.blocks[0])),
                ("gap of block 0", |s| s.blocks[0] = Ordinal::ZERO),
                ("gap of block 1", |s| s.blocks[1] = Ordinal::PAD),
            ],
        );
    }
}
