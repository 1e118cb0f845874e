//! Insertion into one leaf, which nearly every insertion is.
//!
//! [`Inner::insert`] goes down to the leaf, which reports the pieces in the way
//! and is edited in place. On the way back each node takes over its child's
//! summary, until one has not changed.
//!
//! The leaf [refuses](Refused), before any change, in two cases that
//! [`BTreeStore::insert_span`] deals with: it has no slot left, so that room
//! must be made (`room.rs`); or the span also touches the next leaf
//! (`across.rs`).

use core::ops::Range;

use super::edit::{Edit, Put, Refused};
use super::node::{Inner, Leaf, each_kind};
use super::tree::{BTreeStore, Root};
use crate::alloc_error::AllocError;
use crate::guard::ScopeGuard;
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::run::{Full, Run};
use crate::span::Span;
use crate::value;

/// A piece that is reported after the new entry is in. If its whole entry goes,
/// its value is not here but taken when it is replaced.
type LatePiece<R, V> = (Span<R>, Option<V>);

/// A span in which nothing is left but a piece that is reported later.
struct Cleared<R, V> {
    /// The slots that the span touches.
    touched: Range<usize>,
    late: Option<LatePiece<R, V>>,
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize> Leaf<R, V, LEAF> {
    /// Overwrites the span. `next_start` is the first start of the next leaf.
    /// Returns whether the summary has changed.
    #[inline]
    pub(super) fn insert(
        &mut self,
        span: Span<R>,
        next_start: Option<R>,
        edit: &mut Edit<impl FnMut(Span<R>, V), Put<V, LEAF>>,
    ) -> Result<bool, Refused> {
        if next_start.is_some_and(|next_start| span.end >= next_start) {
            return Err(Refused::Across);
        }
        let old = (self.len() > 0).then(|| self.summary());
        let before = self.len();
        let Cleared { touched, late } = if edit.put.reports {
            self.clear_reported(span, &edit.put, &mut edit.visit)?
        } else {
            Cleared {
                touched: self.touched(span),
                late: None,
            }
        };
        self.put_in_slots(touched, span, &mut edit.put)?;
        edit.len = edit.len + self.len() - before;
        let changed = old != Some(self.summary());
        if let Some((piece, value)) = late
            && let Some(value) = value.or_else(|| edit.put.old.pop())
        {
            // If the sink panics, only the piece that was reported is gone.
            let take_back = ScopeGuard::new(self, |leaf| {
                let removed = leaf.remove_keys(span, &mut |_, _| ());
                debug_assert!(removed.is_ok(), "it joined no more than one neighbour");
            });
            (edit.visit)(piece, value);
            take_back.defuse();
        }
        Ok(changed)
    }

    /// Removes and reports what is in the span, except a sole piece that can be
    /// reported later.
    #[inline]
    fn clear_reported(
        &mut self,
        span: Span<R>,
        put: &Put<V, LEAF>,
        report: &mut impl FnMut(Span<R>, V),
    ) -> Result<Cleared<R, V>, Full> {
        let mut low = self.ends_up_to(span.start);
        let mut high = self.starts_below(low, span.end);
        let late = match high - low {
            1 => self.late_piece(low, span, put),
            _ => None,
        };
        if low < high && late.is_none() {
            low += self.remove_if_room(low..high, span, report)?;
            high = low;
        }
        low -= usize::from(low > 0 && self.ends[low - 1] == span.start);
        high += usize::from(high < self.len() && self.starts[high] == span.end);
        let touched = low..high;
        Ok(Cleared { touched, late })
    }

    /// The one piece in the span, if it can be reported when the new entry is in
    /// its place: then nothing moves twice. That is so unless the new entry
    /// takes a second slot over, or the piece's own entry stays as it is.
    #[inline]
    fn late_piece(
        &self,
        slot: usize,
        span: Span<R>,
        put: &Put<V, LEAF>,
    ) -> Option<LatePiece<R, V>> {
        let joins = |other: usize| self.values.get(other).is_some_and(|value| put.joins(value));
        let entry = self.span(slot);
        let whole = span.covers(entry);
        let alone = !(whole && (slot.checked_sub(1).is_some_and(joins) || joins(slot + 1)));
        (alone && !joins(slot)).then(|| {
            let value = (!whole).then(|| value::part(&self.values[slot]));
            (entry.clip(span), value)
        })
    }

    /// Removes the span from the slots that overlap it, if there will be room for
    /// the entry that replaces what was there. Returns 1 if an entry is left
    /// below the span, else 0.
    fn remove_if_room(
        &mut self,
        overlapping: Range<usize>,
        span: Span<R>,
        report: &mut impl FnMut(Span<R>, V),
    ) -> Result<usize, Full> {
        let cut_low = usize::from(self.starts[overlapping.start] < span.start);
        let cut_high = usize::from(self.ends[overlapping.end - 1] > span.end);
        // What is cut stays; all else gives its slot to the new entry.
        let stays = cut_low + cut_high;
        if !self.has_room((1 + stays).saturating_sub(overlapping.len())) {
            return Err(Full);
        }
        self.remove_from_slots(overlapping, span, report)?;
        Ok(cut_low)
    }

    /// Overwrites the span, where the slots that it [touches](Run::touched) are
    /// known. The count of entries is the caller's.
    #[inline]
    pub(super) fn put_in_slots(
        &mut self,
        touched: Range<usize>,
        span: Span<R>,
        put: &mut Put<V, LEAF>,
    ) -> Result<(), Full> {
        let Some(value) = put.value.take() else {
            debug_assert!(false, "the value is put in once");
            return Ok(());
        };
        match self.overwrite_slots(touched, span, value) {
            Ok(replaced) => put.old.extend(replaced),
            Err(value) => {
                put.value = Some(value);
                return Err(Full);
            }
        }
        while let Some((_, value)) = self.next_detached() {
            put.old.push(value);
        }
        Ok(())
    }
}

impl<R: Ordinal, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    Inner<R, V, LEAF, FANOUT>
{
    /// [`Leaf::insert`] in the leaf that the span belongs to.
    fn insert(
        &mut self,
        span: Span<R>,
        next_start: Option<R>,
        edit: &mut Edit<impl FnMut(Span<R>, V), Put<V, LEAF>>,
    ) -> Result<bool, Refused> {
        let c = self.route(span);
        let next_start = self.next_start(c, next_start);
        let insert =
            each_kind!(&mut self.children, children => children[c].insert(span, next_start, edit));
        Ok(insert? && self.update_summary(c))
    }
}

impl<K: Key, V: Clone + PartialEq, const LEAF: usize, const FANOUT: usize>
    BTreeStore<K, V, LEAF, FANOUT>
{
    /// [`Leaf::insert`], with room made where there is none, and the slow way
    /// where the span touches two leaves.
    pub(super) fn insert_span(
        &mut self,
        span: Span<K::Ordinal>,
        edit: &mut Edit<impl FnMut(Span<K::Ordinal>, V), Put<V, LEAF>>,
    ) -> Result<(), AllocError> {
        loop {
            let mut store = self.repaired_on_panic();
            let inserted = match &mut store.root {
                None => Err(Refused::Full(Full)),
                Some(Root::Leaf(leaf)) => leaf.insert(span, None, edit),
                Some(Root::Inner(inner)) => inner.insert(span, None, edit),
            };
            store.defuse();
            match inserted {
                Ok(_) => {
                    self.len = edit.len;
                    return Ok(());
                }
                Err(Refused::Full(_)) => self.split_path(span)?,
                Err(Refused::Across) => return self.insert_across(span, edit),
            }
        }
    }
}
