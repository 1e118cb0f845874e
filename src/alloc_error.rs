//! [`AllocError`]: there was no memory.

use core::alloc::Layout;
use core::fmt;

/// The memory that an operation needs could not be obtained; nothing changed
/// and nothing was reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AllocError {
    layout: Layout,
}

impl AllocError {
    /// An error for a request of `layout` that was refused.
    #[must_use]
    pub const fn new(layout: Layout) -> Self {
        Self { layout }
    }

    /// What was asked for; size in bytes.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Ends the program as a failed allocation does.
    pub fn abort(self) -> ! {
        alloc::alloc::handle_alloc_error(self.layout)
    }
}

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not allocate {} bytes", self.layout.size())
    }
}

impl core::error::Error for AllocError {}
