//! An address space in C's terms. Nothing here is unsafe.

use core::ffi::c_int;

use super::convert::{
    MMAP_NO_LIMIT, MMAP_OFFSETS_LINEAR, MMAP_OFFSETS_VERBATIM, MMapError, MMapInfo, MMapOptions,
    MMapRegion, MMapSegment, MMapTotals, NO_ADDRESS, address, exist, hint, narrow, placement,
    whole, wide,
};
use super::data::Own;
use crate::{
    AddrSpace, Flow, Guard, HolePolicy, Mapping, OffsetRule, Placement, Prot, Region, Source,
    SpaceError, SpaceSegment,
};

/// The whole pages in `[start, start + len)` as start and length, or `None` if
/// there is none, if the range wraps, or if the page size is no power of two.
///
/// With pages of one byte, the byte at `(uintptr_t)-1` is left out: its address
/// means that there is none.
fn whole_pages(start: usize, len: usize, page_size: usize) -> Option<(u64, u64)> {
    if !page_size.is_power_of_two() {
        return None;
    }
    let past_all = 1_u128 << usize::BITS;
    let (start, page_size) = (wide(start), wide(page_size));
    let end = u128::from(start) + u128::from(wide(len));
    if end > past_all {
        return None;
    }
    let usable = if page_size == 1 {
        past_all - 1
    } else {
        past_all
    };
    let page = u128::from(page_size);
    let first = start.checked_next_multiple_of(page_size)?;
    let end = end.min(usable) / page * page;
    let len = end.checked_sub(u128::from(first))?;
    Some((first, u64::try_from(len).ok()?))
}

/// An address space in C's terms.
#[derive(Debug)]
pub(super) struct Space {
    inner: AddrSpace<Own>,
    /// Of file mappings that are made from now on.
    offsets: OffsetRule,
    /// The number of the guard of mappings that are made from now on.
    guard: u8,
}

impl Space {
    /// The whole pages of a range.
    pub(super) fn new(start: usize, len: usize, page_size: usize) -> Option<Self> {
        let (start, len) = whole_pages(start, len, page_size)?;
        Some(Self {
            inner: AddrSpace::new(start, len, wide(page_size)).ok()?,
            offsets: OffsetRule::Verbatim,
            guard: 0,
        })
    }

    /// What a call with separate arguments maps.
    pub(super) fn mapping(&self, info: MMapInfo) -> Mapping<Own> {
        let anonymous = info.fd < 0;
        Mapping {
            prot: Prot(info.prot.cast_unsigned()),
            flags: info.flags.cast_unsigned(),
            fd: info.fd,
            offset: info.offset.cast_unsigned(),
            offset_rule: if anonymous {
                OffsetRule::Verbatim
            } else {
                self.offsets
            },
            guard: self.guard,
            ..Mapping::anonymous(Prot::NONE, 0).with_data(Own::NONE)
        }
    }

    pub(super) fn map_any(&mut self, at: usize, len: usize, mapping: Mapping<Own>) -> usize {
        address(self.inner.map_any(hint(at), wide(len), mapping))
    }

    pub(super) fn map_any_with(
        &mut self,
        len: usize,
        mapping: Mapping<Own>,
        options: Option<MMapOptions>,
    ) -> usize {
        match options.unwrap_or_default().to_options() {
            Some(options) => address(self.inner.map_any_with(wide(len), mapping, &options)),
            None => NO_ADDRESS,
        }
    }

    pub(super) fn find_free(&self, len: usize, options: Option<MMapOptions>) -> usize {
        match options.unwrap_or_default().to_options() {
            Some(options) => address(self.inner.find_free(wide(len), &options)),
            None => NO_ADDRESS,
        }
    }

    pub(super) fn map_at<F: Flow>(
        &mut self,
        addr: usize,
        len: usize,
        mapping: Mapping<Own>,
        sink: impl FnMut(Region<Own>) -> F,
    ) -> Result<F, SpaceError> {
        self.inner.map_at(wide(addr), wide(len), mapping, sink)
    }

    pub(super) fn map_fixed_noreplace(
        &mut self,
        addr: usize,
        len: usize,
        mapping: Mapping<Own>,
    ) -> c_int {
        let (addr, len) = (wide(addr), wide(len));
        exist(self.inner.map_fixed_noreplace(addr, len, mapping))
    }

    pub(super) fn unmap<F: Flow>(
        &mut self,
        addr: usize,
        len: usize,
        sink: impl FnMut(Region<Own>) -> F,
    ) -> Result<F, SpaceError> {
        self.inner.unmap(wide(addr), wide(len), sink)
    }

    pub(super) fn protect<F: Flow>(
        &mut self,
        addr: usize,
        len: usize,
        prot: c_int,
        holes: HolePolicy,
        sink: impl FnMut(Region<Own>) -> F,
    ) -> Result<F, SpaceError> {
        let (addr, len, prot) = (wide(addr), wide(len), Prot(prot.cast_unsigned()));
        self.inner.protect(addr, len, prot, holes, sink)
    }

