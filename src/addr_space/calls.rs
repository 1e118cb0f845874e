//! The calls that change an address space: mapping, unmapping, protecting.

use core::mem;
use core::ops::Range;

use super::error::SpaceError;
use super::geometry::count;
use super::limits::Edit;
use super::mapping::{HolePolicy, MapOptions, Mapping, OffsetRule, PageMapping, Prot, Region};
use super::page::Page;
use super::placement::{NotIn, Placer, Wish, hinted};
use super::space::{AddrSpace, region};
use crate::flow::Flow;
use crate::guard::ScopeGuard;
use crate::store::RangeStore;

impl<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>> AddrSpace<T, S> {
    /// Maps `len` bytes at `hint` if it is page-aligned, inside the space and
    /// free for the whole length, else where the space's
    /// [`placement`](Self::placement) puts them. Returns the address. A hint
    /// that cannot be taken is ignored, as libmmap does. Linux rounds an
    /// unaligned hint down: see [`HintRule`](crate::HintRule). What
    /// [guards](Self::set_guard) and [reserved](Self::reserve) ranges keep free is not
    /// taken.
    ///
    /// Without a hint, one search of the store finds the gap and fills it. One more
    /// search is needed with a hint, a margin, a limit, a guard, a reserved or sealed
    /// range, any other placement, and a mapping with a linear offset, since what the
    /// store keeps of that depends on the address. A nearest placement is two searches.
    /// A random one is O(log n) expected, unless nearly everything is mapped: then
    /// it is O(g log n) for `g` long-enough gaps, as best fit always is at worst.
    ///
    /// # Errors
    /// [`ZeroLength`](SpaceError::ZeroLength),
    /// [`NoFreeRange`](SpaceError::NoFreeRange) if it fits nowhere,
    /// [`ByteLimit`](SpaceError::ByteLimit), [`RegionLimit`](SpaceError::RegionLimit),
    /// [`OutOfMemory`](SpaceError::OutOfMemory).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// let data = Mapping::anonymous(Prot::READ, 0);
    /// assert_eq!(space.map_any(Some(0x8000), 1, data)?, 0x8000);
    /// assert_eq!(space.map_any(Some(0x8000), 1, data)?, 0); // taken
    /// assert_eq!(space.map_any(Some(0x4001), 1, data)?, 0x1000); // not aligned
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn map_any(
        &mut self,
        hint: Option<u64>,
        len: u64,
        mapping: Mapping<T>,
    ) -> Result<u64, SpaceError> {
        self.map_any_with(
            len,
            mapping,
            &MapOptions {
                hint,
                ..MapOptions::default()
            },
        )
    }

    /// [`map_any`](Self::map_any) with a window, an alignment or a placement for
    /// this call. The placement is exact: if any address satisfies the options,
    /// one is found, and it is the lowest, highest, nearest, in the shortest free range
    /// or, if random, each with equal probability.
    ///
    /// # Errors
    /// As for [`map_any`](Self::map_any), and
    /// [`BadAlignment`](SpaceError::BadAlignment).
    ///
    /// ```
    /// use gaptree::{AddrSpace, MapOptions, Mapping, Placement, Prot};
    ///
    /// let mut space = AddrSpace::new(0x1000, 1 << 32, 0x1000)?;
    /// let data = Mapping::anonymous(Prot::READ, 0);
    /// let huge = MapOptions { align: 2 << 20, ..MapOptions::default() };
    /// assert_eq!(space.map_any_with(0x1000, data, &huge)?, 2 << 20);
    /// let low = MapOptions {
    ///     window: Some((0, 1 << 20)),
    ///     placement: Some(Placement::Highest),
    ///     ..MapOptions::default()
    /// };
    /// assert_eq!(space.map_any_with(0x1000, data, &low)?, (1 << 20) - 0x1000);
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn map_any_with(
        &mut self,
        len: u64,
        mapping: Mapping<T>,
        options: &MapOptions,
    ) -> Result<u64, SpaceError> {
        let mut placer = options.placement.map_or(self.placer, Placer::new);
        let wish = placer.wish(&self.geometry, len, options)?;
        let hint = self.hinted(&wish, options);
        // What the store keeps of a linear offset depends on the address, and the store
        // knows nothing of other placements, of margins and rules. Those need the
        // address first.
        let address_first = mapping.offset_rule == OffsetRule::Linear
            || !placer.is_by_order()
            || wish.has_margin()
            || self.rules.any;
        let page = match hint {
            None if !address_first => {
                let value = PageMapping::new(mapping, 0);
                self.counted(|space| {
                    let placed = space.store.try_allocate(&wish.query, value)?;
                    let page = placed.ok_or(SpaceError::NoFreeRange)?;
                    space.mapped += wish.len;
                    Ok::<Page, SpaceError>(page)
                })?
            }
            _ => {
                let found = hint.or_else(|| self.placed(&mut placer, &wish));
                let page = found.ok_or(SpaceError::NoFreeRange)?;
                let pages = self
                    .geometry
                    .pages_from(page, wish.len)
                    .ok_or(SpaceError::NoFreeRange)?;
                let value = PageMapping::new(mapping, self.geometry.addr(page));
                self.put_free(pages, value)?;
                page
            }
        };
        if options.placement.is_none() {
            self.placer = placer;
        }
        Ok(self.geometry.addr(page))
    }

