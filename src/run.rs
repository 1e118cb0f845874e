//! A sorted run of entries in columns, and the edits inside one run: written
//! once for a leaf of the tree and for the sorted vector.
//!
//! Slots `0..len` are entries. An edit that takes entries out *detaches* their
//! slots first: it moves them behind the others, last one first, so that they
//! can be popped in ascending order. Until all are popped the columns are
//! longer than `len`; if a sink panics in between, the rest is put back.
//!
//! # Overwriting
//!
//! `[start, end)` gets the value `new`. The slots that overlap the range or are
//! adjacent to it are *touched*. Only the first and the last of them can reach
//! beyond it, so there are four cases, and the first two are one mirrored:
//!
//! ```text
//!                  start          end
//!                    |----new------|
//! the first,     |---a---|                  a == new: the new entry begins where a does
//! from below:    |-a-|                      else:     a ends at `start`
//!
//! the last,                      |---z---|  z == new: the new entry ends where z does
//! from above:                      |--z--|  else:     z starts at `end`
//!
//! inside:              |-b-| |c|            replaced
//!
//!                                           The new entry takes the first slot of those that
//!                                           join it or lie inside; the others are detached.
//!                                           Without any, one slot is opened.
//!
//! around:        |-----------a-----------|  a == new: the bounds stay
//!                |-a-|----new------|--a--|  else:     two slots are opened
//! ```

use core::ops::Range;

use arrayvec::ArrayVec;

use crate::flow::Flow;
use crate::guard::ScopeGuard;
use crate::ordinal::Ordinal;
use crate::span::Span;
use crate::value;

