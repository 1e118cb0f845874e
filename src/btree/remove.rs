//! Removal: one descent to the first leaf, and one to all others. Leaves that go
//! as a whole are not edited, and the nodes above them close once.
//!
//! Pieces are reported from inside the leaf, where user code can panic while
//! the summaries above still describe what was. [`Repair`] then computes all
//! of them anew.

use core::mem;

use arrayvec::{ArrayVec, IntoIter};

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

    /// Carves `[start, end)`, where no entry contains `start`.
    fn carve_rest(&mut self, start: R, end: R, report: &mut impl FnMut(R, R, V), len: &mut usize) {
        let carved = self.carve_leaf(start, end, report, len);
        debug_assert!(carved.is_ok(), "no entry becomes two");
    }

    /// Takes out every entry and reports it.
    fn carve_whole(&mut self, report: &mut impl FnMut(R, R, V), len: &mut usize) {
        *len -= self.len();
        let values = mem::replace(&mut self.values, ArrayVec::new()).into_iter();
        let mut rest = Rest { leaf: self, values };
        while let Some(value) = rest.values.next() {
            let slot = rest.reported() - 1;
            report(rest.leaf.starts[slot], rest.leaf.ends[slot], value);
        }
    }
}

/// The values of a leaf's last entries, the others being reported. Dropped, the
/// leaf is empty, or has those entries if the sink panicked.
struct Rest<'a, R: Ordinal, V: Clone + PartialEq, const B: usize> {
    leaf: &'a mut Leaf<R, V, B>,
    values: IntoIter<V, B>,
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize> Rest<'_, R, V, B> {
    #[inline]
    fn reported(&self) -> usize {
        self.leaf.len() - self.values.len()
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const B: usize> Drop for Rest<'_, R, V, B> {
    fn drop(&mut self) {
        let reported = self.reported();
        self.leaf.set_len(self.values.len());
        if self.leaf.len() > 0 {
            self.leaf.close_columns(reported);
            self.leaf.values.extend(self.values.by_ref());
            self.leaf.rescan();
        }
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
            self.unlink(c..c + 1);
            true
        } else {
            let changed = carved.changed && self.refresh(c);
            self.merge_if_sparse(c);
            changed
        };
        Ok(Some(Carved { changed, ..carved }))
    }

    /// Carves `[start, end)`, where no entry contains `start`. Nothing is left of
    /// the children wholly in the range; those at its borders keep an entry.
    fn carve_rest(&mut self, start: R, end: R, report: &mut impl FnMut(R, R, V), len: &mut usize) {
        let low = self.lasts_up_to(start);
        let first = low + usize::from(low < self.len() && self.firsts[low] < start);
        let last = self.lasts_up_to(end).max(first);
        if low < first {
            self.carve_border(low, start, end, report, len);
        }
        each_kind!(&mut self.kids, kids => {
            for kid in &mut kids[first..last] {
                kid.carve_whole(report, len);
            }
        });
        if last < self.len() && self.firsts[last] < end {
            self.carve_border(last, start, end, report, len);
        }
        if first < last {
            self.unlink(first..last);
        }
        for c in [first, low] {
            if c < self.len() {
                self.merge_if_sparse(c);
            }
        }
    }

    fn carve_border(
        &mut self,
        c: usize,
        start: R,
        end: R,
        report: &mut impl FnMut(R, R, V),
        len: &mut usize,
    ) {
        each_kind!(&mut self.kids, kids => kids[c].carve_rest(start, end, report, len));
        self.refresh(c);
    }

    /// Takes out every child and reports its entries.
    fn carve_whole(&mut self, report: &mut impl FnMut(R, R, V), len: &mut usize) {
        each_kind!(&mut self.kids, kids => {
            for kid in kids.iter_mut() {
                kid.carve_whole(report, len);
            }
            kids.clear();
        });
    }

    /// Recomputes every summary, and unlinks what is empty.
    fn repair(&mut self) {
        if let Kids::Inners(kids) = &mut self.kids {
            kids.iter_mut().for_each(|kid| kid.repair());
        }
        each_kind!(&mut self.kids, kids => kids.retain(|kid| kid.len() > 0));
        self.refresh_all();
    }

    fn count(&self) -> usize {
        match &self.kids {
            Kids::Leaves(kids) => kids.iter().map(|leaf| leaf.len()).sum(),
            Kids::Inners(kids) => kids.iter().map(|inner| inner.count()).sum(),
        }
    }
}

/// Makes the store valid again if user code panics while leaves are edited.
pub(crate) struct Repair<'a, K: Key, V: Clone + PartialEq, const B: usize, const F: usize> {
    pub(crate) store: &'a mut BTreeStore<K, V, B, F>,
}

impl<K: Key, V: Clone + PartialEq, const B: usize, const F: usize> Drop for Repair<'_, K, V, B, F> {
    fn drop(&mut self) {
        if let Some(Root::Inner(inner)) = &mut self.store.root {
            inner.repair();
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
        loop {
            let repair = Repair { store: &mut *self };
            let BTreeStore { root, len } = &mut *repair.store;
            let step = match root {
                None => Ok(None),
                Some(Root::Leaf(leaf)) => leaf.carve_leaf(start, end, report, len),
                Some(Root::Inner(inner)) => inner.carve_leaf(start, end, report, len),
            };
            if let (Ok(Some(carved)), Some(Root::Inner(inner))) = (&step, root)
                && carved.reached < end
            {
                inner.carve_rest(carved.reached, end, report, len);
            }
            mem::forget(repair);
            match step {
                Ok(_) => break,
                // Strictly inside one entry, and nothing is reported yet.
                Err(Full) => self.ensure_room(start, 1)?,
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