    /// The address at which [`map_any_with`](Self::map_any_with) would map;
    /// changes nothing. A random placement is not used up: the next call that
    /// maps draws the same.
    ///
    /// # Errors
    /// As for [`map_any_with`](Self::map_any_with).
    ///
    /// ```
    /// use gaptree::{AddrSpace, MapOptions, Placement, SpaceError};
    ///
    /// let space: AddrSpace = AddrSpace::new(0, 0x8000, 0x1000)?;
    /// let top = MapOptions { placement: Some(Placement::Highest), ..MapOptions::default() };
    /// assert_eq!(space.find_free(0x2000, &top), Ok(0x6000));
    /// assert_eq!(space.find_free(0x8001, &top), Err(SpaceError::NoFreeRange));
    /// # Ok::<(), SpaceError>(())
    /// ```
    pub fn find_free(&self, len: u64, options: &MapOptions) -> Result<u64, SpaceError> {
        let mut placer = options.placement.map_or(self.placer, Placer::new);
        let wish = placer.wish(&self.geometry, len, options)?;
        let hint = self.hinted(&wish, options);
        let found = hint.or_else(|| self.placed(&mut placer, &wish));
        found
            .map(|page| self.geometry.addr(page))
            .ok_or(SpaceError::NoFreeRange)
    }

    /// Where the hint of a call puts a mapping.
    #[inline]
    fn hinted(&self, wish: &Wish, options: &MapOptions) -> Option<Page> {
        let Self {
            store, geometry, ..
        } = self;
        match self.rules.kept.any {
            false => hinted(&NotIn::new(store), geometry, wish, options),
            true => self.rules.kept.hinted(store, geometry, wish, options),
        }
    }

    /// Where the placement of a call puts a mapping.
    #[inline]
    fn placed(&self, placer: &mut Placer, wish: &Wish) -> Option<Page> {
        let Self {
            store, geometry, ..
        } = self;
        match self.rules.kept.any {
            false => placer.find(&NotIn::new(store), geometry, wish),
            true => self.rules.kept.find(store, geometry, wish, placer),
        }
    }

    /// Maps pages that are free.
    #[inline]
    pub(super) fn put_free(
        &mut self,
        pages: Range<Page>,
        value: PageMapping<T>,
    ) -> Result<(), SpaceError> {
        let put = |space: &mut Self, pages: Range<Page>, value| {
            let added = count(&pages);
            space.counted(|space| {
                space.store.try_insert(pages, value)?;
                space.mapped += added;
                Ok(())
            })
        };
        if self.rules.any {
            self.check_limits(&pages, &Edit::Put(&value))?;
            return self.mended(pages.clone(), |space| put(space, pages, value));
        }
        put(self, pages, value)
    }

    /// Maps `len` bytes at `addr`, replacing what is there (`MAP_FIXED`). Each
    /// region that is replaced is reported first. If the sink stops, nothing is
    /// mapped; see [`AddrSpace`].
    ///
    /// # Errors
    /// Those of a range, the limits', and [`OutOfMemory`](SpaceError::OutOfMemory).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.map_at(0x2000, 0x4000, Mapping::file(Prot::READ, 0, 3, 0), |_| ())?;
    /// let mut replaced = Vec::new();
    /// let data = Mapping::anonymous(Prot::WRITE, 0);
    /// space.map_at(0x3000, 0x1000, data, |region| replaced.push(region))?;
    /// assert_eq!(replaced[0].mapping.offset, 0x1000);
    /// assert_eq!(space.query(0x4000).unwrap().mapping.offset, 0x2000);
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn map_at<F: Flow>(
        &mut self,
        addr: u64,
        len: u64,
        mapping: Mapping<T>,
        sink: impl FnMut(Region<T>) -> F,
    ) -> Result<F, SpaceError> {
        let pages = self.geometry.pages_of(addr, len)?;
        let value = PageMapping::new(mapping, addr);
        if self.rules.any {
            self.check_shut(&pages)?;
            self.check_limits(&pages, &Edit::Put(&value))?;
            return self.mended(pages.clone(), |space| {
                space.counted(|space| space.put(pages, value, sink))
            });
        }
        // Without the closure, it has 0.7 % fewer instructions.
        if mem::needs_drop::<T>() {
            return self.counted(|space| space.put(pages, value, sink));
        }
        self.put(pages, value, sink)
    }

