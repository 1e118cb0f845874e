//! [`AddrSpace`] itself: what it consists of, how it is made, copied and checked.

use core::ops::Range;

use super::error::SpaceError;
use super::geometry::{Geometry, count};
use super::mapping::{PageMapping, Placement, Region};
use super::page::Page;
use super::placement::Placer;
use crate::btree::BTreeStore;
use crate::store::RangeStore;

/// What is mapped in an address space `[start, start + len)`: the bookkeeping of
/// mmap, munmap and mprotect. No call touches real memory.
///
/// Addresses and lengths are in bytes. Lengths are rounded up to whole pages.
/// Adjacent pages with one mapping are one [`Region`], always: see
/// [`OffsetRule`](crate::OffsetRule) for what that means for files. The last page of the 64-bit
/// space can be used.
///
/// A call that changes regions reports what it replaces, unmaps or changes to a
/// sink: ascending, clipped to the range of the call, each piece with its own
/// address and offset and its mapping from before the change.
///
/// # Errors
/// A call that returns an error has changed nothing and reported nothing, but
/// for [`HolePolicy::StopAtHole`](crate::HolePolicy::StopAtHole). Where several errors apply, the first of this
/// list is returned.
///
/// | error | of a range `(addr, len)` | of a call that looks for a place |
/// |---|---|---|
/// | [`ZeroLength`](SpaceError::ZeroLength) | `len` is 0 | `len` is 0 |
/// | [`Misaligned`](SpaceError::Misaligned) | `addr` is not a multiple of the page size | |
/// | [`OutsideSpace`](SpaceError::OutsideSpace) | a byte of it, rounded up to pages, is outside the space, or past 2^64 | |
/// | [`BadAlignment`](SpaceError::BadAlignment) | | the alignment is neither 0 nor a power of two |
/// | [`Exists`](SpaceError::Exists) | a page is mapped, for [`map_fixed_noreplace`](Self::map_fixed_noreplace) | |
/// | [`NotMapped`](SpaceError::NotMapped) | a page is not mapped, for two of the [`HolePolicy`](crate::HolePolicy)s | |
/// | [`NoFreeRange`](SpaceError::NoFreeRange) | | it fits nowhere |
/// | [`OutOfMemory`](SpaceError::OutOfMemory) | the store could not get memory | the same |
///
/// # Panics
/// None. If a sink panics, what was reported before it has happened, the piece
/// of that report counts as removed (as unchanged, for
/// [`protect`](Self::protect)), the rest is untouched, and totals are right.
///
/// # What users ask
/// | question | answer |
/// |---|---|
/// | Which comes first, the bookkeeping or the sink? | In [`map_at`](Self::map_at) and [`unmap`](Self::unmap) a piece is gone from the space when the sink hears of it; in [`protect`](Self::protect) it changes when the sink returns. The sink cannot look at the space. |
/// | Can the sink stop the call? | No. What the host refuses must be set right afterwards. |
/// | What allocates? | Only a call that changes regions, never once per region, and a copy. [`query`](Self::query), [`regions_in`](Self::regions_in), [`check_access`](Self::check_access), [`gaps`](Self::gaps) and their iterators never do. |
/// | Does growing a region allocate? | [`map_fixed_noreplace`](Self::map_fixed_noreplace) of the same mapping behind it needs no new region. It allocates only if the grown region reaches the next leaf of the tree and its own leaf is full. |
/// | What does a copy cost? | [`try_clone`](Self::try_clone) is O(n). A copy goes on with the same random sequence as the original. |
/// | How is `mremap` done? | Collect [`regions_in`](Self::regions_in) of the old range and clip each region to it; a linear offset grows by what is cut off in front. Then [`map_at`](Self::map_at) each at the new place and [`unmap`](Self::unmap) the old range. What is mapped anew is never [`original`](crate::Mapping::original). |
/// | `brk`, `fork`, `mlock`, names? | `brk`: [`map_fixed_noreplace`](Self::map_fixed_noreplace) and [`unmap`](Self::unmap) at its end. `fork`: a copy. For `mlock` and names a mapping has no field: use bits of [`flags`](crate::Mapping::flags), or a [`RangeMap`](crate::RangeMap) beside the space. |
///
/// # Complexity
/// With `n` regions of which a call touches `k`: O(log n + k) with the default
/// engine, unless a method says otherwise. No call allocates for each region.
///
/// ```
/// use gaptree::{AddrSpace, HolePolicy, Mapping, Prot};
///
/// let mut space = AddrSpace::new(0x1000, 0x10_0000, 0x1000)?;
/// let stack = space.map_any(None, 0x3000, Mapping::anonymous(Prot::READ | Prot::WRITE, 0))?;
/// assert_eq!(stack, 0x1000);
/// space.protect(stack, 0x1000, Prot::NONE, HolePolicy::Skip, |_| ())?;
/// assert_eq!(space.to_string(), "\
/// 00001000-00002000 ---p 00000000 00:00 0
/// 00002000-00004000 rw-p 00000000 00:00 0
/// ");
/// # Ok::<(), gaptree::SpaceError>(())
/// ```
#[derive(Clone)]
pub struct AddrSpace<S = BTreeStore<Page, PageMapping>> {
    pub(super) store: S,
    pub(super) geometry: Geometry,
    /// How many pages are mapped.
    pub(super) mapped: u64,
    pub(super) placer: Placer,
}

