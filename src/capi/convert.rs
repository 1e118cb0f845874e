//! What C says and hears: its plain data, and an address space that speaks it.
//! Nothing here is unsafe.
//!
//! Addresses are as wide as pointers in C and 64 bits inside. Going in, nothing
//! is lost; coming out, everything is checked, though the space is made from
//! pointers and so has no address that is wider.

use core::ffi::c_int;
use core::ops::ControlFlow;

use crate::{
    AddrSpace, Flow, Guard, HintRule, HolePolicy, MapOptions, Mapping, OffsetRule, Order,
    Placement, Prot, Region, SpaceError,
};

/// `(uintptr_t)-1`: no address.
pub(super) const NO_ADDRESS: usize = usize::MAX;

/// `MMAP_NO_LIMIT`.
pub const MMAP_NO_LIMIT: usize = usize::MAX;

/// `MMAP_EXIST`, which only [`mmap_map_fixed_noreplace`] returns.
///
/// [`mmap_map_fixed_noreplace`]: super::mmap_map_fixed_noreplace
pub const MMAP_EXIST: c_int = 3;

/// `MMAP_STOPPED`: what a call returns that its callback has stopped.
pub const MMAP_STOPPED: c_int = 4;

/// How a call went: `enum MMapError`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C)]
pub enum MMapError {
    /// `MMAP_OK`.
    Ok = 0,
    /// `MMAP_INVAL`: an argument is not valid, or the space is busy.
    Inval = 1,
    /// `MMAP_NOMEM`: no memory for the bookkeeping.
    Nomem = 2,
}

/// What is mapped: `struct MMapInfo`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C)]
pub struct MMapInfo {
    /// Protection.
    pub prot: c_int,
    /// Flags.
    pub flags: c_int,
    /// File, negative for none.
    pub fd: c_int,
    /// Offset in the file, in bytes.
    pub offset: i64,
    /// Whether it was mapped when `mmap_mark_original` was called.
    pub original: bool,
}

/// A run of pages with one mapping: `struct MMapRegion`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C)]
pub struct MMapRegion {
    /// Address of the first byte.
    pub start: usize,
    /// Length in bytes.
    pub len: usize,
    /// The mapping, its offset that of the first byte.
    pub info: MMapInfo,
}

/// Where to map: `struct MMapOptions`. All zeroes ask for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(C)]
pub struct MMapOptions {
    /// An address to take if it fits; 0 for none.
    pub hint: usize,
    /// Address of the window that limits the whole placement.
    pub window_start: usize,
    /// Length of the window in bytes; 0 for the whole space.
    pub window_len: usize,
    /// Alignment of the address in bytes, a power of two; 0 for the page size.
    pub align: usize,
    /// An `enum MMapPlacement`.
    pub placement: c_int,
    /// Seed of a random placement, address of the nearest.
    pub seed: u64,
    /// An `enum MMapHint`.
    pub hint_rule: c_int,
    /// How many bytes below the mapping must be free too.
    pub margin_below: usize,
    /// And above it.
    pub margin_above: usize,
}

/// Bounds and totals: `struct MMapTotals`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C)]
pub struct MMapTotals {
    /// Address of the space's first byte.
    pub start: usize,
    /// Length of the space in bytes.
    pub len: usize,
    /// Size of a page in bytes.
    pub pagesize: usize,
    /// Number of regions.
    pub regions: usize,
    /// Mapped bytes.
    pub mapped: usize,
    /// Length of the longest gap in bytes.
    pub largest_gap: usize,
}

/// `MMAP_PLACE_DEFAULT`: as the space says.
pub const MMAP_PLACE_DEFAULT: c_int = 0;
/// `MMAP_PLACE_LOWEST`.
pub const MMAP_PLACE_LOWEST: c_int = 1;
/// `MMAP_PLACE_HIGHEST`.
pub const MMAP_PLACE_HIGHEST: c_int = 2;
/// `MMAP_PLACE_RANDOM`.
pub const MMAP_PLACE_RANDOM: c_int = 3;
/// `MMAP_PLACE_NEAREST`.
pub const MMAP_PLACE_NEAREST: c_int = 4;
/// `MMAP_PLACE_BEST_LOWEST`.
pub const MMAP_PLACE_BEST_LOWEST: c_int = 5;
/// `MMAP_PLACE_BEST_HIGHEST`.
pub const MMAP_PLACE_BEST_HIGHEST: c_int = 6;

