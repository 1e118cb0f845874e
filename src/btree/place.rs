//! Placement: finding a gap that is long enough, and filling it in the same
//! descent.
//!
//! A node keeps, for each child, the longest gap that *ends* in it: the one
//! between the child below and this one, or one inside. One scan of that column
//! finds the children worth a look:
//!
//! ```text
//! an inner node:    |==c0===|...|==c1=..=|........|==c2==|   = entries   . free
//! gaps:                  0          3                  8     max(gap before, longest inside)
//!
//! lowest of 2:  c1 is the first with 2 or more; the gap before it fits:
//!               behind the last entry of c0, where appending moves nothing
//! highest of 2: c2 is the last; no gap inside it fits, so the one before it
//! ```
//!
//! - The gap before a child is lower than those inside it: the lowest placement
//!   looks there first, the highest last.
//! - A child is entered only if a gap inside is long enough. It is left without
//!   an answer only if all of those miss the window or the alignment.
//! - Below the first entry of the tree and above the last there is no node to
//!   ask: the root's summary says how much is free there.
//!
//! `allocate` finds and inserts in one descent. It gives up and says where the
//! place is, for the general insertion to fill, in three rare cases: the tree is
//! empty, the leaf is full, or the placement fills a gap between two subtrees
//! exactly, so that it may coalesce with both.

use super::edit::Quiet;
use super::node::{Inner, Leaf, Summary, each_kind};
use super::tree::{BTreeStore, Root};
use crate::alloc_error::AllocError;
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::query::{Fit, Order};
use crate::run::{Full, Run};
use crate::span::Span;

/// What became of a placement in one subtree.
enum Placed<R> {
    /// No gap between its entries satisfies the query.
    Nowhere,
    /// It starts here but is not put in yet.
    Found(R),
    /// It is in; whether the subtree's summary has changed.
    Done(R, bool),
}

impl<R> Placed<R> {
    /// What an attempt to put a placement in at `start` came to.
    fn at<E>(start: R, put: Result<bool, E>) -> Self {
        match put {
            Ok(changed) => Self::Done(start, changed),
            Err(_) => Self::Found(start),
        }
    }
}

