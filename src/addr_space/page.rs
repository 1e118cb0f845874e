//! Pages as keys.

use crate::key::Key;
use crate::ordinal::Sealed;
use crate::u62::U62;

/// The number of a page, counted from the start of its space: the key of
/// [`AddrSpace`](crate::AddrSpace)'s store.
///
/// Below 2^62, so that the tree can compare two of them by the sign of their
/// difference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Page(u64);

impl Page {
    /// How many pages a space can have: 2^62 - 1.
    pub const LIMIT: u64 = U62::LIMIT - 1;

    /// The page with this number, or `None` above [`Page::LIMIT`].
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        if number <= Self::LIMIT {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The page above, or the last one itself.
    pub(super) fn next(self) -> Self {
        Self(Self::LIMIT.min(self.0 + 1))
    }

    /// The page below.
    pub(super) fn previous(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl Sealed for Page {}
impl Key for Page {
    const MIN: Self = Self(0);
    const MAX: Self = Self(Self::LIMIT);
    const ONE: u64 = 1;
    type Len = u64;
    type Ordinal = U62;
    const ORIGIN: U62 = U62(0);

    #[inline]
    fn to_ordinal(self) -> U62 {
        U62(self.0)
    }

    #[inline]
    fn from_ordinal(ordinal: U62) -> Self {
        Self(ordinal.0)
    }

    #[inline]
    fn len_to_ordinal(len: u64) -> U62 {
        U62(len)
    }

    #[inline]
    fn len_from_ordinal(ordinal: U62) -> u64 {
        ordinal.0
    }
}
