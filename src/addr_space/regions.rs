//! Looking at an address space: queries, access checks, totals. What its iterators
//! are is in [`views`](super::views).

use core::fmt;
use core::iter::FusedIterator;
use core::ops::{ControlFlow, Range};

use super::geometry::count;
use super::mapping::{Mapping, PageMapping, Region};
use super::page::Page;
use super::space::{AddrSpace, region};
use super::views::{Pieces, Regions, Segments, view};
use crate::span::common;
use crate::store::{RangeStore, Segment};

impl<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>> AddrSpace<T, S> {
    /// The first address of the space.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.geometry.start()
    }

    /// The length of the space in bytes; `start + size` can be 2^64.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.geometry.bytes(count(&self.geometry.all()))
    }

    /// The size of a page in bytes, a power of two.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        self.geometry.page_size()
    }

    /// The region around `addr`, whole, or `None` if it is not mapped. `addr`
    /// need not be aligned, nor inside the space. Clones the data;
    /// [`query_ref`](Self::query_ref) does not. O(log n).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot, Region};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// let mapping = Mapping::anonymous(Prot::READ, 0);
    /// space.map_at(0x2000, 0x2000, mapping, |_| ())?;
    /// assert_eq!(space.query(0x3fff), Some(Region { addr: 0x2000, len: 0x2000, mapping }));
    /// assert_eq!(space.query(0x4000), None);
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn query(&self, addr: u64) -> Option<Region<T>> {
        let (pages, value) = self.store.get(self.geometry.page_at(addr)?)?;
        Some(region(&self.geometry, &pages, value.clone()))
    }

    /// [`query`](Self::query) with the data borrowed: it runs no code of `T` and
    /// allocates nothing, so that a signal handler can call it. O(log n).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// let heap = Mapping::anonymous(Prot::READ, 0).with_data("heap".to_string());
    /// space.map_at(0x2000, 0x2000, heap, |_| ())?;
    /// assert_eq!(space.query_ref(0x3fff).unwrap().mapping.data, "heap");
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn query_ref(&self, addr: u64) -> Option<Region<&T>> {
        let (pages, value) = self.store.get(self.geometry.page_at(addr)?)?;
        Some(view(&self.geometry, &pages, value))
    }

    /// Whether all bytes of `[addr, addr + len)` are mapped and `allow` accepts
    /// the mapping of every region they are in. It is asked once for each region,
    /// ascending, until it refuses. Any alignment will do. A length of zero is
    /// always accessible. Allocates nothing; O(log n + k) for `k` regions.
    ///
    /// The mappings are those of whole regions: their offset is that of the
    /// region's first byte. Their data is cloned;
    /// [`check_access_ref`](Self::check_access_ref) only borrows it.
    ///
    /// # Errors
    /// The first address that is not accessible. A buffer that runs past 2^64
    /// has one: address 0, if all before it is accessible.
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.map_at(0x2000, 0x1000, Mapping::anonymous(Prot::READ, 0), |_| ())?;
    /// let readable = |mapping: &Mapping| mapping.prot.contains(Prot::READ);
    /// assert_eq!(space.check_access(0x2ffc, 4, readable), Ok(()));
    /// assert_eq!(space.check_access(0x2ffc, 5, readable), Err(0x3000));
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn check_access(
        &self,
        addr: u64,
        len: u64,
        mut allow: impl FnMut(&Mapping<T>) -> bool,
    ) -> Result<(), u64> {
        self.check_access_ref(addr, len, |mapping| allow(&mapping.cloned()))
    }

    /// [`check_access`](Self::check_access) that borrows the data of each region: it
    /// runs no code of `T` and allocates nothing.
    ///
    /// # Errors
    /// As for [`check_access`](Self::check_access).
    #[inline]
    pub fn check_access_ref(
        &self,
        addr: u64,
        len: u64,
        mut allow: impl FnMut(Mapping<&T>) -> bool,
    ) -> Result<(), u64> {
        if len == 0 {
            return Ok(());
        }
        let geometry = &self.geometry;
        let first = geometry.page_at(addr).ok_or(addr)?;
        let (pages, value) = self.store.get(first).ok_or(addr)?;
        if !allow(value.view(geometry.addr(pages.start))) {
            return Err(addr);
        }
        let reach = geometry.reach(addr, len);
        let mut good = pages.end;
        if reach <= geometry.bytes(good.number()) {
            return Ok(());
        }
        // Rarely more than one region: the first is found by the shortest way.
        let said = self.store.walk(good, |pages, value| {
            if pages.start != good || !allow(value.view(geometry.addr(good))) {
                return ControlFlow::Break(false);
            }
            good = pages.end;
            if reach <= geometry.bytes(good.number()) {
                return ControlFlow::Break(true);
            }
            ControlFlow::Continue(())
        });
        if said == ControlFlow::Break(true) {
            return Ok(());
        }
        Err(geometry.addr(good))
    }

    /// Whether all bytes of `[addr, addr + len)` are mapped:
    /// [`check_access`](Self::check_access) that allows everything. Allocates nothing;
    /// O(log n + k) for `k` regions.
    ///
    /// # Errors
    /// The first address that is not mapped: where the first fault would be.
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.map_at(0x2000, 0x1000, Mapping::anonymous(Prot::NONE, 0), |_| ())?;
    /// assert_eq!(space.check_mapped(0x2ffc, 4), Ok(()));
    /// assert_eq!(space.check_mapped(0x2ffc, 5), Err(0x3000));
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn check_mapped(&self, addr: u64, len: u64) -> Result<(), u64> {
        self.check_access_ref(addr, len, |_| true)
    }

    /// All regions, ascending, from both ends.
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.map_at(0x2000, 0x1000, Mapping::anonymous(Prot::READ, 0), |_| ())?;
    /// space.map_at(0x3000, 0x1000, Mapping::anonymous(Prot::NONE, 0), |_| ())?;
    /// assert!(space.regions().map(|region| region.addr).eq([0x2000, 0x3000]));
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    #[must_use]
    pub fn regions(&self) -> Regions<'_, T, S> {
        Regions::new(self.store.iter(), self.geometry)
    }

    /// The regions that have a byte in `[addr, addr + len)`, whole, ascending,
    /// from both ends. Any address, alignment and length will do. Allocates nothing;
    /// the first is O(log n), each further one O(1).
    #[must_use]
    pub fn regions_in(&self, addr: u64, len: u64) -> Regions<'_, T, S> {
        let pages = self.geometry.pages_touching(addr, len);
        Regions::new(self.store.overlapping(pages), self.geometry)
    }

    /// What [`unmap`](Self::unmap) of the range would report: the regions that have a
    /// byte in `[addr, addr + len)`, clipped to the pages which have one, each with
    /// its own offset. Otherwise as [`regions_in`](Self::regions_in).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.map_at(0x2000, 0x4000, Mapping::file(Prot::READ, 0, 3, 0), |_| ())?;
    /// let piece = space.pieces(0x3000, 0x1001).next().unwrap();
    /// assert_eq!((piece.addr, piece.len, piece.mapping.offset), (0x3000, 0x2000, 0x1000));
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    #[must_use]
    pub fn pieces(&self, addr: u64, len: u64) -> Pieces<'_, T, S> {
        let pages = self.geometry.pages_touching(addr, len);
        Pieces::new(&self.store, self.geometry, pages)
    }

    /// The regions and gaps that have a byte in `[addr, addr + len)`, in the order of
    /// their addresses, from both ends: clipped to the pages which have one, which
    /// they tile exactly. What is outside the space is left out. Allocates nothing;
    /// the first is O(log n), each further one O(1).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot, SpaceSegment};
    ///
    /// let mut space = AddrSpace::new(0, 0x10_0000, 0x1000)?;
    /// space.map_at(0x2000, 0x4000, Mapping::anonymous(Prot::READ, 0), |_| ())?;
    /// let mut segments = space.segments(0x1000, 0x2000);
    /// assert_eq!(segments.next(), Some(SpaceSegment::Gap { addr: 0x1000, len: 0x1000 }));
    /// let Some(SpaceSegment::Region(piece)) = segments.next() else { panic!("it is mapped") };
    /// assert_eq!((piece.addr, piece.len), (0x2000, 0x1000));
    /// assert_eq!(segments.next(), None);
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    #[must_use]
    pub fn segments(&self, addr: u64, len: u64) -> Segments<'_, T, S> {
        let pages = self.geometry.pages_touching(addr, len);
        Segments::new(&self.store, self.geometry, pages)
    }

    /// Address and length in bytes of every run of pages that are not mapped,
    /// ascending, from both ends.
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x8000, 0x1000)?;
    /// space.map_at(0x2000, 0x1000, Mapping::anonymous(Prot::READ, 0), |_| ())?;
    /// assert!(space.gaps().eq([(0, 0x2000), (0x3000, 0x5000)]));
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn gaps(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> + FusedIterator {
        self.gaps_of(self.geometry.all())
    }

    /// [`gaps`](Self::gaps) that have a byte in `[addr, addr + len)`, clipped to the
    /// pages which have one. Allocates nothing; the first is O(log n), each further
    /// one O(1) for each region that it passes.
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x8000, 0x1000)?;
    /// space.map_at(0x2000, 0x1000, Mapping::anonymous(Prot::READ, 0), |_| ())?;
    /// assert!(space.gaps_in(0x1fff, 0x2000).eq([(0x1000, 0x1000), (0x3000, 0x1000)]));
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    pub fn gaps_in(
        &self,
        addr: u64,
        len: u64,
    ) -> impl DoubleEndedIterator<Item = (u64, u64)> + FusedIterator {
        self.gaps_of(self.geometry.pages_touching(addr, len))
    }

    fn gaps_of(
        &self,
        pages: Range<Page>,
    ) -> impl DoubleEndedIterator<Item = (u64, u64)> + FusedIterator {
        let gaps = self.store.gaps(pages);
        gaps.map(|pages| self.geometry.range(&pages))
    }

    /// Address and length in bytes of the gap around `addr`, whole, or `None` if the
    /// page is mapped or outside the space. Allocates nothing; O(log n).
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x8000, 0x1000)?;
    /// space.map_at(0x2000, 0x1000, Mapping::anonymous(Prot::READ, 0), |_| ())?;
    /// assert_eq!(space.gap_at(0x7fff), Some((0x3000, 0x5000)));
    /// assert_eq!(space.gap_at(0x2000), None);
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    #[must_use]
    pub fn gap_at(&self, addr: u64) -> Option<(u64, u64)> {
        let all = self.geometry.all();
        match self.store.segment_at(self.geometry.page_at(addr)?) {
            Segment::Entry(..) => None,
            Segment::Gap(pages) => Some(self.geometry.range(&common(&pages, &all))),
        }
    }

    /// How many bytes of `[addr, addr + len)` are mapped; neither need be aligned, nor
    /// inside the space. Allocates nothing; O(log n + k) for `k` regions.
    ///
    /// ```
    /// use gaptree::{AddrSpace, Mapping, Prot};
    ///
    /// let mut space = AddrSpace::new(0, 0x8000, 0x1000)?;
    /// space.map_at(0x2000, 0x1000, Mapping::anonymous(Prot::READ, 0), |_| ())?;
    /// assert_eq!(space.mapped_bytes_in(0x2ff0, 0x100), 0x10);
    /// # Ok::<(), gaptree::SpaceError>(())
    /// ```
    #[must_use]
    pub fn mapped_bytes_in(&self, addr: u64, len: u64) -> u64 {
        let geometry = &self.geometry;
        let (low, high) = geometry.clip(addr, len);
        let pages = geometry.pages_touching(addr, len);
        let mapped = self.store.overlapping(pages).map(|(pages, _)| {
            let (first, end) = (pages.start.number(), pages.end.number());
            geometry.bytes(end).min(high) - geometry.bytes(first).max(low)
        });
        mapped.sum()
    }

    /// The number of regions. O(1).
    #[must_use]
    pub fn region_count(&self) -> usize {
        self.store.len()
    }

    /// How many bytes are mapped, in whole pages. O(1).
    #[must_use]
    pub fn mapped_bytes(&self) -> u64 {
        self.geometry.bytes(self.mapped)
    }

    /// The length in bytes of the longest run of pages that are not mapped: the
    /// longest mapping that still fits. 0 if all are mapped. O(log n) with the
    /// default engine.
    #[must_use]
    pub fn largest_gap(&self) -> u64 {
        let longest = self.store.longest_gap(self.geometry.all());
        longest.map_or(0, |pages| self.geometry.bytes(count(&pages)))
    }
}

