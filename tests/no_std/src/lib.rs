//! A library without std that uses gaptree. It has a panic handler and an
//! allocator of its own, so that it builds only if nothing brings in std's.

#![no_std]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr;

use gaptree::{AddrSpace, Mapping, Prot};

struct NoMemory;

// SAFETY: returning null is allowed, and nothing else is ever handed out.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// Maps a page; the address, or 0 if it is refused.
pub fn map_a_page() -> u64 {
    let Ok(mut space) = AddrSpace::new(0x1000, 0x1000_0000, 0x1000) else {
        return 0;
    };
    space
        .map_any(None, 0x1000, Mapping::anonymous(Prot::READ, 0))
        .unwrap_or(0)
}