    pub(super) fn update<F: Flow>(
        &mut self,
        addr: usize,
        len: usize,
        holes: HolePolicy,
        change: impl FnMut(Region<Own>, &mut Mapping<Own>) -> F,
    ) -> Result<F, SpaceError> {
        self.inner.update(wide(addr), wide(len), holes, change)
    }

    pub(super) fn relocate<F: Flow>(
        &mut self,
        from: usize,
        len: usize,
        to: usize,
        source: Source,
        sink: impl FnMut(Region<Own>) -> F,
    ) -> Result<F, SpaceError> {
        let (from, len, to) = (wide(from), wide(len), wide(to));
        self.inner.relocate(from, len, to, source, sink)
    }

    pub(super) fn extend(&mut self, addr: usize, by: usize) -> Result<usize, SpaceError> {
        self.inner.extend(wide(addr), wide(by)).map(narrow)
    }

    /// What the page around `addr` is mapped to, its offset that of the page.
    pub(super) fn page(&self, addr: usize) -> Option<MMapInfo> {
        let addr = wide(addr);
        let region = self.inner.query_ref(addr)?;
        let page = addr & !(self.inner.page_size() - 1);
        Some(MMapInfo::of(&region.mapping.at(page - region.addr)))
    }

    pub(super) fn region(&self, addr: usize) -> Option<MMapRegion> {
        self.inner.query_ref(wide(addr)).as_ref().map(whole)
    }

    /// The region or the gap around `addr`, whole.
    pub(super) fn segment(&self, addr: usize) -> Option<MMapSegment> {
        let addr = wide(addr);
        let segment = match self.inner.query_ref(addr) {
            Some(region) => SpaceSegment::Region(region),
            None => {
                let (addr, len) = self.inner.gap_at(addr)?;
                SpaceSegment::Gap { addr, len }
            }
        };
        Some(MMapSegment::of(&segment))
    }

    /// The first region or gap of a range that reaches beyond the end of `after`, which
    /// is start and length.
    pub(super) fn next_segment(
        &self,
        addr: usize,
        len: usize,
        after: Option<(usize, usize)>,
    ) -> Option<MMapSegment> {
        let passed = match after {
            Some((start, len)) => wide(start).checked_add(wide(len))?,
            None => 0,
        };
        let addr = wide(addr);
        let skipped = passed.saturating_sub(addr);
        let left = wide(len).checked_sub(skipped)?;
        let mut segments = self.inner.segments(addr + skipped, left).borrowed();
        segments.next().as_ref().map(MMapSegment::of)
    }

    pub(super) fn mapped_bytes_in(&self, addr: usize, len: usize) -> usize {
        narrow(self.inner.mapped_bytes_in(wide(addr), wide(len)))
    }

    /// The first region that reaches beyond the end of `after`, which is start
    /// and length.
    pub(super) fn next_region(&self, after: Option<(usize, usize)>) -> Option<MMapRegion> {
        let (start, len) = after.unwrap_or_default();
        let from = wide(start).checked_add(wide(len))?;
        // A length that ends at or past the last page, wherever it begins.
        let mut regions = self.inner.regions_in(from, u64::MAX).borrowed();
        regions.next().as_ref().map(whole)
    }

    /// The first address that is not mapped with all bits of `prot`.
    pub(super) fn first_bad(&self, addr: usize, len: usize, prot: c_int) -> Option<usize> {
        let needed = Prot(prot.cast_unsigned());
        let checked = self
            .inner
            .check_access_ref(wide(addr), wide(len), |mapping| {
                mapping.prot.contains(needed)
            });
        // The address after the last one is 0, also where pointers are short.
        let bad = checked.err()?;
        Some(usize::try_from(bad).unwrap_or(0))
    }

    pub(super) fn place_at_random(&mut self, seed: u64) {
        self.inner.set_placement(Placement::Random(seed));
    }

    pub(super) fn set_placement(&mut self, kind: c_int, seed: u64) -> MMapError {
        let Some(placement) = placement(kind, seed) else {
            return MMapError::Inval;
        };
        self.inner.set_placement(placement);
        MMapError::Ok
    }

    pub(super) fn set_limits(&mut self, regions: usize, bytes: usize) -> MMapError {
        let limit = |limit: usize| (limit != MMAP_NO_LIMIT).then_some(limit);
        self.inner.set_region_limit(limit(regions));
        self.inner.set_byte_limit(limit(bytes).map(wide));
        MMapError::Ok
    }

    pub(super) fn set_offsets(&mut self, kind: c_int) -> MMapError {
        self.offsets = match kind {
            MMAP_OFFSETS_VERBATIM => OffsetRule::Verbatim,
            MMAP_OFFSETS_LINEAR => OffsetRule::Linear,
            _ => return MMapError::Inval,
        };
        MMapError::Ok
    }