impl<T: Clone + PartialEq + fmt::Debug, S: RangeStore<Page, PageMapping<T>>> fmt::Debug
    for AddrSpace<T, S>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddrSpace")
            .field("start", &self.start())
            .field("size", &self.size())
            .field("page_size", &self.page_size())
            .field("placement", &self.placement())
            .field("regions", &self.regions())
            .finish()
    }
}

/// A line for each region, as in `/proc/PID/maps`.
impl<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>> fmt::Display for AddrSpace<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.regions()
            .try_for_each(|region| writeln!(f, "{region}"))
    }
}

/// Equal bounds, page sizes and regions; the placement is not compared, since
/// it says nothing about what is mapped.
impl<T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>> PartialEq for AddrSpace<T, S> {
    fn eq(&self, other: &Self) -> bool {
        let totals = |space: &Self| (space.geometry, space.mapped, space.store.len());
        totals(self) == totals(other) && self.store.iter().eq(other.store.iter())
    }
}

impl<T: Clone + Eq, S: RangeStore<Page, PageMapping<T>>> Eq for AddrSpace<T, S> {}

impl<'a, T: Clone + PartialEq, S: RangeStore<Page, PageMapping<T>>> IntoIterator
    for &'a AddrSpace<T, S>
{
    type Item = Region<T>;
    type IntoIter = Regions<'a, T, S>;

    fn into_iter(self) -> Regions<'a, T, S> {
        self.regions()
    }
}
