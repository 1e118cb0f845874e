//! Pointers in and out: the handle behind the C interface, its guard against
//! calls from its own callbacks, and the end of the road for panics.
//!
//! What makes the unsafe code here sound, cited below by number:
//!
//! - **H1** A handle is null, or [`create`] made it and [`destroy`] has not
//!   taken it back. The caller's promise.
//! - **H2** No other thread changes or destroys the space during a call. The
//!   caller's promise; several threads may look at a space at one time.
//! - **H3** Only [`change`] makes a `&mut` to the space, and the handle is busy
//!   while it lives. What is the caller's runs in nothing but `change`, and in
//!   [`copy`], which only looks: the handle counts copies meanwhile, and what changes
//!   is refused. So whoever finds the handle idle is outside of both.
//! - **H4** A pointer to something other than a handle is null, or valid for
//!   its type. The caller's promise.
//! - **H5** The functions of a mapping's data are null, or valid for as long as a space
//!   has the mapping, and can be called with that data. The caller's promise.

use alloc::alloc::alloc;
use alloc::boxed::Box;
use core::alloc::Layout;
use core::cell::{Cell, UnsafeCell};
use core::ffi::{c_int, c_void};
use core::ops::ControlFlow;
use core::panic::AssertUnwindSafe;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::convert::{MMapInfo, MMapMapping, MMapRegion, MMapSegment, piece};
use super::data::Own;
use super::space::Space;
use crate::{Mapping, Region};

/// An address space behind a pointer; opaque in C.
#[derive(Debug)]
pub struct MMapAddrSpace {
    /// A call that changes the space is running.
    busy: Cell<bool>,
    /// How many copies are being made, perhaps by several threads.
    copies: AtomicUsize,
    space: UnsafeCell<Space>,
}

/// What is called with each region that a call affects; null for nothing.
///
/// A C++ exception that leaves it ends the process: `catch_unwind` cannot catch
/// it. The ABI says that it may unwind, so that this is defined.
pub type MMapUpdateFn = Option<
    unsafe extern "C-unwind" fn(start: usize, len: usize, info: MMapInfo, udata: *mut c_void),
>;

/// What is called with each region that a call affects, and can stop the call by any
/// number but 0; null for nothing. Of exceptions, as [`MMapUpdateFn`].
pub type MMapStopFn = Option<
    unsafe extern "C-unwind" fn(
        start: usize,
        len: usize,
        info: MMapInfo,
        udata: *mut c_void,
    ) -> c_int,
>;

/// What is called with each region that a call affects, all of its mapping included, and
/// can stop the call by any number but 0; null for nothing. Of exceptions, as
/// [`MMapUpdateFn`].
pub type MMapSegmentFn =
    Option<unsafe extern "C-unwind" fn(region: *const MMapSegment, udata: *mut c_void) -> c_int>;

/// What is called with each region that a call changes, and with its mapping, for it to
/// change; otherwise as [`MMapSegmentFn`].
pub type MMapChangeFn = Option<ChangeFn>;

/// An [`MMapChangeFn`] that is there.
pub(super) type ChangeFn = unsafe extern "C-unwind" fn(
    region: *const MMapSegment,
    mapping: *mut MMapMapping,
    udata: *mut c_void,
) -> c_int;

/// Moves a space to the heap; null if there is none, or no memory for it.
pub(super) fn create(space: Option<Space>) -> *mut MMapAddrSpace {
    let Some(space) = space else {
        return ptr::null_mut();
    };
    let handle = MMapAddrSpace {
        busy: Cell::new(false),
        copies: AtomicUsize::new(0),
        space: UnsafeCell::new(space),
    };
    // SAFETY: the layout has a size. `Box::new` would end the process where
    // this returns null.
    let raw = unsafe { alloc(Layout::new::<MMapAddrSpace>()) }.cast::<MMapAddrSpace>();
    if raw.is_null() {
        // It may have the caller's data, and call its functions.
        caught((), || drop(handle));
    } else {
        // SAFETY: fresh memory of this type's layout.
        unsafe { raw.write(handle) };
    }
    raw
}

