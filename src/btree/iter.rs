//! Iteration without parent pointers: a cursor holds its leaf and those beside
//! it in the same node; past the last of them it finds its way from the root,
//! once in `F` leaves.

use core::fmt;
use core::iter::FusedIterator;
use core::ops::Range;
use core::slice;

use super::Root;
use super::inner::{Inner, Kids};
use super::leaf::Leaf;
use super::owned::Owned;
use crate::key::{Key, Ordinal};
use crate::run::Run;
use crate::simd;
use crate::store::keys;

/// A place between two entries.
pub(super) struct Cursor<'a, R, V, const B: usize> {
    /// The leaves of one node, and which of them the place is in.
    leaves: &'a [Owned<Leaf<R, V, B>>],
    c: usize,
    leaf: &'a Leaf<R, V, B>,
    /// The slot above the place.
    slot: usize,
}

impl<R: Copy, V, const B: usize> Clone for Cursor<'_, R, V, B> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, R: Ordinal, V: Clone + PartialEq, const B: usize> Cursor<'a, R, V, B> {
    fn new(
        leaves: &'a [Owned<Leaf<R, V, B>>],
        c: usize,
        slot: impl Fn(&Leaf<R, V, B>) -> usize,
    ) -> Self {
        let leaf = &leaves[c];
        let slot = slot(leaf);
        Self {
            leaves,
            c,
            leaf,
            slot,
        }
    }

    /// Goes down to a leaf; `child` says which way in each node.
    fn descend<const F: usize>(
        root: &'a Root<R, V, B, F>,
        child: impl Fn(&Inner<R, V, B, F>) -> Option<usize>,
        slot: impl Fn(&Leaf<R, V, B>) -> usize,
    ) -> Option<Self> {
        let mut inner = match root {
            Root::Leaf(leaf) => return Some(Self::new(slice::from_ref(leaf), 0, slot)),
            Root::Inner(inner) => inner,
        };
        loop {
            let c = child(inner)?;
            match &inner.kids {
                Kids::Inners(kids) => inner = &kids[c],
                Kids::Leaves(kids) => return Some(Self::new(kids, c, slot)),
            }
        }
    }

    /// Before the first entry that ends after `key`.
    #[inline(never)]
    pub(super) fn above<const F: usize>(root: &'a Root<R, V, B, F>, key: R) -> Option<Self> {
        let child = |inner: &Inner<R, V, B, F>| {
            let c = inner.lasts_up_to(key);
            (c < inner.len()).then_some(c)
        };
        Self::descend(root, child, |leaf| leaf.ends_up_to(key))
    }

    /// Behind the last entry that starts before `key`.
    #[inline(never)]
    pub(super) fn below<const F: usize>(root: &'a Root<R, V, B, F>, key: R) -> Option<Self> {
        let child = |inner: &Inner<R, V, B, F>| inner.starting_below(key).checked_sub(1);
        Self::descend(root, child, |leaf| leaf.starting_below(key))
    }

    /// Whether no entry of this leaf is above the place.
    #[inline]
    fn is_at_top(&self) -> bool {
        self.slot >= self.leaf.values.len()
    }

    /// The entry above the place, if it is in this leaf.
    #[inline]
    pub(super) fn above_it(&self) -> Option<(R, R, &'a V)> {
        self.leaf.entry(self.slot)
    }

    /// The entry below the place, if it is in this leaf.
    #[inline]
    pub(super) fn below_it(&self) -> Option<(R, R, &'a V)> {
        self.leaf.entry(self.slot.checked_sub(1)?)
    }

    /// The leaf `step` children further in the same node.
    #[inline]
    fn neighbour(&self, step: isize) -> Option<Self> {
        let c = self.c.checked_add_signed(step)?;
        let slot = |leaf: &Leaf<R, V, B>| if step < 0 { leaf.len() } else { 0 };
        (c < self.leaves.len()).then(|| Self::new(self.leaves, c, slot))
    }
}

/// Entries of a [`BTreeStore`](crate::BTreeStore), ascending and double-ended.
pub struct Entries<'a, K: Key, V, const B: usize, const F: usize> {
    root: Option<&'a Root<K::Ordinal, V, B, F>>,
    /// Entries that end after `low` and start before `high` are still to come.
    low: K::Ordinal,
    high: K::Ordinal,
    /// Where the next entry from below is, once that end was asked.
    front: Option<Cursor<'a, K::Ordinal, V, B>>,
    back: Option<Cursor<'a, K::Ordinal, V, B>>,
}

