//! The C interface: libmmap's functions, and some that it lacks, on
//! [`AddrSpace`](crate::AddrSpace). `include/mmap_c.h` documents them.
//!
//! Nothing is decided here: `handle.rs` has the pointers and refuses null and
//! busy ones, `convert.rs` has the meaning. From Rust these functions are of
//! use only to tests that go the way of a C program.
//!
//! # Safety
//! Of every function: a space is null, or [`mmap_create`] returned it and
//! [`mmap_destroy`] has not taken it back; any other pointer is null or valid
//! for its type; a callback can be called with its data; and no thread changes
//! a space while another uses it.

#![expect(
    unsafe_code,
    reason = "pointers from C; handle.rs says why each use is sound"
)]
#![expect(
    clippy::missing_safety_doc,
    reason = "the same for all functions, said above"
)]

mod convert;
mod data;
mod handle;
mod mappings;
mod space;

use core::ffi::{c_char, c_int, c_void};

use convert::{NO_ADDRESS, told};
use handle::{
    bounds, change, copy, create, destroy, input, output, read, read_to, sink, stopping_sink,
};
use space::Space;

use crate::HolePolicy;

pub use convert::{
    MMAP_EXIST, MMAP_HINT_EXACT, MMAP_HINT_ROUND_DOWN, MMAP_HINT_UPWARDS, MMAP_HOLES_REFUSE,
    MMAP_HOLES_SKIP, MMAP_HOLES_STOP, MMAP_NO_LIMIT, MMAP_OFFSETS_LINEAR, MMAP_OFFSETS_VERBATIM,
    MMAP_PLACE_BEST_HIGHEST, MMAP_PLACE_BEST_LOWEST, MMAP_PLACE_DEFAULT, MMAP_PLACE_HIGHEST,
    MMAP_PLACE_LOWEST, MMAP_PLACE_NEAREST, MMAP_PLACE_RANDOM, MMAP_STOPPED, MMapError, MMapInfo,
    MMapMapping, MMapOptions, MMapRegion, MMapSegment, MMapTotals,
};
pub use data::MMapDataFns;
pub use handle::{MMapAddrSpace, MMapChangeFn, MMapSegmentFn, MMapStopFn, MMapUpdateFn};
pub use mappings::{
    mmap_extend, mmap_map_any2, mmap_map_at2, mmap_map_fixed_noreplace2, mmap_mapped_bytes_in,
    mmap_next_segment, mmap_protect2, mmap_query_segment, mmap_relocate, mmap_unmap_non_original2,
    mmap_unmap2, mmap_update,
};

/// An empty space of the whole pages in a range; null if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn mmap_create(start: usize, len: usize, pagesize: usize) -> *mut MMapAddrSpace {
    create(Space::new(start, len, pagesize))
}

/// Frees a space.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_destroy(mm: *mut MMapAddrSpace) {
    // SAFETY: the caller's promises.
    unsafe { destroy(mm) }
}

/// Unmaps everything.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_reset(mm: *mut MMapAddrSpace) {
    // SAFETY: the caller's promises.
    unsafe { change(mm, (), Space::reset) }
}

/// Places at random addresses from now on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_enable_aslr(mm: *mut MMapAddrSpace, seed: u64) {
    // SAFETY: the caller's promises.
    unsafe { change(mm, (), |space| space.place_at_random(seed)) }
}

/// Maps at a hint or where the placement of the space says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_map_any(
    mm: *mut MMapAddrSpace,
    hint: usize,
    len: usize,
    prot: c_int,
    flags: c_int,
    fd: c_int,
    offset: i64,
) -> usize {
    let info = MMapInfo::new(prot, flags, fd, offset);
    // SAFETY: the caller's promises.
    unsafe {
        change(mm, NO_ADDRESS, |space| {
            space.map_any(hint, len, space.mapping(info))
        })
    }
}

/// Maps at an address, replacing what is there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_map_at(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
    prot: c_int,
    flags: c_int,
    fd: c_int,
    offset: i64,
    ufn: MMapUpdateFn,
    udata: *mut c_void,
) -> usize {
    let info = MMapInfo::new(prot, flags, fd, offset);
    // SAFETY: the caller's promises.
    unsafe {
        let sink = sink(ufn, udata);
        change(mm, NO_ADDRESS, |space| {
            let mapped = space.map_at(addr, len, space.mapping(info), sink);
            mapped.map_or(NO_ADDRESS, |()| addr)
        })
    }
}

