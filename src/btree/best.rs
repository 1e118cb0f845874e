//! Best fit: a walk over the gaps that are long enough, and over no node without
//! one, in the order of the query; it ends at a gap that is filled exactly.

use super::node::{Inner, Leaf, each_kind};
use super::place::{edges, gap_outside, next};
use super::tree::{BTreeStore, Root};
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::query::{Best, Order};
use crate::run::Run;
use crate::span::Span;

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize> Leaf<R, V, LEAF> {
    /// Offers the gaps between entries. Returns whether that ends the search.
    fn offer(&self, best: &mut Best<R>) -> bool {
        let (len, want) = (self.len(), best.fit.len);
        let mut gaps = R::long_enough_between(&self.starts, &self.ends, len, want);
        while let Some(slot) = next(&mut gaps, best.order) {
            if best.offer(Span::new(self.ends[slot - 1], self.starts[slot])) {
                return true;
            }
        }
        false
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Inner<R, V, LEAF, FANOUT>
{
    /// Offers the gaps inside. Returns whether that ends the search.
    fn offer(&self, best: &mut Best<R>) -> bool {
        let mut candidates = self.candidates(&best.fit);
        while let Some(c) = next(&mut candidates, best.order) {
            let before = |best: &mut Best<R>| {
                let below = c.checked_sub(1).map(|below| self.max_ends[below]);
                below.is_some_and(|below| best.offer(Span::new(below, self.min_starts[c])))
            };
            let inside = |best: &mut Best<R>| {
                self.max_gaps[c] >= best.fit.len
                    && each_kind!(&self.children, children => children[c].offer(best))
            };
            // The gap before a child is lower than those inside it.
            let done = match best.order {
                Order::Lowest => before(best) || inside(best),
                Order::Highest => inside(best) || before(best),
            };
            if done {
                return true;
            }
        }
        false
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
    /// See [`RangeStore::best_gap`](crate::RangeStore::best_gap).
    pub(super) fn best(&self, mut best: Best<K::Ordinal>) -> Option<K::Ordinal> {
        let Some(root) = &self.root else {
            best.offer(Span::raw(&(K::MIN..K::MAX)));
            return best.start();
        };
        let extent = root.summary();
        let (near, far) = edges(best.order);
        let done = best.offer(gap_outside::<K>(&extent, near))
            || match root {
                Root::Leaf(leaf) => leaf.offer(&mut best),
                Root::Inner(inner) => inner.offer(&mut best),
            };
        if !done {
            best.offer(gap_outside::<K>(&extent, far));
        }
        best.start()
    }
}
