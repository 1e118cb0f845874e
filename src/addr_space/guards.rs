//! What placement keeps free, and what calls refuse: guards, reserved ranges, seals.

use core::ops::Range;

use super::error::SpaceError;
use super::limits::Edit;
use super::mapping::{Guard, PageMapping};
use super::page::Page;
use super::space::AddrSpace;
use crate::guard::ScopeGuard;
use crate::store::RangeStore;

impl<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>> AddrSpace<T, S> {
    /// The guard of a number; none at first.
    #[must_use]
    pub fn guard(&self, number: u8) -> Guard {
        self.rules.kept.guard(number)
    }

    /// Sets what regions keep free that [carry](crate::Mapping::guard) the guard of this
    /// number: placement and hints keep away from so many bytes next to such a region, as
    /// far as they are not mapped. Number 0 is what a mapping carries that says nothing.
    ///
    /// A guard is not mapped, listed or counted, and a gap that it is in is as long as
    /// before. A call with a fixed address may map there, as on Linux. Where two regions
    /// share a gap, each keeps its end of it free; behind the next region a guard ends.
    /// A new region itself can be put near others;
    /// [`MapOptions::margin`](crate::MapOptions::margin) keeps it away.
    ///
    /// A guard of Linux's stack is `Guard::below(256 * 4096)`. Linux takes the same hints
    /// and, in its legacy layout, the same places. Where it searches downwards, it goes on
    /// below all 256 pages once it has met such a gap, also where other memory is mapped
    /// among them, and so passes over free ranges that no guard covers here.
    ///
    /// With a guard or a [reserved](Self::reserve) range, what placement can use is kept
    /// in a store of its own: placements stay O(log n), but each call that changes
    /// regions costs O((k + 1) log n) and changes two stores. No call fails for lack of
    /// memory for the second; placements are then O(n) until a change finds memory.
    /// Setting a guard costs O(n log n).
    ///
    /// # Errors
    /// [`OutOfMemory`](SpaceError::OutOfMemory).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Guard, Mapping, Placement, Prot};
    ///
    /// const STACK: u8 = 1;
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.set_guard(STACK, Guard::below(0x8000))?;
    /// space.set_placement(Placement::Highest);
    /// let data = Mapping::anonymous(Prot::READ | Prot::WRITE, 0);
    /// space.map_at(0xe_0000, 0x2_0000, data.with_guard(STACK), |_| ())?;
    /// assert_eq!(space.map_any(None, 0x1000, data)?, 0xe_0000 - 0x8000 - 0x1000);
    /// space.map_at(0xd_f000, 0x1000, data, |_| ())?; // allowed: the address is fixed
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn set_guard(&mut self, number: u8, guard: Guard) -> Result<(), SpaceError> {
        self.rules.kept.set_guard(number, guard)?;
        self.rules.settle();
        self.rules.kept.forget();
        self.mended(self.geometry.all(), |_| ());
        Ok(())
    }

    /// Takes `len` bytes at `addr` away from the space's user: nothing is placed there,
    /// and a call that would map, unmap, protect, update, seal or move a page there is
    /// refused whole with [`Reserved`](SpaceError::Reserved). The range is not mapped;
    /// listings, gaps and totals are as before. For memory that belongs to the host.
    ///
    /// What is reserved stays so, also through [`reset`](Self::reset) and in a copy.
    /// O(log n) for `n` regions and reserved ranges, but for the first of a space
    /// without guards; see [`set_guard`](Self::set_guard).
    ///
    /// # Errors
    /// Those of a range, [`Exists`](SpaceError::Exists) if a page is mapped, and
    /// [`OutOfMemory`](SpaceError::OutOfMemory).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot, SpaceError};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.reserve(0, 0x4000)?;
    /// let data = Mapping::anonymous(Prot::READ, 0);
    /// assert_eq!(space.map_any(Some(0x1000), 0x1000, data), Ok(0x4000));
    /// assert_eq!(space.unmap(0, 0x10_0000, |_| ()), Err(SpaceError::Reserved));
    /// assert_eq!(space.region_count(), 1);
    /// # Ok::<(), SpaceError>(())
    /// ```
    pub fn reserve(&mut self, addr: u64, len: u64) -> Result<(), SpaceError> {
        let pages = self.geometry.pages_of(addr, len)?;
        if self.store.overlaps(pages.clone()) {
            return Err(SpaceError::Exists);
        }
        self.rules.kept.reserved.try_insert(pages.clone(), ())?;
        self.rules.settle();
        self.mended(pages, |_| ());
        Ok(())
    }