    /// Makes a change that counts what it maps when it is made. If data panics when it
    /// is dropped, then that was too early to count: it is counted anew.
    #[inline]
    fn counted<R>(&mut self, change: impl FnOnce(&mut Self) -> R) -> R {
        if !mem::needs_drop::<T>() {
            return change(self);
        }
        let mut space = ScopeGuard::new(self, |space: &mut Self| {
            let entries = space.store.iter();
            space.mapped = entries.map(|(pages, _)| count(&pages)).sum();
        });
        let changed = change(&mut space);
        space.defuse();
        changed
    }

    /// Maps pages, and reports what was there.
    #[inline]
    fn put<F: Flow>(
        &mut self,
        pages: Range<Page>,
        value: PageMapping<T>,
        mut sink: impl FnMut(Region<T>) -> F,
    ) -> Result<F, SpaceError> {
        let added = count(&pages);
        let Self {
            store,
            geometry,
            mapped,
            ..
        } = self;
        let said = store.try_insert_with(pages, value, |pages, value| {
            unmapped(mapped, &pages, || sink(region(geometry, &pages, value)))
        })?;
        if !said.stops() {
            self.mapped += added;
        }
        Ok(said)
    }

    /// Maps `len` bytes at `addr` if all of it is free
    /// (`MAP_FIXED_NOREPLACE`).
    ///
    /// # Errors
    /// Those of a range, [`Exists`](SpaceError::Exists) if any page is mapped, the limits',
    /// and [`OutOfMemory`](SpaceError::OutOfMemory).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot, SpaceError};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// let data = Mapping::anonymous(Prot::READ, 0);
    /// space.map_fixed_noreplace(0x4000, 0x1000, data)?;
    /// assert_eq!(space.map_fixed_noreplace(0x3000, 0x1001, data), Err(SpaceError::Exists));
    /// # Ok::<(), SpaceError>(())
    /// ```
    pub fn map_fixed_noreplace(
        &mut self,
        addr: u64,
        len: u64,
        mapping: Mapping<T>,
    ) -> Result<(), SpaceError> {
        let pages = self.geometry.pages_of(addr, len)?;
        if self.rules.any {
            self.check_reserved(&pages)?;
        }
        if self.store.overlaps(pages.clone()) {
            return Err(SpaceError::Exists);
        }
        self.put_free(pages, PageMapping::new(mapping, addr))
    }

    /// Unmaps `len` bytes at `addr` and reports each region, clipped. Pages
    /// that are not mapped are passed over, as on Linux. The sink can stop it.
    ///
    /// # Errors
    /// Those of a range, and [`RegionLimit`](SpaceError::RegionLimit) and
    /// [`OutOfMemory`](SpaceError::OutOfMemory), which only a range inside one region can
    /// meet.
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.map_at(0x2000, 0x4000, Mapping::anonymous(Prot::READ, 0), |_| ())?;
    /// let mut gone = Vec::new();
    /// space.unmap(0x4000, 0x8000, |region| gone.push((region.addr, region.len)))?;
    /// assert_eq!(gone, [(0x4000, 0x2000)]);
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn unmap<F: Flow>(
        &mut self,
        addr: u64,
        len: u64,
        sink: impl FnMut(Region<T>) -> F,
    ) -> Result<F, SpaceError> {
        let pages = self.geometry.pages_of(addr, len)?;
        if self.rules.any {
            self.check_shut(&pages)?;
            self.check_limits(&pages, &Edit::Take)?;
            return self.mended(pages.clone(), |space| space.unmap_pages(pages, sink));
        }
        self.unmap_pages(pages, sink)
    }

    pub(super) fn unmap_pages<F: Flow>(
        &mut self,
        pages: Range<Page>,
        mut sink: impl FnMut(Region<T>) -> F,
    ) -> Result<F, SpaceError> {
        let Self {
            store,
            geometry,
            mapped,
            ..
        } = self;
        Ok(store.try_remove_with(pages, |pages, value| {
            unmapped(mapped, &pages, || sink(region(geometry, &pages, value)))
        })?)
    }

