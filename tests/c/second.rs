//! A second Rust library for a program that has libmmap's: it panics, and it
//! catches its panic.

use std::cell::Cell;
use std::ffi::c_int;
use std::panic;

thread_local! {
    static DROPPED: Cell<c_int> = const { Cell::new(0) };
}

/// Counts that unwinding came by.
struct Dropped;

impl Drop for Dropped {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
    }
}

fn panics(number: c_int) -> c_int {
    let _dropped = Dropped;
    let divisor = std::hint::black_box(0);
    number / divisor
}

/// How many panics were caught, this one included; negative if it was not.
#[no_mangle]
pub extern "C" fn second_catches() -> c_int {
    let caught = panic::catch_unwind(|| panics(1)).is_err();
    if caught {
        DROPPED.get()
    } else {
        -1
    }
}

/// Panics, and leaves it to the caller.
#[no_mangle]
pub extern "C-unwind" fn second_panics() {
    panics(1);
}
