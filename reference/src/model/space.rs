//! The oracle of address spaces: one slot a page, and loops over pages.

use std::collections::BTreeMap;

use gaptree::{
    Flow, Guard, HolePolicy, Mapping, OffsetRule, Page, Placement, Prot, Region, Source,
    SpaceError, SpaceSegment,
};

/// The number of addresses, 2^64.
const ADDRESSES: u128 = 1 << 64;

/// An address space as a list of pages, each with its own mapping; the
/// results are those of [`gaptree::AddrSpace`], computed in 128-bit bytes.
///
/// Where `AddrSpace` picks an address, this offers every address that it may
/// pick, [`places`](Self::places), and is told which one it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReferenceSpace<T = ()> {
    pub(super) start: u128,
    pub(super) page_size: u128,
    pub(super) placement: Placement,
    /// What each page is mapped to, with the offset of the page itself.
    pub(super) pages: Vec<Option<Mapping<T>>>,
    region_limit: Option<usize>,
    byte_limit: Option<u64>,
    /// By their numbers.
    pub(super) guards: BTreeMap<u8, Guard>,
    /// Whether each page is reserved.
    pub(super) reserved: Vec<bool>,
}

/// The regions of consecutive pages, given as (address, mapping).
fn regions_of<T: Clone + PartialEq>(
    pages: impl Iterator<Item = (u128, Mapping<T>)>,
    page_size: u128,
) -> Vec<Region<T>> {
    let mut regions: Vec<Region<T>> = Vec::new();
    for (addr, mapping) in pages {
        if let Some(last) = regions.last_mut()
            && u128::from(last.addr) + u128::from(last.len) == addr
            && moved(&last.mapping, u128::from(last.len)) == mapping
        {
            last.len = bytes(u128::from(last.len) + page_size);
            continue;
        }
        regions.push(Region {
            addr: bytes(addr),
            len: bytes(page_size),
            mapping,
        });
    }
    regions
}

/// Pages, and a result.
type ToChange = (Vec<usize>, Result<(), SpaceError>);

/// The mapping as it is `distance` bytes further on.
fn moved<T: Clone>(mapping: &Mapping<T>, distance: u128) -> Mapping<T> {
    let offset = match mapping.offset_rule {
        OffsetRule::Linear => (u128::from(mapping.offset) + distance) % ADDRESSES,
        OffsetRule::Verbatim => u128::from(mapping.offset),
    };
    Mapping {
        offset: bytes(offset),
        ..mapping.clone()
    }
}

/// A number of bytes or an address that is known to be below 2^64.
pub(super) fn bytes(wide: u128) -> u64 {
    u64::try_from(wide).expect("inside the space")
}

impl<T: Clone + PartialEq> ReferenceSpace<T> {
    /// The most pages that a reference space may have.
    pub const MAX_PAGES: u64 = 1 << 20;

    /// An empty space of `len` bytes from `start`.
    ///
    /// # Errors
    /// `BadSpace`, as [`new_is_valid`](Self::new_is_valid) says.
    ///
    /// # Panics
    /// The space has more than [`MAX_PAGES`](Self::MAX_PAGES) pages.
    pub fn new(start: u64, len: u64, page_size: u64) -> Result<Self, SpaceError> {
        if !Self::new_is_valid(start, len, page_size) {
            return Err(SpaceError::BadSpace);
        }
        let count = len / page_size;
        assert!(
            count <= Self::MAX_PAGES,
            "{count} pages are too many for one slot a page"
        );
        let (start, page_size) = (u128::from(start), u128::from(page_size));
        let pages = (0..count).map(|_| None).collect();
        Ok(Self {
            start,
            page_size,
            placement: Placement::Lowest,
            pages,
            region_limit: None,
            byte_limit: None,
            guards: BTreeMap::new(),
            reserved: vec![false; usize::try_from(count).expect("few pages")],
        })
    }

