//! Building a tree from entries in order: full leaves first, then a level of
//! full nodes above them, and another, until one node is left.

use alloc::vec::Vec;
use core::alloc::Layout;
use core::ops::Range;

use arrayvec::ArrayVec;

use super::inner::{Inner, Kids};
use super::leaf::Leaf;
use super::owned::Owned;
use super::{BTreeStore, Root};
use crate::key::{Key, Ordinal};
use crate::run::Run;
use crate::store::{AllocError, RangeStore, ordinals};

/// Leaves in order.
type Leaves<R, V, const B: usize> = Vec<Owned<Leaf<R, V, B>>>;

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> BTreeStore<K, V, B, F> {
    /// See [`RangeStore::try_from_entries`].
    pub(crate) fn build(
        entries: impl IntoIterator<Item = (Range<K>, V)>,
    ) -> Result<Self, AllocError> {
        let mut leaves = Leaves::new();
        let mut entries = entries.into_iter();
        let mut unsorted = None;
        for (range, value) in entries.by_ref() {
            let Some((start, end)) = ordinals(&range) else {
                continue;
            };
            if let Some(value) = append(&mut leaves, start, end, value)? {
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

    fn over(mut leaves: Leaves<K::Ordinal, V, B>) -> Result<Self, AllocError> {
        leaves.iter_mut().for_each(|leaf| leaf.rescan());
        let len = leaves.iter().map(|leaf| leaf.len()).sum();
        if leaves.len() < 2 {
            let root = leaves.pop().map(Root::Leaf);
            return Ok(Self { root, len });
        }
        let mut nodes = level(leaves, Kids::Leaves)?;
        while nodes.len() > 1 {
            nodes = level(nodes, Kids::Inners)?;
        }
        let root = nodes.pop().map(Root::Inner);
        Ok(Self { root, len })
    }
}

/// Puts an entry behind all others. If it overlaps or precedes one, gives the
/// value back.
fn append<R: Ordinal, V: Clone + PartialEq, const B: usize>(
    leaves: &mut Leaves<R, V, B>,
    start: R,
    end: R,
    value: V,
) -> Result<Option<V>, AllocError> {
    if let Some(leaf) = leaves.last_mut() {
        let len = leaf.len();
        let last = leaf.end(len - 1);
        if start < last {
            return Ok(Some(value));
        }
        if start == last && *leaf.value(len - 1) == value {
            leaf.set_end(len - 1, end);
            return Ok(None);
        }
        if leaf.has_room(1) {
            leaf.open(len, start, end, value);
            return Ok(None);
        }
    }
    let mut leaf = Leaf::try_new()?;
    leaf.open(0, start, end, value);
    reserve(leaves, 1)?;
    leaves.push(leaf);
    Ok(None)
}

/// The nodes above these, full but for the last.
fn level<T, R: Ordinal, V: Clone + PartialEq, const B: usize, const F: usize>(
    kids: Vec<Owned<T>>,
    kind: impl Fn(ArrayVec<Owned<T>, F>) -> Kids<R, V, B, F>,
) -> Result<Vec<Owned<Inner<R, V, B, F>>>, AllocError> {
    let mut nodes = Vec::new();
    reserve(&mut nodes, kids.len().div_ceil(F))?;
    let mut kids = kids.into_iter();
    while kids.len() > 0 {
        let mut node = Inner::try_new(kind(kids.by_ref().take(F).collect()))?;
        node.refresh_all();
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
