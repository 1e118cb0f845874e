//! Where a mapping without a fixed address goes: the hint, the options of a
//! call as a [`GapQuery`] in pages, and random draws.

use core::iter;
use core::ops::Range;

use super::error::SpaceError;
use super::geometry::Geometry;
use super::mapping::{MapOptions, PageMapping, Placement};
use super::page::Page;
use crate::query::{GapQuery, Order};
use crate::store::RangeStore;

/// How often a random start is drawn and refused before the fitting starts are
/// counted. In a window that is half free, fewer than one placement of a page
/// in 65,000 gets that far.
const DRAWS: u32 = 16;

/// A [`Placement`] and the state of its random sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Placer {
    placement: Placement,
    random: SplitMix64,
}

impl Placer {
    pub(super) fn new(placement: Placement) -> Self {
        let seed = match placement {
            Placement::Random(seed) => seed,
            Placement::Lowest | Placement::Highest => 0,
        };
        Self {
            placement,
            random: SplitMix64 { state: seed },
        }
    }

    pub(super) fn placement(&self) -> Placement {
        self.placement
    }

    pub(super) fn is_random(&self) -> bool {
        matches!(self.placement, Placement::Random(_))
    }

    /// What a call with these options asks the store for.
    pub(super) fn query(
        &self,
        geometry: &Geometry,
        len: u64,
        options: &MapOptions,
    ) -> Result<GapQuery<Page>, SpaceError> {
        let len = geometry.pages_for(len)?;
        let (align, phase) = geometry.alignment(options.align)?;
        let window = match options.window {
            Some((addr, len)) => geometry.pages_within(addr, len),
            None => geometry.all(),
        };
        let order = match self.placement {
            Placement::Highest => Order::Highest,
            Placement::Lowest | Placement::Random(_) => Order::Lowest,
        };
        // Longer than the space: no engine needs to hear of such lengths.
        geometry
            .pages_from(Page::default(), len)
            .ok_or(SpaceError::NoFreeRange)?;
        Ok(GapQuery {
            len,
            window,
            align,
            phase,
            order,
        })
    }

    /// The placement of a query: by its order, or by a draw from all starts
    /// that satisfy it.
    pub(super) fn find<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>>(
        &mut self,
        store: &S,
        query: &GapQuery<Page>,
    ) -> Option<Page> {
        if self.is_random() {
            draw(store, query, &mut self.random)
        } else {
            store.find_gap(query)
        }
    }
}

/// The page of a hint that can be taken: page-aligned, inside window and space,
/// aligned as asked, and free for the whole length.
pub(super) fn free_hint<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>>(
    store: &S,
    geometry: &Geometry,
    query: &GapQuery<Page>,
    hint: Option<u64>,
) -> Option<Page> {
    let pages = geometry.pages_of(hint?, geometry.bytes(query.len)).ok()?;
    let fits = query.fit(pages.clone()) == Some(pages.start) && !store.overlaps(pages.clone());
    fits.then_some(pages.start)
}

/// One of the starts that satisfy `query`, each with equal probability.
///
/// Draws among the starts that would satisfy it in an empty window, and takes
/// the first that is free: every one that fits is as likely as any other. After
/// [`DRAWS`] refusals it counts those that fit and draws one of them. The
/// refusals do not depend on which start is drawn in the end, so the result is
/// uniform all the same.
fn draw<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>>(
    store: &S,
    query: &GapQuery<Page>,
    random: &mut SplitMix64,
) -> Option<Page> {
    let empty = Starts::in_gap(query, query.window.clone())?;
    for _ in 0..DRAWS {
        let start = empty.nth(random.below(empty.count))?;
        let end = Page::new(start.number() + query.len)?;
        if !store.overlaps(start..end) {
            return Some(start);
        }
    }
    let total = fitting(store, query).map(|starts| starts.count).sum();
    let mut rank = random.below(total);
    for starts in fitting(store, query) {
        match rank.checked_sub(starts.count) {
            None => return starts.nth(rank),
            Some(rest) => rank = rest,
        }
    }
    None
}

/// The starts that satisfy `query`, gap by gap in ascending order; one descent
/// for each gap that is long enough.
fn fitting<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>>(
    store: &S,
    query: &GapQuery<Page>,
) -> impl Iterator<Item = Starts> {
    let mut rest = GapQuery {
        order: Order::Lowest,
        ..query.clone()
    };
    iter::from_fn(move || {
        let start = store.find_gap(&rest)?;
        let above = store.overlapping(start..rest.window.end).next();
        let end = above.map_or(rest.window.end, |(range, _)| range.start);
        rest.window.start = end;
        Starts::in_gap(query, start..end)
    })
}

/// Starts in one gap: `count` of them, `step` pages apart.
struct Starts {
    first: Page,
    count: u64,
    step: u64,
}

impl Starts {
    /// The starts that satisfy `query` if the pages of `gap` are free, or
    /// `None` if there is none.
    fn in_gap(query: &GapQuery<Page>, gap: Range<Page>) -> Option<Self> {
        let end = |order| {
            GapQuery {
                order,
                ..query.clone()
            }
            .fit(gap.clone())
        };
        let (first, last) = (end(Order::Lowest)?, end(Order::Highest)?);
        let count = (last.number() - first.number()) / query.align + 1;
        Some(Self {
            first,
            count,
            step: query.align,
        })
    }

    fn nth(&self, index: u64) -> Option<Page> {
        Page::new(self.first.number() + index * self.step)
    }
}

/// Steele, Lea and Flood's generator: a counter and a mixing function, small
/// and good enough to scatter addresses. It is no protection against somebody
/// who sees some of them and wants to guess the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, each with equal probability; 0 for a bound of 0.
    ///
    /// Takes as many bits as the bound has and draws again where they are not
    /// below it: fewer than two draws on average.
    fn below(&mut self, bound: u64) -> u64 {
        if bound <= 1 {
            return 0;
        }
        let unused = (bound - 1).leading_zeros();
        loop {
            let drawn = self.next() >> unused;
            if drawn < bound {
                return drawn;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The published test vector for seed 1234567.
        let mut random = SplitMix64 { state: 1_234_567 };
        let drawn: [u64; 3] = core::array::from_fn(|_| random.next());
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn draws_are_below_the_bound_and_reach_all_of_it() {
        let mut random = SplitMix64 { state: 1 };
        for bound in 1..=40_u64 {
            let mut seen = 0_u64;
            for _ in 0..40 * bound {
                seen |= 1 << random.below(bound);
            }
            assert_eq!(seen, (1 << bound) - 1, "bound {bound}");
        }
        assert_eq!(random.below(0), 0);
        assert!(random.below(u64::MAX) < u64::MAX);
    }

    #[test]
    fn draws_below_three_quarters_of_a_power_of_two_are_even() {
        // A remainder of 64 bits, or a product with them, would do as well here;
        // a remainder of the two bits that are drawn would give 0 twice as often.
        let mut random = SplitMix64 { state: 7 };
        let mut counts = [0_u32; 3];
        for _ in 0..30_000 {
            match random.below(3) {
                0 => counts[0] += 1,
                1 => counts[1] += 1,
                _ => counts[2] += 1,
            }
        }
        assert!(
            counts.iter().all(|count| (9_600..10_400).contains(count)),
            "{counts:?}"
        );
    }
}
