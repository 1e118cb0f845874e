//! Limits on regions and bytes, and what a call would leave, foretold exactly.

use core::ops::Range;

use super::error::SpaceError;
use super::geometry::count;
use super::mapping::PageMapping;
use super::page::Page;
use super::space::AddrSpace;
use crate::span::common;
use crate::store::RangeStore;

/// What a call does to a range of pages.
pub(super) enum Edit<'a, T> {
    /// Maps all of them so.
    Put(&'a PageMapping<T>),
    /// Unmaps them.
    Take,
    /// Changes those that are mapped.
    Change {
        change: &'a dyn Fn(&mut PageMapping<T>),
        /// Whether a sink can stop it at each of them.
        can_stop: bool,
    },
    /// Changes those that are mapped in a way that is not known before.
    Unknown,
}

/// Entries in the making: adjacent equal ones are one.
struct Tally<T> {
    entries: usize,
    last: Option<(Page, PageMapping<T>)>,
}

impl<T: Clone + PartialEq> Tally<T> {
    /// The next pages, which may be none.
    fn add(&mut self, pages: Range<Page>, value: &PageMapping<T>) {
        if pages.start >= pages.end {
            return;
        }
        self.entries += usize::from(!self.joins(pages.start, value));
        self.last = Some((pages.end, value.clone()));
    }

    /// Whether pages from `start` on with this value are one with the last.
    fn joins(&self, start: Page, value: &PageMapping<T>) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|(end, last)| *end == start && last == value)
    }
}

impl<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>> AddrSpace<T, S> {
    /// The most regions that a call may leave, as Linux's `max_map_count`; `None` for no
    /// limit.
    #[must_use]
    pub fn region_limit(&self) -> Option<usize> {
        self.rules.limits.regions
    }

