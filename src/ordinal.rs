//! [`Ordinal`]: the order-preserving integers that engines compute with, and
//! the searches over columns of them.
//!
//! An engine never computes on a key. It computes on the key's *ordinal*, an
//! unsigned integer that sorts like the key, so that signed keys, small keys
//! and pages share one code path. There are three kinds of ordinal:
//!
//! | ordinal | of | why |
//! |---|---|---|
//! | [`U62`] | keys of up to 32 bits, [`Page`](crate::Page) | a difference keeps its sign, so comparing is subtracting |
//! | `u64` | `u64`, `i64`, `usize`, `isize` | the whole 64-bit domain |
//! | `u128` | `u128`, `i128` | the whole 128-bit domain |

use core::fmt::Debug;

use crate::simd;
use crate::u62::U62;

mod sealed {
    /// Keeps [`Key`](crate::Key) and [`Ordinal`](super::Ordinal) closed: the
    /// engines rely on their order.
    pub trait Sealed {}
}
pub(crate) use sealed::Sealed;

/// An unsigned integer that sorts like a key: what nodes and columns hold.
///
/// Columns are arrays whose unused tail is padded: ends with [`Ordinal::PAD`],
/// so that none is below a key; starts and gaps with [`Ordinal::ZERO`], so that
/// no gap seems to be there.
#[doc(hidden)]
pub trait Ordinal: Copy + Ord + Debug + Sealed + 'static {
    /// The ordinal of the smallest key.
    const ZERO: Self;
    /// The padding of ends, not below any key; also the longest length that may be
    /// asked for.
    const PAD: Self;
    /// `self + other`; the caller knows that a key has that ordinal.
    fn plus(self, other: Self) -> Self;
    /// `self - other`; the caller knows that `other <= self`.
    fn minus(self, other: Self) -> Self;
    /// How far `self` must rise to be congruent to `phase` modulo `mask + 1`,
    /// a power of two.
    fn up_to_phase(self, phase: Self, mask: Self) -> Self;
    /// How far `self` must fall to be congruent to `phase` modulo `mask + 1`.
    fn down_to_phase(self, phase: Self, mask: Self) -> Self;
    /// `align - 1` where `self` is the alignment, or `None` where it is not a
    /// power of two.
    fn alignment_mask(self) -> Option<Self>;
    /// `phase + origin` modulo `mask + 1`.
    fn shift_phase(self, origin: Self, mask: Self) -> Self;
    /// How many of the first `len` ends of a sorted, padded column are below `x`.
    fn rank_below<const N: usize>(column: &[Self; N], len: usize, x: Self) -> usize;
    /// How many of the first `len` ends of a sorted, padded column are at most `x`.
    fn rank_up_to<const N: usize>(column: &[Self; N], len: usize, x: Self) -> usize;
    /// The same in fewer instructions but with more latency: for the last step
    /// of a look-up, on which the next look-up does not depend.
    fn rank_up_to_at_once<const N: usize>(column: &[Self; N], len: usize, x: Self) -> usize {
        Self::rank_up_to(column, len, x)
    }
    /// A bit for each of the first `len` gaps of a padded column that is at least
    /// `want` long, for `want` above zero.
    fn long_enough<const N: usize>(gaps: &[Self; N], len: usize, want: Self) -> u64;
    /// A bit for each `i` in `1..len` with `starts[i] - ends[i - 1] >= want`,
    /// for `want` above zero.
    fn long_enough_between<const N: usize>(
        starts: &[Self; N],
        ends: &[Self; N],
        len: usize,
        want: Self,
    ) -> u64;
    /// The longest of the first `len` gaps of a padded column.
    fn longest<const N: usize>(gaps: &[Self; N], len: usize) -> Self {
        gaps[..len].iter().copied().fold(Self::ZERO, Self::max)
    }
    /// The longest `starts[i] - ends[i - 1]` for `i` in `1..len`.
    fn longest_between<const N: usize>(starts: &[Self; N], ends: &[Self; N], len: usize) -> Self {
        let gaps = (1..len).map(|i| starts[i].minus(ends[i - 1]));
        gaps.fold(Self::ZERO, Self::max)
    }
}

impl Sealed for U62 {}

impl Ordinal for U62 {
    const ZERO: Self = Self(0);
    const PAD: Self = Self(Self::LIMIT);

    #[inline]
    fn plus(self, other: Self) -> Self {
        debug_assert!(other.0 <= Self::LIMIT - self.0, "{self:?} + {other:?}");
        Self(self.0.wrapping_add(other.0))
    }

