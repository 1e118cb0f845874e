//! Making the tree valid again after user code has panicked in the middle of an
//! edit.
//!
//! Pieces are reported from inside a leaf, while the summaries above still
//! describe what was. So all summaries are computed anew: O(n), after a panic
//! only.

use super::node::{Children, Inner, each_kind};
use super::tree::{BTreeStore, Root};
use crate::guard::ScopeGuard;
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::run::Run;

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Inner<R, V, LEAF, FANOUT>
{
    /// Removes empty children, and computes every summary anew.
    fn repair(&mut self) {
        if let Children::Inners(children) = &mut self.children {
            children.iter_mut().for_each(|child| child.repair());
        }
        each_kind!(&mut self.children, children => children.retain(|child| child.len() > 0));
        self.rebuild_summaries();
    }

    fn count(&self) -> usize {
        match &self.children {
            Children::Leaves(children) => children.iter().map(|leaf| leaf.len()).sum(),
            Children::Inners(children) => children.iter().map(|inner| inner.count()).sum(),
        }
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
    /// The store under edit: repaired when this is dropped, unless it is defused.
    #[inline]
    pub(super) fn repaired_on_panic(&mut self) -> ScopeGuard<'_, Self, impl FnMut(&mut Self)> {
        ScopeGuard::new(self, Self::repair)
    }

    #[cold]
    fn repair(&mut self) {
        if let Some(Root::Inner(inner)) = &mut self.root {
            inner.repair();
        }
        self.len = match &self.root {
            None => 0,
            Some(Root::Leaf(leaf)) => leaf.len(),
            Some(Root::Inner(inner)) => inner.count(),
        };
        self.shrink_root();
    }
}
