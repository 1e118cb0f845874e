//! An allocator that fails where a test asks it to.
#![expect(
    unsafe_code,
    reason = "a global allocator can only be written with unsafe"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// How many allocations of this thread succeed before one fails.
    static COUNTDOWN: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The system's allocator, which fails when this thread asks it to.
struct Failing;

impl Failing {
    /// Whether this allocation fails: the countdown ends with it.
    fn fails() -> bool {
        // A thread that ends has no countdown any more.
        let step = |countdown: &Cell<Option<usize>>| {
            let left = countdown.get();
            countdown.set(left.and_then(|left| left.checked_sub(1)));
            left == Some(0)
        };
        COUNTDOWN.try_with(step).unwrap_or(false)
    }
}

// SAFETY: a call either goes to the system's allocator or returns null, as every
// allocator may.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::fails() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and the memory is
        // the system allocator's.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if Self::fails() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps the contract of `realloc`, and the memory is
        // the system allocator's.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Runs `call` with the allocation after `point` others failing; whether that
/// allocation came.
pub(crate) fn failing_at<T>(point: usize, call: impl FnOnce() -> T) -> (T, bool) {
    COUNTDOWN.set(Some(point));
    let result = call();
    let left = COUNTDOWN.take();
    (result, left.is_none())
}

/// Runs `call` with memory, in a call that is failed otherwise.
#[allow(dead_code, reason = "not every suite has such code")]
pub(crate) fn with_memory<T>(call: impl FnOnce() -> T) -> T {
    let countdown = COUNTDOWN.take();
    let result = call();
    COUNTDOWN.set(countdown);
    result
}