/// There was no room for another slot; nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
    fn open(&mut self, slot: usize, span: Span<R>, value: V);
    /// Takes a slot out; nothing is detached.
    fn close(&mut self, slot: usize) -> (Span<R>, V);
    /// Takes off the slot behind all others.
    fn pop(&mut self) -> Option<(Span<R>, V)>;
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
    fn update_max_gap(&mut self, was: R, slots: Range<usize>);

    #[inline]
    fn span(&self, slot: usize) -> Span<R> {
        Span::new(self.start(slot), self.end(slot))
    }

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

    /// The longest gap that can be lost when these entries are removed; zero with
    /// entries on both sides, since their gaps become one longer gap.
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
    fn next_detached(&mut self) -> Option<(Span<R>, V)> {
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
        self.update_max_gap(R::PAD, slot..slot + detached);
    }

    /// The slots that overlap the span or are adjacent to it.
    #[inline]
    fn touched(&self, span: Span<R>) -> Range<usize> {
        let low = self.ends_below(span.start);
        low..self.starts_up_to(low, span.end)
    }

    /// Gives the span this value and coalesces; returns a value that was
    /// replaced. More may be left detached. Without room, gives the value back.
    fn overwrite(&mut self, span: Span<R>, value: V) -> Result<Option<V>, V> {
        self.overwrite_slots(self.touched(span), span, value)
    }

    /// [`overwrite`](Self::overwrite) where the [`touched`](Self::touched) slots
    /// are known.
    fn overwrite_slots(
        &mut self,
        touched: Range<usize>,
        span: Span<R>,
        value: V,
    ) -> Result<Option<V>, V> {
        let Span { start, end } = span;
        // The new entry, after coalescing, and the slots that it takes over.
        let mut new = span;
        let mut taken = touched.clone();
        if !touched.is_empty() {
            let last = touched.end - 1;
            let (bottom, top) = (self.start(touched.start), self.end(last));
            if bottom < start {
                if value::joins(self.value(touched.start), &value) {
                    new.start = bottom;
                } else {
                    taken.start += 1;
                }
            }
            if top > end {
                if value::joins(&value, self.value(last)) {
                    new.end = top;
                } else {
                    taken.end -= 1;
                }
            }
        }
        if taken.start > taken.end {
            return self.overwrite_inside(touched.start, span, value);
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
            self.open(taken.start, new, value);
            None
        } else {
            self.set_start(taken.start, new.start);
            self.set_end(taken.start, new.end);
            let replaced = self.replace(taken.start, value);
            if taken.len() > 1 {
                self.detach(taken.start + 1..taken.end);
            }
            Some(replaced)
        };
        let touched_end = touched.end + self.len() - before;
        self.update_max_gap(was, touched.start..touched_end);
        Ok(replaced)
    }

    /// [`overwrite`](Self::overwrite) strictly inside the entry of `slot`.
    fn overwrite_inside(&mut self, slot: usize, span: Span<R>, value: V) -> Result<Option<V>, V> {
        debug_assert!(self.start(slot) < span.start && span.end < self.end(slot));
        if !self.has_room(2) {
            return Err(value);
        }
        let above = value::part(self.value(slot));
        let top = self.end(slot);
        self.set_end(slot, span.start);
        self.open(slot + 1, Span::new(span.end, top), above);
        self.open(slot + 1, span, value);
        self.update_max_gap(R::ZERO, slot + 1..slot + 2);
        Ok(None)
    }

    /// Removes the keys of the span and reports each piece. Returns whether
    /// there was any.
    fn remove_keys(
        &mut self,
        span: Span<R>,
        report: &mut impl FnMut(Span<R>, V),
    ) -> Result<bool, Full> {
        let low = self.ends_up_to(span.start);
        let high = self.starts_below(low, span.end);
        if low == high {
            return Ok(false);
        }
        self.remove_from_slots(low..high, span, report)?;
        Ok(true)
    }

    /// [`remove_keys`](Self::remove_keys) where `overlapping` are the slots that overlap
    /// the span; there is one.
    fn remove_from_slots(
        &mut self,
        overlapping: Range<usize>,
        span: Span<R>,
        report: &mut impl FnMut(Span<R>, V),
    ) -> Result<(), Full> {
        debug_assert!(!overlapping.is_empty());
        let (mut low, mut high) = (overlapping.start, overlapping.end);
        let trims_low = self.start(low) < span.start;
        let trims_high = self.end(high - 1) > span.end;
        if trims_low && trims_high && high - low == 1 {
            return self.remove_inside(low, span, report);
        }
        if trims_low {
            self.trim(low, span, report);
            low += 1;
        }
        if trims_high {
            high -= 1;
        }
        if high - low == 1 {
            let was = self.gap_lost(low..high);
            let (piece, value) = self.close(low);
            self.update_max_gap(was, low..low);
            report(piece, value);
        } else if low < high {
            let was = self.gap_lost(low..high);
            self.detach(low..high);
            self.update_max_gap(was, low..low);
            let mut run = ScopeGuard::new(self, |run| {
                if run.detached() > 0 {
                    run.reattach(low);
                }
            });
            while let Some((piece, value)) = run.next_detached() {
                report(piece, value);
            }
        }
        if trims_high {
            self.trim(low, span, report);
        }
        Ok(())
    }

    /// Removes a span that covers one edge of the slot's entry from it.
    fn trim(&mut self, slot: usize, span: Span<R>, report: &mut impl FnMut(Span<R>, V)) {
        let (whole, value) = (self.span(slot), value::part(self.value(slot)));
        // One gap grows: none that was the longest goes.
        if whole.start < span.start {
            self.set_end(slot, span.start);
            self.update_max_gap(R::ZERO, slot + 1..slot + 1);
        } else {
            self.set_start(slot, span.end);
            self.update_max_gap(R::ZERO, slot..slot);
        }
        report(whole.clip(span), value);
    }

    /// [`remove_keys`](Self::remove_keys) strictly inside the entry of `slot`.
    fn remove_inside(
        &mut self,
        slot: usize,
        span: Span<R>,
        report: &mut impl FnMut(Span<R>, V),
    ) -> Result<(), Full> {
        if !self.has_room(1) {
            return Err(Full);
        }
        let piece = value::part(self.value(slot));
        let above = value::part(self.value(slot));
        let top = self.end(slot);
        self.set_end(slot, span.start);
        self.open(slot + 1, Span::new(span.end, top), above);
        self.update_max_gap(R::ZERO, slot + 1..slot + 1);
        report(span, piece);
        Ok(())
    }

    /// How many slots changing the pieces of the span can add: one for each of
    /// its ends that is strictly inside an entry.
    fn slots_to_update(&self, span: Span<R>) -> usize {
        let splits = |key: R| {
            let slot = self.ends_up_to(key);
            usize::from(slot < self.len() && self.start(slot) < key)
        };
        splits(span.start) + splits(span.end)
    }

    /// Calls `change` with a copy of each piece's value and gives the piece what
    /// came of it, until it stops. There is room for
    /// [`slots_to_update`](Self::slots_to_update).
    fn update_pieces<F: Flow>(
        &mut self,
        span: Span<R>,
        change: &mut impl FnMut(Span<R>, &mut V) -> F,
    ) -> F {
        debug_assert!(self.has_room(self.slots_to_update(span)));
        let mut rest = span;
        let mut slot = self.ends_up_to(span.start);
        while !rest.is_empty() && slot < self.len() && self.start(slot) < rest.end {
            let piece = self.span(slot).clip(rest);
            let mut value = value::part(self.value(slot));
            let said = change(piece, &mut value);
            if said.stops() {
                return said;
            }
            if value::is_unchanged(self.value(slot), &value) {
                slot += 1;
            } else {
                slot = self.overwrite_piece(slot, piece, value);
                slot += usize::from(self.end(slot) <= piece.end);
            }
            rest.start = piece.end;
        }
        F::GO_ON
    }

    /// Gives a piece of the entry in `slot` another value and coalesces. There
    /// is room. Returns the slot in which the piece is then.
    #[inline]
    fn overwrite_piece(&mut self, slot: usize, piece: Span<R>, value: V) -> usize {
        debug_assert!(self.span(slot).covers(piece));
        let below = slot > 0
            && self.end(slot - 1) == piece.start
            && value::joins(self.value(slot - 1), &value);
        let above = slot + 1 < self.len()
            && self.start(slot + 1) == piece.end
            && value::joins(&value, self.value(slot + 1));
        let now = slot - usize::from(below) + usize::from(self.start(slot) < piece.start);
        if !below && !above {
            self.split_off_piece(slot, piece, value);
            return now;
        }
        let touched = slot - usize::from(below)..slot + 1 + usize::from(above);
        let replaced = self.overwrite_slots(touched, piece, value);
        debug_assert!(replaced.is_ok(), "room was made before");
        // The piece itself and the two neighbours it may have joined.
        let mut old = ArrayVec::<V, 3>::new();
        old.extend(replaced.ok().flatten());
        while let Some((_, value)) = self.next_detached() {
            old.push(value);
        }
        now
    }

    /// [`overwrite_piece`](Self::overwrite_piece) where it joins no neighbour.
    #[inline]
    fn split_off_piece(&mut self, slot: usize, piece: Span<R>, value: V) {
        let whole = self.span(slot);
        match (whole.start < piece.start, whole.end > piece.end) {
            (false, false) => drop(self.replace(slot, value)),
            (true, false) => {
                self.set_end(slot, piece.start);
                self.open(slot + 1, piece, value);
                self.update_max_gap(R::ZERO, slot + 1..slot + 1);
            }
            (false, true) => {
                self.set_start(slot, piece.end);
                self.open(slot, piece, value);
                self.update_max_gap(R::ZERO, slot..slot + 1);
            }
            (true, true) => {
                let done = self.overwrite_inside(slot, piece, value);
                debug_assert!(done.is_ok(), "room was made before");
            }
        }
    }
}
