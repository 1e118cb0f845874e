//! Subjects: maps of ranges from C and C++, behind the feature `cpp-rivals`.
//!
//! `cpp/rival.hpp` and `cpp/maple.c` have the functions that are called here.

#![expect(
    unsafe_code,
    reason = "functions in C; every map is used by its owner alone"
)]

use std::ffi::c_void;
use std::fmt;
use std::ptr::NonNull;

use crate::subject::{Place, Side, Subject};
use crate::value::Value;

/// `Place` of `rival.hpp`.
#[repr(C)]
struct CPlace {
    len: u64,
    low: u64,
    high: u64,
    align: u64,
    highest: bool,
}

/// No page: workloads end at 2^40.
const NOWHERE: u64 = u64::MAX;

/// What is called with an entry; false for the last one that is wanted.
type Visit = unsafe extern "C" fn(*mut c_void, u64, u64, *const Value) -> bool;

/// Calls the closure that `context` points to.
///
/// # Safety
/// `context` is an `F` that nobody else uses, and `value` can be read.
unsafe extern "C" fn visit<F: FnMut(u64, u64, Value) -> bool>(
    context: *mut c_void,
    start: u64,
    end: u64,
    value: *const Value,
) -> bool {
    // SAFETY: the caller's promise.
    let (f, value) = unsafe { (&mut *context.cast::<F>(), *value) };
    f(start, end, value)
}

/// A subject from the functions that `RIVAL` defines for it in C++, or what
/// `maple.c` has of its own.
macro_rules! rival {
    ($(#[$doc:meta])* $subject:ident, $functions:ident, $name:literal, $prefix:literal, $indexed:literal) => {
        mod $functions {
            use super::{CPlace, Value, Visit, c_void};

            unsafe extern "C" {
                #[link_name = concat!($prefix, "_new")]
                pub(super) fn new() -> *mut c_void;
                #[link_name = concat!($prefix, "_clone")]
                pub(super) fn clone(map: *const c_void) -> *mut c_void;
                #[link_name = concat!($prefix, "_drop")]
                pub(super) fn drop(map: *mut c_void);
                #[link_name = concat!($prefix, "_find")]
                pub(super) fn find(map: *const c_void, page: u64) -> u64;
                #[link_name = concat!($prefix, "_insert")]
                pub(super) fn insert(map: *mut c_void, start: u64, end: u64, value: *const Value);
                #[link_name = concat!($prefix, "_remove")]
                pub(super) fn remove(map: *mut c_void, start: u64, end: u64);
                #[link_name = concat!($prefix, "_protect")]
                pub(super) fn protect(map: *mut c_void, start: u64, end: u64, prot: u32);
                #[link_name = concat!($prefix, "_overlapping")]
                pub(super) fn overlapping(
                    map: *const c_void,
                    start: u64,
                    end: u64,
                    visit: Visit,
                    context: *mut c_void,
                );
                #[link_name = concat!($prefix, "_find_gap")]
                pub(super) fn find_gap(map: *const c_void, place: *const CPlace) -> u64;
            }
        }

        $(#[$doc])*
        pub struct $subject(NonNull<c_void>);

        impl fmt::Debug for $subject {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($subject))
            }
        }

        impl Clone for $subject {
            fn clone(&self) -> Self {
                // SAFETY: a map that lives; it is not changed.
                let map = unsafe { $functions::clone(self.0.as_ptr()) };
                Self(NonNull::new(map).expect("C returns a map or ends the program"))
            }
        }

        impl Drop for $subject {
            fn drop(&mut self) {
                // SAFETY: a map that lives, and is not used again.
                unsafe { $functions::drop(self.0.as_ptr()) }
            }
        }

        impl $subject {
            #[inline]
            fn visit<F: FnMut(u64, u64, Value) -> bool>(&self, start: u64, end: u64, mut f: F) {
                let context = (&raw mut f).cast();
                // SAFETY: a map that lives; the closure is called with what
                // belongs to it, and only until this returns.
                unsafe {
                    $functions::overlapping(self.0.as_ptr(), start, end, visit::<F>, context);
                }
            }
        }

        impl Subject for $subject {
            const NAME: &'static str = $name;
            const SIDE: Side = Side::Rival;
            const INDEXED: bool = $indexed;
            const COUNTED: bool = false;

            fn new() -> Self {
                // SAFETY: it has no conditions.
                let map = unsafe { $functions::new() };
                Self(NonNull::new(map).expect("C returns a map or ends the program"))
            }

            #[inline]
            fn find(&self, page: u64) -> Option<u64> {
                // SAFETY: a map that lives; it is not changed.
                let start = unsafe { $functions::find(self.0.as_ptr(), page) };
                (start != NOWHERE).then_some(start)
            }

            #[inline]
            fn insert(&mut self, start: u64, end: u64, value: Value) {
                // SAFETY: a map that lives, and a value that is copied.
                unsafe { $functions::insert(self.0.as_ptr(), start, end, &raw const value) }
            }

            #[inline]
            fn remove(&mut self, start: u64, end: u64) {
                // SAFETY: a map that lives.
                unsafe { $functions::remove(self.0.as_ptr(), start, end) }
            }

            #[inline]
            fn protect(&mut self, start: u64, end: u64, prot: u32) {
                // SAFETY: a map that lives.
                unsafe { $functions::protect(self.0.as_ptr(), start, end, prot) }
            }

            #[inline]
            fn overlapping(&self, start: u64, end: u64, mut f: impl FnMut(u64, u64, u32) -> bool) {
                self.visit(start, end, |low, high, value| f(low, high, value.prot));
            }

            #[inline]
            fn for_each(&self, mut f: impl FnMut(u64, u64, Value)) {
                self.visit(0, NOWHERE, |start, end, value| {
                    f(start, end, value);
                    true
                });
            }

            #[inline]
            fn find_gap(&self, place: &Place) -> Option<u64> {
                let place = CPlace {
                    len: place.len,
                    low: place.window.0,
                    high: place.window.1,
                    align: place.align,
                    highest: place.highest,
                };
                // SAFETY: a map that lives; neither it nor the place is changed.
                let start = unsafe { $functions::find_gap(self.0.as_ptr(), &raw const place) };
                (start != NOWHERE).then_some(start)
            }
        }
    };
}

#[cfg(boost_icl)]
rival!(
    /// Boost.ICL's `interval_map`.
    BoostIcl, icl, "boost-icl", "rival_icl", false
);

#[cfg(llvm)]
rival!(
    /// LLVM's `IntervalMap`.
    Llvm, llvm, "llvm", "rival_llvm", false
);

#[cfg(maple_tree)]
rival!(
    /// Linux's tree of memory areas.
    Maple, maple, "maple-tree", "rival_maple", true
);
