//! The tree's physical shape, for tests that tell equal stores apart.

use alloc::vec::Vec;

use super::node::{Children, Inner};
use super::tree::{BTreeStore, Root};
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::run::Run;

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Inner<R, V, LEAF, FANOUT>
{
    fn shape(&self, lens: &mut Vec<usize>) {
        lens.push(self.len());
        match &self.children {
            Children::Leaves(children) => lens.extend(children.iter().map(|leaf| leaf.len())),
            Children::Inners(children) => children.iter().for_each(|inner| inner.shape(lens)),
        }
    }

    fn height(&self) -> usize {
        match &self.children {
            Children::Leaves(_) => 1,
            Children::Inners(children) => 1 + children.first().map_or(0, |inner| inner.height()),
        }
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
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