    /// Gives the mapped pages of `len` bytes at `addr` this protection; nothing
    /// else of their mappings changes. Reports each region, clipped, with its
    /// mapping from before, also where its protection does not change. A region
    /// at which the sink stops keeps its protection. `holes` says what pages that are
    /// not mapped do.
    ///
    /// # Errors
    /// Those of a range, [`NotMapped`](SpaceError::NotMapped) as `holes` says,
    /// [`RegionLimit`](SpaceError::RegionLimit), and [`OutOfMemory`](SpaceError::OutOfMemory).
    ///
    /// ```
    /// use gaptree::{AddrSpace, HolePolicy, Mapping, Prot, SpaceError};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.map_at(0x2000, 0x2000, Mapping::anonymous(Prot::READ, 0), |_| ())?;
    /// let all = HolePolicy::RequireMapped;
    /// let refused = space.protect(0x3000, 0x2000, Prot::NONE, all, |_| ());
    /// assert_eq!(refused, Err(SpaceError::NotMapped));
    /// space.protect(0x3000, 0x2000, Prot::NONE, HolePolicy::Skip, |old| {
    ///     assert_eq!((old.addr, old.len, old.mapping.prot), (0x3000, 0x1000, Prot::READ));
    /// })?;
    /// assert_eq!(space.region_count(), 2);
    /// # Ok::<(), SpaceError>(())
    /// ```
    pub fn protect<F: Flow>(
        &mut self,
        addr: u64,
        len: u64,
        prot: Prot,
        holes: HolePolicy,
        mut sink: impl FnMut(Region<T>) -> F,
    ) -> Result<F, SpaceError> {
        let pages = self.geometry.pages_of(addr, len)?;
        if self.rules.any {
            self.check_shut(&pages)?;
        }
        let (pages, refused) = self.up_to_hole(pages, holes)?;
        if self.rules.any {
            let change = &|value: &mut PageMapping<T>| value.set_prot(prot);
            let can_stop = F::CAN_STOP;
            self.check_limits(&pages, &Edit::Change { change, can_stop })?;
        }
        let Self {
            store, geometry, ..
        } = self;
        let said = store.try_update(pages, |pages, value| {
            let said = sink(region(geometry, &pages, value.clone()));
            value.set_prot(prot);
            said
        })?;
        stopped_or(said, refused)
    }

    /// Changes any field of the mappings of `len` bytes at `addr`: calls `change`
    /// with each region, clipped, and with its mapping, which it can change.
    /// Equal neighbours are one region afterwards. The offset is that of the
    /// clipped region's first byte. [`protect`](Self::protect) is one case of this;
    /// locking, naming, taking one bit of the protection away are others.
    ///
    /// A region changes when `change` returns; one at which it [stops](Flow) or
    /// panics stays as it was. `holes` says what pages that are not mapped do.
    /// Allocates only where the range cuts a region; clones the data of each region
    /// three times. O(log n + k).
    ///
    /// # Errors
    /// As for [`protect`](Self::protect).
    ///
    /// ```
    /// use gaptree::{AddrSpace, HolePolicy, Mapping, Prot};
    ///
    /// const LOCKED: u32 = 0x2000;
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.map_at(0x2000, 0x4000, Mapping::anonymous(Prot::READ, 2), |_| ())?;
    /// let mut locked = 0;
    /// space.update(0x3000, 0x1000, HolePolicy::RequireMapped, |region, mapping| {
    ///     mapping.flags |= LOCKED;
    ///     locked += region.len;
    /// })?;
    /// assert_eq!((locked, space.region_count()), (0x1000, 3));
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn update<F: Flow>(
        &mut self,
        addr: u64,
        len: u64,
        holes: HolePolicy,
        change: impl FnMut(Region<T>, &mut Mapping<T>) -> F,
    ) -> Result<F, SpaceError> {
        let pages = self.geometry.pages_of(addr, len)?;
        if self.rules.any {
            self.check_reserved(&pages)?;
        }
        let (pages, refused) = self.up_to_hole(pages, holes)?;
        let said = if self.rules.any {
            self.check_limits(&pages, &Edit::Unknown)?;
            self.mended(pages.clone(), |space| space.change(pages, change))?
        } else {
            self.change(pages, change)?
        };
        stopped_or(said, refused)
    }