    /// Sets the most regions that a call may leave. A call that would leave more, and
    /// more than there are, is refused with [`RegionLimit`](SpaceError::RegionLimit); it
    /// has changed and reported nothing. What it would leave is foretold exactly: it is
    /// not refused if regions join or go. Regions that are there stay, however many.
    ///
    /// [`protect`](Self::protect) is refused also if its sink can [stop](crate::Flow), and
    /// could stop it where there are too many. What [`update`](Self::update) does is not
    /// known before: it is refused if the regions that its range cuts could become too
    /// many.
    ///
    /// A call that comes within two regions of the limit costs O(log n + k) more for `k`
    /// regions in its range. With any limit a call that looks for a place searches twice.
    /// A copy has the same limits, [`reset`](Self::reset) keeps them, and `==` does not
    /// compare them.
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot, SpaceError};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// let data = Mapping::anonymous(Prot::READ, 0);
    /// space.set_region_limit(Some(1));
    /// space.map_at(0x2000, 0x3000, data, |_| ())?;
    /// assert_eq!(space.unmap(0x3000, 0x1000, |_| ()), Err(SpaceError::RegionLimit));
    /// assert_eq!(space.map_any(Some(0x8000), 0x1000, data), Err(SpaceError::RegionLimit));
    /// space.map_at(0x5000, 0x1000, data, |_| ())?; // joins
    /// # Ok::<(), SpaceError>(())
    /// ```
    pub fn set_region_limit(&mut self, limit: Option<usize>) {
        self.rules.limits.regions = limit;
        self.rules.settle();
    }

    /// The most bytes that a call may leave mapped, as Linux's `RLIMIT_AS`; `None` for no
    /// limit.
    #[must_use]
    pub fn byte_limit(&self) -> Option<u64> {
        self.rules.limits.bytes
    }

    /// Sets the most bytes that a call may leave mapped. A call that would leave more,
    /// and more than there are, is refused with [`ByteLimit`](SpaceError::ByteLimit); it
    /// has changed nothing. Otherwise as [`set_region_limit`](Self::set_region_limit).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot, SpaceError};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// let data = Mapping::anonymous(Prot::READ, 0);
    /// space.set_byte_limit(Some(0x2000));
    /// space.map_at(0x2000, 0x2000, data, |_| ())?;
    /// space.map_at(0x2000, 0x2000, data, |_| ())?; // replaces
    /// assert_eq!(space.map_at(0x3000, 0x2000, data, |_| ()), Err(SpaceError::ByteLimit));
    /// # Ok::<(), SpaceError>(())
    /// ```
    pub fn set_byte_limit(&mut self, limit: Option<u64>) {
        self.rules.limits.bytes = limit;
        self.rules.settle();
    }

    /// Refuses an edit that would leave too much.
    pub(super) fn check_limits(
        &self,
        pages: &Range<Page>,
        edit: &Edit<'_, T>,
    ) -> Result<(), SpaceError> {
        if let Edit::Put(_) = edit {
            self.check_pages(self.mapped + count(pages)).or_else(|_| {
                let kept = self.mapped - self.pages_mapped_in(pages);
                self.check_pages(kept + count(pages))
            })?;
        }
        // One range cuts two regions at most.
        let most = self.store.len().saturating_add(2);
        if self.rules.limits.regions.is_some_and(|limit| most > limit) {
            self.check_regions(self.regions_after(pages, edit))?;
        }
        Ok(())
    }

    /// Refuses to have so many regions.
    pub(super) fn check_regions(&self, after: usize) -> Result<(), SpaceError> {
        let exceeds = |limit| after > limit && after > self.store.len();
        if self.rules.limits.regions.is_some_and(exceeds) {
            return Err(SpaceError::RegionLimit);
        }
        Ok(())
    }

    /// Refuses to have so many pages mapped.
    pub(super) fn check_pages(&self, after: u64) -> Result<(), SpaceError> {
        // In pages: `after` may be a bound, of more bytes than there are.
        let page_size = self.geometry.page_size();
        let exceeds = |limit| after > limit / page_size && after > self.mapped;
        if self.rules.limits.bytes.is_some_and(exceeds) {
            return Err(SpaceError::ByteLimit);
        }
        Ok(())
    }

    /// How many pages of a range are mapped.
    pub(super) fn pages_mapped_in(&self, pages: &Range<Page>) -> u64 {
        let entries = self.store.overlapping(pages.clone());
        let shared = entries.map(|(entry, _)| count(&common(&entry, pages)));
        shared.sum()
    }

    /// How many regions there are after an edit of a range, or wherever its sink can
    /// stop it: the most.
    fn regions_after(&self, pages: &Range<Page>, edit: &Edit<'_, T>) -> usize {
        let Range { start, end } = *pages;
        // What overlaps the range, and what it touches.
        let below = start.previous().unwrap_or(start);
        let mut near = self.store.overlapping(below..end.next());
        let touched = near.clone().count();
        let mut tally = Tally {
            entries: 0,
            last: None,
        };
        if let Some((entry, value)) = near.clone().next() {
            tally.add(entry.start..entry.end.min(start), value);
        }
        let mut most = 0;
        match edit {
            Edit::Put(value) => tally.add(start..end, value),
            Edit::Take => {}
            Edit::Change { change, can_stop } => {
                for (passed, (entry, value)) in near.clone().enumerate() {
                    let piece = common(&entry, pages);
                    // Stopped here, this entry and those above are as before.
                    let joined = usize::from(tally.joins(piece.start, value));
                    if *can_stop {
                        most = most.max(tally.entries + touched - passed - joined);
                    }
                    let mut value = value.clone();
                    change(&mut value);
                    tally.add(piece, &value);
                }
            }
            Edit::Unknown => {
                let cuts = |page| {
                    near.clone()
                        .any(|(entry, _)| entry.start < page && page < entry.end)
                };
                return self.store.len() + usize::from(cuts(start)) + usize::from(cuts(end));
            }
        }
        if let Some((entry, value)) = near.next_back() {
            tally.add(entry.start.max(end)..entry.end, value);
        }
        self.store.len() - touched + tally.entries.max(most)
    }
}
