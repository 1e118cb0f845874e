//! [`Span`]: a range as the engines compute with it, in ordinals.

use core::ops::Range;

use crate::key::Key;
use crate::ordinal::Ordinal;

/// The half-open range from `start` to `end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span<R> {
    pub(crate) start: R,
    pub(crate) end: R,
}

impl<R: Ordinal> Span<R> {
    #[inline]
    pub(crate) fn new(start: R, end: R) -> Self {
        Self { start, end }
    }

    /// The span of a range of keys, or `None` if it has no key.
    #[inline]
    pub(crate) fn of<K: Key<Ordinal = R>>(range: &Range<K>) -> Option<Self> {
        (!is_empty(range)).then(|| Self::raw(range))
    }

    /// The span of a range of keys that may be empty or inverted.
    #[inline]
    pub(crate) fn raw<K: Key<Ordinal = R>>(range: &Range<K>) -> Self {
        Self::new(range.start.to_ordinal(), range.end.to_ordinal())
    }

    /// The range of keys.
    #[inline]
    pub(crate) fn keys<K: Key<Ordinal = R>>(self) -> Range<K> {
        K::from_ordinal(self.start)..K::from_ordinal(self.end)
    }

    /// The number of keys; the span is not inverted.
    #[inline]
    pub(crate) fn len(self) -> R {
        self.end.minus(self.start)
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// What this one and the other have in common; inverted if there is a gap
    /// between them.
    #[inline]
    pub(crate) fn clip(self, other: Self) -> Self {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// Whether every key of the other is in this one.
    #[inline]
    pub(crate) fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// Whether the range has no key.
#[inline]
pub(crate) fn is_empty<K: Ord>(range: &Range<K>) -> bool {
    range.start >= range.end
}

/// What two ranges have in common; empty or inverted if that is nothing.
#[inline]
pub(crate) fn common<K: Ord + Copy>(one: &Range<K>, other: &Range<K>) -> Range<K> {
    one.start.max(other.start)..one.end.min(other.end)
}
