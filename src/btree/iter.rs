//! Iteration without parent pointers: a cursor holds its leaf and the node
//! above it; past that node's last leaf it finds its way from the root, once
//! in `F` leaves.

use core::fmt;
use core::iter::FusedIterator;
use core::ops::Range;

use super::Root;
use super::inner::{Inner, Kids};
use super::leaf::Leaf;
use crate::key::{Key, Ordinal};
use crate::run::Run;
use crate::store::keys;

/// A place between two entries.
struct Cursor<'a, R, V, const B: usize, const F: usize> {
    /// The node above the leaf, and which child the leaf is.
    parent: Option<(&'a Inner<R, V, B, F>, usize)>,
    leaf: &'a Leaf<R, V, B>,
    /// The slot above the place.
    slot: usize,
}

impl<R: Copy, V, const B: usize, const F: usize> Clone for Cursor<'_, R, V, B, F> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, R: Ordinal, V: Clone + PartialEq, const B: usize, const F: usize> Cursor<'a, R, V, B, F> {
    /// Goes down to a leaf; `child` says which way in each node.
    fn descend(
        root: &'a Root<R, V, B, F>,
        child: impl Fn(&Inner<R, V, B, F>) -> Option<usize>,
        slot: impl Fn(&Leaf<R, V, B>) -> usize,
    ) -> Option<Self> {
        let mut inner = match root {
            Root::Leaf(leaf) => {
                return Some(Self {
                    parent: None,
                    leaf,
                    slot: slot(leaf),
                });
            }
            Root::Inner(inner) => inner,
        };
        loop {
            let c = child(inner)?;
            match &inner.kids {
                Kids::Inners(kids) => inner = &kids[c],
                Kids::Leaves(kids) => {
                    let leaf = &kids[c];
                    return Some(Self {
                        parent: Some((inner, c)),
                        leaf,
                        slot: slot(leaf),
                    });
                }
            }
        }
    }

    /// Before the first entry that ends after `key`.
    fn above(root: &'a Root<R, V, B, F>, key: R) -> Option<Self> {
        let child = |inner: &Inner<R, V, B, F>| {
            let c = inner.lasts_up_to(key);
            (c < inner.len()).then_some(c)
        };
        Self::descend(root, child, |leaf| leaf.ends_up_to(key))
    }

    /// Behind the last entry that starts before `key`.
    fn below(root: &'a Root<R, V, B, F>, key: R) -> Option<Self> {
        let child = |inner: &Inner<R, V, B, F>| inner.starting_below(key).checked_sub(1);
        Self::descend(root, child, |leaf| leaf.starting_below(key))
    }

    /// The entry above the place, if it is in this leaf.
    #[inline]
    fn above_it(&self) -> Option<(R, R, &'a V)> {
        self.leaf.entry(self.slot)
    }

    /// The entry below the place, if it is in this leaf.
    #[inline]
    fn below_it(&self) -> Option<(R, R, &'a V)> {
        self.leaf.entry(self.slot.checked_sub(1)?)
    }

    // Both take and return cursors by value: an iterator whose address is not
    // taken can live in registers.

    /// Before the first entry of the leaf that follows, that of `key` at first.
    #[inline(never)]
    fn next_above(at: Option<Self>, root: &'a Root<R, V, B, F>, key: R) -> Option<Self> {
        Self::next(at, 1, || Self::above(root, key))
    }

    /// Behind the last entry of the leaf before, that of `key` at first.
    #[inline(never)]
    fn next_below(at: Option<Self>, root: &'a Root<R, V, B, F>, key: R) -> Option<Self> {
        Self::next(at, -1, || Self::below(root, key))
    }

    /// The next leaf in the same node, or else from the root.
    #[inline]
    fn next(
        at: Option<Self>,
        step: isize,
        from_root: impl FnOnce() -> Option<Self>,
    ) -> Option<Self> {
        match at {
            None => from_root(),
            // The root is a leaf.
            Some(Self { parent: None, .. }) => None,
            Some(cursor) => cursor.neighbour(step).or_else(from_root),
        }
    }

    /// The leaf `step` children further in the same node.
    fn neighbour(&self, step: isize) -> Option<Self> {
        let (inner, c) = self.parent?;
        let c = c.checked_add_signed(step)?;
        let Kids::Leaves(kids) = &inner.kids else {
            return None;
        };
        let leaf = kids.get(c)?;
        let slot = if step < 0 { leaf.len() } else { 0 };
        Some(Self {
            parent: Some((inner, c)),
            leaf,
            slot,
        })
    }
}

/// Entries of a [`BTreeStore`](crate::BTreeStore), ascending and double-ended.
pub struct Entries<'a, K: Key, V, const B: usize, const F: usize> {
    root: Option<&'a Root<K::Ordinal, V, B, F>>,
    /// Entries that end after `low` and start before `high` are still to come.
    low: K::Ordinal,
    high: K::Ordinal,
    /// Where the next entry from below is, once that end was asked.
    front: Option<Cursor<'a, K::Ordinal, V, B, F>>,
    back: Option<Cursor<'a, K::Ordinal, V, B, F>>,
}

impl<'a, K: Key, V: Clone + PartialEq, const B: usize, const F: usize> Entries<'a, K, V, B, F> {
    pub(super) fn new(
        root: Option<&'a Root<K::Ordinal, V, B, F>>,
        low: K::Ordinal,
        high: K::Ordinal,
    ) -> Self {
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
    pub(crate) fn next_entry(&mut self) -> Option<(K::Ordinal, K::Ordinal, &'a V)> {
        let entry = match self.front.as_ref().and_then(Cursor::above_it) {
            Some(entry) => entry,
            None if self.low >= self.high => return None,
            None => {
                self.front = Cursor::next_above(self.front.clone(), self.root?, self.low);
                self.front.as_ref()?.above_it()?
            }
        };
        if entry.0 >= self.high {
            return None;
        }
        self.low = entry.1;
        self.front.as_mut()?.slot += 1;
        Some(entry)
    }

    /// The next entry from above.
    #[inline]
    pub(crate) fn next_entry_back(&mut self) -> Option<(K::Ordinal, K::Ordinal, &'a V)> {
        let entry = match self.back.as_ref().and_then(Cursor::below_it) {
            Some(entry) => entry,
            None if self.low >= self.high => return None,
            None => {
                self.back = Cursor::next_below(self.back.clone(), self.root?, self.high);
                self.back.as_ref()?.below_it()?
            }
        };
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
    fn fold<A, G: FnMut(A, Self::Item) -> A>(mut self, init: A, mut f: G) -> A {
        let mut folded = init;
        while let Some(first) = self.next() {
            folded = f(folded, first);
            let Some(front) = &mut self.front else {
                break;
            };
            let leaf = front.leaf;
            let slots = front.slot..leaf.starting_below(self.high);
            front.slot = slots.end;
            self.low = leaf.ends[slots.end - 1];
            let keys = leaf.starts[slots.clone()]
                .iter()
                .zip(&leaf.ends[slots.clone()]);
            for ((&start, &end), value) in keys.zip(&leaf.values[slots]) {
                folded = f(folded, item((start, end, value)));
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