    /// Changes the mappings of pages.
    #[inline]
    fn change<F: Flow>(
        &mut self,
        pages: Range<Page>,
        mut change: impl FnMut(Region<T>, &mut Mapping<T>) -> F,
    ) -> Result<F, SpaceError> {
        let Self {
            store,
            geometry,
            rules,
            ..
        } = self;
        Ok(store.try_update(pages, |pages, value| {
            let region = region(geometry, &pages, value.clone());
            let addr = region.addr;
            let mut mapping = region.mapping.clone();
            let said = change(region, &mut mapping);
            *value = PageMapping::again(mapping, addr);
            if value.is_sealed() {
                rules.has_sealed();
            }
            said
        })?)
    }

    /// The pages that a call changes, and what it is refused with after that because
    /// of a hole.
    #[inline]
    fn up_to_hole(
        &self,
        pages: Range<Page>,
        holes: HolePolicy,
    ) -> Result<(Range<Page>, Option<SpaceError>), SpaceError> {
        let hole = match holes {
            HolePolicy::Skip => None,
            HolePolicy::StopAtHole | HolePolicy::RequireMapped => {
                self.store.gaps(pages.clone()).next()
            }
        };
        match hole {
            None => Ok((pages, None)),
            Some(_) if holes == HolePolicy::RequireMapped => Err(SpaceError::NotMapped),
            Some(hole) => Ok((pages.start..hole.start, Some(SpaceError::NotMapped))),
        }
    }

    /// Marks everything that is mapped now as
    /// [`original`](Mapping::original). Equal neighbours of which only one was
    /// marked become one region. O(n).
    pub fn mark_original(&mut self) {
        self.store
            .update(self.geometry.all(), |_, value| value.set_original());
    }

    /// Unmaps everything that is not [`original`](Mapping::original) and
    /// reports each region. Original pages that were unmapped or replaced in
    /// between do not come back, nor does their protection. The sink can stop it.
    /// O(n).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// let data = Mapping::anonymous(Prot::READ, 0);
    /// space.map_at(0x2000, 0x2000, data, |_| ())?;
    /// space.mark_original();
    /// space.map_at(0x3000, 0x4000, data, |_| ())?;
    /// space.unmap_non_original(|region| assert_eq!(region.addr, 0x3000));
    /// assert_eq!(space.mapped_bytes(), 0x1000);
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn unmap_non_original<F: Flow>(&mut self, sink: impl FnMut(Region<T>) -> F) -> F {
        if self.rules.any {
            let all = self.geometry.all();
            return self.mended(all, |space| space.take_non_original(sink));
        }
        self.take_non_original(sink)
    }

    fn take_non_original<F: Flow>(&mut self, mut sink: impl FnMut(Region<T>) -> F) -> F {
        let mut rest = self.geometry.all();
        while let Some(pages) = self.next_non_original(rest.clone()) {
            rest.start = pages.end;
            let Self {
                store,
                geometry,
                mapped,
                ..
            } = self;
            // Whole regions go, so that this needs no memory.
            let said = store.remove_with(pages, |pages, value| {
                unmapped(mapped, &pages, || sink(region(geometry, &pages, value)))
            });
            if said.stops() {
                return said;
            }
        }
        F::GO_ON
    }

    /// From the first region of `pages` that is not original to the next one
    /// that is, or to the end.
    fn next_non_original(&self, pages: Range<Page>) -> Option<Range<Page>> {
        let mut entries = self.store.overlapping(pages.clone());
        let (first, _) = entries.find(|(_, value)| !value.is_original())?;
        let next = entries.find(|(_, value)| value.is_original());
        Some(first.start..next.map_or(pages.end, |(range, _)| range.start))
    }

    /// Unmaps everything without reporting it. Bounds, page size and placement
    /// stay, and a random placement goes on where it is. O(n).
    pub fn reset(&mut self) {
        self.mapped = 0;
        if self.rules.any {
            self.rules.sealed = false;
            self.rules.settle();
            return self.mended(self.geometry.all(), |space| space.store.clear());
        }
        self.store.clear();
    }
}

/// Counts pages as unmapped while `report` runs, and after it, unless it stops.
#[inline]
fn unmapped<F: Flow>(mapped: &mut u64, pages: &Range<Page>, report: impl FnOnce() -> F) -> F {
    *mapped -= count(pages);
    let said = report();
    if said.stops() {
        *mapped += count(pages);
    }
    said
}

/// What a call says that changed what precedes a hole: a sink that stopped never got
/// there.
#[inline]
fn stopped_or<F: Flow>(said: F, refused: Option<SpaceError>) -> Result<F, SpaceError> {
    match refused {
        Some(error) if !said.stops() => Err(error),
        _ => Ok(said),
    }
}
