//! Insertion where the span touches several leaves, and joining an entry with
//! equal neighbours in other leaves.
//!
//! The span is removed, leaf by leaf; then the new entry is joined with its
//! neighbours or put in. It must not need memory after the first report. So it
//! goes to the leaf of an entry that survives, the *anchor*: the one below the
//! span, or else the one above. Room there is made first. A removal can only
//! add to that room, and a merge leaves two slots free.

use core::ops::Range;

use super::edit::{Edit, Put};
use super::node::{Inner, Leaf, Owned, each_kind};
use super::tree::{BTreeStore, Root};
use crate::alloc_error::AllocError;
use crate::ask;
use crate::flow::Flow;
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::run::Run;
use crate::span::Span;
use crate::value;

/// Which entries beside a span are adjacent to it and have the value that it is
/// to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct EqualNeighbours<R> {
    pub(super) below: bool,
    /// The end of the one above.
    pub(super) above: Option<R>,
}

/// A leaf for an entry that replaces all others.
type Spare<R, V, const LEAF: usize> = Option<Owned<Leaf<R, V, LEAF>>>;

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize> Leaf<R, V, LEAF> {
    /// Puts an entry into the gap that is there; it joins no neighbour and there
    /// is room.
    fn fill_gap(&mut self, span: Span<R>, value: V) {
        debug_assert!(self.has_room(1));
        let slot = self.ends_up_to(span.start);
        let was = self.longest_before(slot..slot);
        self.open(slot, span, value);
        self.update_max_gap(was, slot..slot + 1);
    }

    /// Moves the end `from` of an entry up to `to`, or the start `from` of one down.
    fn move_bound(&mut self, from: R, to: R) {
        let up = to > from;
        let slot = if up {
            self.ends_below(from)
        } else {
            self.ends_up_to(from)
        };
        let was = self.longest_before(slot..slot + 1);
        let column = if up { &mut self.ends } else { &mut self.starts };
        debug_assert!(column[slot] == from, "no entry has this bound");
        column[slot] = to;
        self.update_max_gap(was, slot..slot + 1);
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Inner<R, V, LEAF, FANOUT>
{
    /// [`Leaf::fill_gap`] in the leaf of the entry below, or else in the first.
    fn fill_gap(&mut self, span: Span<R>, value: V) -> bool {
        let c = self.min_starts_below(span.start).saturating_sub(1);
        each_kind!(&mut self.children, children => { children[c].fill_gap(span, value); });
        self.update_summary(c)
    }

    /// [`Leaf::move_bound`] in the leaf of the entry.
    fn move_bound(&mut self, from: R, to: R) -> bool {
        let c = if to > from {
            self.max_ends_below(from)
        } else {
            self.max_ends_up_to(from)
        };
        each_kind!(&mut self.children, children => { children[c].move_bound(from, to); });
        self.update_summary(c)
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
    /// Reports what is in the span and overwrites it, however many leaves that
    /// touches.
    pub(super) fn insert_across(
        &mut self,
        span: Span<K::Ordinal>,
        edit: &mut Edit<impl FnMut(Span<K::Ordinal>, V), Put<V, LEAF>>,
    ) -> Result<(), AllocError> {
        let spare = self.make_room_at_anchor(span)?;
        self.remove_span(span, &mut Edit::new(self.len, &mut edit.visit))?;
        let Some(value) = edit.put.value.take() else {
            debug_assert!(false, "the value is put in once");
            return Ok(());
        };
        self.put_in_gap(span, value, spare);
        Ok(())
    }

    /// An insertion whose sink can stop it.
    pub(super) fn insert_asking<F: Flow>(
        &mut self,
        span: Span<K::Ordinal>,
        value: V,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError> {
        let spare = self.make_room_at_anchor(span)?;
        let said = ask::remove_while(self, span.keys(), sink);
        if !said.stops() {
            self.put_in_gap(span, value, spare);
        }
        Ok(said)
    }

    /// A removal whose sink can stop it.
    pub(super) fn remove_asking<F: Flow>(
        &mut self,
        span: Span<K::Ordinal>,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError> {
        let below = self.entry_below(span.start);
        if below.is_some_and(|(below, _)| below.end > span.end) {
            self.ensure_room(span.start, 1)?;
        }
        Ok(ask::remove_while(self, span.keys(), sink))
    }

    /// Room for what replaces the span. Returns a leaf for it if all entries go.
    fn make_room_at_anchor(
        &mut self,
        span: Span<K::Ordinal>,
    ) -> Result<Spare<K::Ordinal, V, LEAF>, AllocError> {
        let anchor = self
            .entry_below(span.start)
            .or_else(|| self.entry_above(span.end));
        let Some((anchor, _)) = anchor else {
            return Leaf::try_new().map(Some);
        };
        // An entry around the span becomes two as well.
        let around = anchor.start < span.start && anchor.end > span.end;
        self.ensure_room(anchor.end, 1 + usize::from(around))?;
        Ok(None)
    }

    /// Makes a span that is free an entry, joined with its equal neighbours. The
    /// room for it was made before, or is `spare`.
    fn put_in_gap(&mut self, span: Span<K::Ordinal>, value: V, spare: Spare<K::Ordinal, V, LEAF>) {
        if self.root.is_none() {
            self.root = spare.map(Root::Leaf);
        }
        let equal = self.equal_neighbours(span, &value);
        self.join(span, value, equal);
    }

    /// Puts an entry into the gap that the span is, joined with its equal
    /// neighbours. Needs no memory if the leaf below, or else the first, has room.
    pub(super) fn join(
        &mut self,
        span: Span<K::Ordinal>,
        value: V,
        equal: EqualNeighbours<K::Ordinal>,
    ) {
        match (equal.below, equal.above) {
            (true, None) => self.move_bound(span.start, span.end),
            (false, Some(_)) => self.move_bound(span.end, span.start),
            (true, Some(end)) => {
                let above = self.take(Span::new(span.end, end));
                self.move_bound(span.start, end);
                drop(above);
            }
            (false, None) => {
                match &mut self.root {
                    Some(Root::Leaf(leaf)) => leaf.fill_gap(span, value),
                    Some(Root::Inner(inner)) => {
                        inner.fill_gap(span, value);
                    }
                    None => debug_assert!(false, "room was made before"),
                }
                self.len += 1;
            }
        }
    }

    /// The entries beside the span that would join it if it had this value.
    pub(super) fn equal_neighbours(
        &self,
        span: Span<K::Ordinal>,
        value: &V,
    ) -> EqualNeighbours<K::Ordinal> {
        let below = self
            .entry_below(span.start)
            .filter(|(below, _)| below.end == span.start);
        let above = self
            .entry_above(span.end)
            .filter(|(above, _)| above.start == span.end);
        EqualNeighbours {
            below: below.is_some_and(|(_, below)| value::joins(below, value)),
            above: above
                .filter(|(_, above)| value::joins(value, above))
                .map(|(span, _)| span.end),
        }
    }

    /// [`Leaf::move_bound`]; what is between is free.
    pub(super) fn move_bound(&mut self, from: K::Ordinal, to: K::Ordinal) {
        match &mut self.root {
            Some(Root::Leaf(leaf)) => leaf.move_bound(from, to),
            Some(Root::Inner(inner)) => {
                inner.move_bound(from, to);
            }
            None => debug_assert!(false, "the entry is there"),
        }
    }
}
