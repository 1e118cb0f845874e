//! Insertion: overwriting inside one leaf, splitting, and the slow path across
//! leaves.
//!
//! Nearly every insertion touches one leaf. [`Inner::put`] goes down to it,
//! reports the pieces in the way and edits it in place; summaries are repaired
//! on the way back until one has not changed. It refuses, before any change, in
//! two cases that the store then deals with:
//! - `Full`: the leaf lacks a slot. [`BTreeStore::split_path`] splits it, and
//!   every full node above it, from the root down, so that each split finds
//!   room above it. Each is complete in itself and changes no entry; if memory
//!   runs out between two, the tree is merely of another shape.
//! - `Spread`: the range also touches the next leaf. The range is carved out,
//!   leaf by leaf, and the new entry is joined with its neighbours or put in.
//!
//! The slow path must not need memory after the first report. The new entry
//! goes to the leaf of an entry that survives, the *anchor*: the one below the
//! range, or else the one above. Room there is made first. Carving can only
//! add to that room, and merging leaves two slots free.

use core::mem;
use core::ops::Range;

use arrayvec::ArrayVec;

use super::inner::{Inner, Kids, each_kind};
use super::leaf::Leaf;
use super::owned::Owned;
use super::remove::Repair;
use super::{BTreeStore, Root};
use crate::key::{Key, Ordinal};
use crate::run::Run;
use crate::store::AllocError;

/// Why an edit of one leaf was refused. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// The leaf has no room.
    Full,
    /// The range reaches the next leaf.
    Spread,
}

/// Bounds of a piece, and its value where that stays in the tree as well.
type Piece<R, V> = (R, R, Option<V>);

/// The slots that an insertion overlaps or is adjacent to, and a piece that is
/// reported when it is done.
type Way<R, V> = (Range<usize>, Option<Piece<R, V>>);

/// Takes the new entry out again if the sink panics: only the piece that was
/// reported is gone then.
struct TakeBack<'a, R: Ordinal, V: Clone + PartialEq, const B: usize> {
    leaf: &'a mut Leaf<R, V, B>,
    start: R,
    end: R,
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize> Drop for TakeBack<'_, R, V, B> {
    fn drop(&mut self) {
        let carved = self.leaf.carve(self.start, self.end, &mut |_, _, _| ());
        debug_assert!(carved.is_ok(), "it joined no more than one neighbour");
    }
}

/// What an edit takes down to the leaf and brings back.
#[derive(Debug)]
pub(crate) struct Edit<V, const B: usize> {
    /// The value to put in, until it is in.
    pub(crate) value: Option<V>,
    /// Report what is overwritten.
    pub(crate) reports: bool,
    /// Entries in the tree.
    pub(crate) len: usize,
    /// Replaced values: they are dropped when the tree is valid again.
    pub(crate) old: ArrayVec<V, B>,
}

impl<V, const B: usize> Edit<V, B> {
    pub(crate) fn new(value: V, len: usize, reports: bool) -> Self {
        Self {
            value: Some(value),
            reports,
            len,
            old: ArrayVec::new(),
        }
    }
}

