//! Iteration without parent pointers: a cursor holds its leaf and those beside
//! it in the same node; past the last of them it descends from the root again,
//! once in `FANOUT` leaves.

use core::fmt;
use core::iter::FusedIterator;
use core::ops::Range;
use core::slice;

use super::node::{Children, Inner, Leaf, Owned};
use super::tree::{BTreeStore, Root};
use crate::flow::Flow;
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::run::Run;
use crate::simd;
use crate::span::Span;

/// A place between two entries.
pub(super) struct Cursor<'a, R, V, const LEAF: usize> {
    /// The leaves of one node, and which of them the place is in.
    leaves: &'a [Owned<Leaf<R, V, LEAF>>],
    c: usize,
    leaf: &'a Leaf<R, V, LEAF>,
    /// The slot above the place.
    slot: usize,
}

impl<R: Copy, V, const LEAF: usize> Clone for Cursor<'_, R, V, LEAF> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, R: Ordinal, V: Clone + PartialEq, const LEAF: usize> Cursor<'a, R, V, LEAF> {
    fn new(
        leaves: &'a [Owned<Leaf<R, V, LEAF>>],
        c: usize,
        slot: impl Fn(&Leaf<R, V, LEAF>) -> usize,
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
    fn descend<const FANOUT: usize>(
        root: &'a Root<R, V, LEAF, FANOUT>,
        child: impl Fn(&Inner<R, V, LEAF, FANOUT>) -> Option<usize>,
        slot: impl Fn(&Leaf<R, V, LEAF>) -> usize,
    ) -> Option<Self> {
        let mut inner = match root {
            Root::Leaf(leaf) => return Some(Self::new(slice::from_ref(leaf), 0, slot)),
            Root::Inner(inner) => inner,
        };
        loop {
            let c = child(inner)?;
            match &inner.children {
                Children::Inners(children) => inner = &children[c],
                Children::Leaves(children) => return Some(Self::new(children, c, slot)),
            }
        }
    }

    /// Before the first entry that ends after `key`.
    #[inline(never)]
    pub(super) fn above<const FANOUT: usize>(
        root: &'a Root<R, V, LEAF, FANOUT>,
        key: R,
    ) -> Option<Self> {
        let child = |inner: &Inner<R, V, LEAF, FANOUT>| {
            let c = inner.max_ends_up_to(key);
            (c < inner.len()).then_some(c)
        };
        Self::descend(root, child, |leaf| leaf.ends_up_to(key))
    }

    /// Behind the last entry that starts before `key`.
    #[inline(never)]
    pub(super) fn below<const FANOUT: usize>(
        root: &'a Root<R, V, LEAF, FANOUT>,
        key: R,
    ) -> Option<Self> {
        let child = |inner: &Inner<R, V, LEAF, FANOUT>| inner.min_starts_below(key).checked_sub(1);
        Self::descend(root, child, |leaf| leaf.starts_below_key(key))
    }

    /// Whether no entry of this leaf is above the place.
    #[inline]
    fn is_at_top(&self) -> bool {
        self.slot >= self.leaf.values.len()
    }

    /// The entry above the place, if it is in this leaf.
    #[inline]
    pub(super) fn above_it(&self) -> Option<(Span<R>, &'a V)> {
        self.leaf.entry(self.slot)
    }

    /// The entry below the place, if it is in this leaf.
    #[inline]
    pub(super) fn below_it(&self) -> Option<(Span<R>, &'a V)> {
        self.leaf.entry(self.slot.checked_sub(1)?)
    }

    /// The leaf `step` children further in the same node.
    #[inline]
    fn neighbour(&self, step: isize) -> Option<Self> {
        let c = self.c.checked_add_signed(step)?;
        let slot = |leaf: &Leaf<R, V, LEAF>| if step < 0 { leaf.len() } else { 0 };
        (c < self.leaves.len()).then(|| Self::new(self.leaves, c, slot))
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
    /// See [`RangeStore::walk`](crate::RangeStore::walk).
    #[inline]
    pub(super) fn walk_above<F: Flow>(
        &self,
        key: K::Ordinal,
        mut f: impl FnMut(Span<K::Ordinal>, &V) -> F,
    ) -> F {
        let mut low = key;
        loop {
            let leaves = match &self.root {
                None => return F::GO_ON,
                Some(Root::Leaf(leaf)) => slice::from_ref(leaf),
                Some(Root::Inner(inner)) => inner.leaves_above(low).unwrap_or_default(),
            };
            let Some(first) = leaves.first() else {
                return F::GO_ON;
            };
            let mut slot = K::Ordinal::rank_up_to_at_once(&first.ends, first.len(), low);
            for leaf in leaves {
                while let Some((span, value)) = leaf.entry(slot) {
                    let said = f(span, value);
                    if said.stops() {
                        return said;
                    }
                    low = span.end;
                    slot += 1;
                }
                slot = 0;
            }
            if matches!(self.root, Some(Root::Leaf(_))) {
                return F::GO_ON;
            }
        }
    }

    /// The first entry that ends after `key`.
    #[inline]
    pub(super) fn entry_above(&self, key: K::Ordinal) -> Option<(Span<K::Ordinal>, &V)> {
        Cursor::above(self.root.as_ref()?, key)?.above_it()
    }

    /// The last entry that starts before `key`.
    pub(super) fn entry_below(&self, key: K::Ordinal) -> Option<(Span<K::Ordinal>, &V)> {
        Cursor::below(self.root.as_ref()?, key)?.below_it()
    }
}

/// Entries of a [`BTreeStore`](crate::BTreeStore), ascending and double-ended.
pub struct Entries<'a, K: Key, V, const LEAF: usize, const FANOUT: usize> {
    root: Option<&'a Root<K::Ordinal, V, LEAF, FANOUT>>,
    /// Entries that end after `low` and start before `high` are still to come.
    low: K::Ordinal,
    high: K::Ordinal,
    /// Where the next entry from below is, once an entry was taken from that end.
    front: Option<Cursor<'a, K::Ordinal, V, LEAF>>,
    back: Option<Cursor<'a, K::Ordinal, V, LEAF>>,
}

impl<'a, K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Entries<'a, K, V, LEAF, FANOUT>
{
    pub(super) fn new(
        root: Option<&'a Root<K::Ordinal, V, LEAF, FANOUT>>,
        low: K::Ordinal,
        high: K::Ordinal,
    ) -> Self {
        let (mut low, mut high) = (low, high);
        if let Some(Root::Leaf(leaf)) = root {
            // No search beyond all entries: in one leaf, many iterators get there.
            let extent = leaf.summary();
            (low, high) = (low.max(extent.min_start), high.min(extent.max_end));
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
    fn next_entry(&mut self) -> Option<(Span<K::Ordinal>, &'a V)> {
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
        if entry.0.start >= self.high {
            return None;
        }
        self.low = entry.0.end;
        self.front.as_mut()?.slot += 1;
        Some(entry)
    }

    /// Before the first entry that ends after `low`, if one is still to come.
    #[inline]
    fn resume(&self, low: K::Ordinal) -> Option<Cursor<'a, K::Ordinal, V, LEAF>> {
        if low >= self.high {
            return None;
        }
        Cursor::above(self.root?, low)
    }

    /// The next entry from above.
    #[inline]
    fn next_entry_back(&mut self) -> Option<(Span<K::Ordinal>, &'a V)> {
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
        if entry.0.end <= self.low {
            return None;
        }
        self.high = entry.0.start;
        self.back.as_mut()?.slot -= 1;
        Some(entry)
    }
}

#[inline]
pub(super) fn item<K: Key, V>((span, value): (Span<K::Ordinal>, &V)) -> (Range<K>, &V) {
    (span.keys(), value)
}

impl<'a, K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize> Iterator
    for Entries<'a, K, V, LEAF, FANOUT>
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
                    leaf.starts_below_key(self.high)
                };
                let keys = leaf.starts[slot..end].iter().zip(&leaf.ends[slot..end]);
                for ((&start, &end), value) in keys.zip(&leaf.values[slot..end]) {
                    folded = f(folded, item((Span::new(start, end), value)));
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

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize> DoubleEndedIterator
    for Entries<'_, K, V, LEAF, FANOUT>
{
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.next_entry_back().map(item)
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize> FusedIterator
    for Entries<'_, K, V, LEAF, FANOUT>
{
}

impl<K: Key, V, const LEAF: usize, const FANOUT: usize> Clone for Entries<'_, K, V, LEAF, FANOUT> {
    fn clone(&self) -> Self {
        Self {
            front: self.front.clone(),
            back: self.back.clone(),
            ..*self
        }
    }
}

impl<K: Key, V, const LEAF: usize, const FANOUT: usize> fmt::Debug
    for Entries<'_, K, V, LEAF, FANOUT>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Entries");
        debug
            .field("low", &self.low)
            .field("high", &self.high)
            .finish_non_exhaustive()
    }
}
