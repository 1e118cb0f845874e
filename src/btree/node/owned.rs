//! Node memory: a box that can say that there is none.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::ops::{Deref, DerefMut};

use crate::alloc_error::AllocError;

/// `Box<T>`, made fallibly in safe stable Rust: by way of a vector of one.
#[derive(Debug)]
pub(crate) struct Owned<T>(Box<[T; 1]>);

impl<T> Owned<T> {
    #[inline]
    pub(crate) fn try_with(node: impl FnOnce() -> T) -> Result<Self, AllocError> {
        let error = AllocError::new(Layout::new::<T>());
        let mut memory = Vec::new();
        memory.try_reserve_exact(1).map_err(|_| error)?;
        memory.extend(core::iter::once_with(node));
        let node = memory.into_boxed_slice().try_into();
        Ok(Self(node.map_err(|_| error)?))
    }

    pub(crate) fn into_inner(self) -> T {
        let [node] = *self.0;
        node
    }
}

impl<T> Deref for Owned<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0[0]
    }
}

impl<T> DerefMut for Owned<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0[0]
    }
}
