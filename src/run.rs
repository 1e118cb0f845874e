//! A sorted run of entries in columns, and the edits inside one run: written
//! once for a leaf of the tree and for the sorted vector.
//!
//! Slots `0..len` are entries. An edit that takes entries out *detaches* their
//! slots first: it moves them behind the others, last one first, so that they
//! can be popped in ascending order. Until all are popped the columns are
//! longer than `len`; user code that panics in between finds the rest put back.

use core::marker::PhantomData;
use core::ops::Range;

use arrayvec::ArrayVec;

use crate::key::Ordinal;

/// There was no room for another slot; nothing has changed.
#[derive(Debug)]
pub(crate) struct Full;

/// The columns of a run, over which the edits are written.
pub(crate) trait Run<R: Ordinal, V: Clone + PartialEq>: Sized {
    /// The number of entries.
    fn len(&self) -> usize;
    fn set_len(&mut self, len: usize);
    /// Starts, ends and values, detached slots included.
    fn columns_mut(&mut self) -> (&mut [R], &mut [R], &mut [V]);
    fn start(&self, slot: usize) -> R;
    fn end(&self, slot: usize) -> R;
    fn value(&self, slot: usize) -> &V;
    fn set_start(&mut self, slot: usize, start: R);
    fn set_end(&mut self, slot: usize, end: R);
    /// Gives a slot another value and returns the old one.
    fn replace(&mut self, slot: usize, value: V) -> V;
    /// How many slots are detached.
    fn detached(&self) -> usize;
    /// Whether that many slots can be added without memory.
    fn has_room(&self, slots: usize) -> bool;
    /// Adds a slot before `slot`; nothing is detached and there is room.
    fn open(&mut self, slot: usize, start: R, end: R, value: V);
    /// Takes a slot out; nothing is detached.
    fn close(&mut self, slot: usize) -> (R, R, V);
    /// Takes off the slot behind all others.
    fn pop(&mut self) -> Option<(R, R, V)>;
    /// How many entries end before `key`.
    fn ends_below(&self, key: R) -> usize;
    /// How many entries end at or before `key`.
    fn ends_up_to(&self, key: R) -> usize;
    /// The first slot from `from` that starts at or after `key`.
    fn starts_below(&self, from: usize, key: R) -> usize;
    /// The first slot from `from` that starts after `key`.
    fn starts_up_to(&self, from: usize, key: R) -> usize;
    /// Brings the gap index up to date after an edit. The gaps that may have
    /// changed are those before slots `slots.start..=slots.end`; the longest of
    /// them used to be `was` long.
    fn regap(&mut self, was: R, slots: Range<usize>);

    /// The length of the gap before a slot; zero before the first, and behind
    /// the last.
    #[inline]
    fn gap_before(&self, slot: usize) -> R {
        match slot.checked_sub(1) {
            Some(below) if slot < self.len() => self.start(slot).minus(self.end(below)),
            _ => R::ZERO,
        }
    }

    /// The longest gap before slots `slots.start..=slots.end`, which are few.
    #[inline]
    fn longest_before(&self, slots: Range<usize>) -> R {
        let mut longest = self.gap_before(slots.start);
        for slot in slots.start + 1..=slots.end {
            longest = longest.max(self.gap_before(slot));
        }
        longest
    }

    /// The longest gap that goes without a longer one in its place when these
    /// entries go.
    #[inline]
    fn gap_lost(&self, slots: Range<usize>) -> R {
        if slots.start > 0 && slots.end < self.len() {
            return R::ZERO;
        }
        self.longest_before(slots)
    }

    /// Detaches the slots.
    fn detach(&mut self, slots: Range<usize>) {
        let kept = self.len() - slots.len();
        let (starts, ends, values) = self.columns_mut();
        let move_back = |column: &mut [R]| {
            column[slots.start..].rotate_left(slots.len());
            column[kept..].reverse();
        };
        move_back(starts);
        move_back(ends);
        values[slots.start..].rotate_left(slots.len());
        values[kept..].reverse();
        self.set_len(kept);
    }

    /// Pops the lowest detached slot.
    #[inline]
    fn next_detached(&mut self) -> Option<(R, R, V)> {
        if self.detached() == 0 {
            return None;
        }
        self.pop()
    }

    /// Puts all detached slots back before `slot`.
    fn reattach(&mut self, slot: usize) {
        let kept = self.len();
        let (starts, ends, values) = self.columns_mut();
        let detached = values.len() - kept;
        let move_front = |column: &mut [R]| {
            column[kept..].reverse();
            column[slot..].rotate_right(detached);
        };
        move_front(starts);
        move_front(ends);
        values[kept..].reverse();
        values[slot..].rotate_right(detached);
        self.set_len(kept + detached);
        self.regap(R::PAD, slot..slot + detached);
    }