/// `MMAP_HINT_EXACT`.
pub const MMAP_HINT_EXACT: c_int = 0;
/// `MMAP_HINT_ROUND_DOWN`.
pub const MMAP_HINT_ROUND_DOWN: c_int = 1;
/// `MMAP_HINT_UPWARDS`.
pub const MMAP_HINT_UPWARDS: c_int = 2;

/// `MMAP_OFFSETS_VERBATIM`.
pub const MMAP_OFFSETS_VERBATIM: c_int = 0;
/// `MMAP_OFFSETS_LINEAR`.
pub const MMAP_OFFSETS_LINEAR: c_int = 1;

impl MMapInfo {
    /// The arguments of a call that maps.
    pub(super) fn new(prot: c_int, flags: c_int, fd: c_int, offset: i64) -> Self {
        let original = false;
        Self {
            prot,
            flags,
            fd,
            offset,
            original,
        }
    }

    /// A mapping as it is `distance` bytes after its offset.
    fn at(mapping: &Mapping, distance: u64) -> Self {
        let offset = match mapping.offset_rule {
            OffsetRule::Linear => mapping.offset.wrapping_add(distance),
            OffsetRule::Verbatim => mapping.offset,
        };
        Self {
            prot: mapping.prot.0.cast_signed(),
            flags: mapping.flags.cast_signed(),
            fd: mapping.fd,
            offset: offset.cast_signed(),
            original: mapping.original,
        }
    }
}

impl From<Result<(), SpaceError>> for MMapError {
    fn from(result: Result<(), SpaceError>) -> Self {
        match result {
            Ok(()) => Self::Ok,
            Err(
                SpaceError::NoFreeRange
                | SpaceError::NotMapped
                | SpaceError::RegionLimit
                | SpaceError::ByteLimit
                | SpaceError::OutOfMemory,
            ) => Self::Nomem,
            Err(_) => Self::Inval,
        }
    }
}

/// How a call went that needs free pages.
fn exist(result: Result<(), SpaceError>) -> c_int {
    match result {
        Err(SpaceError::Exists) => MMAP_EXIST,
        result => MMapError::from(result) as c_int,
    }
}

/// How a call went whose callback can stop it.
pub(super) fn told(result: Result<ControlFlow<()>, SpaceError>) -> c_int {
    match result {
        Ok(ControlFlow::Break(())) => MMAP_STOPPED,
        result => MMapError::from(result.map(drop)) as c_int,
    }
}

/// A C number as 64 bits.
fn wide(number: usize) -> u64 {
    const { assert!(usize::BITS <= u64::BITS) };
    number as u64
}

/// An address or a length inside a space, all of which C can say.
fn narrow(number: u64) -> usize {
    usize::try_from(number).unwrap_or(NO_ADDRESS)
}

fn address(result: Result<u64, SpaceError>) -> usize {
    result.map_or(NO_ADDRESS, narrow)
}

/// The arguments of a callback.
pub(super) fn piece(region: &Region) -> (usize, usize, MMapInfo) {
    let info = MMapInfo::at(&region.mapping, 0);
    (narrow(region.addr), narrow(region.len), info)
}

fn whole(region: Region) -> MMapRegion {
    let (start, len, info) = piece(&region);
    MMapRegion { start, len, info }
}

/// `None` for a number that says no placement.
fn placement(kind: c_int, seed: u64) -> Option<Placement> {
    match kind {
        MMAP_PLACE_LOWEST => Some(Placement::Lowest),
        MMAP_PLACE_HIGHEST => Some(Placement::Highest),
        MMAP_PLACE_RANDOM => Some(Placement::Random(seed)),
        MMAP_PLACE_NEAREST => Some(Placement::Nearest(seed)),
        MMAP_PLACE_BEST_LOWEST => Some(Placement::Best(Order::Lowest)),
        MMAP_PLACE_BEST_HIGHEST => Some(Placement::Best(Order::Highest)),
        _ => None,
    }
}

/// `None` for a number that says no rule.
fn hint_rule(rule: c_int) -> Option<HintRule> {
    match rule {
        MMAP_HINT_EXACT => Some(HintRule::Exact),
        MMAP_HINT_ROUND_DOWN => Some(HintRule::RoundDown),
        MMAP_HINT_UPWARDS => Some(HintRule::Upwards),
        _ => None,
    }
}

