//! [`U62`]: the number that most keys become, small enough that comparing two
//! of them is subtracting.

/// A number below 2^62, or 2^62 itself as padding: in columns. Lengths and
/// alignments that a caller asks for may be larger until they are checked.
///
/// A difference of two of them, less a third, fits in an `i64`. So its sign bit
/// says which is larger, and `simd.rs` can take the sign bits of many
/// differences at once.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct U62(pub(crate) u64);

impl U62 {
    /// One above the largest number; the padding.
    pub(crate) const LIMIT: u64 = 1 << 62;
}