/// Takes the next index out of a mask, in the order asked for.
#[inline]
pub(super) fn next(mask: &mut u64, order: Order) -> Option<usize> {
    let index = match order {
        _ if *mask == 0 => return None,
        Order::Lowest => mask.trailing_zeros(),
        Order::Highest => mask.ilog2(),
    };
    *mask ^= 1 << index;
    Some(index as usize)
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize> Leaf<R, V, LEAF> {
    /// The slot above the placement, and its start.
    #[inline]
    fn fitting(&self, fit: &Fit<R>, order: Order) -> Option<(usize, R)> {
        let mut gaps = R::long_enough_between(&self.starts, &self.ends, self.len(), fit.len);
        while let Some(slot) = next(&mut gaps, order) {
            let gap = Span::new(self.ends[slot - 1], self.starts[slot]);
            if let Some(start) = fit.in_gap(gap, order) {
                return Some((slot, start));
            }
        }
        None
    }

    fn find(&self, fit: &Fit<R>, order: Order) -> Option<R> {
        self.fitting(fit, order).map(|(_, start)| start)
    }

    fn place(&mut self, fit: &Fit<R>, order: Order, edit: &mut Quiet<R, V, LEAF>) -> Placed<R> {
        let Some((slot, start)) = self.fitting(fit, order) else {
            return Placed::Nowhere;
        };
        Placed::at(start, self.insert_at(slot, fit.span(start), edit))
    }

    /// Puts a placement into the gap before `slot`. Returns whether the summary
    /// has changed.
    #[inline]
    fn insert_at(
        &mut self,
        slot: usize,
        span: Span<R>,
        edit: &mut Quiet<R, V, LEAF>,
    ) -> Result<bool, Full> {
        let put = &mut edit.put;
        let len = self.len();
        let below =
            slot > 0 && self.ends[slot - 1] == span.start && put.joins(&self.values[slot - 1]);
        let above = slot < len && self.starts[slot] == span.end && put.joins(&self.values[slot]);
        let old = self.summary();
        if below || above {
            let touched = slot - usize::from(below)..slot + usize::from(above);
            self.put_in_slots(touched, span, put)?;
        } else {
            if len == LEAF {
                return Err(Full);
            }
            if let Some(value) = put.value.take() {
                // What becomes a gap of the leaf, or is one and gets shorter.
                let outside = match slot {
                    0 => Some(old.min_start.minus(span.end)),
                    _ if slot == len => Some(span.start.minus(old.max_end)),
                    _ => None,
                };
                let filled = self.gap_before(slot);
                self.open(slot, span, value);
                match outside {
                    Some(gap) => self.max_gap = old.max_gap.max(gap),
                    None if filled == old.max_gap => self.recompute_max_gap(),
                    None => {}
                }
            }
        }
        edit.len = edit.len + self.len() - len;
        Ok(old != self.summary())
    }

    /// Puts a placement before the first entry or behind the last.
    fn insert_at_edge(
        &mut self,
        edge: Edge,
        span: Span<R>,
        edit: &mut Quiet<R, V, LEAF>,
    ) -> Result<bool, Full> {
        let slot = match edge {
            Edge::Front => 0,
            Edge::Back => self.len(),
        };
        self.insert_at(slot, span, edit)
    }
}

/// An end of a subtree.
#[derive(Clone, Copy)]
pub(super) enum Edge {
    Front,
    Back,
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Inner<R, V, LEAF, FANOUT>
{
    /// A bit for each child in which, or before which, a long enough gap
    /// reaches into the window.
    #[inline]
    pub(super) fn candidates(&self, fit: &Fit<R>) -> u64 {
        let len = self.len();
        let mask = R::long_enough(&self.gaps, len, fit.len);
        if fit.window.start <= self.min_starts[0] && fit.window.end >= self.max_ends[len - 1] {
            return mask;
        }
        let low = self.max_ends_up_to(fit.window.start);
        let high = self.max_ends_below(fit.window.end);
        if low > high || low >= len {
            return 0;
        }
        mask & (u64::MAX << low) & (u64::MAX >> (63 - high.min(63)))
    }

    /// The placement between child `c` and the one below.
    #[inline]
    fn fitting_before(&self, c: usize, fit: &Fit<R>, order: Order) -> Option<R> {
        let below = self.max_ends[c.checked_sub(1)?];
        fit.in_gap(Span::new(below, self.min_starts[c]), order)
    }

    fn find(&self, fit: &Fit<R>, order: Order) -> Option<R> {
        let mut candidates = self.candidates(fit);
        while let Some(c) = next(&mut candidates, order) {
            let before = || self.fitting_before(c, fit, order);
            let inside = || match self.max_gaps[c] >= fit.len {
                true => each_kind!(&self.children, children => children[c].find(fit, order)),
                false => None,
            };
            // The gap before a child is lower than those inside it.
            let found = match order {
                Order::Lowest => before().or_else(inside),
                Order::Highest => inside().or_else(before),
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn place(&mut self, fit: &Fit<R>, order: Order, edit: &mut Quiet<R, V, LEAF>) -> Placed<R> {
        let mut candidates = self.candidates(fit);
        while let Some(c) = next(&mut candidates, order) {
            // The gap before a child is lower than those inside it.
            if order == Order::Lowest
                && let Some(start) = self.fitting_before(c, fit, order)
            {
                return self.place_before(c, fit.span(start), edit);
            }
            if self.max_gaps[c] >= fit.len {
                let placed =
                    each_kind!(&mut self.children, children => children[c].place(fit, order, edit));
                match placed {
                    Placed::Nowhere => {}
                    Placed::Done(start, true) => {
                        return Placed::Done(start, self.update_summary(c));
                    }
                    placed => return placed,
                }
            }
            if order == Order::Highest
                && let Some(start) = self.fitting_before(c, fit, order)
            {
                return self.place_before(c, fit.span(start), edit);
            }
        }
        Placed::Nowhere
    }

    /// Puts a placement between child `c` and the one below: into the one it
    /// touches, else into the lower, where appending moves nothing.
    fn place_before(&mut self, c: usize, span: Span<R>, edit: &mut Quiet<R, V, LEAF>) -> Placed<R> {
        let touches_below = self.max_ends[c - 1] == span.start;
        let touches_above = self.min_starts[c] == span.end;
        let (c, edge) = match (touches_below, touches_above) {
            (true, true) => return Placed::Found(span.start),
            (false, true) => (c, Edge::Front),
            _ => (c - 1, Edge::Back),
        };
        Placed::at(span.start, self.insert_at_edge_of(c, edge, span, edit))
    }

    fn insert_at_edge(
        &mut self,
        edge: Edge,
        span: Span<R>,
        edit: &mut Quiet<R, V, LEAF>,
    ) -> Result<bool, Full> {
        let c = match edge {
            Edge::Front => 0,
            Edge::Back => self.len() - 1,
        };
        self.insert_at_edge_of(c, edge, span, edit)
    }

    fn insert_at_edge_of(
        &mut self,
        c: usize,
        edge: Edge,
        span: Span<R>,
        edit: &mut Quiet<R, V, LEAF>,
    ) -> Result<bool, Full> {
        let insert = each_kind!(&mut self.children, children => children[c].insert_at_edge(edge, span, edit));
        Ok(insert? && self.update_summary(c))
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
    pub(super) fn find(&self, fit: &Fit<K::Ordinal>, order: Order) -> Option<K::Ordinal> {
        let Some(root) = &self.root else {
            return fit.in_gap(Span::new(K::Ordinal::ZERO, K::MAX.to_ordinal()), order);
        };
        let (near, far) = edges(order);
        let extent = root.summary();
        let inside = || match root {
            _ if extent.max_gap < fit.len => None,
            Root::Leaf(leaf) => leaf.find(fit, order),
            Root::Inner(inner) => inner.find(fit, order),
        };
        outside::<K>(&extent, near, fit, order)
            .or_else(inside)
            .or_else(|| outside::<K>(&extent, far, fit, order))
    }

    /// [`find`](Self::find) and insertion, in one descent where that goes.
    pub(super) fn place(
        &mut self,
        fit: &Fit<K::Ordinal>,
        order: Order,
        value: V,
    ) -> Result<Option<K::Ordinal>, AllocError> {
        let mut edit = Quiet::quiet(self.len, value);
        let start = match self.place_in_one_descent(fit, order, &mut edit) {
            Placed::Nowhere => return Ok(None),
            Placed::Done(start, _) => {
                self.len = edit.len;
                return Ok(Some(start));
            }
            Placed::Found(start) => start,
        };
        self.insert_span(fit.span(start), &mut edit)?;
        Ok(Some(start))
    }

    fn place_in_one_descent(
        &mut self,
        fit: &Fit<K::Ordinal>,
        order: Order,
        edit: &mut Quiet<K::Ordinal, V, LEAF>,
    ) -> Placed<K::Ordinal> {
        let Some(root) = &mut self.root else {
            return match self.find(fit, order) {
                Some(start) => Placed::Found(start),
                None => Placed::Nowhere,
            };
        };
        let (near, far) = edges(order);
        let extent = root.summary();
        if let Some(start) = outside::<K>(&extent, near, fit, order) {
            return Placed::at(start, root.insert_at_edge(near, fit.span(start), edit));
        }
        if extent.max_gap >= fit.len {
            let placed = match root {
                Root::Leaf(leaf) => leaf.place(fit, order, edit),
                Root::Inner(inner) => inner.place(fit, order, edit),
            };
            if !matches!(placed, Placed::Nowhere) {
                return placed;
            }
        }
        match outside::<K>(&extent, far, fit, order) {
            Some(start) => Placed::at(start, root.insert_at_edge(far, fit.span(start), edit)),
            None => Placed::Nowhere,
        }
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Root<R, V, LEAF, FANOUT>
{
    fn insert_at_edge(
        &mut self,
        edge: Edge,
        span: Span<R>,
        edit: &mut Quiet<R, V, LEAF>,
    ) -> Result<bool, Full> {
        match self {
            Self::Leaf(leaf) => leaf.insert_at_edge(edge, span, edit),
            Self::Inner(inner) => inner.insert_at_edge(edge, span, edit),
        }
    }
}

/// The placement in the gap before the first or behind the last entry.
#[inline]
fn outside<K: Key>(
    extent: &Summary<K::Ordinal>,
    edge: Edge,
    fit: &Fit<K::Ordinal>,
    order: Order,
) -> Option<K::Ordinal> {
    fit.in_gap(gap_outside::<K>(extent, edge), order)
}

/// The gap before the first or behind the last entry.
#[inline]
pub(super) fn gap_outside<K: Key>(extent: &Summary<K::Ordinal>, edge: Edge) -> Span<K::Ordinal> {
    match edge {
        Edge::Front => Span::new(K::Ordinal::ZERO, extent.min_start),
        Edge::Back => Span::new(extent.max_end, K::MAX.to_ordinal()),
    }
}

/// The end of the tree to look at first, and the other.
pub(super) fn edges(order: Order) -> (Edge, Edge) {
    match order {
        Order::Lowest => (Edge::Front, Edge::Back),
        Order::Highest => (Edge::Back, Edge::Front),
    }
}
