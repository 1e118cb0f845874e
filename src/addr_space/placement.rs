//! Where a mapping without a fixed address goes: the hint, the options of a
//! call as a [`GapQuery`] in pages, distances, and random draws.

use core::iter;
use core::marker::PhantomData;
use core::ops::Range;

use super::error::SpaceError;
use super::geometry::Geometry;
use super::mapping::{Guard, HintRule, MapOptions, Placement};
use super::page::Page;
use crate::query::{GapQuery, Order};
use crate::store::RangeStore;

/// How often a random start is drawn and refused before the fitting starts are
/// counted. In a window that is half free, fewer than one placement of a page
/// in 65,000 gets that far.
const DRAWS: u32 = 16;

/// What a call without a fixed address asks for.
pub(super) struct Wish {
    /// A place for the mapping and its margin.
    pub(super) query: GapQuery<Page>,
    /// How many pages of the margin are below the mapping.
    lead: u64,
    /// How many pages are mapped.
    pub(super) len: u64,
}

impl Wish {
    /// The first page of the mapping, if the place begins here.
    fn inside(&self, place: Page) -> Option<Page> {
        Page::new(place.number() + self.lead)
    }

    /// Whether the place is longer than the mapping.
    #[inline]
    pub(super) fn has_margin(&self) -> bool {
        self.query.len != self.len
    }

    /// The query with a place at or below the one that puts the mapping at `page`.
    fn up_to(&self, page: Page) -> Option<GapQuery<Page>> {
        let last = page.number().checked_sub(self.lead)?;
        let end = self.query.window.end.number();
        let end = Page::new(end.min(last.saturating_add(self.query.len)))?;
        let mut query = self.query.clone().order(Order::Highest);
        query.window.end = end;
        Some(query)
    }

    /// The query with a place at or above the one that puts the mapping at page `number`.
    fn from(&self, number: u64) -> Option<GapQuery<Page>> {
        let first = Page::new(number.saturating_sub(self.lead))?;
        let mut query = self.query.clone().order(Order::Lowest);
        query.window.start = query.window.start.max(first);
        Some(query)
    }
}

/// What placement can use.
pub(super) trait Vacancy {
    /// The lowest or highest place.
    fn find_gap(&self, query: &GapQuery<Page>) -> Option<Page>;

    /// The place in the shortest free range that has one.
    fn best_gap(&self, query: &GapQuery<Page>) -> Option<Page>;

    /// Whether all of these pages can be used.
    fn is_free(&self, pages: Range<Page>) -> bool;

    /// The free ranges that have a place, ascending, from it on.
    fn fitting(&self, query: &GapQuery<Page>) -> impl Iterator<Item = Range<Page>>;
}

/// What is not in a store.
pub(super) struct NotIn<'a, V, S>(&'a S, PhantomData<V>);

impl<'a, V: Clone + PartialEq, S: RangeStore<Page, V>> NotIn<'a, V, S> {
    pub(super) fn new(store: &'a S) -> Self {
        Self(store, PhantomData)
    }
}

impl<V: Clone + PartialEq, S: RangeStore<Page, V>> Vacancy for NotIn<'_, V, S> {
    fn find_gap(&self, query: &GapQuery<Page>) -> Option<Page> {
        self.0.find_gap(query)
    }

    fn best_gap(&self, query: &GapQuery<Page>) -> Option<Page> {
        self.0.best_gap(query)
    }

    fn is_free(&self, pages: Range<Page>) -> bool {
        !self.0.overlaps(pages)
    }

    /// One descent for each.
    fn fitting(&self, query: &GapQuery<Page>) -> impl Iterator<Item = Range<Page>> {
        let mut rest = query.clone().order(Order::Lowest);
        iter::from_fn(move || {
            let start = self.0.find_gap(&rest)?;
            let above = self.0.overlapping(start..rest.window.end).next();
            let end = above.map_or(rest.window.end, |(range, _)| range.start);
            rest.window.start = end;
            Some(start..end)
        })
    }
}

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
            _ => 0,
        };
        Self {
            placement,
            random: SplitMix64 { state: seed },
        }
    }

    pub(super) fn placement(&self) -> Placement {
        self.placement
    }

    /// Whether the order of the query is all that decides.
    pub(super) fn is_by_order(&self) -> bool {
        matches!(self.placement, Placement::Lowest | Placement::Highest)
    }

    /// What a call with these options asks for.
    pub(super) fn wish(
        &self,
        geometry: &Geometry,
        len: u64,
        options: &MapOptions,
    ) -> Result<Wish, SpaceError> {
        let len = geometry.pages_for(len)?;
        let (align, phase) = geometry.alignment(options.align)?;
        let window = match options.window {
            Some((addr, len)) => geometry.pages_within(addr, len),
            None => geometry.all(),
        };
        let order = match self.placement {
            Placement::Highest => Order::Highest,
            Placement::Best(order) => order,
            Placement::Lowest | Placement::Random(_) | Placement::Nearest(_) => Order::Lowest,
        };
        let (lead, place) = match options.margin == Guard::default() {
            true => (0, len),
            false => with_margin(geometry, len, options.margin).ok_or(SpaceError::NoFreeRange)?,
        };
        if !geometry.has(place) {
            // Longer than the space: no engine needs to hear of such lengths.
            return Err(SpaceError::NoFreeRange);
        }
        Ok(Wish {
            query: GapQuery {
                len: place,
                window,
                align,
                phase: phase.wrapping_sub(lead) & (align - 1),
                order,
            },
            lead,
            len,
        })
    }

    /// The first page of the mapping: by the placement's order, distance or draw.
    pub(super) fn find(
        &mut self,
        free: &impl Vacancy,
        geometry: &Geometry,
        wish: &Wish,
    ) -> Option<Page> {
        let place = match self.placement {
            Placement::Lowest | Placement::Highest => free.find_gap(&wish.query),
            Placement::Random(_) => draw(free, &wish.query, &mut self.random),
            Placement::Nearest(addr) => return nearest(free, geometry, wish, addr),
            Placement::Best(_) => free.best_gap(&wish.query),
        };
        wish.inside(place?)
    }
}

