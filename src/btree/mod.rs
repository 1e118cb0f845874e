//! [`BTreeStore`], the engine for everything: a B+-tree with a gap index.
//!
//! All entries are in the leaves, in columns: ends, starts, values. An inner
//! node holds, again in columns, the summary of each child: first start, last
//! end, and the longest gap between its entries. A tree without entries owns
//! nothing; up to `B` entries are one leaf.
//!
//! | file | what |
//! |---|---|
//! | `leaf.rs`, `inner.rs` | one node each: columns, summary, splitting, merging |
//! | `insert.rs` | overwriting; making room; across leaves |
//! | `remove.rs` | carving; repair after a panic of user code |
//! | `build.rs` | a tree made of entries in order |
//! | `update.rs` | changing values in place |
//! | `gap.rs` | placement: finding a gap, and filling it in the same descent |
//! | `iter.rs` | cursors |
//! | `check.rs` | the invariants below, asserted |
//! | `shape.rs` | the lengths of all nodes, for tests |
//! | `owned.rs` | fallible boxes |
//!
//! Edits recurse: each level edits one child, then takes over the child's
//! summary ([`inner::Inner::refresh`]) and says whether its own has changed.
//! There are no parent pointers and no path to keep.
//!
//! Invariants:
//! - **T1** In a leaf, `starts[i] < ends[i] <= starts[i + 1]`, and across
//!   leaves and nodes likewise.
//! - **T2** Columns beyond the length are padding: ends [`Ordinal::PAD`], starts
//!   and gaps zero. Ranks and gap scans count on it.
//! - **T3** A leaf's `max_gap` is the longest gap between its entries.
//! - **T4** All leaves have one depth, no node is empty, and a root that is an
//!   inner node has two children at least.
//! - **T5** The columns of an inner node are the summaries of its children;
//!   `gaps[c]` is the longer of the gap before child `c` within the node and
//!   the longest inside it; `max_gap` is the longest of those.
//! - **T6** `len` is the number of entries.
//! - **T7** Adjacent entries have unequal values, across leaves as well.
//!
//! Balance: a full leaf shares its entries with a leaf beside it that has room;
//! else it splits in half, at the end of the tree behind the last but one. A
//! leaf that has shrunk below three eighths, or an inner node below a half,
//! merges with a sibling if both together leave some room; an empty one goes.

use core::mem;
use core::ops::Range;

use crate::key::{Key, Ordinal};
use crate::store::{AllocError, Fit, GapQuery, RangeStore, keys, longest, ordinals};

mod build;
mod check;
mod gap;
mod inner;
mod insert;
mod iter;
mod leaf;
mod owned;
mod remove;
mod shape;
mod update;

use inner::Inner;
use insert::Edit;
use iter::Cursor;
pub use iter::Entries;
use leaf::Leaf;
use owned::Owned;

/// The extent of a subtree, and the longest gap between its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Summary<R> {
    first: R,
    last: R,
    gap: R,
}

#[derive(Debug)]
enum Root<R, V, const B: usize, const F: usize> {
    Leaf(Owned<Leaf<R, V, B>>),
    Inner(Owned<Inner<R, V, B, F>>),
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize, const F: usize> Root<R, V, B, F> {
    fn summary(&self) -> Summary<R> {
        match self {
            Self::Leaf(leaf) => leaf.summary(),
            Self::Inner(inner) => inner.summary(),
        }
    }
}

/// A B+-tree with a gap index: every operation is O(log n), placement as well.
///
/// `B` entries fit in a leaf, `F` children in an inner node; both are between 3
/// and 64. The defaults come from measurements; small ones serve tests. A store
/// without entries owns no memory.
#[derive(Debug)]
pub struct BTreeStore<K: Key, V, const B: usize = 32, const F: usize = 48> {
    root: Option<Root<K::Ordinal, V, B, F>>,
    len: usize,
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> BTreeStore<K, V, B, F> {
    /// A store without entries.
    #[must_use]
    pub const fn new() -> Self {
        Self::EMPTY
    }

    /// The first entry that ends after `key`.
    #[inline]
    fn entry_above(&self, key: K::Ordinal) -> Option<(K::Ordinal, K::Ordinal, &V)> {
        Cursor::above(self.root.as_ref()?, key)?.above_it()
    }

    /// The last entry that starts before `key`.
    fn entry_below(&self, key: K::Ordinal) -> Option<(K::Ordinal, K::Ordinal, &V)> {
        Cursor::below(self.root.as_ref()?, key)?.below_it()
    }

    fn last_end(&self) -> Option<K::Ordinal> {
        self.root.as_ref().map(|root| root.summary().last)
    }
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> RangeStore<K, V>
    for BTreeStore<K, V, B, F>
{
    const EMPTY: Self = {
        assert!(
            3 <= B && B <= 64 && 3 <= F && F <= 64,
            "node capacities are 3 to 64"
        );
        Self { root: None, len: 0 }
    };

    type Entries<'a>
        = Entries<'a, K, V, B, F>
    where
        Self: 'a,
        K: 'a,
        V: 'a;

    #[inline]
    fn get(&self, key: K) -> Option<(Range<K>, &V)> {
        let key = key.to_ordinal();
        let leaf: &Leaf<_, _, B> = match self.root.as_ref()? {
            Root::Leaf(leaf) => leaf,
            Root::Inner(inner) => inner.leaf_above(key)?,
        };
        leaf.get(key).map(iter::item)
    }

    fn overlapping(&self, range: Range<K>) -> Entries<'_, K, V, B, F> {
        Entries::new(
            self.root.as_ref(),
            range.start.to_ordinal(),
            range.end.to_ordinal(),
        )
    }

    fn iter(&self) -> Entries<'_, K, V, B, F> {
        self.overlapping(K::MIN..K::MAX)
    }