impl<'a, K: Key, V: Clone + PartialEq, const B: usize, const F: usize> Entries<'a, K, V, B, F> {
    pub(super) fn new(
        root: Option<&'a Root<K::Ordinal, V, B, F>>,
        low: K::Ordinal,
        high: K::Ordinal,
    ) -> Self {
        let (mut low, mut high) = (low, high);
        if let Some(Root::Leaf(leaf)) = root {
            // No search beyond all entries: in one leaf, many iterators get there.
            let extent = leaf.summary();
            (low, high) = (low.max(extent.first), high.min(extent.last));
        }
        Self {
            root,
            low,
            high,
            front: None,
            back: None,
        }
    }

    /// The next entry from below, wherever it is.
    #[inline]
    fn next_entry(&mut self) -> Option<(K::Ordinal, K::Ordinal, &'a V)> {
        if self.front.as_ref().is_none_or(Cursor::is_at_top) {
            if self.low >= self.high {
                return None;
            }
            // Not one function for both ends: `AddrSpace`'s churn has 0.5 % more
            // instructions then, and takes 1 % longer.
            let beside = self.front.as_ref().and_then(|at| at.neighbour(1));
            self.front = match beside {
                None => Cursor::above(self.root?, self.low),
                beside => beside,
            };
        }
        let entry = self.front.as_ref()?.above_it()?;
        if entry.0 >= self.high {
            return None;
        }
        self.low = entry.1;
        self.front.as_mut()?.slot += 1;
        Some(entry)
    }

    /// Before the first entry that ends after `low`, if one is still to come.
    #[inline]
    fn resume(&self, low: K::Ordinal) -> Option<Cursor<'a, K::Ordinal, V, B>> {
        if low >= self.high {
            return None;
        }
        Cursor::above(self.root?, low)
    }

    /// The next entry from above.
    #[inline]
    fn next_entry_back(&mut self) -> Option<(K::Ordinal, K::Ordinal, &'a V)> {
        if self.back.as_ref().is_none_or(|at| at.slot == 0) {
            if self.low >= self.high {
                return None;
            }
            let beside = self.back.as_ref().and_then(|at| at.neighbour(-1));
            self.back = match beside {
                None => Cursor::below(self.root?, self.high),
                beside => beside,
            };
        }
        let entry = self.back.as_ref()?.below_it()?;
        if entry.1 <= self.low {
            return None;
        }
        self.high = entry.0;
        self.back.as_mut()?.slot -= 1;
        Some(entry)
    }
}

#[inline]
pub(crate) fn item<K: Key, V>((start, end, value): (K::Ordinal, K::Ordinal, &V)) -> (Range<K>, &V) {
    (keys(start, end), value)
}

impl<'a, K: Key, V: Clone + PartialEq, const B: usize, const F: usize> Iterator
    for Entries<'a, K, V, B, F>
{
    type Item = (Range<K>, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.next_entry().map(item)
    }

    /// Leaf by leaf, in a loop over the columns of each.
    #[inline]
    fn fold<A, G: FnMut(A, Self::Item) -> A>(self, init: A, mut f: G) -> A {
        let mut folded = init;
        let (mut low, mut front) = (self.low, self.front.clone());
        while let Some(at) = front.take().or_else(|| self.resume(low)) {
            let Cursor {
                leaves,
                c,
                mut slot,
                ..
            } = at;
            let mut leaves = leaves[c..].iter();
            while let Some(leaf) = leaves.next() {
                if let Some(next) = leaves.as_slice().first() {
                    simd::prefetch(&**next);
                }
                let whole = leaf.starts[leaf.len() - 1] < self.high;
                let end = if whole {
                    leaf.len()
                } else {
                    leaf.starting_below(self.high)
                };
                let keys = leaf.starts[slot..end].iter().zip(&leaf.ends[slot..end]);
                for ((&start, &end), value) in keys.zip(&leaf.values[slot..end]) {
                    folded = f(folded, item((start, end, value)));
                }
                if !whole {
                    return folded;
                }
                (low, slot) = (leaf.ends[end - 1], 0);
            }
        }
        folded
    }
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> DoubleEndedIterator
    for Entries<'_, K, V, B, F>
{
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.next_entry_back().map(item)
    }
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> FusedIterator
    for Entries<'_, K, V, B, F>
{
}

impl<K: Key, V, const B: usize, const F: usize> Clone for Entries<'_, K, V, B, F> {
    fn clone(&self) -> Self {
        Self {
            front: self.front.clone(),
            back: self.back.clone(),
            ..*self
        }
    }
}

impl<K: Key, V, const B: usize, const F: usize> fmt::Debug for Entries<'_, K, V, B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Entries");
        debug
            .field("low", &self.low)
            .field("high", &self.high)
            .finish_non_exhaustive()
    }
}
