//! [`GapQuery`]: what a placement asks for, and the O(1) answer for one gap.

use core::ops::Range;

use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::span::Span;

/// Which of the placements that satisfy a [`GapQuery`] is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Order {
    /// The lowest start: first fit.
    #[default]
    Lowest,
    /// The highest start: last fit.
    Highest,
}

/// A question for a placement: a start such that `[start, start + len)` is free.
///
/// ```
/// use gaptree::{GapQuery, Order, RangeMap};
///
/// let mut map = RangeMap::<u32, char>::new();
/// map.insert(10..20, 'a');
/// assert_eq!(map.find_gap(&GapQuery::new(10)), Some(0));
/// assert_eq!(map.find_gap(&GapQuery::new(11)), Some(20));
/// let query = GapQuery::new(4).within(0..64).aligned(16).order(Order::Highest);
/// assert_eq!(map.find_gap(&query), Some(48));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GapQuery<K: Key> {
    /// How many keys to place; zero satisfies nothing.
    pub len: K::Len,
    /// The whole placement lies inside it.
    pub window: Range<K>,
    /// A power of two, in keys: `start % align == phase`. Any other alignment
    /// satisfies nothing.
    pub align: K::Len,
    /// Below `align`, or it satisfies nothing. For negative starts `%` is the
    /// remainder that is never negative.
    pub phase: K::Len,
    /// The lowest such start, or the highest.
    pub order: Order,
}

impl<K: Key> GapQuery<K> {
    /// The lowest place for `len` keys anywhere.
    #[must_use]
    pub fn new(len: K::Len) -> Self {
        Self {
            len,
            window: K::MIN..K::MAX,
            align: K::ONE,
            phase: K::Len::default(),
            order: Order::Lowest,
        }
    }

    /// Limits the whole placement to `window`.
    #[must_use]
    pub fn within(self, window: Range<K>) -> Self {
        Self { window, ..self }
    }

    /// Asks for a start that is a multiple of `align` keys, a power of two.
    #[must_use]
    pub fn aligned(self, align: K::Len) -> Self {
        Self { align, ..self }
    }

    /// Asks for a start that is `phase` keys above a multiple of the alignment.
    #[must_use]
    pub fn phase(self, phase: K::Len) -> Self {
        Self { phase, ..self }
    }

    /// Asks for the lowest or the highest start.
    #[must_use]
    pub fn order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// Where the query is satisfied if exactly the keys of `free` are free:
    /// the lowest or highest start inside it, or `None`. O(1).
    #[must_use]
    pub fn fit(&self, free: Range<K>) -> Option<K> {
        let fit = Fit::new(self)?;
        let start = fit.in_gap(Span::raw(&free), self.order)?;
        Some(K::from_ordinal(start))
    }
}

/// A valid [`GapQuery`] in ordinals; the order is a separate parameter, so that
/// searches can be compiled for one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fit<R> {
    pub(crate) len: R,
    pub(crate) window: Span<R>,
    mask: R,
    phase: R,
}

impl<R: Ordinal> Fit<R> {
    /// `None` for a query that nothing satisfies.
    pub(crate) fn new<K: Key<Ordinal = R>>(query: &GapQuery<K>) -> Option<Self> {
        let len = K::len_to_ordinal(query.len);
        let mask = K::len_to_ordinal(query.align).alignment_mask()?;
        let phase = K::len_to_ordinal(query.phase);
        let window = Span::of(&query.window)?;
        let satisfiable = len > R::ZERO && len <= R::PAD && phase <= mask;
        let phase = phase.shift_phase(K::ORIGIN, mask);
        satisfiable.then_some(Self {
            len,
            window,
            mask,
            phase,
        })
    }

    /// The placement that starts at `start`; it is in the window.
    #[inline]
    pub(crate) fn span(&self, start: R) -> Span<R> {
        let span = Span::new(start, start.plus(self.len));
        debug_assert!(self.window.covers(span));
        span
    }

    /// The lowest or highest start inside a free range. O(1).
    #[inline]
    pub(crate) fn in_gap(&self, gap: Span<R>, order: Order) -> Option<R> {
        let free = gap.clip(self.window);
        if free.is_empty() || free.len() < self.len {
            return None;
        }
        let last = free.end.minus(self.len);
        let slack = last.minus(free.start);
        match order {
            Order::Lowest => {
                let up = free.start.up_to_phase(self.phase, self.mask);
                (up <= slack).then(|| free.start.plus(up))
            }
            Order::Highest => {
                let down = last.down_to_phase(self.phase, self.mask);
                (down <= slack).then(|| last.minus(down))
            }
        }
    }
}

/// The shortest of some gaps that satisfy a query, and the start in it.
pub(crate) struct Best<R> {
    pub(crate) fit: Fit<R>,
    pub(crate) order: Order,
    found: Option<(R, R)>,
}

impl<R: Ordinal> Best<R> {
    /// `None` for a query that nothing satisfies.
    pub(crate) fn new<K: Key<Ordinal = R>>(query: &GapQuery<K>) -> Option<Self> {
        Some(Self {
            fit: Fit::new(query)?,
            order: query.order,
            found: None,
        })
    }

    /// The start of a best fit among some gaps, given in ascending order.
    pub(crate) fn among<K: Key<Ordinal = R>>(
        query: &GapQuery<K>,
        mut gaps: impl DoubleEndedIterator<Item = Range<K>>,
    ) -> Option<K> {
        let mut best = Self::new(query)?;
        let done = |gap: Range<K>| best.offer(Span::raw(&gap));
        match query.order {
            Order::Lowest => gaps.any(done),
            Order::Highest => gaps.rev().any(done),
        };
        best.start().map(K::from_ordinal)
    }

    /// Looks at the next gap in the query's order. Returns whether none can be better
    /// any more.
    #[inline]
    pub(crate) fn offer(&mut self, gap: Span<R>) -> bool {
        if let Some(start) = self.fit.in_gap(gap, self.order) {
            let len = gap.clip(self.fit.window).len();
            if self.found.is_none_or(|(least, _)| len < least) {
                self.found = Some((len, start));
            }
        }
        self.found.is_some_and(|(least, _)| least == self.fit.len)
    }

    pub(crate) fn start(&self) -> Option<R> {
        self.found.map(|(_, start)| start)
    }
}
