//! Placement, and the summaries that make it fast.
//!
//! A subtree is summed up by its first start, its last end and the longest gap
//! between its entries. Summaries of neighbours add up:
//! `(s, e, g) + (s', e', g') = (s, e', max(g, s' - e, g'))`, so none depends on
//! anything outside its subtree, and an update stops climbing at the first
//! node whose summary it did not change.
//!
//! A node keeps, for each child, the longest gap that *ends* in it: the one
//! between the child before and this one, or one inside. One scan of that
//! column finds the children worth a look. For the lowest placement the gap
//! before a child comes before those inside it, for the highest after them.
//! A child is entered only if a gap inside it is long enough; it is left
//! without an answer only if all of those miss the window or the alignment.
//!
//! `allocate` finds and inserts in one descent. It gives up and says where the
//! place is, for the general insertion to fill, in two rare cases: the leaf is
//! full, or the placement fills a gap between two subtrees exactly, so that it
//! may coalesce with both.

use super::inner::{Inner, each_kind};
use super::insert::{Edit, Refused};
use super::leaf::Leaf;
use super::{BTreeStore, Root, Summary};
use crate::key::{Key, Ordinal};
use crate::run::Run;
use crate::store::{AllocError, Fit, Order};

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
    fn at(start: R, put: Result<bool, Refused>) -> Self {
        match put {
            Ok(changed) => Self::Done(start, changed),
            Err(_) => Self::Found(start),
        }
    }
}

