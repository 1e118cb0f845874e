//! A Rust program with the C library in it: both have Rust's standard library.
//! It catches a panic, also in a callback.

mod second;

use std::ffi::{c_int, c_void};
use std::ptr;

use second::{second_catches, second_panics};

/// `struct MMapInfo`.
#[repr(C)]
pub struct Info {
    prot: c_int,
    flags: c_int,
    fd: c_int,
    offset: i64,
    original: bool,
}

/// `struct MMapAddrSpace`.
#[repr(C)]
pub struct Space {
    opaque: [u8; 0],
}

type Callback = extern "C-unwind" fn(usize, usize, Info, *mut c_void);

extern "C-unwind" {
    fn mmap_create(start: usize, len: usize, pagesize: usize) -> *mut Space;
    fn mmap_destroy(mm: *mut Space);
    fn mmap_map_any(
        mm: *mut Space,
        hint: usize,
        len: usize,
        prot: c_int,
        flags: c_int,
        fd: c_int,
        offset: i64,
    ) -> usize;
    fn mmap_unmap(
        mm: *mut Space,
        addr: usize,
        len: usize,
        ufn: Callback,
        udata: *mut c_void,
    ) -> c_int;
}

extern "C-unwind" fn catches(_: usize, _: usize, info: Info, _: *mut c_void) {
    let Info {
        prot, flags, fd, ..
    } = info;
    assert_eq!(
        (prot, flags, fd, info.offset, info.original),
        (3, 0, -1, 0, false)
    );
    assert_eq!(second_catches(), 2);
}

extern "C-unwind" fn leaves(_: usize, _: usize, _: Info, _: *mut c_void) {
    second_panics();
}

fn main() {
    let leave = std::env::args().nth(1).is_some_and(|word| word == "leave");
    let (base, page) = (0x10_0000, 4096);
    assert_eq!(second_catches(), 1);
    // SAFETY: as `mmap_c.h` declares them; the space is destroyed last.
    unsafe {
        let mm = mmap_create(base, 16 * page, page);
        assert!(!mm.is_null());
        assert_eq!(mmap_map_any(mm, 0, page, 3, 0, -1, 0), base);
        let callback = if leave { leaves } else { catches };
        assert_eq!(mmap_unmap(mm, base, page, callback, ptr::null_mut()), 0);
        mmap_destroy(mm);
    }
    assert_eq!(second_catches(), 3);
}
