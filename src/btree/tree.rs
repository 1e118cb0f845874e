//! [`BTreeStore`]: the root, and the number of entries.

use crate::key::Key;
use crate::ordinal::Ordinal;

use super::node::{Inner, Leaf, Owned, Summary};

/// A B+-tree with a gap index: finding, inserting and placing are O(log n).
///
/// `LEAF` entries fit in a leaf, `FANOUT` children in an inner node; both are
/// between 3 and 64. The defaults come from measurements; small ones serve
/// tests. A store without entries owns no memory.
#[derive(Debug)]
pub struct BTreeStore<K: Key, V, const LEAF: usize = 32, const FANOUT: usize = 48> {
    pub(super) root: Option<Root<K::Ordinal, V, LEAF, FANOUT>>,
    pub(super) len: usize,
}

#[derive(Debug)]
pub(super) enum Root<R, V, const LEAF: usize, const FANOUT: usize> {
    Leaf(Owned<Leaf<R, V, LEAF>>),
    Inner(Owned<Inner<R, V, LEAF, FANOUT>>),
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Root<R, V, LEAF, FANOUT>
{
    #[inline]
    pub(super) fn summary(&self) -> Summary<R> {
        match self {
            Self::Leaf(leaf) => leaf.summary(),
            Self::Inner(inner) => inner.summary(),
        }
    }
}
