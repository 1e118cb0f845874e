//! The tree's physical shape, for tests that tell equal stores apart.

use alloc::vec::Vec;

use super::inner::{Inner, Kids};
use super::{BTreeStore, Root};
use crate::key::{Key, Ordinal};
use crate::run::Run;

impl<R: Ordinal, V: Clone + PartialEq, const B: usize, const F: usize> Inner<R, V, B, F> {
    fn shape(&self, lens: &mut Vec<usize>) {
        lens.push(self.len());
        match &self.kids {
            Kids::Leaves(kids) => lens.extend(kids.iter().map(|leaf| leaf.len())),
            Kids::Inners(kids) => kids.iter().for_each(|inner| inner.shape(lens)),
        }
    }

    fn height(&self) -> usize {
        match &self.kids {
            Kids::Leaves(_) => 1,
            Kids::Inners(kids) => 1 + kids.first().map_or(0, |inner| inner.height()),
        }
    }
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> BTreeStore<K, V, B, F> {
    /// The height of the tree, then the length of every node, each before its
    /// children: with the entries, everything there is to know. Empty for a
    /// store without entries. O(n).
    #[doc(hidden)]
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        let mut lens = Vec::new();
        match &self.root {
            None => {}
            Some(Root::Leaf(leaf)) => lens.extend([0, leaf.len()]),
            Some(Root::Inner(inner)) => {
                lens.push(inner.height());
                inner.shape(&mut lens);
            }
        }
        lens
    }
}
