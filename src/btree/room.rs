//! Making room: splitting a leaf and the full nodes above it, and a root that
//! grows or shrinks.
//!
//! An insertion that finds its leaf full has changed nothing. The store then
//! splits from the root down: each full node on the way, and at last the leaf.
//! So each split finds room for one more child above it. Each is complete in
//! itself and changes no entry: if memory runs out between two, the tree is
//! merely of another shape.

use core::mem;

use arrayvec::ArrayVec;

use super::node::{Children, Inner, Leaf, Owned};
use super::tree::{BTreeStore, Root};
use crate::alloc_error::AllocError;
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::run::Run;
use crate::span::Span;

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Inner<R, V, LEAF, FANOUT>
{
    /// Splits the leaf of [`route`](Self::route) and every full node above it.
    /// This node itself has room for one more child.
    fn split_path(&mut self, span: Span<R>, appending: bool) -> Result<(), AllocError> {
        debug_assert!(self.len() < FANOUT);
        let mut c = self.route(span);
        let appending = appending && c + 1 == self.len();
        let Children::Inners(children) = &self.children else {
            return self.make_room_in(c, appending);
        };
        if children[c].len() == FANOUT {
            self.split_child(c, appending)?;
            c = self.route(span);
        }
        match &mut self.children {
            Children::Inners(children) => children[c].split_path(span, appending),
            Children::Leaves(_) => Ok(()),
        }
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
    /// Makes room where the span belongs: creates the first leaf, or makes room in
    /// a full one.
    pub(super) fn split_path(&mut self, span: Span<K::Ordinal>) -> Result<(), AllocError> {
        let last = self.root.as_ref().map(|root| root.summary().max_end);
        let appending = last.is_none_or(|last| span.start >= last);
        let full = match &self.root {
            None => {
                self.root = Some(Root::Leaf(Leaf::try_new()?));
                return Ok(());
            }
            Some(Root::Leaf(_)) => true,
            Some(Root::Inner(inner)) => inner.len() == FANOUT,
        };
        if full {
            self.grow_root()?;
        }
        let split = match &mut self.root {
            Some(Root::Inner(inner)) if full => inner.split_child(0, appending),
            _ => Ok(()),
        };
        // Without memory for the split, the new root has one child: back to that.
        self.shrink_root();
        split?;
        match &mut self.root {
            Some(Root::Inner(inner)) if !(full && inner.is_over_leaves()) => {
                inner.split_path(span, appending)
            }
            _ => Ok(()),
        }
    }

    /// Puts a node with one child on top.
    pub(super) fn grow_root(&mut self) -> Result<(), AllocError> {
        let mut top = match &self.root {
            Some(Root::Inner(_)) => Inner::try_over_inners()?,
            _ => Inner::try_over_leaves()?,
        };
        match (&mut top.children, self.root.take()) {
            (Children::Inners(children), Some(Root::Inner(inner))) => children.push(inner),
            (Children::Leaves(children), Some(Root::Leaf(leaf))) => children.push(leaf),
            (_, root) => {
                debug_assert!(false, "there is a root, and `top` is of its kind");
                self.root = root;
                return Ok(());
            }
        }
        top.rebuild_summaries();
        self.root = Some(Root::Inner(top));
        Ok(())
    }

    /// Makes sure that the leaf of the entry that ends at `key`, or that contains
    /// it, has room.
    pub(super) fn ensure_room(&mut self, key: K::Ordinal, slots: usize) -> Result<(), AllocError> {
        let at = Span::new(key, key);
        while self
            .routed_leaf(at)
            .is_some_and(|leaf| !leaf.has_room(slots))
        {
            self.split_path(at)?;
        }
        Ok(())
    }

    fn routed_leaf(&self, span: Span<K::Ordinal>) -> Option<&Leaf<K::Ordinal, V, LEAF>> {
        let mut inner = match self.root.as_ref()? {
            Root::Leaf(leaf) => return Some(leaf),
            Root::Inner(inner) => inner,
        };
        loop {
            let c = inner.route(span);
            match &inner.children {
                Children::Inners(children) => inner = &children[c],
                Children::Leaves(children) => return Some(&children[c]),
            }
        }
    }

    /// Replaces a root without entries by none, and one with a single child by
    /// that.
    #[inline]
    pub(super) fn shrink_root(&mut self) {
        if self.root_can_shrink() {
            self.shrink_root_now();
        }
    }

    #[inline]
    fn root_can_shrink(&self) -> bool {
        match &self.root {
            None => false,
            Some(Root::Leaf(leaf)) => leaf.len() == 0,
            Some(Root::Inner(inner)) => inner.len() < 2,
        }
    }

    #[cold]
    fn shrink_root_now(&mut self) {
        while self.root_can_shrink() {
            self.root = match self.root.take() {
                Some(Root::Inner(inner)) => only_child(inner),
                _ => None,
            };
        }
    }
}

/// The child of a node that has at most one.
fn only_child<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>(
    mut inner: Owned<Inner<R, V, LEAF, FANOUT>>,
) -> Option<Root<R, V, LEAF, FANOUT>> {
    debug_assert!(inner.len() < 2);
    let children = mem::replace(&mut inner.children, Children::Leaves(ArrayVec::new()));
    match children {
        Children::Leaves(mut children) => children.pop().map(Root::Leaf),
        Children::Inners(mut children) => children.pop().map(Root::Inner),
    }
}
