//! What a region carries for C: a number, and the functions that keep count of it.

use core::ptr;

/// What keeps count of the data of regions: `struct MMapDataFns`. Either can be null.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MMapDataFns {
    /// One more region has this number.
    pub copy: Option<unsafe extern "C-unwind" fn(data: u64)>,
    /// One less has it.
    pub release: Option<unsafe extern "C-unwind" fn(data: u64)>,
}

/// The number of a region, counted.
#[derive(Debug)]
pub(super) struct Own {
    data: u64,
    /// Null, or valid for as long as this lives (H5), with functions that can be called
    /// with the number.
    fns: *const MMapDataFns,
}

impl Own {
    /// No data, which nothing counts.
    pub(super) const NONE: Self = Self {
        data: 0,
        fns: ptr::null(),
    };

    /// One more of this number. It is the caller's to say that this is busy work of a
    /// space: `copy` may do anything.
    ///
    /// # Safety
    /// H5.
    pub(super) unsafe fn one_more(data: u64, fns: *const MMapDataFns) -> Self {
        // SAFETY: H5.
        if let Some(copy) = unsafe { fns.as_ref() }.and_then(|fns| fns.copy) {
            // SAFETY: H5.
            unsafe { copy(data) };
        }
        Self { data, fns }
    }

    pub(super) fn parts(&self) -> (u64, *const MMapDataFns) {
        (self.data, self.fns)
    }
}

impl Clone for Own {
    #[inline]
    fn clone(&self) -> Self {
        // SAFETY: the promise made for this one holds for as long as either lives.
        unsafe { Self::one_more(self.data, self.fns) }
    }
}

impl Drop for Own {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: H5.
        if let Some(release) = unsafe { self.fns.as_ref() }.and_then(|fns| fns.release) {
            // SAFETY: H5.
            unsafe { release(self.data) };
        }
    }
}

/// Equal numbers with equal functions.
impl PartialEq for Own {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data && ptr::eq(self.fns, other.fns)
    }
}
