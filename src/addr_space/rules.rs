//! What a space refuses, and what its placement keeps free: limits, seals, guards,
//! reserved ranges.
//!
//! A guard is a matter of one gap: the region at its end keeps so many pages free at
//! that end. What is left of the gaps, without reserved ranges, is what placement can
//! use. So that it finds a place in O(log n), everything else is kept in a store of its
//! own, [`taken`](Kept::taken), which is mended after each change:
//!
//! ```text
//! mapped      |####|            |########|         #: mapped   g: a guard of 2 below
//! guards      |    |          gg|        |         r: reserved
//! reserved    |      rr         |        |
//! taken       |####  rr       gg ########|         placement sees the store of these
//! ```

use alloc::vec::Vec;
use core::alloc::Layout;
use core::ops::Range;

use super::geometry::Geometry;
use super::mapping::{Guard, MapOptions, PageMapping};
use super::page::Page;
use super::placement::{NotIn, Placer, Vacancy, Wish, hinted};
use crate::alloc_error::AllocError;
use crate::btree::BTreeStore;
use crate::query::{Best, GapQuery, Order};
use crate::store::RangeStore;

/// A set of pages.
pub(super) type Pages = BTreeStore<Page, ()>;

/// How much a space may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Limits {
    pub(super) regions: Option<usize>,
    pub(super) bytes: Option<u64>,
}

/// The rules of a space; none by default.
#[derive(Clone, Default)]
pub(super) struct Rules {
    /// Whether there is any, so that a space without costs one comparison a call.
    pub(super) any: bool,
    pub(super) limits: Limits,
    /// Whether a region was ever sealed.
    pub(super) sealed: bool,
    pub(super) kept: Kept,
}

impl Rules {
    /// Says whether there is any, after one has changed.
    pub(super) fn settle(&mut self) {
        let guarded = |guard: &Guard| *guard != Guard::default();
        self.kept.any = !self.kept.reserved.is_empty() || self.kept.guards.iter().any(guarded);
        self.any = self.limits != Limits::default() || self.sealed || self.kept.any;
    }

    /// Says that there is a sealed region.
    pub(super) fn has_sealed(&mut self) {
        self.sealed = true;
        self.any = true;
    }

    pub(super) fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(Self {
            kept: self.kept.try_clone()?,
            ..*self
        })
    }
}

/// What placement keeps free.
#[derive(Clone, Default)]
pub(super) struct Kept {
    /// Whether there is a guard or a reserved range: then there are rules.
    pub(super) any: bool,
    /// By their numbers; a number beyond has none.
    guards: Vec<Guard>,
    pub(super) reserved: Pages,
    /// What is mapped, guarded or reserved, if there is a guard or a reserved range.
    taken: Pages,
    /// Whether `taken` is right: not if there was no memory for it. Then placement walks
    /// over the gaps, until the next change.
    indexed: bool,
}

impl Kept {
    pub(super) fn guard(&self, number: u8) -> Guard {
        let guard = self.guards.get(usize::from(number));
        guard.copied().unwrap_or_default()
    }

    pub(super) fn set_guard(&mut self, number: u8, guard: Guard) -> Result<(), AllocError> {
        let index = usize::from(number);
        if index >= self.guards.len() {
            reserve(&mut self.guards, index + 1)?;
            self.guards.resize(index + 1, Guard::default());
        }
        self.guards[index] = guard;
        Ok(())
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        let mut guards = Vec::new();
        reserve(&mut guards, self.guards.len())?;
        guards.extend_from_slice(&self.guards);
        Ok(Self {
            any: self.any,
            guards,
            reserved: self.reserved.try_clone()?,
            taken: self.taken.try_clone()?,
            indexed: self.indexed,
        })
    }

    /// Makes `taken` right after a change of some pages, or of everything if it was not
    /// right before.
    pub(super) fn mend<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>>(
        &mut self,
        store: &S,
        geometry: &Geometry,
        changed: &Range<Page>,
    ) {
        if !self.any {
            self.forget();
            return;
        }
        let mut window = geometry.all();
        if self.indexed {
            window = with_gaps(store, changed, &window);
        } else {
            self.forget();
        }
        self.indexed = self.try_mend(store, geometry, window).is_ok();
    }

    /// Asserts that `taken` is right, if it says so.
    pub(super) fn check<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>>(
        &self,
        store: &S,
        geometry: &Geometry,
    ) {
        self.reserved.check();
        self.taken.check();
        if self.indexed {
            let all = geometry.all();
            let free = free_in(&self.guards, &self.reserved, store, geometry, all.clone());
            assert!(
                free.eq(self.taken.gaps(all)),
                "what placement can use is not what guards and reserved ranges leave"
            );
        }
    }