/// How many pages a margin has below, and how many pages it has with `len` others, or
/// `None` if those are too many for any space.
#[cold]
fn with_margin(geometry: &Geometry, len: u64, margin: Guard) -> Option<(u64, u64)> {
    let below = geometry.round_up(margin.below);
    let above = geometry.round_up(margin.above);
    Some((below, len.checked_add(below)?.checked_add(above)?))
}

/// The first page of the mapping as the hint asks for it, if it can be had: inside window
/// and space, aligned as asked, and free for the whole length.
pub(super) fn hinted(
    free: &impl Vacancy,
    geometry: &Geometry,
    wish: &Wish,
    options: &MapOptions,
) -> Option<Page> {
    let hint = options.hint?;
    let page = match options.hint_rule {
        HintRule::Exact if !geometry.is_aligned(hint) => return None,
        HintRule::Exact | HintRule::RoundDown => geometry.page_at(hint)?,
        HintRule::Upwards => {
            let place = free.find_gap(&wish.from(geometry.number_up(hint))?)?;
            return wish.inside(place);
        }
    };
    let query = &wish.query;
    let first = Page::new(page.number().checked_sub(wish.lead)?)?;
    let place = first..Page::new(first.number() + query.len)?;
    let fits = query.fit(place.clone()) == Some(first) && free.is_free(place);
    fits.then_some(page)
}

/// The first page of the mapping with the least distance to `addr`: the last place below,
/// or the first above.
fn nearest(free: &impl Vacancy, geometry: &Geometry, wish: &Wish, addr: u64) -> Option<Page> {
    let at = geometry.page_down(addr);
    let below = at.and_then(|page| free.find_gap(&wish.up_to(page)?));
    let next = at.map_or(0, |page| page.number() + 1);
    let above = wish.from(next).and_then(|query| free.find_gap(&query));
    let distance = |page: &Page| geometry.addr(*page).abs_diff(addr);
    let found = [below, above].into_iter().flatten();
    found
        .filter_map(|place| wish.inside(place))
        .min_by_key(distance)
}

/// One of the starts that satisfy `query`, each with equal probability.
///
/// Draws among the starts that would satisfy it in an empty window, and takes
/// the first that is free: every one that fits is as likely as any other. After
/// [`DRAWS`] refusals it counts those that fit and draws one of them. The
/// refusals do not depend on which start is drawn in the end, so the result is
/// uniform all the same.
fn draw(free: &impl Vacancy, query: &GapQuery<Page>, random: &mut SplitMix64) -> Option<Page> {
    let empty = Starts::in_gap(query, query.window.clone())?;
    for _ in 0..DRAWS {
        let start = empty.nth(random.below(empty.count))?;
        let end = Page::new(start.number() + query.len)?;
        if free.is_free(start..end) {
            return Some(start);
        }
    }
    let fitting = || {
        free.fitting(query)
            .filter_map(|gap| Starts::in_gap(query, gap))
    };
    let total = fitting().map(|starts| starts.count).sum();
    let mut rank = random.below(total);
    for starts in fitting() {
        match rank.checked_sub(starts.count) {
            None => return starts.nth(rank),
            Some(rest) => rank = rest,
        }
    }
    None
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