/// Takes the next index out of a mask, in the order asked for.
#[inline]
fn next(mask: &mut u64, order: Order) -> Option<usize> {
    let index = match order {
        _ if *mask == 0 => return None,
        Order::Lowest => mask.trailing_zeros(),
        Order::Highest => mask.ilog2(),
    };
    *mask ^= 1 << index;
    Some(index as usize)
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize> Leaf<R, V, B> {
    /// The slot above the placement, and its start.
    #[inline]
    fn fitting(&self, fit: &Fit<R>, order: Order) -> Option<(usize, R)> {
        let mut gaps = R::long_enough_between(&self.starts, &self.ends, self.len(), fit.len);
        while let Some(slot) = next(&mut gaps, order) {
            let placed = fit.in_gap(self.ends[slot - 1], self.starts[slot], order);
            if let Some(start) = placed {
                return Some((slot, start));
            }
        }
        None
    }

    fn find(&self, fit: &Fit<R>, order: Order) -> Option<R> {
        self.fitting(fit, order).map(|(_, start)| start)
    }

    fn place(&mut self, fit: &Fit<R>, order: Order, edit: &mut Edit<V, B>) -> Placed<R> {
        let Some((slot, start)) = self.fitting(fit, order) else {
            return Placed::Nowhere;
        };
        Placed::at(start, self.put_at(slot, start, fit, edit))
    }

    /// Puts a placement into the gap before `slot`.
    #[inline]
    fn put_at(
        &mut self,
        slot: usize,
        start: R,
        fit: &Fit<R>,
        edit: &mut Edit<V, B>,
    ) -> Result<bool, Refused> {
        let end = fit.end(start);
        let len = self.len();
        let below = slot > 0 && self.ends[slot - 1] == start && edit.is(&self.values[slot - 1]);
        let above = slot < len && self.starts[slot] == end && edit.is(&self.values[slot]);
        let old = self.summary();
        if below || above {
            let touched = slot - usize::from(below)..slot + usize::from(above);
            self.put_slots(touched, start, end, edit)?;
        } else {
            if len == B {
                return Err(Refused::Full);
            }
            if let Some(value) = edit.value.take() {
                // What becomes a gap of the leaf, or is one and gets shorter.
                let outside = match slot {
                    0 => Some(old.first.minus(end)),
                    _ if slot == len => Some(start.minus(old.last)),
                    _ => None,
                };
                let filled = self.gap_before(slot);
                self.open(slot, start, end, value);
                match outside {
                    Some(gap) => self.max_gap = old.gap.max(gap),
                    None if filled == old.gap => self.rescan(),
                    None => {}
                }
            }
        }
        edit.len = edit.len + self.len() - len;
        Ok(old != self.summary())
    }

    /// Puts a placement before the first entry or behind the last.
    fn graft(
        &mut self,
        side: Side,
        start: R,
        fit: &Fit<R>,
        edit: &mut Edit<V, B>,
    ) -> Result<bool, Refused> {
        let slot = match side {
            Side::Front => 0,
            Side::Back => self.len(),
        };
        self.put_at(slot, start, fit, edit)
    }
}

/// An end of a subtree.
#[derive(Clone, Copy)]
enum Side {
    Front,
    Back,
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize, const F: usize> Inner<R, V, B, F> {
    /// A bit for each child in which, or before which, a long enough gap
    /// reaches into the window.
    #[inline]
    fn candidates(&self, fit: &Fit<R>) -> u64 {
        let len = self.len();
        let mask = R::long_enough(&self.gaps, len, fit.len);
        if fit.window.0 <= self.firsts[0] && fit.window.1 >= self.lasts[len - 1] {
            return mask;
        }
        let low = self.lasts_up_to(fit.window.0);
        let high = self.lasts_below(fit.window.1);
        if low > high || low >= len {
            return 0;
        }
        mask & (u64::MAX << low) & (u64::MAX >> (63 - high.min(63)))
    }

    /// The placement between child `c` and the one before.
    #[inline]
    fn fitting_before(&self, c: usize, fit: &Fit<R>, order: Order) -> Option<R> {
        let below = self.lasts[c.checked_sub(1)?];
        fit.in_gap(below, self.firsts[c], order)
    }

    fn find(&self, fit: &Fit<R>, order: Order) -> Option<R> {
        let mut candidates = self.candidates(fit);
        while let Some(c) = next(&mut candidates, order) {
            let before = || self.fitting_before(c, fit, order);
            let inside = || match self.inside[c] >= fit.len {
                true => each_kind!(&self.kids, kids => kids[c].find(fit, order)),
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

    fn place(&mut self, fit: &Fit<R>, order: Order, edit: &mut Edit<V, B>) -> Placed<R> {
        let mut candidates = self.candidates(fit);
        while let Some(c) = next(&mut candidates, order) {
            // The gap before a child is lower than those inside it.
            if order == Order::Lowest
                && let Some(start) = self.fitting_before(c, fit, order)
            {
                return self.place_before(c, start, fit, edit);
            }
            if self.inside[c] >= fit.len {
                let placed = each_kind!(&mut self.kids, kids => kids[c].place(fit, order, edit));
                match placed {
                    Placed::Nowhere => {}
                    Placed::Done(start, true) => return Placed::Done(start, self.refresh(c)),
                    placed => return placed,
                }
            }
            if order == Order::Highest
                && let Some(start) = self.fitting_before(c, fit, order)
            {
                return self.place_before(c, start, fit, edit);
            }
        }
        Placed::Nowhere
    }

    /// Puts a placement between child `c` and the one before: to the one it
    /// touches, else to the lower, where appending moves nothing.
    fn place_before(
        &mut self,
        c: usize,
        start: R,
        fit: &Fit<R>,
        edit: &mut Edit<V, B>,
    ) -> Placed<R> {
        let touches_below = self.lasts[c - 1] == start;
        let touches_above = self.firsts[c] == fit.end(start);
        let (c, side) = match (touches_below, touches_above) {
            (true, true) => return Placed::Found(start),
            (false, true) => (c, Side::Front),
            _ => (c - 1, Side::Back),
        };
        Placed::at(start, self.graft_kid(c, side, start, fit, edit))
    }

    fn graft(
        &mut self,
        side: Side,
        start: R,
        fit: &Fit<R>,
        edit: &mut Edit<V, B>,
    ) -> Result<bool, Refused> {
        let c = match side {
            Side::Front => 0,
            Side::Back => self.len() - 1,
        };
        self.graft_kid(c, side, start, fit, edit)
    }

    fn graft_kid(
        &mut self,
        c: usize,
        side: Side,
        start: R,
        fit: &Fit<R>,
        edit: &mut Edit<V, B>,
    ) -> Result<bool, Refused> {
        let graft = each_kind!(&mut self.kids, kids => kids[c].graft(side, start, fit, edit));
        Ok(graft? && self.refresh(c))
    }
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> BTreeStore<K, V, B, F> {
    pub(crate) fn find(&self, fit: &Fit<K::Ordinal>, order: Order) -> Option<K::Ordinal> {
        let Some(root) = &self.root else {
            return fit.in_gap(K::Ordinal::ZERO, K::MAX.to_ordinal(), order);
        };
        let (near, far) = sides(order);
        let extent = root.summary();
        let inside = || match root {
            _ if extent.gap < fit.len => None,
            Root::Leaf(leaf) => leaf.find(fit, order),
            Root::Inner(inner) => inner.find(fit, order),
        };
        outside::<K>(&extent, near, fit, order)
            .or_else(inside)
            .or_else(|| outside::<K>(&extent, far, fit, order))
    }

    /// [`find`](Self::find) and insertion, in one descent where that goes.
    pub(crate) fn place(
        &mut self,
        fit: &Fit<K::Ordinal>,
        order: Order,
        value: V,
    ) -> Result<Option<K::Ordinal>, AllocError> {
        let mut edit = Edit::new(value, self.len, false);
        let start = match self.place_fused(fit, order, &mut edit) {
            Placed::Nowhere => return Ok(None),
            Placed::Done(start, _) => {
                self.len = edit.len;
                return Ok(Some(start));
            }
            Placed::Found(start) => start,
        };
        self.put(start, fit.end(start), &mut edit, &mut |_, _, _| ())?;
        Ok(Some(start))
    }

    fn place_fused(
        &mut self,
        fit: &Fit<K::Ordinal>,
        order: Order,
        edit: &mut Edit<V, B>,
    ) -> Placed<K::Ordinal> {
        let Some(root) = &mut self.root else {
            return match self.find(fit, order) {
                Some(start) => Placed::Found(start),
                None => Placed::Nowhere,
            };
        };
        let (near, far) = sides(order);
        let extent = root.summary();
        if let Some(start) = outside::<K>(&extent, near, fit, order) {
            return Placed::at(start, root.graft(near, start, fit, edit));
        }
        if extent.gap >= fit.len {
            let placed = match root {
                Root::Leaf(leaf) => leaf.place(fit, order, edit),
                Root::Inner(inner) => inner.place(fit, order, edit),
            };
            if !matches!(placed, Placed::Nowhere) {
                return placed;
            }
        }
        match outside::<K>(&extent, far, fit, order) {
            Some(start) => Placed::at(start, root.graft(far, start, fit, edit)),
            None => Placed::Nowhere,
        }
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize, const F: usize> Root<R, V, B, F> {
    fn graft(
        &mut self,
        side: Side,
        start: R,
        fit: &Fit<R>,
        edit: &mut Edit<V, B>,
    ) -> Result<bool, Refused> {
        match self {
            Self::Leaf(leaf) => leaf.graft(side, start, fit, edit),
            Self::Inner(inner) => inner.graft(side, start, fit, edit),
        }
    }
}

/// The placement in the gap before the first or behind the last entry.
#[inline]
fn outside<K: Key>(
    extent: &Summary<K::Ordinal>,
    side: Side,
    fit: &Fit<K::Ordinal>,
    order: Order,
) -> Option<K::Ordinal> {
    match side {
        Side::Front => fit.in_gap(K::Ordinal::ZERO, extent.first, order),
        Side::Back => fit.in_gap(extent.last, K::MAX.to_ordinal(), order),
    }
}

/// The end of the tree to look at first, and the other.
fn sides(order: Order) -> (Side, Side) {
    match order {
        Order::Lowest => (Side::Front, Side::Back),
        Order::Highest => (Side::Back, Side::Front),
    }
}
