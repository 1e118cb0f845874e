//! [`BTreeStore`], the engine for everything: a B+-tree with a gap index.
//!
//! All entries are in the leaves, in columns: ends, starts, values. An inner
//! node holds the summary of each child, again in columns: its first start, its
//! last end, and the longest gap between its entries; and one more column, the
//! longest gap that ends in each child. A tree without entries owns nothing; up
//! to `LEAF` entries are one leaf.
//!
//! | file | what |
//! |---|---|
//! | `node/leaf.rs`, `node/inner.rs` | one node each: columns, summary, splitting, merging |
//! | `node/owned.rs`, `node/summary.rs` | fallible boxes; what a node says of itself |
//! | `tree.rs` | the type: a root and a count |
//! | `iter.rs` | cursors and iterators |
//! | `edit.rs` | what an edit takes down to the leaf and brings back |
//! | `insert.rs` | insertion into one leaf |
//! | `room.rs` | splitting the path to a full leaf; growing and shrinking the root |
//! | `across.rs` | insertion over several leaves; joining neighbours in other leaves |
//! | `remove.rs` | removal |
//! | `update.rs` | changing values in place |
//! | `place.rs` | placement: finding a gap, and filling it in the same descent |
//! | `build.rs` | a tree made of entries in order |
//! | `repair.rs` | after a panic of user code |
//! | `check.rs` | the invariants below, asserted |
//! | `shape.rs` | the lengths of all nodes, for tests |
//!
//! Insertions, removals and placements recurse: each level edits one child, then
//! takes over the child's summary ([`node::Inner::update_summary`]) and says
//! whether its own has changed. An update changes no summary and goes down in a
//! loop. There are no parent pointers and no path to keep.
//!
//! Invariants:
//! - **T1** In a leaf, `starts[i] < ends[i] <= starts[i + 1]`, and across
//!   leaves and nodes likewise.
//! - **T2** Columns beyond the length are padding: ends [`Ordinal::PAD`], starts
//!   and gaps zero. Ranks and gap scans rely on it.
//! - **T3** A leaf's `max_gap` is the longest gap between its entries.
//! - **T4** All leaves have one depth, no node is empty, and a root that is an
//!   inner node has two children at least.
//! - **T5** The columns of an inner node are the summaries of its children;
//!   `gaps[c]` is the longer of the gap before child `c` within the node and
//!   the longest inside it; `max_gap` is the longest of those.
//! - **T6** `len` is the number of entries.
//! - **T7** Adjacent entries have unequal values, across leaves as well.
//!
//! Balance:
//! - A full leaf moves entries to a leaf beside it that has room. If neither
//!   has, it splits in half.
//! - An insertion that appends at the end of the tree splits off the last entry
//!   alone. So filling in order leaves leaves that are full but for one slot.
//! - A leaf that has shrunk below three eighths, or an inner node below a half,
//!   merges with a sibling if both together leave some room.
//! - An empty node is removed.

use core::mem;
use core::ops::Range;

use crate::alloc_error::AllocError;
use crate::flow::Flow;
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::query::{Best, Fit, GapQuery};
use crate::span::Span;
use crate::store::{RangeStore, longest};

mod across;
mod best;
mod build;
mod check;
mod edit;
mod insert;
mod iter;
mod node;
mod place;
mod remove;
mod repair;
mod room;
mod shape;
mod tree;
mod update;