    #[inline]
    fn minus(self, other: Self) -> Self {
        debug_assert!(other <= self, "{self:?} - {other:?}");
        Self(self.0.wrapping_sub(other.0))
    }

    #[inline]
    fn up_to_phase(self, phase: Self, mask: Self) -> Self {
        Self(phase.0.wrapping_sub(self.0) & mask.0)
    }

    #[inline]
    fn down_to_phase(self, phase: Self, mask: Self) -> Self {
        Self(self.0.wrapping_sub(phase.0) & mask.0)
    }

    #[inline]
    fn alignment_mask(self) -> Option<Self> {
        self.0.is_power_of_two().then(|| Self(self.0 - 1))
    }

    #[inline]
    fn shift_phase(self, origin: Self, mask: Self) -> Self {
        Self(self.0.wrapping_add(origin.0) & mask.0)
    }

    #[inline]
    fn rank_below<const N: usize>(column: &[Self; N], len: usize, x: Self) -> usize {
        simd::rank(column, len, |key| key < x)
    }

    #[inline]
    fn rank_up_to<const N: usize>(column: &[Self; N], len: usize, x: Self) -> usize {
        // A key is below 2^62, so its successor is no more than the padding.
        Self::rank_below(column, len, Self(x.0 + 1))
    }

    #[inline]
    fn rank_up_to_at_once<const N: usize>(column: &[Self; N], len: usize, x: Self) -> usize {
        // A key is below 2^62, so its successor is no more than the padding.
        simd::rank_at_once(column, len, Self(x.0 + 1))
    }

    #[inline]
    fn long_enough<const N: usize>(gaps: &[Self; N], len: usize, want: Self) -> u64 {
        simd::long_enough(gaps, len, want)
    }

    #[inline]
    fn long_enough_between<const N: usize>(
        starts: &[Self; N],
        ends: &[Self; N],
        len: usize,
        want: Self,
    ) -> u64 {
        simd::long_enough_between(starts, ends, len, want)
    }

    #[inline]
    fn longest<const N: usize>(gaps: &[Self; N], len: usize) -> Self {
        simd::longest(gaps, len)
    }

    #[inline]
    fn longest_between<const N: usize>(starts: &[Self; N], ends: &[Self; N], len: usize) -> Self {
        simd::longest_between(starts, ends, len)
    }
}

macro_rules! whole_domain_ordinal {
    ($($int:ty),*) => {$(
        impl Ordinal for $int {
            const ZERO: Self = 0;
            const PAD: Self = <$int>::MAX;

            #[inline]
            fn plus(self, other: Self) -> Self {
                debug_assert!(self.checked_add(other).is_some(), "{self} + {other}");
                self.wrapping_add(other)
            }

            #[inline]
            fn minus(self, other: Self) -> Self {
                debug_assert!(other <= self, "{self} - {other}");
                self.wrapping_sub(other)
            }

            #[inline]
            fn up_to_phase(self, phase: Self, mask: Self) -> Self {
                phase.wrapping_sub(self) & mask
            }

            #[inline]
            fn down_to_phase(self, phase: Self, mask: Self) -> Self {
                self.wrapping_sub(phase) & mask
            }

            #[inline]
            fn alignment_mask(self) -> Option<Self> {
                self.is_power_of_two().then(|| self - 1)
            }

            #[inline]
            fn shift_phase(self, origin: Self, mask: Self) -> Self {
                self.wrapping_add(origin) & mask
            }

            #[inline]
            fn rank_below<const N: usize>(column: &[Self; N], len: usize, x: Self) -> usize {
                simd::rank(column, len, |key| key < x)
            }

            #[inline]
            fn rank_up_to<const N: usize>(column: &[Self; N], len: usize, x: Self) -> usize {
                match x.checked_add(1) {
                    Some(next) => Self::rank_below(column, len, next),
                    None => len,
                }
            }

            #[inline]
            fn long_enough<const N: usize>(gaps: &[Self; N], len: usize, want: Self) -> u64 {
                let bits = gaps[..len].iter().enumerate();
                bits.fold(0, |mask, (i, &gap)| mask | u64::from(gap >= want) << i)
            }

            #[inline]
            fn long_enough_between<const N: usize>(
                starts: &[Self; N],
                ends: &[Self; N],
                len: usize,
                want: Self,
            ) -> u64 {
                (1..len).fold(0, |mask, i| {
                    mask | u64::from(starts[i].wrapping_sub(ends[i - 1]) >= want) << i
                })
            }
        }
    )*};
}
whole_domain_ordinal!(u64, u128);
