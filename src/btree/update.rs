//! Updates: values change, bounds do not, so no summary does either.
//!
//! If the range and all that it touches is in one leaf, the leaf is edited in
//! place. Otherwise that is done with the pieces of each leaf that touch no
//! other, and those between are taken one by one: a piece that comes to equal a
//! neighbour in another leaf is carved out and joined with it.

use core::mem;

use super::inner::{Inner, each_kind};
use super::insert::Refused;
use super::leaf::Leaf;
use super::remove::Repair;
use super::{BTreeStore, Root};
use crate::key::{Key, Ordinal};
use crate::run::Run;
use crate::store::AllocError;

impl<R: Ordinal, V: Clone + PartialEq, const B: usize> Leaf<R, V, B> {
    /// Updates the pieces of `[start, end)` if they touch no other leaf.
    /// `floor` and `limit` are the last end before the leaf and the first start
    /// after it.
    fn update_leaf(
        &mut self,
        (start, end): (R, R),
        (floor, limit): (Option<R>, Option<R>),
        f: &mut impl FnMut(R, R, &mut V),
        len: &mut usize,
    ) -> Result<(), Refused> {
        if self.touches_below(start, floor) || limit.is_some_and(|limit| end >= limit) {
            return Err(Refused::Spread);
        }
        if !self.has_room(2) && !self.has_room(self.slots_to_update(start, end)) {
            return Err(Refused::Full);
        }
        self.update_counted(start, end, f, len);
        Ok(())
    }

    /// Updates the pieces of `[start, end)` that touch no other leaf, up to the
    /// leaf's last entry. Returns where that is, or `None` if there are none.
    /// There is room.
    fn update_inside(
        &mut self,
        (start, end): (R, R),
        floor: Option<R>,
        f: &mut impl FnMut(R, R, &mut V),
        len: &mut usize,
    ) -> Option<R> {
        let stop = end.min(self.starts[self.len() - 1]);
        if self.touches_below(start, floor) || start >= stop {
            return None;
        }
        self.update_counted(start, stop, f, len);
        Some(stop)
    }

    /// Whether the first entry is in a range from `start` and adjacent to what
    /// ends at `floor`, in the leaf before.
    #[inline]
    fn touches_below(&self, start: R, floor: Option<R>) -> bool {
        let bottom = self.starts[0];
        floor == Some(bottom) && bottom >= start
    }

    /// Updates the pieces and keeps count of the entries.
    #[inline]
    fn update_counted(
        &mut self,
        start: R,
        end: R,
        f: &mut impl FnMut(R, R, &mut V),
        len: &mut usize,
    ) {
        let before = self.len();
        self.update_pieces(start, end, f);
        *len = *len + self.len() - before;
    }

