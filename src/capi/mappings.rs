//! The functions that take and report all of a mapping, with the caller's data.

use core::ffi::{c_int, c_void};

use super::convert::{
    MMapError, MMapMapping, MMapOptions, MMapSegment, NO_ADDRESS, exist, holes, told,
};
use super::handle::{
    MMapAddrSpace, MMapChangeFn, MMapSegmentFn, change, changing, input, output, read, read_to,
    segment_sink,
};
use super::space::Space;
use crate::Source;

/// The result of a call that is refused.
const REFUSED: c_int = MMapError::Inval as c_int;

/// `mmap_map_any_with` with all of a mapping.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_map_any2(
    mm: *mut MMapAddrSpace,
    len: usize,
    mapping: *const MMapMapping,
    options: *const MMapOptions,
) -> usize {
    // SAFETY: the caller's promises.
    unsafe {
        let (mapping, options) = (input(mapping), input(options));
        change(mm, NO_ADDRESS, |space| match mapping {
            Some(mapping) => space.map_any_with(len, mapping.held(), options),
            None => NO_ADDRESS,
        })
    }
}

/// `mmap_map_at` with all of a mapping.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_map_at2(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
    mapping: *const MMapMapping,
    ufn: MMapSegmentFn,
    udata: *mut c_void,
) -> c_int {
    // SAFETY: the caller's promises.
    unsafe {
        let (mapping, sink) = (input(mapping), segment_sink(ufn, udata));
        change(mm, REFUSED, |space| match mapping {
            Some(mapping) => told(space.map_at(addr, len, mapping.held(), sink)),
            None => REFUSED,
        })
    }
}

/// `mmap_map_fixed_noreplace` with all of a mapping.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_map_fixed_noreplace2(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
    mapping: *const MMapMapping,
) -> c_int {
    // SAFETY: the caller's promises.
    unsafe {
        let mapping = input(mapping);
        change(mm, REFUSED, |space| match mapping {
            Some(mapping) => space.map_fixed_noreplace(addr, len, mapping.held()),
            None => REFUSED,
        })
    }
}

/// `mmap_unmap` that reports all of each mapping.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_unmap2(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
    ufn: MMapSegmentFn,
    udata: *mut c_void,
) -> c_int {
    // SAFETY: the caller's promises.
    unsafe {
        let sink = segment_sink(ufn, udata);
        change(mm, REFUSED, |space| told(space.unmap(addr, len, sink)))
    }
}

/// `mmap_protect` that is told what to do with holes, and reports all of each mapping.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_protect2(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
    prot: c_int,
    policy: c_int,
    ufn: MMapSegmentFn,
    udata: *mut c_void,
) -> c_int {
    // SAFETY: the caller's promises.
    unsafe {
        let sink = segment_sink(ufn, udata);
        change(mm, REFUSED, |space| match holes(policy) {
            Some(holes) => told(space.protect(addr, len, prot, holes, sink)),
            None => REFUSED,
        })
    }
}

/// `mmap_unmap_non_original` that reports all of each mapping.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_unmap_non_original2(
    mm: *mut MMapAddrSpace,
    ufn: MMapSegmentFn,
    udata: *mut c_void,
) -> c_int {
    // SAFETY: the caller's promises.
    unsafe {
        let sink = segment_sink(ufn, udata);
        change(mm, REFUSED, |space| {
            told(Ok(space.unmap_non_original(sink)))
        })
    }
}

/// Changes anything of what is mapped in a range.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_update(
    mm: *mut MMapAddrSpace,
    addr: usize,
    len: usize,
    policy: c_int,
    ufn: MMapChangeFn,
    udata: *mut c_void,
) -> c_int {
    // SAFETY: the caller's promises.
    unsafe {
        change(mm, REFUSED, |space| match (holes(policy), ufn) {
            (Some(holes), Some(ufn)) => told(space.update(addr, len, holes, changing(ufn, udata))),
            _ => REFUSED,
        })
    }
}

/// Moves or copies what is mapped in a range.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_relocate(
    mm: *mut MMapAddrSpace,
    from: usize,
    len: usize,
    to: usize,
    keep: bool,
    ufn: MMapSegmentFn,
    udata: *mut c_void,
) -> c_int {
    let source = if keep { Source::Keep } else { Source::Remove };
    // SAFETY: the caller's promises.
    unsafe {
        let sink = segment_sink(ufn, udata);
        change(mm, REFUSED, |space| {
            told(space.relocate(from, len, to, source, sink))
        })
    }
}

/// Maps more behind a region as the region is mapped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_extend(
    mm: *mut MMapAddrSpace,
    addr: usize,
    by: usize,
    mapped_at: *mut usize,
) -> c_int {
    // SAFETY: the caller's promises.
    unsafe {
        let (code, first) = change(mm, (REFUSED, None), |space| {
            let extended = space.extend(addr, by);
            (exist(extended.map(drop)), extended.ok())
        });
        output(mapped_at, first);
        code
    }
}

/// The region or the gap around an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_query_segment(
    mm: *const MMapAddrSpace,
    addr: usize,
    segment: *mut MMapSegment,
) -> bool {
    // SAFETY: the caller's promises.
    unsafe { read_to(mm, segment, |space| space.segment(addr)) }
}

/// The first region or gap of a range, or the one after another.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_next_segment(
    mm: *const MMapAddrSpace,
    addr: usize,
    len: usize,
    after: *const MMapSegment,
    segment: *mut MMapSegment,
) -> bool {
    // SAFETY: the caller's promises, for start and length of `after`. They are copied
    // before `segment` is written: the two may be one.
    unsafe {
        let after = (!after.is_null()).then(|| ((*after).start, (*after).len));
        read_to(mm, segment, |space| space.next_segment(addr, len, after))
    }
}

/// How many bytes of a range are mapped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap_mapped_bytes_in(
    mm: *const MMapAddrSpace,
    addr: usize,
    len: usize,
) -> usize {
    // SAFETY: the caller's promises.
    unsafe { read(mm, 0, |space: &Space| space.mapped_bytes_in(addr, len)) }
}