    /// Gives `[start, end)` this value and coalesces; returns a value that was
    /// replaced. More may be left detached. Without room, gives the value back.
    fn overwrite(&mut self, start: R, end: R, value: V) -> Result<Option<V>, V> {
        let low = self.ends_below(start);
        let high = self.starts_up_to(low, end);
        self.overwrite_slots(low..high, start, end, value)
    }

    /// [`overwrite`](Self::overwrite) where `touched` are the slots that
    /// overlap `[start, end)` or are adjacent to it.
    fn overwrite_slots(
        &mut self,
        touched: Range<usize>,
        start: R,
        end: R,
        value: V,
    ) -> Result<Option<V>, V> {
        // The new entry, after coalescing, and the slots that it takes over.
        let (mut new_start, mut new_end) = (start, end);
        let mut taken = touched.clone();
        if !touched.is_empty() {
            let last = touched.end - 1;
            let (bottom, top) = (self.start(touched.start), self.end(last));
            if bottom < start {
                if *self.value(touched.start) == value {
                    new_start = bottom;
                } else {
                    taken.start += 1;
                }
            }
            if top > end {
                if *self.value(last) == value {
                    new_end = top;
                } else {
                    taken.end -= 1;
                }
            }
        }
        if taken.start > taken.end {
            return self.overwrite_inside(touched.start, start, end, value);
        }
        if taken.is_empty() && !self.has_room(1) {
            return Err(value);
        }
        let was = self.longest_before(touched.clone());
        let before = self.len();
        if taken.start > touched.start {
            self.set_end(touched.start, start);
        }
        if taken.end < touched.end {
            self.set_start(taken.end, end);
        }
        let replaced = if taken.is_empty() {
            self.open(taken.start, new_start, new_end, value);
            None
        } else {
            self.set_start(taken.start, new_start);
            self.set_end(taken.start, new_end);
            let replaced = self.replace(taken.start, value);
            if taken.len() > 1 {
                self.detach(taken.start + 1..taken.end);
            }
            Some(replaced)
        };
        let touched_end = touched.end + self.len() - before;
        self.regap(was, touched.start..touched_end);
        Ok(replaced)
    }

    /// [`overwrite`](Self::overwrite) strictly inside the entry of `slot`.
    fn overwrite_inside(
        &mut self,
        slot: usize,
        start: R,
        end: R,
        value: V,
    ) -> Result<Option<V>, V> {
        if !self.has_room(2) {
            return Err(value);
        }
        let (above, top) = (self.value(slot).clone(), self.end(slot));
        self.set_end(slot, start);
        self.open(slot + 1, end, top, above);
        self.open(slot + 1, start, end, value);
        self.regap(R::ZERO, slot + 1..slot + 2);
        Ok(None)
    }

    /// Takes the keys of `[start, end)` out and reports each piece. Returns
    /// whether there was any.
    fn carve(&mut self, start: R, end: R, report: &mut impl FnMut(R, R, V)) -> Result<bool, Full> {
        let low = self.ends_up_to(start);
        let high = self.starts_below(low, end);
        if low == high {
            return Ok(false);
        }
        self.carve_slots(low..high, start, end, report)?;
        Ok(true)
    }

    /// [`carve`](Self::carve) where `touched` are the slots that overlap
    /// `[start, end)`; there is one.
    fn carve_slots(
        &mut self,
        touched: Range<usize>,
        start: R,
        end: R,
        report: &mut impl FnMut(R, R, V),
    ) -> Result<(), Full> {
        let (mut low, mut high) = (touched.start, touched.end);
        let trims_low = self.start(low) < start;
        let trims_high = self.end(high - 1) > end;
        if trims_low && trims_high && high - low == 1 {
            return self.carve_inside(low, start, end, report);
        }
        if trims_low {
            self.trim(low, start, end, report);
            low += 1;
        }
        if trims_high {
            high -= 1;
        }
        if high - low == 1 {
            let was = self.gap_lost(low..high);
            let (start, end, value) = self.close(low);
            self.regap(was, low..low);
            report(start, end, value);
        } else if low < high {
            let was = self.gap_lost(low..high);
            self.detach(low..high);
            self.regap(was, low..low);
            let unreported = Detached {
                run: &mut *self,
                slot: low,
                entry: PhantomData,
            };
            while let Some((start, end, value)) = unreported.run.next_detached() {
                report(start, end, value);
            }
        }
        if trims_high {
            self.trim(low, start, end, report);
        }
        Ok(())
    }

