//! [`AddrSpace`] itself: what it consists of, how it is made, copied and checked.

use core::marker::PhantomData;
use core::ops::Range;

use super::error::SpaceError;
use super::geometry::{Geometry, count};
use super::mapping::{PageMapping, Placement, Region};
use super::page::Page;
use super::placement::Placer;
use super::rules::Rules;
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
/// `T` is the caller's own data of a region, [`data`](crate::Mapping::data); none by default. A
/// region that leaves the space is handed to the sink with its data; a sink that can
/// stop gets a clone, and the data itself is dropped when it has agreed to all.
///
/// # Sinks that stop
/// A sink that returns `Result<(), E>` or `ControlFlow<B>` can stop the call, for
/// instance because the host has refused: see [`Flow`](crate::Flow). Then what was
/// reported before has happened, the region of the last report and everything behind
/// it are as before, nothing is mapped, and totals are right. The call returns
/// `Ok` with what the sink said: `space.unmap(addr, len, sink)??` passes both errors
/// on.
///
/// ```
/// use gaptree::{AddrSpace, Mapping, Prot};
///
/// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
/// space.map_at(0x2000, 0x1000, Mapping::anonymous(Prot::READ, 0), |_| ())?;
/// space.map_at(0x4000, 0x1000, Mapping::anonymous(Prot::READ, 0), |_| ())?;
/// let host_unmap = |addr| if addr == 0x4000 { Err("the host says no") } else { Ok(()) };
/// let said = space.unmap(0, 0x10_0000, |region| host_unmap(region.addr))?;
/// assert_eq!(said, Err("the host says no"));
/// assert!(space.regions().map(|region| region.addr).eq([0x4000])); // as the host has it
/// # Ok::<(), gaptree::SpaceError>(())
/// ```
///
/// # Errors
/// A call that returns an error has changed nothing and reported nothing, but
/// for [`HolePolicy::StopAtHole`](crate::HolePolicy::StopAtHole). Where several errors apply, the first of this
/// list is returned; but `StopAtHole` says that a page is not mapped last of all, and
/// [`relocate`](Self::relocate) meets the region limit only with the memory for a copy.
///
/// | error | of a range `(addr, len)` | of a call that looks for a place |
/// |---|---|---|
/// | [`ZeroLength`](SpaceError::ZeroLength) | `len` is 0 | `len` is 0 |
/// | [`Misaligned`](SpaceError::Misaligned) | `addr` is not a multiple of the page size | |
/// | [`OutsideSpace`](SpaceError::OutsideSpace) | a byte of it, rounded up to pages, is outside the space, or past 2^64 | |
/// | [`BadAlignment`](SpaceError::BadAlignment) | | the alignment is neither 0 nor a power of two |
/// | [`Reserved`](SpaceError::Reserved) | a page is [reserved](Self::reserve) | |
/// | [`Sealed`](SpaceError::Sealed) | a page is [sealed](Self::seal), and the call would replace, unmap, protect, extend or move it | |
/// | [`Exists`](SpaceError::Exists) | a page is mapped, for [`map_fixed_noreplace`](Self::map_fixed_noreplace) | |
/// | [`Overlap`](SpaceError::Overlap) | source and target share a page, for [`relocate`](Self::relocate) | |
/// | [`NotMapped`](SpaceError::NotMapped) | a page is not mapped, for two of the [`HolePolicy`](crate::HolePolicy)s | |
/// | [`NoFreeRange`](SpaceError::NoFreeRange) | | it fits nowhere |
/// | [`ByteLimit`](SpaceError::ByteLimit) | it would leave more bytes mapped than [`set_byte_limit`](Self::set_byte_limit) allows | the same |
/// | [`RegionLimit`](SpaceError::RegionLimit) | it would leave more regions than [`set_region_limit`](Self::set_region_limit) allows | the same |
/// | [`OutOfMemory`](SpaceError::OutOfMemory) | the store could not get memory | the same |
///
/// # Panics
/// None. If a sink panics, what was reported before it has happened, the piece
/// of that report counts as removed (as unchanged, for
/// [`protect`](Self::protect) and [`update`](Self::update)), the rest is untouched, and
/// totals are right.
///
/// # What users ask
/// | question | answer |
/// |---|---|
/// | Which comes first, the bookkeeping or the sink? | The sink cannot look at the space, so it makes no difference but after a panic: in [`map_at`](Self::map_at) and [`unmap`](Self::unmap) the piece counts as gone, in [`protect`](Self::protect) and [`update`](Self::update) as unchanged. |
/// | Can the sink stop the call? | Yes: see above. |
/// | What allocates? | Only a call that changes regions, never once per region, and a copy. Whatever takes `&self` never does: queries, access checks, iterators. They clone the data of a region, whose `Clone` may allocate; [`query_ref`](Self::query_ref), [`check_access_ref`](Self::check_access_ref) and [`borrowed`](crate::Regions::borrowed) iterators do not even that. |
/// | May a signal handler look? | If the handler cannot interrupt a call that changes the space. Look-ups take no lock and allocate nothing. |
/// | Does growing a region allocate? | [`extend`](Self::extend) needs no new region, unless the old one is original. It allocates only if the grown region reaches the next leaf of the tree and its own leaf is full. |
/// | What does a copy cost? | [`try_clone`](Self::try_clone) is O(n). A copy goes on with the same random sequence as the original. |
/// | How is `mremap` done? | [`relocate`](Self::relocate) moves, [`extend`](Self::extend) grows in place, [`unmap`](Self::unmap) shrinks. |
/// | A stack's guard gap, memory of the host, `mseal`? | [`set_guard`](Self::set_guard), [`reserve`](Self::reserve), [`seal`](Self::seal). |
/// | `brk`, `fork`, `mlock`, names? | `brk`: [`map_fixed_noreplace`](Self::map_fixed_noreplace) and [`unmap`](Self::unmap) at its end. `fork`: a copy. `mlock`: [`update`](Self::update) sets a bit of [`flags`](crate::Mapping::flags). Names: [`data`](crate::Mapping::data). |
///
/// # Complexity
/// With `n` regions of which a call touches `k`: O(log n + k) with the default
/// engine, unless a method says otherwise. No call but [`relocate`](Self::relocate)
/// allocates for each region.
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
pub struct AddrSpace<T = (), S = BTreeStore<Page, PageMapping<T>>> {
    pub(super) store: S,
    pub(super) geometry: Geometry,
    /// How many pages are mapped.
    pub(super) mapped: u64,
    pub(super) placer: Placer,
    pub(super) rules: Rules,
    pub(super) data: PhantomData<T>,
}