    /// Gives `len` bytes at `addr` back, as far as they are reserved.
    ///
    /// # Errors
    /// Those of a range, and [`OutOfMemory`](SpaceError::OutOfMemory), which only a range
    /// inside one that is reserved can meet.
    pub fn unreserve(&mut self, addr: u64, len: u64) -> Result<(), SpaceError> {
        let pages = self.geometry.pages_of(addr, len)?;
        let reserved = &mut self.rules.kept.reserved;
        reserved.try_remove_with(pages.clone(), |_, ()| ())?;
        self.rules.settle();
        self.mended(pages, |_| ());
        Ok(())
    }

    /// The reserved ranges as address and length in bytes, ascending; ranges that touch
    /// are one.
    pub fn reserved(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        let ranges = self.rules.kept.reserved.iter();
        ranges.map(|(pages, ())| self.geometry.range(&pages))
    }

    /// Seals the regions in `len` bytes at `addr` (`mseal`): a call that would map over,
    /// unmap, protect, extend or move a sealed page is refused whole with
    /// [`Sealed`](SpaceError::Sealed). [`update`](Self::update) can change sealed regions,
    /// and unseal them: it is the space's owner's call. [`reset`](Self::reset) and
    /// [`unmap_non_original`](Self::unmap_non_original) unmap them. A sealed region does
    /// not join one that is not. O(log n + k).
    ///
    /// # Errors
    /// Those of a range, [`Reserved`](SpaceError::Reserved),
    /// [`NotMapped`](SpaceError::NotMapped) if a page is not mapped,
    /// [`RegionLimit`](SpaceError::RegionLimit), and
    /// [`OutOfMemory`](SpaceError::OutOfMemory).
    ///
    /// ```
    /// use gaptree::{AddrSpace, HolePolicy, Mapping, Prot, SpaceError};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.map_at(0x2000, 0x4000, Mapping::anonymous(Prot::READ, 0), |_| ())?;
    /// space.seal(0x3000, 0x1000)?;
    /// let all = space.protect(0x2000, 0x4000, Prot::NONE, HolePolicy::Skip, |_| ());
    /// assert_eq!(all, Err(SpaceError::Sealed));
    /// space.unmap(0x2000, 0x1000, |_| ())?; // not sealed
    /// # Ok::<(), SpaceError>(())
    /// ```
    pub fn seal(&mut self, addr: u64, len: u64) -> Result<(), SpaceError> {
        let pages = self.geometry.pages_of(addr, len)?;
        self.check_reserved(&pages)?;
        if self.store.gaps(pages.clone()).next().is_some() {
            return Err(SpaceError::NotMapped);
        }
        let change = &PageMapping::set_sealed;
        let can_stop = false;
        self.check_limits(&pages, &Edit::Change { change, can_stop })?;
        // Before: if data panics, some regions are sealed.
        self.rules.has_sealed();
        self.store
            .try_update(pages, |_, value| value.set_sealed())?;
        Ok(())
    }

    /// Refuses pages of which one is reserved or sealed.
    pub(super) fn check_shut(&self, pages: &Range<Page>) -> Result<(), SpaceError> {
        self.check_reserved(pages)?;
        self.check_sealed(pages)
    }

    pub(super) fn check_reserved(&self, pages: &Range<Page>) -> Result<(), SpaceError> {
        match self.rules.kept.reserved.overlaps(pages.clone()) {
            true => Err(SpaceError::Reserved),
            false => Ok(()),
        }
    }

    pub(super) fn check_sealed(&self, pages: &Range<Page>) -> Result<(), SpaceError> {
        let mut entries = self.store.overlapping(pages.clone());
        match self.rules.sealed && entries.any(|(_, value)| value.is_sealed()) {
            true => Err(SpaceError::Sealed),
            false => Ok(()),
        }
    }

    /// Makes a change of some pages, and what placement can use right afterwards, also
    /// after a panic.
    #[cold]
    pub(super) fn mended<R>(
        &mut self,
        pages: Range<Page>,
        change: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let mut space = ScopeGuard::new(self, |space: &mut Self| {
            let Self {
                store,
                geometry,
                rules,
                ..
            } = space;
            rules.kept.mend(store, geometry, &pages);
        });
        change(&mut space)
    }
}