impl AddrSpace {
    /// An empty space of `len` bytes from address `start` on, placing at the
    /// lowest address that fits. Allocates nothing.
    ///
    /// # Errors
    /// [`BadSpace`](SpaceError::BadSpace): `page_size` is not a power of two,
    /// `start` or `len` is not a multiple of it, `len` is 0, the space ends
    /// past 2^64, or it has more than [`Page::LIMIT`] pages.
    ///
    /// ```
    /// use gaptree::{AddrSpace, SpaceError};
    ///
    /// let top = AddrSpace::new(1 << 63, 1 << 63, 4096)?;
    /// assert_eq!(top.size(), 1 << 63);
    /// assert_eq!(AddrSpace::new(0, 10_000, 4096).err(), Some(SpaceError::BadSpace));
    /// # Ok::<(), SpaceError>(())
    /// ```
    pub fn new(start: u64, len: u64, page_size: u64) -> Result<Self, SpaceError> {
        Self::with_engine(start, len, page_size)
    }
}

impl<S: RangeStore<Page, PageMapping>> AddrSpace<S> {
    /// [`new`](AddrSpace::new) on any engine.
    ///
    /// # Errors
    /// As for [`new`](AddrSpace::new).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Page, PageMapping, SortedVecStore, SpaceError};
    ///
    /// type SmallSpace = AddrSpace<SortedVecStore<Page, PageMapping>>;
    /// let space = SmallSpace::with_engine(0, 1 << 32, 4096)?;
    /// assert_eq!(space.region_count(), 0);
    /// # Ok::<(), SpaceError>(())
    /// ```
    pub fn with_engine(start: u64, len: u64, page_size: u64) -> Result<Self, SpaceError> {
        let geometry = Geometry::new(start, len, page_size)?;
        let placer = Placer::new(Placement::default());
        Ok(Self {
            store: S::EMPTY,
            geometry,
            mapped: 0,
            placer,
        })
    }

    /// Where [`map_any`](Self::map_any) places; [`Placement::Lowest`] at first.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.placer.placement()
    }

    /// Sets where [`map_any`](Self::map_any) places. A
    /// [`Random`](Placement::Random) placement starts its sequence again.
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Placement, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 1 << 40, 0x1000)?;
    /// space.set_placement(Placement::Random(42));
    /// let first = space.map_any(None, 0x1000, Mapping::anonymous(Prot::READ, 0))?;
    /// space.reset();
    /// space.set_placement(Placement::Random(42));
    /// assert_eq!(space.map_any(None, 0x1000, Mapping::anonymous(Prot::READ, 0))?, first);
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn set_placement(&mut self, placement: Placement) {
        self.placer = Placer::new(placement);
    }

    /// A copy.
    ///
    /// # Errors
    /// [`OutOfMemory`](SpaceError::OutOfMemory). [`Clone`] ends the program
    /// instead.
    pub fn try_clone(&self) -> Result<Self, SpaceError> {
        let Self {
            geometry,
            mapped,
            placer,
            ..
        } = *self;
        Ok(Self {
            store: self.store.try_clone()?,
            geometry,
            mapped,
            placer,
        })
    }

    /// Asserts that store and totals are right; for tests. O(n).
    ///
    /// # Panics
    /// They are not.
    pub fn check(&self) {
        self.store.check();
        let entries = self.store.iter();
        let mapped: u64 = entries.map(|(pages, _)| count(&pages)).sum();
        assert_eq!(self.mapped, mapped, "pages counted, and mapped");
        let last = self
            .store
            .last()
            .map_or(Page::default(), |(pages, _)| pages.end);
        assert!(
            last <= self.geometry.all().end,
            "{last:?} is past the end of the space"
        );
    }
}

/// The region that an entry of the store stands for.
#[inline]
pub(super) fn region(geometry: &Geometry, pages: &Range<Page>, value: PageMapping) -> Region {
    let addr = geometry.addr(pages.start);
    Region {
        addr,
        len: geometry.bytes(count(pages)),
        mapping: value.at(addr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broken::expect_refused;
    use crate::{Mapping, Prot};

    fn space() -> AddrSpace {
        let mut space = AddrSpace::new(0, 0x8000, 0x1000).expect("a space");
        let data = Mapping::anonymous(Prot::READ, 0);
        space.map_at(0x4000, 0x4000, data, |_| ()).expect("inside");
        space.check();
        space
    }

    #[test]
    fn check_refuses_wrong_totals_and_pages_outside() {
        let mut broken = space();
        broken.mapped += 1;
        expect_refused("pages counted", || broken.check());
        let mut broken = space();
        broken.geometry = Geometry::new(0, 0x7000, 0x1000).expect("a geometry");
        expect_refused("is past the end", || broken.check());
    }
}
