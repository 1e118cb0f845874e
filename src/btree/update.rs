//! Updates: values change, bounds do not, so no summary does either.
//!
//! If the span and all that it touches is in one leaf, the leaf is edited in
//! place. Otherwise each leaf's pieces that touch no other leaf are edited in
//! place, and the pieces at the borders of leaves one by one: a piece that comes
//! to equal a neighbour in another leaf is removed and joined with it.

use super::across::EqualNeighbours;
use super::edit::{Edit, Refused};
use super::node::{Children, Leaf};
use super::tree::{BTreeStore, Root};
use crate::alloc_error::AllocError;
use crate::flow::Flow;
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
    fn update<F: Flow>(
        &mut self,
        span: Span<R>,
        around: Around<R>,
        edit: &mut Edit<impl FnMut(Span<R>, &mut V) -> F>,
    ) -> Result<F, Refused> {
        let touches_above = around.next_start.is_some_and(|start| span.end >= start);
        if self.touches_below(span.start, around.prev_end) || touches_above {
            return Err(Refused::Across);
        }
        if !self.has_room(2) && !self.has_room(self.slots_to_update(span)) {
            return Err(Refused::Full(Full));
        }
        Ok(self.update_counted(span, edit))
    }

    /// Updates the pieces of the span that touch no other leaf, up to the leaf's
    /// last entry. Returns where that is, and whether to go on, or `None` if there
    /// are none. There is room.
    fn update_inside<F: Flow>(
        &mut self,
        span: Span<R>,
        around: Around<R>,
        edit: &mut Edit<impl FnMut(Span<R>, &mut V) -> F>,
    ) -> Option<(R, F)> {
        let stop = span.end.min(self.starts[self.len() - 1]);
        if self.touches_below(span.start, around.prev_end) || span.start >= stop {
            return None;
        }
        let said = self.update_counted(Span::new(span.start, stop), edit);
        Some((stop, said))
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
    fn update_counted<F: Flow>(
        &mut self,
        span: Span<R>,
        edit: &mut Edit<impl FnMut(Span<R>, &mut V) -> F>,
    ) -> F {
        let before = self.len();
        let said = self.update_pieces(span, &mut edit.visit);
        edit.len = edit.len + self.len() - before;
        said
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
    Root<R, V, LEAF, FANOUT>
{
    /// The leaf of the first entry that ends after `key`, and what is beside it.
    /// No summary above it has to be told of an update.
    #[inline]
    fn leaf_to_update(&mut self, key: R) -> Option<(&mut Leaf<R, V, LEAF>, Around<R>)> {
        let mut around = Around {
            prev_end: None,
            next_start: None,
        };
        let mut inner = match self {
            Self::Leaf(leaf) => return Some((leaf, around)),
            Self::Inner(inner) => inner,
        };
        loop {
            let c = inner.max_ends_up_to(key);
            around = Around {
                prev_end: inner.prev_end(c, around.prev_end),
                next_start: inner.next_start(c, around.next_start),
            };
            match &mut inner.children {
                Children::Inners(children) => inner = children.get_mut(c)?,
                Children::Leaves(children) => return Some((children.get_mut(c)?, around)),
            }
        }
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
    /// See [`RangeStore::update`](crate::RangeStore::update).
    pub(super) fn update_span<F: Flow>(
        &mut self,
        span: Span<K::Ordinal>,
        edit: &mut Edit<impl FnMut(Span<K::Ordinal>, &mut V) -> F>,
    ) -> Result<F, AllocError> {
        loop {
            let mut store = self.repaired_on_panic();
            let root = store.root.as_mut();
            let updated = match root.and_then(|root| root.leaf_to_update(span.start)) {
                Some((leaf, around)) => leaf.update(span, around, edit),
                None => Ok(F::GO_ON),
            };
            store.defuse();
            match updated {
                Ok(said) => {
                    self.len = edit.len;
                    return Ok(said);
                }
                Err(refused) => {
                    self.make_room_at_edges(span)?;
                    if refused == Refused::Across {
                        return Ok(self.update_across(span, edit));
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

    /// The pieces of the first leaf of the span that touch no other leaf: where they
    /// end, and whether to go on.
    fn update_inside<F: Flow>(
        &mut self,
        span: Span<K::Ordinal>,
        edit: &mut Edit<impl FnMut(Span<K::Ordinal>, &mut V) -> F>,
    ) -> Option<(K::Ordinal, F)> {
        edit.len = self.len;
        let mut store = self.repaired_on_panic();
        let root = store.root.as_mut();
        let leaf = root.and_then(|root| root.leaf_to_update(span.start));
        let stop = leaf.and_then(|(leaf, around)| leaf.update_inside(span, around, edit));
        store.len = edit.len;
        store.defuse();
        stop
    }

    /// Leaf by leaf; the pieces at the border of two one by one.
    fn update_across<F: Flow>(
        &mut self,
        span: Span<K::Ordinal>,
        edit: &mut Edit<impl FnMut(Span<K::Ordinal>, &mut V) -> F>,
    ) -> F {
        let mut pending = PendingJoin {
            store: self,
            at: None,
        };
        let mut pending = ScopeGuard::new(&mut pending, |pending| pending.finish());
        let mut rest = span;
        while !rest.is_empty() {
            if pending.at.is_none()
                && let Some((stop, said)) = pending.store.update_inside(rest, edit)
            {
                if said.stops() {
                    return said;
                }
                rest.start = stop;
                continue;
            }
            let Some((entry, old)) = pending.store.entry_above(rest.start) else {
                break;
            };
            if entry.start >= rest.end {
                break;
            }
            let piece = entry.clip(rest);
            let mut value = value::part(old);
            let said = (edit.visit)(piece, &mut value);
            if said.stops() {
                return said;
            }
            if value::is_unchanged(old, &value) {
                pending.finish();
            } else {
                pending.change(piece, value, span.end);
            }
            rest.start = piece.end;
        }
        F::GO_ON
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
            let root = self.store.root.as_mut();
            let old = match root.and_then(|root| root.leaf_to_update(piece.start)) {
                Some((leaf, _)) => leaf.put_piece(piece, value, &mut edit),
                None => [None, None],
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
        // If both are in one leaf, they may have been joined there already.
        let above = self
            .store
            .entry_above(at)
            .filter(|(above, _)| above.start == at);
        if let Some((above, _)) = above {
            let upper = self.store.take(above);
            self.store.move_bound(at, above.end);
            drop(upper);
        }
    }
}