    /// Forgets what is taken, so that it is found out anew.
    pub(super) fn forget(&mut self) {
        self.taken.clear();
        self.indexed = false;
    }

    /// See [`hinted`].
    pub(super) fn hinted<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>>(
        &self,
        store: &S,
        geometry: &Geometry,
        wish: &Wish,
        options: &MapOptions,
    ) -> Option<Page> {
        if self.indexed {
            return hinted(&NotIn::new(&self.taken), geometry, wish, options);
        }
        hinted(&self.walk(store, geometry), geometry, wish, options)
    }

    /// See [`Placer::find`].
    pub(super) fn find<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>>(
        &self,
        store: &S,
        geometry: &Geometry,
        wish: &Wish,
        placer: &mut Placer,
    ) -> Option<Page> {
        if self.indexed {
            return placer.find(&NotIn::new(&self.taken), geometry, wish);
        }
        placer.find(&self.walk(store, geometry), geometry, wish)
    }

    /// What placement can use, found by a walk over all gaps.
    fn walk<'a, T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>>(
        &'a self,
        store: &'a S,
        geometry: &'a Geometry,
    ) -> impl Vacancy + 'a {
        Among(move || {
            free_in(
                &self.guards,
                &self.reserved,
                store,
                geometry,
                geometry.all(),
            )
        })
    }

    fn try_mend<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>>(
        &mut self,
        store: &S,
        geometry: &Geometry,
        window: Range<Page>,
    ) -> Result<(), AllocError> {
        self.taken.try_insert(window.clone(), ())?;
        let mut free = free_in(&self.guards, &self.reserved, store, geometry, window);
        free.try_for_each(|pages| self.taken.try_remove_with(pages, |_, ()| ()))
    }
}

/// Makes room for so many elements in an empty or shorter vector.
fn reserve(guards: &mut Vec<Guard>, len: usize) -> Result<(), AllocError> {
    let layout = || Layout::array::<Guard>(len).unwrap_or(Layout::new::<Guard>());
    guards
        .try_reserve_exact(len - guards.len())
        .map_err(|_| AllocError::new(layout()))
}

/// Some pages, and the gaps that they touch or are in, whole.
fn with_gaps<V: Clone + PartialEq, S: RangeStore<Page, V>>(
    store: &S,
    pages: &Range<Page>,
    all: &Range<Page>,
) -> Range<Page> {
    let below = store.overlapping(all.start..pages.start).next_back();
    let above = store.overlapping(pages.end..all.end).next();
    let start = below.map_or(all.start, |(entry, _)| entry.end.min(pages.start));
    let end = above.map_or(all.end, |(entry, _)| entry.start.max(pages.end));
    start..end
}

/// What placement can use of a window that cuts no gap, ascending.
fn free_in<'a, T: Clone + PartialEq + 'a, S: RangeStore<Page, PageMapping<T>>>(
    guards: &'a [Guard],
    reserved: &'a Pages,
    store: &'a S,
    geometry: &'a Geometry,
    window: Range<Page>,
) -> impl DoubleEndedIterator<Item = Range<Page>> + 'a {
    // Not `get`: look-ups of its callers elsewhere have a tenth more instructions then.
    let guard = move |page: Page| {
        let entry = store.overlapping(page..page.next()).next();
        let guard = entry.and_then(|(_, value)| guards.get(usize::from(value.guard())));
        guard.copied().unwrap_or_default()
    };
    store.gaps(window).flat_map(move |gap| {
        let below = gap.start.previous().map_or(0, |page| guard(page).above);
        let above = guard(gap.end).below;
        let start = gap.start.number().saturating_add(geometry.round_up(below));
        let end = gap.end.number().saturating_sub(geometry.round_up(above));
        let [start, end] =
            [start.min(gap.end.number()), end].map(|n| Page::new(n).unwrap_or(gap.end));
        reserved.gaps(start..end)
    })
}

/// The free ranges that a walk yields, ascending.
struct Among<W>(W);

impl<I: DoubleEndedIterator<Item = Range<Page>>, W: Fn() -> I> Vacancy for Among<W> {
    fn find_gap(&self, query: &GapQuery<Page>) -> Option<Page> {
        let mut free = (self.0)();
        match query.order {
            Order::Lowest => free.find_map(|free| query.fit(free)),
            Order::Highest => free.rev().find_map(|free| query.fit(free)),
        }
    }

    fn best_gap(&self, query: &GapQuery<Page>) -> Option<Page> {
        Best::among(query, (self.0)())
    }

    fn is_free(&self, pages: Range<Page>) -> bool {
        (self.0)().any(|free| free.start <= pages.start && pages.end <= free.end)
    }

    fn fitting(&self, query: &GapQuery<Page>) -> impl Iterator<Item = Range<Page>> {
        (self.0)().filter(|free| query.fit(free.clone()).is_some())
    }
}