    fn len(&self) -> usize {
        self.len
    }

    fn find_gap(&self, query: &GapQuery<K>) -> Option<K> {
        let fit = Fit::new(query)?;
        self.find(&fit, query.order).map(K::from_ordinal)
    }

    fn longest_gap(&self, window: Range<K>) -> Option<Range<K>> {
        let (low, high) = (window.start.to_ordinal(), window.end.to_ordinal());
        let covered = |extent: &Summary<_>| low <= extent.first && extent.last <= high;
        let Some(extent) = self.root.as_ref().map(Root::summary).filter(covered) else {
            return longest(self.gaps(window));
        };
        let len = extent
            .gap
            .max(extent.first.minus(low))
            .max(high.minus(extent.last));
        let query = GapQuery::new(K::len_from_ordinal(len)).within(window);
        let start = self.find(&Fit::new(&query)?, query.order)?;
        Some(keys(start, start.plus(len)))
    }

    fn try_insert(&mut self, range: Range<K>, value: V) -> Result<(), AllocError> {
        let Some((start, end)) = ordinals(&range) else {
            return Ok(());
        };
        self.put(
            start,
            end,
            &mut Edit::new(value, self.len, false),
            &mut |_, _, _| (),
        )
    }

    fn try_insert_with(
        &mut self,
        range: Range<K>,
        value: V,
        mut sink: impl FnMut(Range<K>, V),
    ) -> Result<(), AllocError> {
        let Some((start, end)) = ordinals(&range) else {
            return Ok(());
        };
        let mut edit = Edit::new(value, self.len, true);
        self.put(start, end, &mut edit, &mut |start, end, value| {
            sink(keys(start, end), value);
        })
    }

    fn try_remove_with(
        &mut self,
        range: Range<K>,
        mut sink: impl FnMut(Range<K>, V),
    ) -> Result<(), AllocError> {
        let Some((start, end)) = ordinals(&range) else {
            return Ok(());
        };
        self.carve_all(start, end, &mut |start, end, value| {
            sink(keys(start, end), value);
        })
    }

    fn try_update(
        &mut self,
        range: Range<K>,
        mut f: impl FnMut(Range<K>, &mut V),
    ) -> Result<(), AllocError> {
        let Some((start, end)) = ordinals(&range) else {
            return Ok(());
        };
        self.update_all(start, end, &mut |start, end, value| {
            f(keys(start, end), value);
        })
    }

    fn try_allocate(&mut self, query: &GapQuery<K>, value: V) -> Result<Option<K>, AllocError> {
        let Some(fit) = Fit::new(query) else {
            return Ok(None);
        };
        Ok(self.place(&fit, query.order, value)?.map(K::from_ordinal))
    }

    fn try_from_entries(
        entries: impl IntoIterator<Item = (Range<K>, V)>,
    ) -> Result<Self, AllocError> {
        Self::build(entries)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        let root = match &self.root {
            None => None,
            Some(Root::Leaf(leaf)) => Some(Root::Leaf(leaf.try_clone()?)),
            Some(Root::Inner(inner)) => Some(Root::Inner(inner.try_clone()?)),
        };
        Ok(Self {
            root,
            len: self.len,
        })
    }

    fn clear(&mut self) {
        // The old values are dropped when the store is valid again.
        drop(mem::replace(self, Self::EMPTY));
    }

    fn check(&self) {
        self.check_all();
    }
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> Default
    for BTreeStore<K, V, B, F>
{
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> Clone
    for BTreeStore<K, V, B, F>
{
    fn clone(&self) -> Self {
        self.try_clone().unwrap_or_else(|error| error.abort())
    }
}
