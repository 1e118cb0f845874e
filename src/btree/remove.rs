//! Removal: one descent to the first leaf of the span, and one to all others.
//!
//! ```text
//!               start                                  end
//!                 |-------------------------------------|
//! | . . . | . . . a | b b b b | c c c c c c c c | d d | e . . | . . . |
//! ```
//!
//! - `remove_first` edits the leaf of `a`.
//! - `remove_rest` goes on where that leaf ended. The leaves of `b`, `c` and `d`
//!   go whole and are not edited; the leaf of `e` is. If the leaf of `a` was
//!   merged with the next one, that is edited too.
//!
//! Pieces are reported from inside the leaf, where a sink can panic while the
//! summaries above still describe what was: `repair.rs` is for that.

use core::mem;

use arrayvec::{ArrayVec, IntoIter};

use super::edit::Edit;
use super::node::{Inner, Leaf, each_kind};
use super::tree::{BTreeStore, Root};
use crate::alloc_error::AllocError;
use crate::guard::ScopeGuard;
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::run::{Full, Run};
use crate::span::Span;

/// What was removed from one leaf.
struct Removed<R> {
    /// The leaf's last end before: above it, the removal goes on in the next
    /// leaf.
    reached: R,
    /// Whether the leaf's summary has changed.
    changed: bool,
}

/// The values of a leaf's last entries; the others have been reported.
struct Unreported<'a, R, V, const LEAF: usize> {
    leaf: &'a mut Leaf<R, V, LEAF>,
    values: IntoIter<V, LEAF>,
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize> Unreported<'_, R, V, LEAF> {
    #[inline]
    fn reported(&self) -> usize {
        self.leaf.len() - self.values.len()
    }

    /// Gives the leaf its entries that were not reported: none, unless the sink
    /// panicked.
    #[inline]
    fn put_back(&mut self) {
        let reported = self.reported();
        self.leaf.set_len(self.values.len());
        if self.leaf.len() > 0 {
            self.leaf.close_columns(reported);
            self.leaf.values.extend(self.values.by_ref());
            self.leaf.recompute_max_gap();
        }
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize> Leaf<R, V, LEAF> {
    fn remove_first(
        &mut self,
        span: Span<R>,
        edit: &mut Edit<impl FnMut(Span<R>, V)>,
    ) -> Result<Option<Removed<R>>, Full> {
        let (old, before) = (self.summary(), self.len());
        if !self.remove_keys(span, &mut edit.visit)? {
            return Ok(None);
        }
        edit.len = edit.len + self.len() - before;
        let changed = self.len() == 0 || self.summary() != old;
        Ok(Some(Removed {
            reached: old.max_end,
            changed,
        }))
    }

    /// Removes the span, whose start no entry contains.
    fn remove_rest(&mut self, span: Span<R>, edit: &mut Edit<impl FnMut(Span<R>, V)>) {
        let removed = self.remove_first(span, edit);
        debug_assert!(removed.is_ok(), "no entry becomes two");
    }

    /// Removes and reports every entry.
    fn remove_all(&mut self, edit: &mut Edit<impl FnMut(Span<R>, V)>) {
        edit.len -= self.len();
        let values = mem::replace(&mut self.values, ArrayVec::new()).into_iter();
        let mut unreported = Unreported { leaf: self, values };
        let mut unreported = ScopeGuard::new(&mut unreported, |rest| rest.put_back());
        while let Some(value) = unreported.values.next() {
            let slot = unreported.reported() - 1;
            let piece = unreported.leaf.span(slot);
            (edit.visit)(piece, value);
        }
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Inner<R, V, LEAF, FANOUT>
{
    /// Removes the span from the first leaf that has a key of it.
    fn remove_first(
        &mut self,
        span: Span<R>,
        edit: &mut Edit<impl FnMut(Span<R>, V)>,
    ) -> Result<Option<Removed<R>>, Full> {
        let c = self.max_ends_up_to(span.start);
        if c >= self.len() || self.min_starts[c] >= span.end {
            return Ok(None);
        }
        let removed =
            each_kind!(&mut self.children, children => children[c].remove_first(span, edit));
        let Some(removed) = removed? else {
            return Ok(None);
        };
        let changed = if self.child_len(c) == 0 {
            self.remove_children(c..c + 1);
            true
        } else {
            let changed = removed.changed && self.update_summary(c);
            self.merge_if_sparse(c);
            changed
        };
        Ok(Some(Removed { changed, ..removed }))
    }

    /// Removes the span, whose start no entry contains. Nothing is left of the
    /// children wholly in the span; those at its borders keep an entry.
    fn remove_rest(&mut self, span: Span<R>, edit: &mut Edit<impl FnMut(Span<R>, V)>) {
        let low = self.max_ends_up_to(span.start);
        let first = low + usize::from(low < self.len() && self.min_starts[low] < span.start);
        let last = self.max_ends_up_to(span.end).max(first);
        if low < first {
            self.remove_at_border(low, span, edit);
        }
        each_kind!(&mut self.children, children => {
            for child in &mut children[first..last] {
                child.remove_all(edit);
            }
        });
        if last < self.len() && self.min_starts[last] < span.end {
            self.remove_at_border(last, span, edit);
        }
        if first < last {
            self.remove_children(first..last);
        }
        for c in [first, low] {
            if c < self.len() {
                self.merge_if_sparse(c);
            }
        }
    }

    fn remove_at_border(
        &mut self,
        c: usize,
        span: Span<R>,
        edit: &mut Edit<impl FnMut(Span<R>, V)>,
    ) {
        each_kind!(&mut self.children, children => children[c].remove_rest(span, edit));
        self.update_summary(c);
    }

    /// Removes every child and reports its entries.
    fn remove_all(&mut self, edit: &mut Edit<impl FnMut(Span<R>, V)>) {
        each_kind!(&mut self.children, children => {
            for child in children.iter_mut() {
                child.remove_all(edit);
            }
            children.clear();
        });
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
    /// Removes the keys of the span and reports each piece.
    pub(super) fn remove_span(
        &mut self,
        span: Span<K::Ordinal>,
        edit: &mut Edit<impl FnMut(Span<K::Ordinal>, V)>,
    ) -> Result<(), AllocError> {
        debug_assert_eq!(edit.len, self.len);
        loop {
            let mut store = self.repaired_on_panic();
            let removed = match &mut store.root {
                None => Ok(None),
                Some(Root::Leaf(leaf)) => leaf.remove_first(span, edit),
                Some(Root::Inner(inner)) => inner.remove_first(span, edit),
            };
            if let (Ok(Some(removed)), Some(Root::Inner(inner))) = (&removed, &mut store.root)
                && removed.reached < span.end
            {
                inner.remove_rest(Span::new(removed.reached, span.end), edit);
            }
            store.len = edit.len;
            store.defuse();
            match removed {
                Ok(_) => break,
                // Strictly inside one entry, and nothing is reported yet.
                Err(Full) => self.ensure_room(span.start, 1)?,
            }
        }
        self.shrink_root();
        Ok(())
    }

    /// Removes the span, which is at an edge of an entry or the whole of it, and
    /// returns its value.
    pub(super) fn take(&mut self, span: Span<K::Ordinal>) -> Option<V> {
        let mut taken = None;
        let mut edit = Edit::new(self.len, |_, value| taken = Some(value));
        let removed = self.remove_span(span, &mut edit);
        debug_assert!(removed.is_ok(), "no entry becomes two");
        taken
    }
}