    /// Gives a piece of one entry a value that no neighbour in another leaf
    /// has. Returns what was replaced and what was joined, to be dropped when
    /// the tree is valid.
    fn put_piece(&mut self, start: R, end: R, value: V, len: &mut usize) -> [Option<V>; 2] {
        let before = self.len();
        let replaced = self.overwrite(start, end, value);
        debug_assert!(replaced.is_ok(), "room was made before");
        let joined = self.next_detached();
        *len = *len + self.len() - before;
        [replaced.ok().flatten(), joined.map(|(.., value)| value)]
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize, const F: usize> Inner<R, V, B, F> {
    fn update_leaf(
        &mut self,
        (start, end): (R, R),
        (floor, limit): (Option<R>, Option<R>),
        f: &mut impl FnMut(R, R, &mut V),
        len: &mut usize,
    ) -> Result<(), Refused> {
        let Some((c, floor)) = self.kid_above(start, floor) else {
            return Ok(());
        };
        let limit = self.limit(c, limit);
        each_kind!(&mut self.kids, kids => {
            kids[c].update_leaf((start, end), (floor, limit), f, len)
        })
    }

    /// [`Leaf::update_inside`] in the leaf of the first entry above `start`.
    fn update_inside(
        &mut self,
        (start, end): (R, R),
        floor: Option<R>,
        f: &mut impl FnMut(R, R, &mut V),
        len: &mut usize,
    ) -> Option<R> {
        let (c, floor) = self.kid_above(start, floor)?;
        each_kind!(&mut self.kids, kids => kids[c].update_inside((start, end), floor, f, len))
    }

    /// The first child that ends after `key`, and the last end before it.
    #[inline]
    fn kid_above(&self, key: R, floor: Option<R>) -> Option<(usize, Option<R>)> {
        let c = self.lasts_up_to(key);
        let floor = match c.checked_sub(1) {
            Some(below) => Some(self.lasts[below]),
            None => floor,
        };
        (c < self.len()).then_some((c, floor))
    }

    /// [`Leaf::put_piece`] in the leaf that contains `start`.
    fn put_piece(&mut self, start: R, end: R, value: V, len: &mut usize) -> [Option<V>; 2] {
        let c = self.lasts_up_to(start);
        each_kind!(&mut self.kids, kids => kids[c].put_piece(start, end, value, len))
    }
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> BTreeStore<K, V, B, F> {
    /// See [`RangeStore::update`](crate::RangeStore::update).
    pub(crate) fn update_all(
        &mut self,
        start: K::Ordinal,
        end: K::Ordinal,
        f: &mut impl FnMut(K::Ordinal, K::Ordinal, &mut V),
    ) -> Result<(), AllocError> {
        loop {
            let repair = Repair { store: &mut *self };
            let BTreeStore { root, len } = &mut *repair.store;
            let step = match root {
                None => Ok(()),
                Some(Root::Leaf(leaf)) => leaf.update_leaf((start, end), (None, None), f, len),
                Some(Root::Inner(inner)) => inner.update_leaf((start, end), (None, None), f, len),
            };
            mem::forget(repair);
            match step {
                Ok(()) => return Ok(()),
                Err(refused) => {
                    self.make_room_at_edges(start, end)?;
                    if refused == Refused::Spread {
                        self.update_slowly(start, end, f);
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Room for two slots in the leaf of each edge that cuts an entry.
    fn make_room_at_edges(&mut self, start: K::Ordinal, end: K::Ordinal) -> Result<(), AllocError> {
        for edge in [start, end] {
            if self.entry_below(edge).is_some_and(|(_, top, _)| top > edge) {
                self.ensure_room(edge, 2)?;
            }
        }
        Ok(())
    }

    /// The pieces of the first leaf of the range that touch no other leaf.
    fn update_inside(
        &mut self,
        start: K::Ordinal,
        end: K::Ordinal,
        f: &mut impl FnMut(K::Ordinal, K::Ordinal, &mut V),
    ) -> Option<K::Ordinal> {
        let repair = Repair { store: self };
        let BTreeStore { root, len } = &mut *repair.store;
        let stop = match root {
            Some(Root::Inner(inner)) => inner.update_inside((start, end), None, f, len),
            _ => None,
        };
        mem::forget(repair);
        stop
    }

    /// Leaf by leaf; the pieces at the border of two one by one.
    fn update_slowly(
        &mut self,
        start: K::Ordinal,
        end: K::Ordinal,
        f: &mut impl FnMut(K::Ordinal, K::Ordinal, &mut V),
    ) {
        let mut seam = Seam {
            store: self,
            at: None,
        };
        let mut from = start;
        while from < end {
            if seam.at.is_none()
                && let Some(stop) = seam.store.update_inside(from, end, f)
            {
                from = stop;
                continue;
            }
            let Some((bottom, top, old)) = seam.store.entry_above(from) else {
                return;
            };
            if bottom >= end {
                return;
            }
            let (low, high) = (bottom.max(from), top.min(end));
            let mut value = old.clone();
            f(low, high, &mut value);
            if *old == value {
                seam.close();
            } else {
                seam.change(low, high, value, end);
            }
            from = high;
        }
    }
}

/// A store under update, in which two adjacent entries may be equal: the upper
/// one is about to be updated, and joining it now could cost a slot to undo in
/// a leaf that has none. Dropped, also by a panic, it joins them.
struct Seam<'a, K: Key, V: Clone + PartialEq, const B: usize, const F: usize> {
    store: &'a mut BTreeStore<K, V, B, F>,
    /// Where they meet.
    at: Option<K::Ordinal>,
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> Seam<'_, K, V, B, F> {
    /// Gives a piece of one entry another value, joined with equal neighbours;
    /// the one above is left for later if the update of `..end` gets to it. A
    /// seam below the piece stays one until the piece has changed: comparing
    /// and cloning values can panic.
    fn change(&mut self, start: K::Ordinal, end: K::Ordinal, value: V, update_end: K::Ordinal) {
        let (below, above) = self.store.equal_neighbours(start, end, &value);
        let later = above.is_some() && end < update_end;
        let equal = (below, above.filter(|_| !later));
        let old = if equal == (false, None) {
            let BTreeStore { root, len } = &mut *self.store;
            let old = match root {
                None => [None, None],
                Some(Root::Leaf(leaf)) => leaf.put_piece(start, end, value, len),
                Some(Root::Inner(inner)) => inner.put_piece(start, end, value, len),
            };
            self.at = later.then_some(end);
            old
        } else {
            let old = self.store.take(start, end);
            self.at = later.then_some(end);
            self.store.join(start, end, value, equal);
            [old, None]
        };
        drop(old);
    }

    fn close(&mut self) {
        let Some(at) = self.at.take() else { return };
        // In one leaf, the two were joined there and then.
        let above = self
            .store
            .entry_above(at)
            .filter(|&(bottom, ..)| bottom == at);
        if let Some((_, top, _)) = above {
            let upper = self.store.take(at, top);
            self.store.stretch(at, top);
            drop(upper);
        }
    }
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> Drop for Seam<'_, K, V, B, F> {
    fn drop(&mut self) {
        self.close();
    }
}
