//! What C says and hears: its plain data, made of what Rust says and into it. Nothing
//! here is unsafe but to believe that the functions of a mapping's data can be called.
//!
//! Addresses are as wide as pointers in C and 64 bits inside. Going in, nothing
//! is lost; coming out, everything is checked, though the space is made from
//! pointers and so has no address that is wider.

use core::borrow::Borrow;
use core::ffi::c_int;
use core::ops::ControlFlow;
use core::ptr;

use super::data::{MMapDataFns, Own};
use crate::{
    Guard, HintRule, HolePolicy, MapOptions, Mapping, OffsetRule, Order, Placement, Prot, Region,
    SpaceError, SpaceSegment,
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

/// All of a mapping: `struct MMapMapping`. Its booleans are bytes here: C may have set
/// them to anything, and what is not 0 is true.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MMapMapping {
    /// Protection.
    pub prot: c_int,
    /// Flags.
    pub flags: c_int,
    /// File, negative for none.
    pub fd: c_int,
    /// Offset in the file, in bytes.
    pub offset: i64,
    /// The caller's number or pointer.
    pub data: u64,
    /// What keeps count of that; null for nothing.
    pub data_fns: *const MMapDataFns,
    /// The number of the guard.
    pub guard: u8,
    /// Whether the offset grows with the address.
    pub linear: u8,
    /// Whether it was mapped when `mmap_mark_original` was called.
    pub original: u8,
    /// Whether it is sealed.
    pub sealed: u8,
}

/// A run of pages with one mapping or none: `struct MMapSegment`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MMapSegment {
    /// Address of the first byte.
    pub start: usize,
    /// Length in bytes.
    pub len: usize,
    /// Whether it is mapped.
    pub mapped: bool,
    /// To what, its offset that of the first byte; nothing where it is not.
    pub mapping: MMapMapping,
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

/// `MMAP_HOLES_SKIP`.
pub const MMAP_HOLES_SKIP: c_int = 0;
/// `MMAP_HOLES_STOP`.
pub const MMAP_HOLES_STOP: c_int = 1;
/// `MMAP_HOLES_REFUSE`.
pub const MMAP_HOLES_REFUSE: c_int = 2;

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

    /// What C is told of a mapping.
    pub(super) fn of<T>(mapping: &Mapping<T>) -> Self {
        Self {
            prot: mapping.prot.0.cast_signed(),
            flags: mapping.flags.cast_signed(),
            fd: mapping.fd,
            offset: mapping.offset.cast_signed(),
            original: mapping.original,
        }
    }
}

impl MMapMapping {
    /// What a gap has.
    const NONE: Self = Self {
        prot: 0,
        flags: 0,
        fd: -1,
        offset: 0,
        data: 0,
        data_fns: ptr::null(),
        guard: 0,
        linear: 0,
        original: 0,
        sealed: 0,
    };

    /// All that there is to say of a mapping.
    pub(super) fn of(mapping: &Mapping<impl Borrow<Own>>) -> Self {
        let (data, data_fns) = mapping.data.borrow().parts();
        Self {
            prot: mapping.prot.0.cast_signed(),
            flags: mapping.flags.cast_signed(),
            fd: mapping.fd,
            offset: mapping.offset.cast_signed(),
            data,
            data_fns,
            guard: mapping.guard,
            linear: (mapping.offset_rule == OffsetRule::Linear).into(),
            original: mapping.original.into(),
            sealed: mapping.sealed.into(),
        }
    }

    /// The mapping with other data.
    fn with_data<T>(&self, data: T) -> Mapping<T> {
        Mapping {
            prot: Prot(self.prot.cast_unsigned()),
            flags: self.flags.cast_unsigned(),
            fd: self.fd,
            offset: self.offset.cast_unsigned(),
            offset_rule: if self.linear == 0 {
                OffsetRule::Verbatim
            } else {
                OffsetRule::Linear
            },
            original: self.original != 0,
            sealed: self.sealed != 0,
            guard: self.guard,
            data,
        }
    }

    /// The mapping, with one more of its data.
    ///
    /// # Safety
    /// H5.
    pub(super) unsafe fn held(&self) -> Mapping<Own> {
        // SAFETY: H5.
        self.with_data(unsafe { Own::one_more(self.data, self.data_fns) })
    }

    /// Makes a mapping this one. Its data is counted only if it is other than before.
    ///
    /// # Safety
    /// H5.
    pub(super) unsafe fn replace(&self, mapping: &mut Mapping<Own>) {
        if mapping.data.parts() != (self.data, self.data_fns) {
            // SAFETY: H5.
            mapping.data = unsafe { Own::one_more(self.data, self.data_fns) };
        }
        let data = core::mem::replace(&mut mapping.data, Own::NONE);
        *mapping = self.with_data(data);
    }
}

impl MMapSegment {
    pub(super) fn region(region: &Region<impl Borrow<Own>>) -> Self {
        Self {
            start: narrow(region.addr),
            len: narrow(region.len),
            mapped: true,
            mapping: MMapMapping::of(&region.mapping),
        }
    }

    pub(super) fn of(segment: &SpaceSegment<&Own>) -> Self {
        match segment {
            SpaceSegment::Region(region) => Self::region(region),
            SpaceSegment::Gap { addr, len } => Self {
                start: narrow(*addr),
                len: narrow(*len),
                mapped: false,
                mapping: MMapMapping::NONE,
            },
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
pub(super) fn exist(result: Result<(), SpaceError>) -> c_int {
    match result {
        Err(SpaceError::Exists) => MMAP_EXIST,
        result => MMapError::from(result) as c_int,
    }
}

/// `None` for a number that says nothing of holes.
pub(super) fn holes(policy: c_int) -> Option<HolePolicy> {
    match policy {
        MMAP_HOLES_SKIP => Some(HolePolicy::Skip),
        MMAP_HOLES_STOP => Some(HolePolicy::StopAtHole),
        MMAP_HOLES_REFUSE => Some(HolePolicy::RequireMapped),
        _ => None,
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
pub(super) fn wide(number: usize) -> u64 {
    const { assert!(usize::BITS <= u64::BITS) };
    number as u64
}

/// An address or a length inside a space, all of which C can say.
pub(super) fn narrow(number: u64) -> usize {
    usize::try_from(number).unwrap_or(NO_ADDRESS)
}

pub(super) fn address(result: Result<u64, SpaceError>) -> usize {
    result.map_or(NO_ADDRESS, narrow)
}

/// The arguments of a callback.
pub(super) fn piece<T>(region: &Region<T>) -> (usize, usize, MMapInfo) {
    let info = MMapInfo::of(&region.mapping);
    (narrow(region.addr), narrow(region.len), info)
}

pub(super) fn whole<T>(region: &Region<T>) -> MMapRegion {
    let (start, len, info) = piece(region);
    MMapRegion { start, len, info }
}

/// `None` for a number that says no placement.
pub(super) fn placement(kind: c_int, seed: u64) -> Option<Placement> {
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
    pub(super) fn to_options(self) -> Option<MapOptions> {
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
pub(super) fn hint(addr: usize) -> Option<u64> {
    (addr != 0).then_some(wide(addr))
}