impl MMapOptions {
    /// `None` for a placement or a rule that is none.
    fn to_options(self) -> Option<MapOptions> {
        let window = (wide(self.window_start), wide(self.window_len));
        Some(MapOptions {
            hint: hint(self.hint),
            hint_rule: hint_rule(self.hint_rule)?,
            window: (self.window_len != 0).then_some(window),
            align: wide(self.align),
            margin: Guard {
                below: wide(self.margin_below),
                above: wide(self.margin_above),
            },
            placement: match self.placement {
                MMAP_PLACE_DEFAULT => None,
                kind => Some(placement(kind, self.seed)?),
            },
        })
    }
}

/// 0 is no hint.
fn hint(addr: usize) -> Option<u64> {
    (addr != 0).then_some(wide(addr))
}

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
    inner: AddrSpace,
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

    fn mapping(&self, info: MMapInfo) -> Mapping {
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
            ..Mapping::anonymous(Prot::NONE, 0)
        }
    }

    pub(super) fn map_any(&mut self, at: usize, len: usize, info: MMapInfo) -> usize {
        let mapping = self.mapping(info);
        address(self.inner.map_any(hint(at), wide(len), mapping))
    }

    pub(super) fn map_any_with(
        &mut self,
        len: usize,
        info: MMapInfo,
        options: Option<MMapOptions>,
    ) -> usize {
        let mapping = self.mapping(info);
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
        info: MMapInfo,
        sink: impl FnMut(Region) -> F,
    ) -> Result<F, SpaceError> {
        let mapping = self.mapping(info);
        self.inner.map_at(wide(addr), wide(len), mapping, sink)
    }

    pub(super) fn map_fixed_noreplace(&mut self, addr: usize, len: usize, info: MMapInfo) -> c_int {
        let mapping = self.mapping(info);
        exist(
            self.inner
                .map_fixed_noreplace(wide(addr), wide(len), mapping),
        )
    }

    pub(super) fn unmap<F: Flow>(
        &mut self,
        addr: usize,
        len: usize,
        sink: impl FnMut(Region) -> F,
    ) -> Result<F, SpaceError> {
        self.inner.unmap(wide(addr), wide(len), sink)
    }

    pub(super) fn protect<F: Flow>(
        &mut self,
        addr: usize,
        len: usize,
        prot: c_int,
        sink: impl FnMut(Region) -> F,
    ) -> Result<F, SpaceError> {
        let (addr, len, prot) = (wide(addr), wide(len), Prot(prot.cast_unsigned()));
        self.inner.protect(addr, len, prot, HolePolicy::Skip, sink)
    }

    /// What the page around `addr` is mapped to, its offset that of the page.
    pub(super) fn page(&self, addr: usize) -> Option<MMapInfo> {
        let addr = wide(addr);
        let region = self.inner.query(addr)?;
        let page = addr & !(self.inner.page_size() - 1);
        Some(MMapInfo::at(&region.mapping, page - region.addr))
    }

    pub(super) fn region(&self, addr: usize) -> Option<MMapRegion> {
        self.inner.query(wide(addr)).map(whole)
    }

    /// The first region that reaches beyond the end of `after`, which is start
    /// and length.
    pub(super) fn next_region(&self, after: Option<(usize, usize)>) -> Option<MMapRegion> {
        let (start, len) = after.unwrap_or_default();
        let from = wide(start).checked_add(wide(len))?;
        // A length that ends at or past the last page, wherever it begins.
        self.inner.regions_in(from, u64::MAX).next().map(whole)
    }

    /// The first address that is not mapped with all bits of `prot`.
    pub(super) fn first_bad(&self, addr: usize, len: usize, prot: c_int) -> Option<usize> {
        let needed = Prot(prot.cast_unsigned());
        let checked = self.inner.check_access(wide(addr), wide(len), |mapping| {
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

    pub(super) fn unmap_non_original<F: Flow>(&mut self, sink: impl FnMut(Region) -> F) -> F {
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
        assert_eq!(space.map_any(0, 4096, low), TOP - 4096);
        assert_eq!(space.map_any(0, 4096, high), TOP);
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
        assert_eq!(space.map_any(0x4000, 0x3000, file), 0x4000);
        assert_eq!(space.page(0x5fff).map(|info| info.offset), Some(0x6000));
        assert_eq!(
            space.region(0x5fff).map(|region| region.info.offset),
            Some(0x5000)
        );
        assert_eq!(space.set_offsets(MMAP_OFFSETS_VERBATIM), MMapError::Ok);
        assert_eq!(space.map_any(0x8000, 0x3000, file), 0x8000);
        assert_eq!(space.page(0x9000).map(|info| info.offset), Some(0x5000));
    }
}