impl<V: PartialEq, const B: usize> Edit<V, B> {
    /// Whether the value to put in is this one.
    #[inline]
    pub(crate) fn is(&self, other: &V) -> bool {
        self.value.as_ref() == Some(other)
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize> Leaf<R, V, B> {
    /// Overwrites `[start, end)`. `limit` is the first start of the next leaf.
    /// Returns whether the summary has changed.
    #[inline]
    pub(crate) fn put(
        &mut self,
        start: R,
        end: R,
        limit: Option<R>,
        edit: &mut Edit<V, B>,
        report: &mut impl FnMut(R, R, V),
    ) -> Result<bool, Refused> {
        if limit.is_some_and(|limit| end >= limit) {
            return Err(Refused::Spread);
        }
        let old = (self.len() > 0).then(|| self.summary());
        let before = self.len();
        let (touched, piece) = if edit.reports {
            self.make_way(start, end, edit, report)?
        } else {
            let low = self.ends_below(start);
            (low..self.starts_up_to(low, end), None)
        };
        self.put_slots(touched, start, end, edit)?;
        edit.len = edit.len + self.len() - before;
        let changed = old != Some(self.summary());
        if let Some((bottom, top, value)) = piece
            && let Some(value) = value.or_else(|| edit.old.pop())
        {
            let back = TakeBack {
                leaf: self,
                start,
                end,
            };
            report(bottom, top, value);
            mem::forget(back);
        }
        Ok(changed)
    }

    /// Reports and carves what is in `[start, end)`, except a sole piece that can
    /// be reported later. Returns the slots that then overlap the range or are
    /// adjacent to it, and that piece.
    #[inline]
    fn make_way(
        &mut self,
        start: R,
        end: R,
        edit: &Edit<V, B>,
        report: &mut impl FnMut(R, R, V),
    ) -> Result<Way<R, V>, Refused> {
        let mut low = self.ends_up_to(start);
        let mut high = self.starts_below(low, end);
        let piece = match high - low {
            1 => self.sole_piece(low, start, end, edit),
            _ => None,
        };
        if low < high && piece.is_none() {
            low += self.carve_for(low..high, start, end, report)?;
            high = low;
        }
        low -= usize::from(low > 0 && self.ends[low - 1] == start);
        high += usize::from(high < self.len() && self.starts[high] == end);
        Ok((low..high, piece))
    }

    /// The one piece in the way, if it can be reported when the new entry is in
    /// its place: then nothing moves twice. Without a value if its entry goes as
    /// a whole: the value comes out when it is replaced.
    #[inline]
    fn sole_piece(&self, slot: usize, start: R, end: R, edit: &Edit<V, B>) -> Option<Piece<R, V>> {
        let joins = |other: usize| self.values.get(other).is_some_and(|value| edit.is(value));
        let (bottom, top) = (self.starts[slot], self.ends[slot]);
        let whole = start <= bottom && top <= end;
        let alone = !(whole && (slot.checked_sub(1).is_some_and(joins) || joins(slot + 1)));
        (alone && !joins(slot)).then(|| {
            let value = (!whole).then(|| self.values[slot].clone());
            (bottom.max(start), top.min(end), value)
        })
    }

    /// Carves `[start, end)` out of the slots that overlap it, if there will be
    /// room for the entry that replaces what was there. Returns how many slots
    /// of them are left below it.
    fn carve_for(
        &mut self,
        slots: Range<usize>,
        start: R,
        end: R,
        report: &mut impl FnMut(R, R, V),
    ) -> Result<usize, Refused> {
        let cut_low = usize::from(self.starts[slots.start] < start);
        let cut_high = usize::from(self.ends[slots.end - 1] > end);
        // What is cut stays; all else gives its slot to the new entry.
        let stays = cut_low + cut_high;
        let room = self.has_room((1 + stays).saturating_sub(slots.len()));
        if room && self.carve_slots(slots, start, end, report).is_ok() {
            Ok(cut_low)
        } else {
            Err(Refused::Full)
        }
    }

    /// Overwrites where `touched` are the slots that overlap `[start, end)` or
    /// are adjacent to it. Counts are the caller's.
    #[inline]
    pub(crate) fn put_slots(
        &mut self,
        touched: Range<usize>,
        start: R,
        end: R,
        edit: &mut Edit<V, B>,
    ) -> Result<(), Refused> {
        let Some(value) = edit.value.take() else {
            return Ok(());
        };
        match self.overwrite_slots(touched, start, end, value) {
            Ok(replaced) => edit.old.extend(replaced),
            Err(value) => {
                edit.value = Some(value);
                return Err(Refused::Full);
            }
        }
        while let Some((_, _, value)) = self.next_detached() {
            edit.old.push(value);
        }
        Ok(())
    }

    /// Puts an entry into the gap that is there; it joins no neighbour and
    /// there is room.
    fn fill(&mut self, start: R, end: R, value: V) {
        let slot = self.ends_up_to(start);
        let was = self.longest_before(slot..slot);
        self.open(slot, start, end, value);
        self.regap(was, slot..slot + 1);
    }

    /// Moves the end `from` of an entry up to `to`, or its start down.
    fn stretch(&mut self, from: R, to: R) {
        let (slot, was);
        if to > from {
            slot = self.ends_below(from);
            was = self.longest_before(slot..slot + 1);
            self.ends[slot] = to;
        } else {
            slot = self.ends_up_to(from);
            was = self.longest_before(slot..slot + 1);
            self.starts[slot] = to;
        }
        self.regap(was, slot..slot + 1);
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize, const F: usize> Inner<R, V, B, F> {
    /// The child for an edit of `[start, end)`: the first that `start` touches
    /// or is below; but the one before if the range is wholly below that child,
    /// since appending moves nothing.
    #[inline]
    pub(crate) fn route(&self, start: R, end: R) -> usize {
        let c = self.lasts_below(start);
        if c > 0 && (c == self.len() || end < self.firsts[c]) {
            c - 1
        } else {
            c
        }
    }

    /// The first start above child `c`.
    #[inline]
    pub(crate) fn limit(&self, c: usize, limit: Option<R>) -> Option<R> {
        if c + 1 < self.len() {
            Some(self.firsts[c + 1])
        } else {
            limit
        }
    }

    /// [`Leaf::put`] in the leaf that the range belongs to.
    pub(crate) fn put(
        &mut self,
        start: R,
        end: R,
        limit: Option<R>,
        edit: &mut Edit<V, B>,
        report: &mut impl FnMut(R, R, V),
    ) -> Result<bool, Refused> {
        let c = self.route(start, end);
        let limit = self.limit(c, limit);
        let put = each_kind!(&mut self.kids, kids => kids[c].put(start, end, limit, edit, report));
        Ok(put? && self.refresh(c))
    }

    /// [`Leaf::fill`] in the leaf of the entry below, or else in the first.
    fn fill(&mut self, start: R, end: R, value: V) -> bool {
        let c = self.starting_below(start).saturating_sub(1);
        each_kind!(&mut self.kids, kids => { kids[c].fill(start, end, value); });
        self.refresh(c)
    }

    /// [`Leaf::stretch`] of the entry that ends or starts at `from`.
    fn stretch(&mut self, from: R, to: R) -> bool {
        let c = if to > from {
            self.lasts_below(from)
        } else {
            self.lasts_up_to(from)
        };
        each_kind!(&mut self.kids, kids => { kids[c].stretch(from, to); });
        self.refresh(c)
    }

    /// Splits the leaf of [`route`](Self::route) and every full node above it.
    /// This node itself has room for one more child.
    fn split_path(&mut self, start: R, end: R, appending: bool) -> Result<(), AllocError> {
        let mut c = self.route(start, end);
        let appending = appending && c + 1 == self.len();
        let Kids::Inners(kids) = &self.kids else {
            return self.relieve_kid(c, appending);
        };
        if kids[c].len() == F {
            self.split_kid(c, appending)?;
            c = self.route(start, end);
        }
        match &mut self.kids {
            Kids::Inners(kids) => kids[c].split_path(start, end, appending),
            Kids::Leaves(_) => Ok(()),
        }
    }
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> BTreeStore<K, V, B, F> {
    /// [`Leaf::put`], with room made where there is none, and the slow way
    /// where it touches two leaves.
    pub(crate) fn put(
        &mut self,
        start: K::Ordinal,
        end: K::Ordinal,
        edit: &mut Edit<V, B>,
        report: &mut impl FnMut(K::Ordinal, K::Ordinal, V),
    ) -> Result<(), AllocError> {
        loop {
            let repair = Repair { store: &mut *self };
            let put = match &mut repair.store.root {
                None => Err(Refused::Full),
                Some(Root::Leaf(leaf)) => leaf.put(start, end, None, edit, report),
                Some(Root::Inner(inner)) => inner.put(start, end, None, edit, report),
            };
            mem::forget(repair);
            match (put, edit.value.take()) {
                (Err(Refused::Full), value) => {
                    edit.value = value;
                    self.split_path(start, end)?;
                }
                (Err(Refused::Spread), Some(value)) => {
                    return self.put_slowly(start, end, value, report);
                }
                _ => {
                    self.len = edit.len;
                    return Ok(());
                }
            }
        }
    }

    /// Makes room for a slot where `[start, end)` belongs: the first leaf, or
    /// the split of one.
    fn split_path(&mut self, start: K::Ordinal, end: K::Ordinal) -> Result<(), AllocError> {
        let appending = self.last_end().is_none_or(|last| start >= last);
        let full = match &self.root {
            None => {
                self.root = Some(Root::Leaf(Leaf::try_new()?));
                return Ok(());
            }
            Some(Root::Leaf(_)) => true,
            Some(Root::Inner(inner)) => inner.len() == F,
        };
        if full {
            self.raise()?;
        }
        let split = match &mut self.root {
            Some(Root::Inner(inner)) if full => inner.split_kid(0, appending),
            _ => Ok(()),
        };
        // Without its memory the new root has one child: back to that.
        self.collapse();
        split?;
        match &mut self.root {
            Some(Root::Inner(inner)) if !(full && inner.is_over_leaves()) => {
                inner.split_path(start, end, appending)
            }
            _ => Ok(()),
        }
    }

    /// Puts a node with one child on top.
    pub(super) fn raise(&mut self) -> Result<(), AllocError> {
        let mut top = match &self.root {
            Some(Root::Inner(_)) => Inner::try_over_inners()?,
            _ => Inner::try_over_leaves()?,
        };
        match (&mut top.kids, self.root.take()) {
            (Kids::Inners(kids), Some(Root::Inner(inner))) => kids.push(inner),
            (Kids::Leaves(kids), Some(Root::Leaf(leaf))) => kids.push(leaf),
            (_, root) => {
                self.root = root;
                return Ok(());
            }
        }
        top.refresh_all();
        self.root = Some(Root::Inner(top));
        Ok(())
    }

    /// Makes sure that the leaf of the entry that ends at `key`, or that
    /// contains it, has room.
    pub(crate) fn ensure_room(&mut self, key: K::Ordinal, slots: usize) -> Result<(), AllocError> {
        while self
            .leaf_routed(key)
            .is_some_and(|leaf| !leaf.has_room(slots))
        {
            self.split_path(key, key)?;
        }
        Ok(())
    }

    fn leaf_routed(&self, key: K::Ordinal) -> Option<&Leaf<K::Ordinal, V, B>> {
        let mut inner = match self.root.as_ref()? {
            Root::Leaf(leaf) => return Some(leaf),
            Root::Inner(inner) => inner,
        };
        loop {
            let c = inner.route(key, key);
            match &inner.kids {
                Kids::Inners(kids) => inner = &kids[c],
                Kids::Leaves(kids) => return Some(&kids[c]),
            }
        }
    }

    /// Reports what is in `[start, end)` and overwrites it, however many leaves
    /// that touches.
    pub(crate) fn put_slowly(
        &mut self,
        start: K::Ordinal,
        end: K::Ordinal,
        value: V,
        report: &mut impl FnMut(K::Ordinal, K::Ordinal, V),
    ) -> Result<(), AllocError> {
        let anchor = self.entry_below(start).or_else(|| self.entry_above(end));
        let mut spare = None;
        match anchor.map(|(_, top, _)| top) {
            // One slot: an entry around the whole range does not spread.
            Some(top) => self.ensure_room(top, 1)?,
            None => spare = Some(Leaf::try_new()?),
        }
        self.carve_all(start, end, report)?;
        if self.root.is_none() {
            self.root = spare.map(Root::Leaf);
        }
        let equal = self.equal_neighbours(start, end, &value);
        self.join(start, end, value, equal);
        Ok(())
    }

    /// Puts an entry into the gap `[start, end)`, joined with the neighbours
    /// that [`equal_neighbours`](Self::equal_neighbours) found. Needs no memory
    /// if the leaf below, or else the first, has room.
    pub(crate) fn join(
        &mut self,
        start: K::Ordinal,
        end: K::Ordinal,
        value: V,
        equal: (bool, Option<K::Ordinal>),
    ) {
        match equal {
            (true, None) => self.stretch(start, end),
            (false, Some(_)) => self.stretch(end, start),
            (true, Some(top)) => {
                let upper = self.take(end, top);
                self.stretch(start, top);
                drop(upper);
            }
            (false, None) => {
                match &mut self.root {
                    Some(Root::Leaf(leaf)) => leaf.fill(start, end, value),
                    Some(Root::Inner(inner)) => {
                        inner.fill(start, end, value);
                    }
                    None => debug_assert!(false, "room was made before"),
                }
                self.len += 1;
            }
        }
    }

    /// Whether an entry that ends at `start` has this value, and the end of an
    /// entry with this value that starts at `end`.
    pub(crate) fn equal_neighbours(
        &self,
        start: K::Ordinal,
        end: K::Ordinal,
        value: &V,
    ) -> (bool, Option<K::Ordinal>) {
        let below = self.entry_below(start).filter(|&(_, top, _)| top == start);
        let above = self.entry_above(end).filter(|&(bottom, ..)| bottom == end);
        let joins_above = above
            .filter(|&(.., other)| other == value)
            .map(|(_, top, _)| top);
        (below.is_some_and(|(.., other)| other == value), joins_above)
    }

    pub(crate) fn stretch(&mut self, from: K::Ordinal, to: K::Ordinal) {
        match &mut self.root {
            Some(Root::Leaf(leaf)) => leaf.stretch(from, to),
            Some(Root::Inner(inner)) => {
                inner.stretch(from, to);
            }
            None => debug_assert!(false, "the entry is there"),
        }
    }

    /// Replaces a root without entries by none, and one with a single child by
    /// that.
    #[inline]
    pub(crate) fn collapse(&mut self) {
        if self.is_hollow() {
            self.collapse_now();
        }
    }

    #[inline]
    fn is_hollow(&self) -> bool {
        match &self.root {
            None => false,
            Some(Root::Leaf(leaf)) => leaf.len() == 0,
            Some(Root::Inner(inner)) => inner.len() < 2,
        }
    }

    #[cold]
    fn collapse_now(&mut self) {
        while self.is_hollow() {
            self.root = match self.root.take() {
                Some(Root::Inner(inner)) => only_kid(inner),
                _ => None,
            };
        }
    }
}

/// The child of a node that has at most one.
fn only_kid<R: Ordinal, V: Clone + PartialEq, const B: usize, const F: usize>(
    mut inner: Owned<Inner<R, V, B, F>>,
) -> Option<Root<R, V, B, F>> {
    let kids = mem::replace(&mut inner.kids, Kids::Leaves(ArrayVec::new()));
    match kids {
        Kids::Leaves(mut kids) => kids.pop().map(Root::Leaf),
        Kids::Inners(mut kids) => kids.pop().map(Root::Inner),
    }
}