use edit::{Edit, Quiet};
pub use iter::Entries;
use node::{Leaf, Summary};
pub use tree::BTreeStore;
use tree::Root;

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
    /// A store without entries.
    #[must_use]
    pub const fn new() -> Self {
        Self::EMPTY
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize> RangeStore<K, V>
    for BTreeStore<K, V, LEAF, FANOUT>
{
    const EMPTY: Self = {
        assert!(
            3 <= LEAF && LEAF <= 64 && 3 <= FANOUT && FANOUT <= 64,
            "node capacities are 3 to 64"
        );
        Self { root: None, len: 0 }
    };

    type Entries<'a>
        = Entries<'a, K, V, LEAF, FANOUT>
    where
        Self: 'a,
        K: 'a,
        V: 'a;

    #[inline]
    fn get(&self, key: K) -> Option<(Range<K>, &V)> {
        let key = key.to_ordinal();
        let leaf: &Leaf<_, _, LEAF> = match self.root.as_ref()? {
            Root::Leaf(leaf) => leaf,
            Root::Inner(inner) => inner.leaf_above(key)?,
        };
        leaf.get(key).map(iter::item)
    }

    fn overlapping(&self, range: Range<K>) -> Entries<'_, K, V, LEAF, FANOUT> {
        Entries::new(
            self.root.as_ref(),
            range.start.to_ordinal(),
            range.end.to_ordinal(),
        )
    }

    #[inline]
    fn walk<F: Flow>(&self, key: K, mut f: impl FnMut(Range<K>, &V) -> F) -> F {
        self.walk_above(key.to_ordinal(), |span, value| f(span.keys(), value))
    }

    fn iter(&self) -> Entries<'_, K, V, LEAF, FANOUT> {
        self.overlapping(K::MIN..K::MAX)
    }

    fn len(&self) -> usize {
        self.len
    }

    fn find_gap(&self, query: &GapQuery<K>) -> Option<K> {
        let fit = Fit::new(query)?;
        self.find(&fit, query.order).map(K::from_ordinal)
    }

    fn best_gap(&self, query: &GapQuery<K>) -> Option<K> {
        self.best(Best::new(query)?).map(K::from_ordinal)
    }

    fn longest_gap(&self, window: Range<K>) -> Option<Range<K>> {
        let (low, high) = (window.start.to_ordinal(), window.end.to_ordinal());
        let covered = |extent: &Summary<_>| low <= extent.min_start && extent.max_end <= high;
        let Some(extent) = self.root.as_ref().map(Root::summary).filter(covered) else {
            return longest(self.gaps(window));
        };
        let len = extent
            .max_gap
            .max(extent.min_start.minus(low))
            .max(high.minus(extent.max_end));
        let query = GapQuery::new(K::len_from_ordinal(len)).within(window);
        let start = self.find(&Fit::new(&query)?, query.order)?;
        Some(Span::new(start, start.plus(len)).keys())
    }

    fn try_insert(&mut self, range: Range<K>, value: V) -> Result<(), AllocError> {
        let Some(span) = Span::of(&range) else {
            return Ok(());
        };
        self.insert_span(span, &mut Quiet::quiet(self.len, value))
    }

    fn try_insert_with<F: Flow>(
        &mut self,
        range: Range<K>,
        value: V,
        mut sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError> {
        let Some(span) = Span::of(&range) else {
            return Ok(F::GO_ON);
        };
        if F::CAN_STOP {
            return self.insert_asking(span, value, sink);
        }
        let report = |piece: Span<_>, value| {
            sink(piece.keys(), value);
        };
        self.insert_span(span, &mut Edit::reporting(self.len, value, report))?;
        Ok(F::GO_ON)
    }

    fn try_remove_with<F: Flow>(
        &mut self,
        range: Range<K>,
        mut sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError> {
        let Some(span) = Span::of(&range) else {
            return Ok(F::GO_ON);
        };
        if F::CAN_STOP {
            return self.remove_asking(span, sink);
        }
        let report = |piece: Span<_>, value| {
            sink(piece.keys(), value);
        };
        self.remove_span(span, &mut Edit::new(self.len, report))?;
        Ok(F::GO_ON)
    }

    fn try_update<F: Flow>(
        &mut self,
        range: Range<K>,
        mut f: impl FnMut(Range<K>, &mut V) -> F,
    ) -> Result<F, AllocError> {
        let Some(span) = Span::of(&range) else {
            return Ok(F::GO_ON);
        };
        let change = |piece: Span<_>, value: &mut V| f(piece.keys(), value);
        self.update_span(span, &mut Edit::new(self.len, change))
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

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize> Default
    for BTreeStore<K, V, LEAF, FANOUT>
{
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize> Clone
    for BTreeStore<K, V, LEAF, FANOUT>
{
    fn clone(&self) -> Self {
        self.try_clone().unwrap_or_else(|error| error.abort())
    }
}