    pub(super) fn use_guard(&mut self, number: u8) -> MMapError {
        self.guard = number;
        MMapError::Ok
    }

    pub(super) fn set_guard(&mut self, number: u8, below: usize, above: usize) -> MMapError {
        let (below, above) = (wide(below), wide(above));
        self.inner.set_guard(number, Guard { below, above }).into()
    }

    pub(super) fn reserve(&mut self, addr: usize, len: usize) -> c_int {
        exist(self.inner.reserve(wide(addr), wide(len)))
    }

    pub(super) fn unreserve(&mut self, addr: usize, len: usize) -> MMapError {
        self.inner.unreserve(wide(addr), wide(len)).into()
    }

    pub(super) fn seal(&mut self, addr: usize, len: usize) -> MMapError {
        self.inner.seal(wide(addr), wide(len)).into()
    }

    pub(super) fn mark_original(&mut self) {
        self.inner.mark_original();
    }

    pub(super) fn unmap_non_original<F: Flow>(&mut self, sink: impl FnMut(Region<Own>) -> F) -> F {
        self.inner.unmap_non_original(sink)
    }

    /// A copy, or `None` if there is no memory for it.
    pub(super) fn copy(&self) -> Option<Self> {
        let inner = self.inner.try_clone().ok()?;
        Some(Self { inner, ..*self })
    }

    pub(super) fn reset(&mut self) {
        self.inner.reset();
    }

    pub(super) fn totals(&self) -> MMapTotals {
        let space = &self.inner;
        MMapTotals {
            start: narrow(space.start()),
            len: narrow(space.size()),
            pagesize: narrow(space.page_size()),
            regions: space.region_count(),
            mapped: narrow(space.mapped_bytes()),
            largest_gap: narrow(space.largest_gap()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: usize = 0_usize.wrapping_sub(4096);

    #[test]
    fn bounds_shrink_to_whole_pages() {
        let cases = [
            ((0, 4096, 4096), Some((0, 4096))),
            ((1, 8191, 4096), Some((4096, 4096))),
            ((4096, 8191, 4096), Some((4096, 4096))),
            ((1, 4095, 4096), None),
            ((4097, 4095, 4096), None),
            ((0, usize::MAX, 4096), Some((0, wide(TOP)))),
            ((TOP, 4096, 4096), Some((wide(TOP), 4096))),
            ((TOP, 4097, 4096), None),
            ((TOP + 1, 4095, 4096), None),
            ((usize::MAX, 1, 1), None),
            ((usize::MAX - 1, 2, 1), Some((wide(usize::MAX) - 1, 1))),
            ((0, 4096, 0), None),
            ((0, 4096, 4097), None),
            ((0, 0, 4096), None),
        ];
        for ((start, len, page_size), expected) in cases {
            let bounds = whole_pages(start, len, page_size);
            let pages = bounds.filter(|&(_, len)| len > 0);
            assert_eq!(pages, expected, "{start:#x} {len:#x} {page_size:#x}");
            let space = Space::new(start, len, page_size);
            assert_eq!(space.is_some(), expected.is_some(), "{start:#x} {len:#x}");
        }
    }

    #[test]
    fn regions_follow_each_other_up_to_the_last_page() {
        let mut space = Space::new(TOP - 4096, 8192, 4096).unwrap();
        let (low, high) = (MMapInfo::new(1, 0, -1, 0), MMapInfo::new(3, 0, -1, 0));
        assert_eq!(space.map_any(0, 4096, space.mapping(low)), TOP - 4096);
        assert_eq!(space.map_any(0, 4096, space.mapping(high)), TOP);
        let first = space.next_region(None).unwrap();
        assert_eq!((first.start, first.info), (TOP - 4096, low));
        let second = space.next_region(Some((first.start, first.len))).unwrap();
        assert_eq!((second.start, second.len, second.info), (TOP, 4096, high));
        assert_eq!(space.next_region(Some((second.start, second.len))), None);
    }

    #[test]
    fn a_page_of_a_linear_mapping_has_its_own_offset() {
        let mut space = Space::new(0x1000, 0x10000, 0x1000).unwrap();
        assert_eq!(space.set_offsets(MMAP_OFFSETS_LINEAR), MMapError::Ok);
        let file = MMapInfo::new(1, 0, 3, 0x5000);
        assert_eq!(space.map_any(0x4000, 0x3000, space.mapping(file)), 0x4000);
        assert_eq!(space.page(0x5fff).map(|info| info.offset), Some(0x6000));
        assert_eq!(
            space.region(0x5fff).map(|region| region.info.offset),
            Some(0x5000)
        );
        assert_eq!(space.set_offsets(MMAP_OFFSETS_VERBATIM), MMapError::Ok);
        assert_eq!(space.map_any(0x8000, 0x3000, space.mapping(file)), 0x8000);
        assert_eq!(space.page(0x9000).map(|info| info.offset), Some(0x5000));
    }
}
