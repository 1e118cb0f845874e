//! Updates: values change, bounds do not, so no summary does either.
//!
//! If the span and all that it touches is in one leaf, the leaf is edited in
//! place. Otherwise that is done with the pieces of each leaf that touch no
//! other, and those between are taken one by one: a piece that comes to equal a
//! neighbour in another leaf is removed and joined with it.

use super::across::EqualNeighbours;
use super::edit::{Edit, Refused};
use super::node::{Inner, Leaf, each_kind};
use super::tree::{BTreeStore, Root};
use crate::alloc_error::AllocError;
use crate::guard::ScopeGuard;
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::run::{Full, Run};
use crate::span::Span;
use crate::value;

/// What is beside a subtree.
#[derive(Clone, Copy)]
struct Around<R> {
    /// The last end before it.
    prev_end: Option<R>,
    /// The first start after it.
    next_start: Option<R>,
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize> Leaf<R, V, LEAF> {
    /// Updates the pieces of the span if they touch no other leaf.
    fn update(
        &mut self,
        span: Span<R>,
        around: Around<R>,
        edit: &mut Edit<impl FnMut(Span<R>, &mut V)>,
    ) -> Result<(), Refused> {
        let touches_above = around.next_start.is_some_and(|start| span.end >= start);
        if self.touches_below(span.start, around.prev_end) || touches_above {
            return Err(Refused::Across);
        }
        if !self.has_room(2) && !self.has_room(self.slots_to_update(span)) {
            return Err(Refused::Full(Full));
        }
        self.update_counted(span, edit);
        Ok(())
    }

    /// Updates the pieces of the span that touch no other leaf, up to the leaf's
    /// last entry. Returns where that is, or `None` if there are none. There is
    /// room.
    fn update_inside(
        &mut self,
        span: Span<R>,
        prev_end: Option<R>,
        edit: &mut Edit<impl FnMut(Span<R>, &mut V)>,
    ) -> Option<R> {
        let stop = span.end.min(self.starts[self.len() - 1]);
        if self.touches_below(span.start, prev_end) || span.start >= stop {
            return None;
        }
        self.update_counted(Span::new(span.start, stop), edit);
        Some(stop)
    }

    /// Whether the first entry is in a span from `start` and adjacent to what
    /// ends at `prev_end`, in the leaf before.
    #[inline]
    fn touches_below(&self, start: R, prev_end: Option<R>) -> bool {
        let bottom = self.starts[0];
        prev_end == Some(bottom) && bottom >= start
    }

    /// Updates the pieces and keeps count of the entries.
    #[inline]
    fn update_counted(&mut self, span: Span<R>, edit: &mut Edit<impl FnMut(Span<R>, &mut V)>) {
        let before = self.len();
        self.update_pieces(span, &mut edit.visit);
        edit.len = edit.len + self.len() - before;
    }

    /// Gives a piece of one entry a value that no neighbour in another leaf has.
    /// Returns what was replaced and what was joined, to be dropped when the
    /// tree is valid.
    fn put_piece<F>(&mut self, piece: Span<R>, value: V, edit: &mut Edit<F>) -> [Option<V>; 2] {
        let before = self.len();
        let replaced = self.overwrite(piece, value);
        debug_assert!(replaced.is_ok(), "room was made before");
        let joined = self.next_detached();
        edit.len = edit.len + self.len() - before;
        [replaced.ok().flatten(), joined.map(|(_, value)| value)]
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Inner<R, V, LEAF, FANOUT>
{
    fn update(
        &mut self,
        span: Span<R>,
        around: Around<R>,
        edit: &mut Edit<impl FnMut(Span<R>, &mut V)>,
    ) -> Result<(), Refused> {
        let c = self.max_ends_up_to(span.start);
        if c >= self.len() {
            return Ok(());
        }
        let around = Around {
            prev_end: self.prev_end(c, around.prev_end),
            next_start: self.next_start(c, around.next_start),
        };
        each_kind!(&mut self.children, children => children[c].update(span, around, edit))
    }

    /// [`Leaf::update_inside`] in the leaf of the first entry above the start.
    fn update_inside(
        &mut self,
        span: Span<R>,
        prev_end: Option<R>,
        edit: &mut Edit<impl FnMut(Span<R>, &mut V)>,
    ) -> Option<R> {
        let c = self.max_ends_up_to(span.start);
        if c >= self.len() {
            return None;
        }
        let prev_end = self.prev_end(c, prev_end);
        each_kind!(&mut self.children, children => children[c].update_inside(span, prev_end, edit))
    }

    /// [`Leaf::put_piece`] in the leaf that contains the piece.
    fn put_piece<F>(&mut self, piece: Span<R>, value: V, edit: &mut Edit<F>) -> [Option<V>; 2] {
        let c = self.max_ends_up_to(piece.start);
        each_kind!(&mut self.children, children => children[c].put_piece(piece, value, edit))
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
    /// See [`RangeStore::update`](crate::RangeStore::update).
    pub(super) fn update_span(
        &mut self,
        span: Span<K::Ordinal>,
        edit: &mut Edit<impl FnMut(Span<K::Ordinal>, &mut V)>,
    ) -> Result<(), AllocError> {
        let around = Around {
            prev_end: None,
            next_start: None,
        };
        loop {
            let mut store = self.repaired_on_panic();
            let updated = match &mut store.root {
                None => Ok(()),
                Some(Root::Leaf(leaf)) => leaf.update(span, around, edit),
                Some(Root::Inner(inner)) => inner.update(span, around, edit),
            };
            store.defuse();
            match updated {
                Ok(()) => {
                    self.len = edit.len;
                    return Ok(());
                }
                Err(refused) => {
                    self.make_room_at_edges(span)?;
                    if refused == Refused::Across {
                        self.update_across(span, edit);
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Room for two slots in the leaf of each edge that cuts an entry.
    fn make_room_at_edges(&mut self, span: Span<K::Ordinal>) -> Result<(), AllocError> {
        for edge in [span.start, span.end] {
            if self
                .entry_below(edge)
                .is_some_and(|(below, _)| below.end > edge)
            {
                self.ensure_room(edge, 2)?;
            }
        }
        Ok(())
    }

    /// The pieces of the first leaf of the span that touch no other leaf.
    fn update_inside(
        &mut self,
        span: Span<K::Ordinal>,
        edit: &mut Edit<impl FnMut(Span<K::Ordinal>, &mut V)>,
    ) -> Option<K::Ordinal> {
        edit.len = self.len;
        let mut store = self.repaired_on_panic();
        let stop = match &mut store.root {
            Some(Root::Inner(inner)) => inner.update_inside(span, None, edit),
            _ => None,
        };
        store.len = edit.len;
        store.defuse();
        stop
    }

    /// Leaf by leaf; the pieces at the border of two one by one.
    fn update_across(
        &mut self,
        span: Span<K::Ordinal>,
        edit: &mut Edit<impl FnMut(Span<K::Ordinal>, &mut V)>,
    ) {
        let mut pending = PendingJoin {
            store: self,
            at: None,
        };
        let mut pending = ScopeGuard::new(&mut pending, |pending| pending.finish());
        let mut rest = span;
        while !rest.is_empty() {
            if pending.at.is_none()
                && let Some(stop) = pending.store.update_inside(rest, edit)
            {
                rest.start = stop;
                continue;
            }
            let Some((entry, old)) = pending.store.entry_above(rest.start) else {
                return;
            };
            if entry.start >= rest.end {
                return;
            }
            let piece = entry.clip(rest);
            let mut value = value::part(old);
            (edit.visit)(piece, &mut value);
            if value::is_unchanged(old, &value) {
                pending.finish();
            } else {
                pending.change(piece, value, span.end);
            }
            rest.start = piece.end;
        }
    }
}

/// A store under update, in which two adjacent entries may be equal: the upper
/// one is about to be updated, and joining it now could cost a slot to undo in
/// a leaf that has none. They are joined when the update leaves them alone, at
/// its end, or when it panics.
struct PendingJoin<'a, K: Key, V, const LEAF: usize, const FANOUT: usize> {
    store: &'a mut BTreeStore<K, V, LEAF, FANOUT>,
    /// Where they meet.
    at: Option<K::Ordinal>,
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    PendingJoin<'_, K, V, LEAF, FANOUT>
{
    /// Gives a piece of one entry another value, joined with equal neighbours;
    /// the one above is left for later if the update up to `update_end` gets to
    /// it. A join that is pending below the piece stays so until the piece has
    /// changed: comparing and cloning values can panic.
    fn change(&mut self, piece: Span<K::Ordinal>, value: V, update_end: K::Ordinal) {
        let EqualNeighbours { below, above } = self.store.equal_neighbours(piece, &value);
        let later = above.is_some() && piece.end < update_end;
        let above = above.filter(|_| !later);
        let old = if below || above.is_some() {
            let old = self.store.take(piece);
            self.at = later.then_some(piece.end);
            let equal = EqualNeighbours { below, above };
            self.store.join(piece, value, equal);
            [old, None]
        } else {
            let mut edit = Edit::new(self.store.len, ());
            let old = match &mut self.store.root {
                None => [None, None],
                Some(Root::Leaf(leaf)) => leaf.put_piece(piece, value, &mut edit),
                Some(Root::Inner(inner)) => inner.put_piece(piece, value, &mut edit),
            };
            self.store.len = edit.len;
            self.at = later.then_some(piece.end);
            old
        };
        drop(old);
    }

    /// Joins the two entries, if a join is pending.
    fn finish(&mut self) {
        let Some(at) = self.at.take() else { return };
        // If both are in one leaf, they have been joined there.
        let above = self
            .store
            .entry_above(at)
            .filter(|(above, _)| above.start == at);
        if let Some((above, _)) = above {
            let upper = self.store.take(above);
            self.store.move_end(at, above.end);
            drop(upper);
        }
    }
}
