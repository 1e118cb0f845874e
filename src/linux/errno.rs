//! [`Errno`]: why a call is refused, as Linux numbers it.

use core::fmt;

/// An error number of Linux.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(i32);

/// Numbers with names.
macro_rules! numbers {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        impl Errno {
            $(
                #[doc = $text]
                pub const $name: Self = Self($number);
            )*

            /// The name, `"ENOMEM"` for instance; `None` for a number that no call here
            /// returns.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

numbers! {
    EPERM = 1, "Not permitted: an address below `vm.mmap_min_addr`, or execution of a `noexec` file.";
    EBADF = 9, "A file is needed and none is given.";
    EAGAIN = 11, "More than may be locked, or pages that cannot be had for a lock.";
    ENOMEM = 12, "No free range is long enough, a page is not mapped, a limit, or no memory for the bookkeeping.";
    EACCES = 13, "The file was not opened for this.";
    EFAULT = 14, "`mremap` of what is not mapped, or not as one row.";
    EBUSY = 16, "`msync` with `MS_INVALIDATE` of what is locked.";
    EEXIST = 17, "`MAP_FIXED_NOREPLACE` where something is mapped.";
    EINVAL = 22, "An argument that is never right.";
    EOVERFLOW = 75, "The file cannot be so long.";
    EOPNOTSUPP = 95, "A flag that `MAP_SHARED_VALIDATE` does not know.";
}

impl Errno {
    /// The error of a number, for a [`Host`](super::Host) that has one of its own.
    #[must_use]
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// The number, positive.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Errno {}
