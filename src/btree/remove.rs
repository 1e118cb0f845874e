//! Removal: leaf by leaf, one descent for each.
//!
//! Pieces are reported from inside the leaf, where user code can panic while
//! the summaries above still describe what was. [`Repair`] then brings the one
//! path that was being edited up to date.

use core::mem;

use super::inner::{Inner, Kids, each_kind};
use super::leaf::Leaf;
use super::{BTreeStore, Root};
use crate::key::{Key, Ordinal};
use crate::run::{Full, Run};
use crate::store::AllocError;

/// What was carved out of one leaf.
pub(crate) struct Carved<R> {
    /// The leaf's last end before: above it, carving goes on in the next leaf.
    reached: R,
    /// Whether the leaf's summary is another now.
    changed: bool,
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize> Leaf<R, V, B> {
    fn carve_leaf(
        &mut self,
        start: R,
        end: R,
        report: &mut impl FnMut(R, R, V),
        len: &mut usize,
    ) -> Result<Option<Carved<R>>, Full> {
        if self.len() == 0 {
            // A root that the step before has emptied.
            return Ok(None);
        }
        let (old, before) = (self.summary(), self.len());
        if !self.carve(start, end, report)? {
            return Ok(None);
        }
        *len = *len + self.len() - before;
        let changed = self.len() == 0 || self.summary() != old;
        Ok(Some(Carved {
            reached: old.last,
            changed,
        }))
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize, const F: usize> Inner<R, V, B, F> {
    /// Carves `[start, end)` out of the first leaf that has a key of it.
    fn carve_leaf(
        &mut self,
        start: R,
        end: R,
        report: &mut impl FnMut(R, R, V),
        len: &mut usize,
    ) -> Result<Option<Carved<R>>, Full> {
        let c = self.lasts_up_to(start);
        if c >= self.len() || self.firsts[c] >= end {
            return Ok(None);
        }
        let carve = each_kind!(&mut self.kids, kids => kids[c].carve_leaf(start, end, report, len));
        let Some(carved) = carve? else {
            return Ok(None);
        };
        let changed = if self.kid_len(c) == 0 {
            self.unlink(c);
            true
        } else {
            let changed = carved.changed && self.refresh(c);
            self.merge_if_sparse(c);
            changed
        };
        Ok(Some(Carved { changed, ..carved }))
    }

    /// Recomputes the summaries on the path to the leaf that was being edited
    /// at `key`, and unlinks what has become empty.
    fn repair(&mut self, key: R) {
        let c = self.lasts_up_to(key).min(self.len() - 1);
        if let Kids::Inners(kids) = &mut self.kids {
            kids[c].repair(key);
        }
        if self.kid_len(c) == 0 {
            self.unlink(c);
        } else {
            self.refresh(c);
        }
    }

    fn count(&self) -> usize {
        match &self.kids {
            Kids::Leaves(kids) => kids.iter().map(|leaf| leaf.len()).sum(),
            Kids::Inners(kids) => kids.iter().map(|inner| inner.count()).sum(),
        }
    }
}

/// Makes the store valid again if user code panics while one leaf is edited.
pub(crate) struct Repair<'a, K: Key, V: Clone + PartialEq, const B: usize, const F: usize> {
    pub(crate) store: &'a mut BTreeStore<K, V, B, F>,
    /// Where the edit was: the key that it was routed by.
    pub(crate) key: K::Ordinal,
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> Drop for Repair<'_, K, V, B, F> {
    fn drop(&mut self) {
        if let Some(Root::Inner(inner)) = &mut self.store.root {
            inner.repair(self.key);
        }
        self.store.len = match &self.store.root {
            None => 0,
            Some(Root::Leaf(leaf)) => leaf.len(),
            Some(Root::Inner(inner)) => inner.count(),
        };
        self.store.collapse();
    }
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> BTreeStore<K, V, B, F> {
    /// Takes the keys of `[start, end)` out and reports each piece.
    pub(crate) fn carve_all(
        &mut self,
        start: K::Ordinal,
        end: K::Ordinal,
        report: &mut impl FnMut(K::Ordinal, K::Ordinal, V),
    ) -> Result<(), AllocError> {
        let mut from = start;
        loop {
            let repair = Repair {
                store: &mut *self,
                key: from,
            };
            let BTreeStore { root, len } = &mut *repair.store;
            let step = match root {
                None => Ok(None),
                Some(Root::Leaf(leaf)) => leaf.carve_leaf(from, end, report, len),
                Some(Root::Inner(inner)) => inner.carve_leaf(from, end, report, len),
            };
            mem::forget(repair);
            match step {
                Ok(Some(carved)) if carved.reached < end => from = carved.reached,
                Ok(_) => break,
                // Strictly inside one entry, and nothing is reported yet.
                Err(Full) => self.ensure_room(from, 1)?,
            }
        }
        self.collapse();
        Ok(())
    }

    /// Takes `[start, end)`, which is at an edge of an entry or the whole of
    /// it, out and returns its value.
    pub(crate) fn take(&mut self, start: K::Ordinal, end: K::Ordinal) -> Option<V> {
        let mut taken = None;
        let carved = self.carve_all(start, end, &mut |_, _, value| taken = Some(value));
        debug_assert!(carved.is_ok(), "no entry becomes two");
        taken
    }
}