/// Unmaps a range.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_unmap(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
    ufn: MMapUpdateFn,
    udata: *mut c_void,
) -> MMapError {
    // SAFETY: the caller's promises.
    unsafe {
        let sink = sink(ufn, udata);
        change(mm, MMapError::Inval, |space| {
            space.unmap(addr, len, sink).into()
        })
    }
}

/// What a page is mapped to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_query_page(
    mm: *const MMapAddrSpace,
    addr: usize,
    info: *mut MMapInfo,
) -> bool {
    // SAFETY: the caller's promises.
    unsafe { read_to(mm, info, |space| space.page(addr)) }
}

/// Changes the protection of what is mapped in a range.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_protect(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
    prot: c_int,
    ufn: MMapUpdateFn,
    udata: *mut c_void,
) -> MMapError {
    // SAFETY: the caller's promises.
    unsafe {
        let sink = sink(ufn, udata);
        let refused = MMapError::Inval;
        change(mm, refused, |space| {
            space
                .protect(addr, len, prot, HolePolicy::Skip, sink)
                .into()
        })
    }
}

/// Marks everything that is mapped now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_mark_original(mm: *mut MMapAddrSpace) {
    // SAFETY: the caller's promises.
    unsafe { change(mm, (), Space::mark_original) }
}

/// Unmaps everything that is not marked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_unmap_non_original(
    mm: *mut MMapAddrSpace,
    ufn: MMapUpdateFn,
    udata: *mut c_void,
) {
    // SAFETY: the caller's promises.
    unsafe {
        let sink = sink(ufn, udata);
        change(mm, (), |space| space.unmap_non_original(sink));
    }
}

/// The version of the library; static.
#[unsafe(no_mangle)]
pub extern "C" fn mmap_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Chooses where [`mmap_map_any`] places.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_set_placement(
    mm: *mut MMapAddrSpace,
    placement: c_int,
    seed: u64,
) -> MMapError {
    let refused = MMapError::Inval;
    // SAFETY: the caller's promises.
    unsafe { change(mm, refused, |space| space.set_placement(placement, seed)) }
}

/// Chooses what the offsets of files that are mapped from now on mean.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_set_offsets(mm: *mut MMapAddrSpace, offsets: c_int) -> MMapError {
    let refused = MMapError::Inval;
    // SAFETY: the caller's promises.
    unsafe { change(mm, refused, |space| space.set_offsets(offsets)) }
}

/// Limits the regions and the bytes that a call may leave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_set_limits(
    mm: *mut MMapAddrSpace,
    regions: usize,
    bytes: usize,
) -> MMapError {
    let refused = MMapError::Inval;
    // SAFETY: the caller's promises.
    unsafe { change(mm, refused, |space| space.set_limits(regions, bytes)) }
}

/// Chooses the guard of mappings that are made from now on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_use_guard(mm: *mut MMapAddrSpace, number: u8) -> MMapError {
    // SAFETY: the caller's promises.
    unsafe { change(mm, MMapError::Inval, |space| space.use_guard(number)) }
}

/// Sets what the guard of a number keeps free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_set_guard(
    mm: *mut MMapAddrSpace,
    number: u8,
    below: usize,
    above: usize,
) -> MMapError {
    let refused = MMapError::Inval;
    // SAFETY: the caller's promises.
    unsafe { change(mm, refused, |space| space.set_guard(number, below, above)) }
}

/// Takes a free range away from the space's user.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_reserve(mm: *mut MMapAddrSpace, addr: usize, len: usize) -> c_int {
    let refused = MMapError::Inval as c_int;
    // SAFETY: the caller's promises.
    unsafe { change(mm, refused, |space| space.reserve(addr, len)) }
}

/// Gives a range back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_unreserve(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
) -> MMapError {
    // SAFETY: the caller's promises.
    unsafe { change(mm, MMapError::Inval, |space| space.unreserve(addr, len)) }
}

/// Seals a range that is mapped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_seal(mm: *mut MMapAddrSpace, addr: usize, len: usize) -> MMapError {
    // SAFETY: the caller's promises.
    unsafe { change(mm, MMapError::Inval, |space| space.seal(addr, len)) }
}

/// Maps at an address if nothing is there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_map_fixed_noreplace(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
    prot: c_int,
    flags: c_int,
    fd: c_int,
    offset: i64,
) -> c_int {
    let info = MMapInfo::new(prot, flags, fd, offset);
    let refused = MMapError::Inval as c_int;
    // SAFETY: the caller's promises.
    unsafe {
        change(mm, refused, |space| {
            space.map_fixed_noreplace(addr, len, space.mapping(info))
        })
    }
}

