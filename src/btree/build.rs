//! Building a tree from entries in order: full leaves first, then a level of
//! full nodes above them, and another, until one node is left.

use alloc::vec::Vec;
use core::alloc::Layout;
use core::ops::Range;

use arrayvec::ArrayVec;

use super::node::{Children, Inner, Leaf, Owned};
use super::tree::{BTreeStore, Root};
use crate::alloc_error::AllocError;
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::run::Run;
use crate::span::Span;
use crate::store::RangeStore;
use crate::value;

/// Leaves in order.
type Leaves<R, V, const LEAF: usize> = Vec<Owned<Leaf<R, V, LEAF>>>;

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
    /// See [`RangeStore::try_from_entries`].
    pub(crate) fn build(
        entries: impl IntoIterator<Item = (Range<K>, V)>,
    ) -> Result<Self, AllocError> {
        let mut leaves = Leaves::new();
        let mut entries = entries.into_iter();
        let mut unsorted = None;
        for (range, value) in entries.by_ref() {
            let Some(span) = Span::of(&range) else {
                continue;
            };
            if let Some(value) = append(&mut leaves, span, value)? {
                unsorted = Some((range, value));
                break;
            }
        }
        let mut store = Self::over(leaves)?;
        for (range, value) in unsorted.into_iter().chain(entries) {
            store.try_insert(range, value)?;
        }
        Ok(store)
    }

    fn over(mut leaves: Leaves<K::Ordinal, V, LEAF>) -> Result<Self, AllocError> {
        leaves.iter_mut().for_each(|leaf| leaf.recompute_max_gap());
        let len = leaves.iter().map(|leaf| leaf.len()).sum();
        if leaves.len() < 2 {
            let root = leaves.pop().map(Root::Leaf);
            return Ok(Self { root, len });
        }
        let mut nodes = level(leaves, Children::Leaves)?;
        while nodes.len() > 1 {
            nodes = level(nodes, Children::Inners)?;
        }
        let root = nodes.pop().map(Root::Inner);
        Ok(Self { root, len })
    }
}

/// Puts an entry behind all others. If it overlaps or precedes one, gives the
/// value back.
fn append<R: Ordinal, V: Clone + PartialEq, const LEAF: usize>(
    leaves: &mut Leaves<R, V, LEAF>,
    span: Span<R>,
    value: V,
) -> Result<Option<V>, AllocError> {
    if let Some(leaf) = leaves.last_mut() {
        let len = leaf.len();
        let last = leaf.end(len - 1);
        if span.start < last {
            return Ok(Some(value));
        }
        if span.start == last && value::joins(leaf.value(len - 1), &value) {
            leaf.set_end(len - 1, span.end);
            return Ok(None);
        }
        if leaf.has_room(1) {
            leaf.open(len, span, value);
            return Ok(None);
        }
    }
    let mut leaf = Leaf::try_new()?;
    leaf.open(0, span, value);
    reserve(leaves, 1)?;
    leaves.push(leaf);
    Ok(None)
}

/// The nodes above these, full but for the last.
fn level<T, R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>(
    children: Vec<Owned<T>>,
    kind: impl Fn(ArrayVec<Owned<T>, FANOUT>) -> Children<R, V, LEAF, FANOUT>,
) -> Result<Vec<Owned<Inner<R, V, LEAF, FANOUT>>>, AllocError> {
    let mut nodes = Vec::new();
    reserve(&mut nodes, children.len().div_ceil(FANOUT))?;
    let mut children = children.into_iter();
    while children.len() > 0 {
        let mut node = Inner::try_new(kind(children.by_ref().take(FANOUT).collect()))?;
        node.rebuild_summaries();
        nodes.push(node);
    }
    Ok(nodes)
}

fn reserve<T>(list: &mut Vec<T>, extra: usize) -> Result<(), AllocError> {
    list.try_reserve(extra).map_err(|_| {
        let layout = Layout::array::<T>(list.len().saturating_add(extra));
        AllocError::new(layout.unwrap_or(Layout::new::<T>()))
    })
}
