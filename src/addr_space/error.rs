//! What an address space refuses, and why.

use core::fmt;

use crate::alloc_error::AllocError;

/// Why a call was refused. Nothing was changed and nothing was reported, but
/// for [`HolePolicy::StopAtHole`](crate::HolePolicy::StopAtHole).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SpaceError {
    /// The page size is not a power of two, start or length of the space are
    /// not multiples of it, the length is zero, the space ends past 2^64, or it
    /// has more than [`Page::LIMIT`](crate::Page::LIMIT) pages.
    BadSpace,
    /// The length is zero.
    ZeroLength,
    /// The address is not a multiple of the page size.
    Misaligned,
    /// The range is not wholly inside the space.
    OutsideSpace,
    /// The alignment is neither zero nor a power of two.
    BadAlignment,
    /// A page of the range is [reserved](crate::AddrSpace::reserve).
    Reserved,
    /// A region of the range is [sealed](crate::AddrSpace::seal).
    Sealed,
    /// A page of the range is mapped already.
    Exists,
    /// Source and target of a move have a page in common.
    Overlap,
    /// No free range of the space is long enough for the call.
    NoFreeRange,
    /// A page of the range is not mapped, and the call needs all of them.
    NotMapped,
    /// The call would leave more regions than
    /// [`set_region_limit`](crate::AddrSpace::set_region_limit) allows.
    RegionLimit,
    /// The call would leave more bytes mapped than
    /// [`set_byte_limit`](crate::AddrSpace::set_byte_limit) allows.
    ByteLimit,
    /// The allocator had no memory for the bookkeeping itself.
    OutOfMemory,
}

impl SpaceError {
    /// A Linux error number of that meaning: `EINVAL` (22), `EEXIST` (17),
    /// `ENOMEM` (12) or `EPERM` (1).
    ///
    /// Linux itself chooses by the call. It returns `ENOMEM` where `mmap` with
    /// `MAP_FIXED` or `mprotect` reaches past the end of user addresses, success
    /// for an aligned `mprotect` of length 0, and `EOVERFLOW` for a file offset
    /// that with the length passes 2^64 (all seen on Linux 6.18).
    #[must_use]
    pub const fn errno(self) -> i32 {
        match self {
            Self::BadSpace
            | Self::ZeroLength
            | Self::Misaligned
            | Self::OutsideSpace
            | Self::BadAlignment
            | Self::Overlap => 22,
            Self::Exists => 17,
            Self::Reserved | Self::Sealed => 1,
            Self::NoFreeRange
            | Self::NotMapped
            | Self::RegionLimit
            | Self::ByteLimit
            | Self::OutOfMemory => 12,
        }
    }
}

impl fmt::Display for SpaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadSpace => {
                "page size must be a power of two that divides start and length of a space inside 2^64"
            }
            Self::ZeroLength => "the length is zero",
            Self::Misaligned => "the address is not a multiple of the page size",
            Self::OutsideSpace => "the range is not inside the address space",
            Self::BadAlignment => "the alignment is not a power of two",
            Self::Reserved => "a page of the range is reserved",
            Self::Sealed => "a region of the range is sealed",
            Self::Exists => "a page of the range is mapped already",
            Self::Overlap => "source and target have a page in common",
            Self::NoFreeRange => "no free range is long enough",
            Self::NotMapped => "a page of the range is not mapped",
            Self::RegionLimit => "more regions than the limit",
            Self::ByteLimit => "more bytes than the limit",
            Self::OutOfMemory => "out of memory for the bookkeeping",
        })
    }
}

impl core::error::Error for SpaceError {}

impl From<AllocError> for SpaceError {
    fn from(_: AllocError) -> Self {
        Self::OutOfMemory
    }
}