    /// Takes `[start, end)`, which covers one edge of the slot's entry, out of it.
    fn trim(&mut self, slot: usize, start: R, end: R, report: &mut impl FnMut(R, R, V)) {
        let piece = self.value(slot).clone();
        let (bottom, top) = (self.start(slot), self.end(slot));
        // One gap grows: none that was the longest goes.
        if bottom < start {
            self.set_end(slot, start);
            self.regap(R::ZERO, slot + 1..slot + 1);
        } else {
            self.set_start(slot, end);
            self.regap(R::ZERO, slot..slot);
        }
        report(bottom.max(start), top.min(end), piece);
    }

    /// [`carve`](Self::carve) strictly inside the entry of `slot`.
    fn carve_inside(
        &mut self,
        slot: usize,
        start: R,
        end: R,
        report: &mut impl FnMut(R, R, V),
    ) -> Result<(), Full> {
        if !self.has_room(1) {
            return Err(Full);
        }
        let (piece, above) = (self.value(slot).clone(), self.value(slot).clone());
        let top = self.end(slot);
        self.set_end(slot, start);
        self.open(slot + 1, end, top, above);
        self.regap(R::ZERO, slot + 1..slot + 1);
        report(start, end, piece);
        Ok(())
    }

    /// How many slots changing the pieces of `[start, end)` can add: one for
    /// each edge that is strictly inside an entry.
    fn slots_to_update(&self, start: R, end: R) -> usize {
        let splits = |key: R| {
            let slot = self.ends_up_to(key);
            usize::from(slot < self.len() && self.start(slot) < key)
        };
        splits(start) + splits(end)
    }

    /// Calls `f` with a copy of each piece's value and gives the piece what
    /// came of it. There is room for [`slots_to_update`](Self::slots_to_update).
    fn update_pieces(&mut self, start: R, end: R, f: &mut impl FnMut(R, R, &mut V)) {
        let (mut from, mut slot) = (start, self.ends_up_to(start));
        while from < end && slot < self.len() && self.start(slot) < end {
            let (low, high) = (self.start(slot).max(from), self.end(slot).min(end));
            let mut value = self.value(slot).clone();
            f(low, high, &mut value);
            if *self.value(slot) == value {
                slot += 1;
            } else {
                slot = self.overwrite_piece(slot, low, high, value);
                slot += usize::from(self.end(slot) <= high);
            }
            from = high;
        }
    }

    /// Gives a piece of the entry in `slot` another value and coalesces. There
    /// is room. Returns the slot in which the piece is then.
    #[inline]
    fn overwrite_piece(&mut self, slot: usize, start: R, end: R, value: V) -> usize {
        let joins = |slot: usize| *self.value(slot) == value;
        let below = slot > 0 && self.end(slot - 1) == start && joins(slot - 1);
        let above = slot + 1 < self.len() && self.start(slot + 1) == end && joins(slot + 1);
        let now = slot - usize::from(below) + usize::from(self.start(slot) < start);
        if !below && !above {
            self.split_off_piece(slot, start, end, value);
            return now;
        }
        let touched = slot - usize::from(below)..slot + 1 + usize::from(above);
        let replaced = self.overwrite_slots(touched, start, end, value);
        debug_assert!(replaced.is_ok(), "room was made before");
        // The piece itself and the two neighbours it may have joined.
        let mut old = ArrayVec::<V, 3>::new();
        old.extend(replaced.ok().flatten());
        while let Some((_, _, value)) = self.next_detached() {
            old.push(value);
        }
        now
    }

    /// [`overwrite_piece`](Self::overwrite_piece) where it joins no neighbour.
    #[inline]
    fn split_off_piece(&mut self, slot: usize, start: R, end: R, value: V) {
        match (self.start(slot) < start, self.end(slot) > end) {
            (false, false) => drop(self.replace(slot, value)),
            (true, false) => {
                self.set_end(slot, start);
                self.open(slot + 1, start, end, value);
                self.regap(R::ZERO, slot + 1..slot + 1);
            }
            (false, true) => {
                self.set_start(slot, end);
                self.open(slot, start, end, value);
                self.regap(R::ZERO, slot..slot + 1);
            }
            (true, true) => {
                let done = self.overwrite_inside(slot, start, end, value);
                debug_assert!(done.is_ok(), "room was made before");
            }
        }
    }
}

/// Detached slots that go back before `slot` when this is dropped.
struct Detached<'a, R: Ordinal, V: Clone + PartialEq, T: Run<R, V>> {
    run: &'a mut T,
    slot: usize,
    entry: PhantomData<(R, V)>,
}

impl<R: Ordinal, V: Clone + PartialEq, T: Run<R, V>> Drop for Detached<'_, R, V, T> {
    fn drop(&mut self) {
        if self.run.detached() > 0 {
            self.run.reattach(self.slot);
        }
    }
}