    /// Whether a space can have these bounds: the page size a power of two,
    /// start and length multiples of it, at least one page, no more than
    /// [`Page::LIMIT`], and nothing past 2^64.
    #[must_use]
    pub fn new_is_valid(start: u64, len: u64, page_size: u64) -> bool {
        let powers: Vec<u64> = (0..64).map(|bit| 1 << bit).collect();
        powers.contains(&page_size)
            && start.is_multiple_of(page_size)
            && len.is_multiple_of(page_size)
            && len > 0
            && len / page_size <= Page::LIMIT
            && u128::from(start) + u128::from(len) <= ADDRESSES
    }

    /// Address of the first byte.
    #[must_use]
    pub fn start(&self) -> u64 {
        bytes(self.start)
    }

    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        bytes(self.end() - self.start)
    }

    /// Bytes a page.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        bytes(self.page_size)
    }

    /// The address after the last byte, at most 2^64.
    pub(super) fn end(&self) -> u128 {
        self.start + self.pages.len() as u128 * self.page_size
    }

    /// What decides where `map_any` maps.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// Changes what decides where `map_any` maps.
    pub fn set_placement(&mut self, placement: Placement) {
        self.placement = placement;
    }

    /// The limit on regions.
    #[must_use]
    pub fn region_limit(&self) -> Option<usize> {
        self.region_limit
    }

    /// Limits the regions that a call may leave.
    pub fn set_region_limit(&mut self, limit: Option<usize>) {
        self.region_limit = limit;
    }

    /// The limit on bytes.
    #[must_use]
    pub fn byte_limit(&self) -> Option<u64> {
        self.byte_limit
    }

    /// Limits the bytes that a call may leave mapped.
    pub fn set_byte_limit(&mut self, limit: Option<u64>) {
        self.byte_limit = limit;
    }

    /// Refuses what a call does, done to a copy, if it leaves too much.
    pub(super) fn try_first(&self, call: impl FnOnce(&mut Self)) -> Result<(), SpaceError> {
        let mut after = self.clone();
        call(&mut after);
        let (before, bytes) = (self.mapped_bytes(), after.mapped_bytes());
        if self
            .byte_limit
            .is_some_and(|limit| bytes > limit && bytes > before)
        {
            return Err(SpaceError::ByteLimit);
        }
        let (before, regions) = (self.region_count(), after.region_count());
        if self
            .region_limit
            .is_some_and(|limit| regions > limit && regions > before)
        {
            return Err(SpaceError::RegionLimit);
        }
        Ok(())
    }

    /// Address of a page.
    pub(super) fn addr(&self, index: usize) -> u128 {
        self.start + index as u128 * self.page_size
    }

    /// A length rounded up to whole pages, in bytes.
    pub(super) fn round_up(&self, len: u64) -> u128 {
        u128::from(len).div_ceil(self.page_size) * self.page_size
    }

    /// The pages of a fixed range, or why it is refused.
    pub(super) fn fixed(&self, addr: u64, len: u64) -> Result<Vec<usize>, SpaceError> {
        let first = u128::from(addr);
        let after = first + self.round_up(len);
        if len == 0 {
            return Err(SpaceError::ZeroLength);
        }
        if !first.is_multiple_of(self.page_size) {
            return Err(SpaceError::Misaligned);
        }
        if first < self.start || after > self.end() {
            return Err(SpaceError::OutsideSpace);
        }
        let inside = |&i: &usize| first <= self.addr(i) && self.addr(i) < after;
        Ok((0..self.pages.len()).filter(inside).collect())
    }

    /// The regions that some pages make up.
    fn regions_of(&self, pages: &[usize]) -> Vec<Region<T>> {
        let mapped = pages
            .iter()
            .filter_map(|&i| Some((self.addr(i), self.pages[i].clone()?)));
        regions_of(mapped, self.page_size)
    }

    /// Maps pages, the offset that of the first one. New pages are not original, nor sealed.
    fn set(&mut self, pages: &[usize], mapping: Mapping<T>) {
        let mapping = Mapping {
            original: false,
            sealed: false,
            ..mapping
        };
        for (n, &i) in pages.iter().enumerate() {
            self.pages[i] = Some(moved(&mapping, n as u128 * self.page_size));
        }
    }

    /// Unmaps pages, region by region, each before it is reported: a sink that
    /// panics keeps what was not reported yet, and one that stops that region too.
    fn take<F: Flow>(&mut self, pages: &[usize], mut sink: impl FnMut(Region<T>) -> F) -> F {
        for region in self.regions_of(pages) {
            let pages = self.pages_of(&region);
            let before = self.pages.clone();
            for i in pages {
                self.pages[i] = None;
            }
            let said = sink(region);
            if said.stops() {
                self.pages = before;
                return said;
            }
        }
        F::GO_ON
    }

    /// The pages of a region.
    fn pages_of(&self, region: &Region<T>) -> Vec<usize> {
        let (first, after) = (
            u128::from(region.addr),
            u128::from(region.addr) + u128::from(region.len),
        );
        let inside = |&i: &usize| first <= self.addr(i) && self.addr(i) < after;
        (0..self.pages.len()).filter(inside).collect()
    }

    /// Maps a range; reports what it replaces.
    ///
    /// # Errors
    /// `ZeroLength`, `Misaligned`, `OutsideSpace`.
    pub fn map_at<F: Flow>(
        &mut self,
        addr: u64,
        len: u64,
        mapping: Mapping<T>,
        sink: impl FnMut(Region<T>) -> F,
    ) -> Result<F, SpaceError> {
        let pages = self.open(addr, len)?;
        self.try_first(|space| space.set(&pages, mapping.clone()))?;
        let said = self.take(&pages, sink);
        if !said.stops() {
            self.set(&pages, mapping);
        }
        Ok(said)
    }

    /// Maps a range that is free.
    ///
    /// # Errors
    /// `ZeroLength`, `Misaligned`, `OutsideSpace`, `Exists`.
    pub fn map_fixed_noreplace(
        &mut self,
        addr: u64,
        len: u64,
        mapping: Mapping<T>,
    ) -> Result<(), SpaceError> {
        let pages = self.fixed(addr, len)?;
        self.check_reserved(&pages)?;
        if pages.iter().any(|&i| self.pages[i].is_some()) {
            return Err(SpaceError::Exists);
        }
        self.try_first(|space| space.set(&pages, mapping.clone()))?;
        self.set(&pages, mapping);
        Ok(())
    }

    /// Unmaps a range; reports what was mapped.
    ///
    /// # Errors
    /// `ZeroLength`, `Misaligned`, `OutsideSpace`.
    pub fn unmap<F: Flow>(
        &mut self,
        addr: u64,
        len: u64,
        sink: impl FnMut(Region<T>) -> F,
    ) -> Result<F, SpaceError> {
        let pages = self.open(addr, len)?;
        self.try_first(|space| space.take(&pages, |_| ()))?;
        Ok(self.take(&pages, sink))
    }

    /// Changes the protection of a range; reports what it was.
    ///
    /// # Errors
    /// `ZeroLength`, `Misaligned`, `OutsideSpace`; `NotMapped` for a hole that
    /// the policy does not pass over.
    pub fn protect<F: Flow>(
        &mut self,
        addr: u64,
        len: u64,
        prot: Prot,
        holes: HolePolicy,
        mut sink: impl FnMut(Region<T>) -> F,
    ) -> Result<F, SpaceError> {
        self.open(addr, len)?;
        let (changed, result) = self.to_change(addr, len, holes)?;
        // Wherever the sink may stop it, and without a stop.
        let whole = self.regions_of(&changed).len();
        let first = if F::CAN_STOP { 0 } else { whole };
        for last in first..=whole {
            self.try_first(|space| {
                let mut left = last;
                space
                    .change(&changed, |_, mapping| {
                        mapping.prot = prot;
                        left = left.checked_sub(1).ok_or(())?;
                        Ok::<(), ()>(())
                    })
                    .unwrap_or_default();
            })?;
        }
        let said = self.change(&changed, |region, mapping| {
            mapping.prot = prot;
            sink(region)
        });
        if said.stops() {
            Ok(said)
        } else {
            result.map(|()| said)
        }
    }

    /// Changes the mappings of a range, region by region as they were before.
    ///
    /// # Errors
    /// As for `protect`.
    pub fn update<F: Flow>(
        &mut self,
        addr: u64,
        len: u64,
        holes: HolePolicy,
        mut change: impl FnMut(Region<T>, &mut Mapping<T>) -> F,
    ) -> Result<F, SpaceError> {
        let (changed, result) = self.to_change(addr, len, holes)?;
        // Each of its ends may make one region more.
        let ends = [changed.first().copied(), changed.last().map(|i| i + 1)];
        let cut = ends
            .into_iter()
            .flatten()
            .filter(|&i| self.is_cut_before(i));
        let (regions, most) = (self.region_count(), self.region_count() + cut.count());
        let exceeds = |limit| most > limit && most > regions;
        if self.region_limit.is_some_and(exceeds) {
            return Err(SpaceError::RegionLimit);
        }
        let said = self.change(&changed, &mut change);
        if said.stops() {
            Ok(said)
        } else {
            result.map(|()| said)
        }
    }

    /// Whether a page and the one below are of one region.
    fn is_cut_before(&self, page: usize) -> bool {
        let mapped = |i: usize| self.pages.get(i).is_some_and(Option::is_some);
        let below = page.checked_sub(1);
        below.is_some_and(|below| {
            mapped(below) && mapped(page) && self.regions_of(&[below, page]).len() == 1
        })
    }

    /// The pages that a call changes, and what it is refused with afterwards.
    pub(super) fn to_change(
        &self,
        addr: u64,
        len: u64,
        holes: HolePolicy,
    ) -> Result<ToChange, SpaceError> {
        let mut pages = self.fixed(addr, len)?;
        self.check_reserved(&pages)?;
        let first_hole = pages.iter().position(|&i| self.pages[i].is_none());
        match (holes, first_hole) {
            (HolePolicy::Skip, _) | (_, None) => Ok((pages, Ok(()))),
            (HolePolicy::RequireMapped, Some(_)) => Err(SpaceError::NotMapped),
            (HolePolicy::StopAtHole, Some(hole)) => {
                pages.truncate(hole);
                Ok((pages, Err(SpaceError::NotMapped)))
            }
        }
    }

    /// Changes pages, region by region as they were before.
    pub(super) fn change<F: Flow>(
        &mut self,
        pages: &[usize],
        mut change: impl FnMut(Region<T>, &mut Mapping<T>) -> F,
    ) -> F {
        for region in self.regions_of(pages) {
            let pages = self.pages_of(&region);
            let mut mapping = region.mapping.clone();
            let said = change(region, &mut mapping);
            if said.stops() {
                return said;
            }
            for (n, i) in pages.into_iter().enumerate() {
                self.pages[i] = Some(moved(&mapping, n as u128 * self.page_size));
            }
        }
        F::GO_ON
    }

    /// Moves a range; reports what was at the target.
    ///
    /// # Errors
    /// `ZeroLength`, `Misaligned`, `OutsideSpace` of either range; `Overlap`.
    pub fn relocate<F: Flow>(
        &mut self,
        from: u64,
        len: u64,
        to: u64,
        source: Source,
        sink: impl FnMut(Region<T>) -> F,
    ) -> Result<F, SpaceError> {
        let (pages, target) = (self.fixed(from, len)?, self.fixed(to, len)?);
        self.check_reserved(&pages)?;
        self.check_reserved(&target)?;
        self.check_sealed(&pages)?;
        self.check_sealed(&target)?;
        if pages.iter().any(|page| target.contains(page)) {
            return Err(SpaceError::Overlap);
        }
        let all_moved = |space: &mut Self| {
            for (&from, &to) in pages.iter().zip(&target) {
                match space.pages[from].clone() {
                    Some(mapping) => space.set(&[to], mapping),
                    None => space.pages[to] = None,
                }
                if source == Source::Remove {
                    space.pages[from] = None;
                }
            }
        };
        self.try_first(all_moved)?;
        let said = self.take(&target, sink);
        if !said.stops() {
            all_moved(self);
        }
        Ok(said)
    }

    /// Maps what follows a region as the region is mapped, if that is free.
    ///
    /// # Errors
    /// `ZeroLength`, `NotMapped`, `OutsideSpace`, `Exists`.
    pub fn extend(&mut self, addr: u64, by: u64) -> Result<u64, SpaceError> {
        if by == 0 {
            return Err(SpaceError::ZeroLength);
        }
        let region = self.query(addr).ok_or(SpaceError::NotMapped)?;
        let end = u128::from(region.addr) + u128::from(region.len);
        if end + self.round_up(by) > self.end() {
            return Err(SpaceError::OutsideSpace);
        }
        self.check_reserved(&self.fixed(bytes(end), by)?)?;
        if region.mapping.sealed {
            return Err(SpaceError::Sealed);
        }
        let mapping = moved(&region.mapping, u128::from(region.len));
        self.map_fixed_noreplace(bytes(end), by, mapping)?;
        Ok(bytes(end))
    }

    /// The region that contains an address, whole.
    #[must_use]
    pub fn query(&self, addr: u64) -> Option<Region<T>> {
        let contains = |region: &Region<T>| addr >= region.addr && addr - region.addr < region.len;
        self.regions().into_iter().find(contains)
    }

    /// The first byte of a range that is not mapped or whose region is not
    /// allowed; the address after the last one is 0.
    ///
    /// # Errors
    /// That address.
    pub fn check_access(
        &self,
        addr: u64,
        len: u64,
        mut allow: impl FnMut(&Mapping<T>) -> bool,
    ) -> Result<(), u64> {
        let mut at = u128::from(addr);
        let end = at + u128::from(len);
        while at < end {
            let region = u64::try_from(at).ok().and_then(|at| self.query(at));
            let Some(region) = region.filter(|region| allow(&region.mapping)) else {
                return Err(bytes(at % ADDRESSES));
            };
            at = u128::from(region.addr) + u128::from(region.len);
        }
        Ok(())
    }

    /// The regions and gaps of the pages that share a byte with a range.
    #[must_use]
    pub fn segments(&self, addr: u64, len: u64) -> Vec<SpaceSegment<T>> {
        let (low, high) = (u128::from(addr), u128::from(addr) + u128::from(len));
        let touched: Vec<usize> = (0..self.pages.len())
            .filter(|&i| low.max(self.addr(i)) < high.min(self.addr(i) + self.page_size))
            .collect();
        let mut segments: Vec<SpaceSegment<T>> = Vec::new();
        for run in touched.chunk_by(|&a, &b| self.pages[a].is_some() == self.pages[b].is_some()) {
            if self.pages[run[0]].is_some() {
                segments.extend(self.regions_of(run).into_iter().map(SpaceSegment::Region));
            } else {
                segments.push(SpaceSegment::Gap {
                    addr: bytes(self.addr(run[0])),
                    len: bytes(run.len() as u128 * self.page_size),
                });
            }
        }
        segments
    }

    /// The regions among the segments of a range.
    #[must_use]
    pub fn pieces(&self, addr: u64, len: u64) -> Vec<Region<T>> {
        let region = |segment| match segment {
            SpaceSegment::Region(region) => Some(region),
            SpaceSegment::Gap { .. } => None,
        };
        let segments = self.segments(addr, len).into_iter();
        segments.filter_map(region).collect()
    }

    /// The gaps among the segments of a range, as address and length.
    #[must_use]
    pub fn gaps_in(&self, addr: u64, len: u64) -> Vec<(u64, u64)> {
        let gap = |segment| match segment {
            SpaceSegment::Region(_) => None,
            SpaceSegment::Gap { addr, len } => Some((addr, len)),
        };
        self.segments(addr, len)
            .into_iter()
            .filter_map(gap)
            .collect()
    }

    /// The gap that contains an address, whole.
    #[must_use]
    pub fn gap_at(&self, addr: u64) -> Option<(u64, u64)> {
        let contains = |&(first, len): &(u64, u64)| addr >= first && addr - first < len;
        self.gaps().into_iter().find(contains)
    }

    /// How many bytes of a range are mapped.
    #[must_use]
    pub fn mapped_bytes_in(&self, addr: u64, len: u64) -> u64 {
        let (low, high) = (u128::from(addr), u128::from(addr) + u128::from(len));
        let mapped = (0..self.pages.len()).filter(|&i| self.pages[i].is_some());
        let shared = mapped.map(|i| {
            let (first, after) = (self.addr(i), self.addr(i) + self.page_size);
            high.min(after).saturating_sub(low.max(first))
        });
        bytes(shared.sum())
    }

    /// Marks everything that is mapped.
    pub fn mark_original(&mut self) {
        for mapping in self.pages.iter_mut().flatten() {
            mapping.original = true;
        }
    }

    /// Unmaps and reports everything that is not marked.
    pub fn unmap_non_original<F: Flow>(&mut self, sink: impl FnMut(Region<T>) -> F) -> F {
        let unmarked = |&i: &usize| {
            self.pages[i]
                .as_ref()
                .is_some_and(|mapping| !mapping.original)
        };
        let pages: Vec<usize> = (0..self.pages.len()).filter(unmarked).collect();
        self.take(&pages, sink)
    }

    /// Unmaps everything; the placement stays.
    pub fn reset(&mut self) {
        self.pages.fill_with(|| None);
    }

    /// All regions, ascending.
    #[must_use]
    pub fn regions(&self) -> Vec<Region<T>> {
        self.regions_of(&(0..self.pages.len()).collect::<Vec<_>>())
    }

    /// The regions that share a byte with a range, whole.
    #[must_use]
    pub fn regions_in(&self, addr: u64, len: u64) -> Vec<Region<T>> {
        let (low, high) = (u128::from(addr), u128::from(addr) + u128::from(len));
        let shares_a_byte = |region: &Region<T>| {
            let (first, after) = (
                u128::from(region.addr),
                u128::from(region.addr) + u128::from(region.len),
            );
            low.max(first) < high.min(after)
        };
        self.regions().into_iter().filter(shares_a_byte).collect()
    }

    /// The maximal runs of free pages, as address and length.
    #[must_use]
    pub fn gaps(&self) -> Vec<(u64, u64)> {
        self.runs(|i| self.pages[i].is_none())
    }

    /// The maximal runs of some pages, as address and length.
    pub(super) fn runs(&self, is_one: impl Fn(usize) -> bool) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u128, u128)> = Vec::new();
        for i in (0..self.pages.len()).filter(|&i| is_one(i)) {
            match runs.last_mut() {
                Some((addr, len)) if *addr + *len == self.addr(i) => *len += self.page_size,
                _ => runs.push((self.addr(i), self.page_size)),
            }
        }
        let narrow = |(addr, len)| (bytes(addr), bytes(len));
        runs.into_iter().map(narrow).collect()
    }

    /// The number of regions.
    #[must_use]
    pub fn region_count(&self) -> usize {
        self.regions().len()
    }

    /// How many bytes are mapped.
    #[must_use]
    pub fn mapped_bytes(&self) -> u64 {
        bytes(self.pages.iter().flatten().count() as u128 * self.page_size)
    }

    /// The length of the longest gap in bytes, 0 if there is none.
    #[must_use]
    pub fn largest_gap(&self) -> u64 {
        self.gaps().iter().map(|&(_, len)| len).max().unwrap_or(0)
    }
}