/// Maps in a window, aligned, or with a placement of this call's own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_map_any_with(
    mm: *mut MMapAddrSpace,
    len: usize,
    prot: c_int,
    flags: c_int,
    fd: c_int,
    offset: i64,
    options: *const MMapOptions,
) -> usize {
    let info = MMapInfo::new(prot, flags, fd, offset);
    // SAFETY: the caller's promises.
    unsafe {
        let options = input(options);
        change(mm, NO_ADDRESS, |space| {
            space.map_any_with(len, space.mapping(info), options)
        })
    }
}

/// Where [`mmap_map_any_with`] would map.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_find_free(
    mm: *const MMapAddrSpace,
    len: usize,
    options: *const MMapOptions,
) -> usize {
    // SAFETY: the caller's promises.
    unsafe {
        let options = input(options);
        read(mm, NO_ADDRESS, |space| space.find_free(len, options))
    }
}

/// The region around an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_query_region(
    mm: *const MMapAddrSpace,
    addr: usize,
    region: *mut MMapRegion,
) -> bool {
    // SAFETY: the caller's promises.
    unsafe { read_to(mm, region, |space| space.region(addr)) }
}

/// The first region, or the one after another.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_next_region(
    mm: *const MMapAddrSpace,
    after: *const MMapRegion,
    region: *mut MMapRegion,
) -> bool {
    // SAFETY: the caller's promises. `after` is copied before `region` is
    // written: they may be one.
    unsafe {
        let after = bounds(after);
        read_to(mm, region, |space| space.next_region(after))
    }
}

/// Whether all of a buffer is mapped with this protection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_check_access(
    mm: *const MMapAddrSpace,
    addr: usize,
    len: usize,
    prot: c_int,
    bad: *mut usize,
) -> bool {
    // SAFETY: the caller's promises.
    unsafe {
        let first_bad = read(mm, Some(addr), |space| space.first_bad(addr, len, prot));
        output(bad, first_bad);
        first_bad.is_none()
    }
}

/// Bounds and totals.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_totals(mm: *const MMapAddrSpace, totals: *mut MMapTotals) -> bool {
    // SAFETY: the caller's promises.
    unsafe { read_to(mm, totals, |space| Some(space.totals())) }
}

/// A copy of a space; null if there is no memory for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_copy(mm: *const MMapAddrSpace) -> *mut MMapAddrSpace {
    // SAFETY: the caller's promises.
    unsafe { copy(mm) }
}

/// [`mmap_map_at`] that its callback can stop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_map_at_until(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
    prot: c_int,
    flags: c_int,
    fd: c_int,
    offset: i64,
    ufn: MMapStopFn,
    udata: *mut c_void,
) -> c_int {
    let info = MMapInfo::new(prot, flags, fd, offset);
    let refused = MMapError::Inval as c_int;
    // SAFETY: the caller's promises.
    unsafe {
        let sink = stopping_sink(ufn, udata);
        change(mm, refused, |space| {
            told(space.map_at(addr, len, space.mapping(info), sink))
        })
    }
}

/// [`mmap_unmap`] that its callback can stop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_unmap_until(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
    ufn: MMapStopFn,
    udata: *mut c_void,
) -> c_int {
    let refused = MMapError::Inval as c_int;
    // SAFETY: the caller's promises.
    unsafe {
        let sink = stopping_sink(ufn, udata);
        change(mm, refused, |space| told(space.unmap(addr, len, sink)))
    }
}

/// [`mmap_protect`] that its callback can stop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_protect_until(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
    prot: c_int,
    ufn: MMapStopFn,
    udata: *mut c_void,
) -> c_int {
    let refused = MMapError::Inval as c_int;
    // SAFETY: the caller's promises.
    unsafe {
        let sink = stopping_sink(ufn, udata);
        change(mm, refused, |space| {
            told(space.protect(addr, len, prot, HolePolicy::Skip, sink))
        })
    }
}

/// [`mmap_unmap_non_original`] that its callback can stop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_unmap_non_original_until(
    mm: *mut MMapAddrSpace,
    ufn: MMapStopFn,
    udata: *mut c_void,
) -> c_int {
    let refused = MMapError::Inval as c_int;
    // SAFETY: the caller's promises.
    unsafe {
        let sink = stopping_sink(ufn, udata);
        change(mm, refused, |space| {
            told(Ok(space.unmap_non_original(sink)))
        })
    }
}