impl MMapAddrSpace {
    /// Whether it can be changed: neither that nor a copy is going on.
    fn is_idle(&self) -> bool {
        !self.busy.get() && self.copies.load(Ordering::Relaxed) == 0
    }
}

/// Frees a space that is not busy.
///
/// # Safety
/// H1, H2.
pub(super) unsafe fn destroy(mm: *mut MMapAddrSpace) {
    // SAFETY: H1.
    let idle = unsafe { mm.as_ref() }.is_some_and(MMapAddrSpace::is_idle);
    if idle {
        // What is the caller's runs while it is busy, and nothing of it is left.
        // SAFETY: the promises are passed on.
        unsafe { change(mm, (), Space::reset) };
        // SAFETY: H1: `create` allocated it with a box's layout, and it is taken
        // back once. It is idle, so H3 says that nothing refers into it.
        let handle = unsafe { Box::from_raw(mm) };
        caught((), || drop(handle));
    }
}

/// What `look` answers, or `refused`: null, busy, or a panic.
///
/// # Safety
/// H1, H2; `look` calls nothing of the caller's, but in [`copy`], which counts.
pub(super) unsafe fn read<T>(
    mm: *const MMapAddrSpace,
    refused: T,
    look: impl FnOnce(&Space) -> T,
) -> T {
    // SAFETY: H1.
    match unsafe { mm.as_ref() } {
        Some(handle) if !handle.busy.get() => {
            // SAFETY: idle, so there is no `&mut` by H3, nor one before `look`
            // returns, by H2.
            let space = unsafe { &*handle.space.get() };
            caught(refused, || look(space))
        }
        _ => refused,
    }
}

/// What `edit` answers, or `refused`: null, busy, or a panic. Busy meanwhile.
///
/// # Safety
/// H1, H2.
pub(super) unsafe fn change<T>(
    mm: *mut MMapAddrSpace,
    refused: T,
    edit: impl FnOnce(&mut Space) -> T,
) -> T {
    // SAFETY: H1.
    match unsafe { mm.as_ref() } {
        Some(handle) if handle.is_idle() => {
            handle.busy.set(true);
            // SAFETY: it was idle, so there is no `&mut` by H3; and no `&`,
            // since `read` calls nothing that could get here, and by H2.
            let space = unsafe { &mut *handle.space.get() };
            let answer = caught(refused, || edit(space));
            handle.busy.set(false);
            answer
        }
        _ => refused,
    }
}

/// A copy of a space, in a handle of its own; null if there is no memory, for null, and
/// for one that is busy.
///
/// # Safety
/// H1, H2.
pub(super) unsafe fn copy(mm: *const MMapAddrSpace) -> *mut MMapAddrSpace {
    // SAFETY: H1.
    let Some(handle) = (unsafe { mm.as_ref() }) else {
        return ptr::null_mut();
    };
    // Until nothing of the caller's can run any more, also what releases the data of a
    // copy for which there is no memory. So what it calls can look, and change nothing.
    handle.copies.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the promises are passed on.
    let copy = create(unsafe { read(mm, None, Space::copy) });
    handle.copies.fetch_sub(1, Ordering::Relaxed);
    copy
}

/// Runs `call`; `refused` if it panics. The space is valid all the same: a
/// panic is one of a Rust callback, or a defect.
fn caught<T>(refused: T, call: impl FnOnce() -> T) -> T {
    std::panic::catch_unwind(AssertUnwindSafe(call)).unwrap_or(refused)
}

