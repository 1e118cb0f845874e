//! Looking at an address space: queries, access checks, iterators, totals.

use core::fmt;
use core::iter::FusedIterator;

use super::geometry::{Geometry, count};
use super::mapping::{Mapping, PageMapping, Region};
use super::page::Page;
use super::space::{AddrSpace, region};
use crate::store::RangeStore;

impl<S: RangeStore<Page, PageMapping>> AddrSpace<S> {
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
    /// need not be aligned, nor inside the space. O(log n).
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
    pub fn query(&self, addr: u64) -> Option<Region> {
        let (pages, value) = self.store.get(self.geometry.page_at(addr)?)?;
        Some(region(&self.geometry, &pages, *value))
    }

    /// Whether all bytes of `[addr, addr + len)` are mapped and `allow` accepts
    /// the mapping of every region they are in. It is asked once for each region,
    /// ascending, until it refuses. Any alignment will do. A length of zero is
    /// always accessible. Allocates nothing; O(log n + k) for `k` regions.
    ///
    /// The mappings are those of whole regions: their offset is that of the
    /// region's first byte.
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
        mut allow: impl FnMut(&Mapping) -> bool,
    ) -> Result<(), u64> {
        if len == 0 {
            return Ok(());
        }
        let geometry = &self.geometry;
        let first = geometry.page_at(addr).ok_or(addr)?;
        let (pages, value) = self.store.get(first).ok_or(addr)?;
        if !allow(&value.at(geometry.addr(pages.start))) {
            return Err(addr);
        }
        let reach = geometry.reach(addr, len);
        let mut good = pages.end;
        if reach <= geometry.bytes(good.number()) {
            return Ok(());
        }
        for (pages, value) in self.store.overlapping(good..geometry.all().end) {
            let start = geometry.addr(good);
            if pages.start != good || !allow(&value.at(start)) {
                return Err(start);
            }
            good = pages.end;
            if reach <= geometry.bytes(good.number()) {
                return Ok(());
            }
        }
        Err(geometry.addr(good))
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
    pub fn regions(&self) -> Regions<'_, S> {
        Regions {
            entries: self.store.iter(),
            geometry: self.geometry,
        }
    }

    /// The regions that have a byte in `[addr, addr + len)`, whole, ascending,
    /// from both ends. Any address, alignment and length will do.
    #[must_use]
    pub fn regions_in(&self, addr: u64, len: u64) -> Regions<'_, S> {
        let pages = self.geometry.pages_touching(addr, len);
        Regions {
            entries: self.store.overlapping(pages),
            geometry: self.geometry,
        }
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
        let gaps = self.store.gaps(self.geometry.all());
        gaps.map(|pages| {
            (
                self.geometry.addr(pages.start),
                self.geometry.bytes(count(&pages)),
            )
        })
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

/// Regions of an address space, ascending and double-ended; made by
/// [`AddrSpace::regions`] and [`AddrSpace::regions_in`].
pub struct Regions<'a, S: RangeStore<Page, PageMapping> + 'a> {
    entries: S::Entries<'a>,
    geometry: Geometry,
}

impl<'a, S: RangeStore<Page, PageMapping> + 'a> Iterator for Regions<'a, S> {
    type Item = Region;

    #[inline]
    fn next(&mut self) -> Option<Region> {
        let (pages, value) = self.entries.next()?;
        Some(region(&self.geometry, &pages, *value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }

    fn fold<A, F: FnMut(A, Region) -> A>(self, init: A, mut f: F) -> A {
        let geometry = self.geometry;
        self.entries.fold(init, |folded, (pages, value)| {
            f(folded, region(&geometry, &pages, *value))
        })
    }
}

impl<'a, S: RangeStore<Page, PageMapping> + 'a> DoubleEndedIterator for Regions<'a, S> {
    #[inline]
    fn next_back(&mut self) -> Option<Region> {
        let (pages, value) = self.entries.next_back()?;
        Some(region(&self.geometry, &pages, *value))
    }
}

impl<'a, S: RangeStore<Page, PageMapping> + 'a> FusedIterator for Regions<'a, S> {}

impl<'a, S: RangeStore<Page, PageMapping> + 'a> Clone for Regions<'a, S> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            geometry: self.geometry,
        }
    }
}

/// The regions that are left.
impl<'a, S: RangeStore<Page, PageMapping> + 'a> fmt::Debug for Regions<'a, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<S: RangeStore<Page, PageMapping>> fmt::Debug for AddrSpace<S> {
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
impl<S: RangeStore<Page, PageMapping>> fmt::Display for AddrSpace<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.regions()
            .try_for_each(|region| writeln!(f, "{region}"))
    }
}

/// Equal bounds, page sizes and regions; the placement is not compared, since
/// it says nothing about what is mapped.
impl<S: RangeStore<Page, PageMapping>> PartialEq for AddrSpace<S> {
    fn eq(&self, other: &Self) -> bool {
        let totals = |space: &Self| (space.geometry, space.mapped, space.store.len());
        totals(self) == totals(other) && self.store.iter().eq(other.store.iter())
    }
}

impl<S: RangeStore<Page, PageMapping>> Eq for AddrSpace<S> {}

impl<'a, S: RangeStore<Page, PageMapping>> IntoIterator for &'a AddrSpace<S> {
    type Item = Region;
    type IntoIter = Regions<'a, S>;

    fn into_iter(self) -> Regions<'a, S> {
        self.regions()
    }
}