impl<T: Clone + PartialEq> AddrSpace<T> {
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
    /// let top: AddrSpace = AddrSpace::new(1 << 63, 1 << 63, 4096)?;
    /// assert_eq!(top.size(), 1 << 63);
    /// assert_eq!(AddrSpace::<()>::new(0, 10_000, 4096).err(), Some(SpaceError::BadSpace));
    /// # Ok::<(), SpaceError>(())
    /// ```
    pub fn new(start: u64, len: u64, page_size: u64) -> Result<Self, SpaceError> {
        Self::with_engine(start, len, page_size)
    }
}

impl<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>> AddrSpace<T, S> {
    /// [`new`](AddrSpace::new) on any engine.
    ///
    /// # Errors
    /// As for [`new`](AddrSpace::new).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Page, PageMapping, SortedVecStore, SpaceError};
    ///
    /// type SmallSpace = AddrSpace<(), SortedVecStore<Page, PageMapping>>;
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
            rules: Rules::default(),
            data: PhantomData,
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
            data,
            ..
        } = *self;
        Ok(Self {
            store: self.store.try_clone()?,
            geometry,
            mapped,
            placer,
            rules: self.rules.try_clone()?,
            data,
        })
    }

    /// Asserts that store, totals and what placement can use are right; for tests.
    /// O(n log n).
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
        self.rules.kept.check(&self.store, &self.geometry);
    }
}

/// The region that an entry of the store stands for.
#[inline]
pub(super) fn region<T>(
    geometry: &Geometry,
    pages: &Range<Page>,
    value: PageMapping<T>,
) -> Region<T> {
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