/// Calls `ufn` with every region that it is given.
///
/// # Safety
/// `ufn` can be called with `udata` until the sink is dropped.
pub(super) unsafe fn sink(ufn: MMapUpdateFn, udata: *mut c_void) -> impl FnMut(Region<Own>) {
    move |region| {
        if let Some(ufn) = ufn {
            let (start, len, info) = piece(&region);
            // SAFETY: the promise made to `sink`.
            unsafe { ufn(start, len, info, udata) };
        }
    }
}

/// Calls `ufn` with every region that it is given, and stops where that says so.
///
/// # Safety
/// As for [`sink`].
pub(super) unsafe fn stopping_sink(
    ufn: MMapStopFn,
    udata: *mut c_void,
) -> impl FnMut(Region<Own>) -> ControlFlow<()> {
    move |region| {
        let Some(ufn) = ufn else {
            return ControlFlow::Continue(());
        };
        let (start, len, info) = piece(&region);
        // SAFETY: the promise made to `stopping_sink`.
        said(unsafe { ufn(start, len, info, udata) })
    }
}

/// What a callback that can stop has said.
fn said(code: c_int) -> ControlFlow<()> {
    match code {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    }
}

/// Shows every region that it is given to `ufn`, and stops where that says so. Only then
/// is the region's data released.
///
/// # Safety
/// As for [`sink`].
pub(super) unsafe fn segment_sink(
    ufn: MMapSegmentFn,
    udata: *mut c_void,
) -> impl FnMut(Region<Own>) -> ControlFlow<()> {
    move |region| {
        let Some(ufn) = ufn else {
            return ControlFlow::Continue(());
        };
        let segment = MMapSegment::region(&region);
        // SAFETY: the promise made to `segment_sink`.
        said(unsafe { ufn(&raw const segment, udata) })
    }
}

/// Has `ufn` change every mapping that it is given, and stops where that says so.
///
/// # Safety
/// As for [`sink`], and H5 for what `ufn` makes of a mapping.
pub(super) unsafe fn changing(
    ufn: ChangeFn,
    udata: *mut c_void,
) -> impl FnMut(Region<Own>, &mut Mapping<Own>) -> ControlFlow<()> {
    move |region, mapping| {
        let segment = MMapSegment::region(&region);
        let mut changed = segment.mapping;
        // SAFETY: the promise made to `changing`.
        let code = unsafe { ufn(&raw const segment, &raw mut changed, udata) };
        if code == 0 {
            // SAFETY: H5.
            unsafe { changed.replace(mapping) };
        }
        said(code)
    }
}

/// The value behind a pointer, or `None` for null.
///
/// # Safety
/// H4.
pub(super) unsafe fn input<T: Copy>(pointer: *const T) -> Option<T> {
    // SAFETY: H4.
    unsafe { pointer.as_ref() }.copied()
}

/// Start and length of a region, or `None` for null. Nothing else of it is
/// read: a C program may not have set it, and not every byte is a `bool`.
///
/// # Safety
/// H4 for these two.
pub(super) unsafe fn bounds(region: *const MMapRegion) -> Option<(usize, usize)> {
    // SAFETY: H4, and it is not null.
    (!region.is_null()).then(|| unsafe { ((*region).start, (*region).len) })
}

/// Writes `value`, if there is one and `out` is not null.
///
/// # Safety
/// H4.
pub(super) unsafe fn output<T>(out: *mut T, value: Option<T>) {
    if let Some(value) = value
        && !out.is_null()
    {
        // SAFETY: H4, and it is not null.
        unsafe { out.write(value) };
    }
}

/// Writes what `look` answers to `out`; whether it answered. A null `out` is
/// refused.
///
/// # Safety
/// H1, H2, H4; `look` calls nothing of the caller's.
pub(super) unsafe fn read_to<T: Copy>(
    mm: *const MMapAddrSpace,
    out: *mut T,
    look: impl FnOnce(&Space) -> Option<T>,
) -> bool {
    // SAFETY: the promises are passed on.
    unsafe {
        let answer = read(mm, None, look);
        output(out, answer);
        answer.is_some() && !out.is_null()
    }
}
