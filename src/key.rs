//! Keys, and the order-preserving integers the engines compute with: the only
//! file that does arithmetic on key bounds.
//!
//! An engine never computes on a key. It computes on the key's *ordinal*, an
//! unsigned integer that sorts like the key, so that signed keys, small keys
//! and pages share one code path. There are three kinds of ordinal:
//!
//! | ordinal | of | why |
//! |---|---|---|
//! | [`Short`] | keys of up to 32 bits, [`Page`](crate::Page) | below 2^62, so a difference keeps its sign and comparing is subtracting |
//! | `u64` | `u64`, `i64`, `usize`, `isize` | the whole 64-bit domain |
//! | `u128` | `u128`, `i128` | the whole 128-bit domain |
//!
//! Half-open ranges cannot contain the largest key. Its ordinal is never
//! inside an entry; it can be an entry's end.

use core::fmt::Debug;
use core::hash::Hash;

use crate::simd;

mod sealed {
    /// Keeps [`Key`](super::Key) and [`Ordinal`](super::Ordinal) closed: the
    /// engines rely on their order.
    pub trait Sealed {}
}
pub(crate) use sealed::Sealed;

/// A key of a range store: any primitive integer, or a [`Page`](crate::Page).
///
/// Ranges of keys are half-open, so a range can end at [`Key::MAX`] but never
/// contain it. The trait is sealed.
pub trait Key: Copy + Ord + Debug + Hash + Sealed + 'static {
    /// The smallest key.
    const MIN: Self;
    /// The largest key, which no range can contain.
    const MAX: Self;
    /// The length 1, which is also the alignment that every key has.
    const ONE: Self::Len;
    /// What lengths, alignments and phases are given in: the unsigned integer
    /// of the key's width.
    type Len: Copy + Ord + Debug + Hash + Default + 'static;
    #[doc(hidden)]
    type Ordinal: Ordinal;
    /// Ordinals count from [`Key::MIN`], phases from zero: the difference.
    #[doc(hidden)]
    const ORIGIN: Self::Ordinal;
    #[doc(hidden)]
    fn to_ordinal(self) -> Self::Ordinal;
    #[doc(hidden)]
    fn from_ordinal(ordinal: Self::Ordinal) -> Self;
    #[doc(hidden)]
    fn len_to_ordinal(len: Self::Len) -> Self::Ordinal;
    #[doc(hidden)]
    fn len_from_ordinal(ordinal: Self::Ordinal) -> Self::Len;
}

/// An unsigned integer that sorts like a key: what nodes and columns hold.
///
/// Columns are arrays whose unused tail is padded: ends with [`Ordinal::PAD`],
/// so that none is below a key; starts and gaps with [`Ordinal::ZERO`], so that
/// no gap seems to be there.
#[doc(hidden)]
pub trait Ordinal: Copy + Ord + Debug + Sealed + 'static {
    /// The ordinal of the smallest key.
    const ZERO: Self;
    /// The padding of ends, above every key that can be looked up; also the
    /// longest length that may be asked for.
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
    /// The same, in the way that suits look-ups which do not wait for each other.
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

/// An ordinal below 2^62: differences of two, less a third, fit in an `i64`, so
/// their sign bit is the comparison. The padding, 2^62, may be one of them.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct Short(pub(crate) u64);

/// One above the largest [`Short`] key.
pub(crate) const SHORT_LIMIT: u64 = 1 << 62;

impl Sealed for Short {}

impl Ordinal for Short {
    const ZERO: Self = Self(0);
    const PAD: Self = Self(SHORT_LIMIT);

    #[inline]
    fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    #[inline]
    fn minus(self, other: Self) -> Self {
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
                self.wrapping_add(other)
            }

            #[inline]
            fn minus(self, other: Self) -> Self {
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

/// The ordinal of an integer type as the integer it wraps.
macro_rules! ordinal_value {
    (Short, $value:expr) => {
        Short($value)
    };
    ($ordinal:ident, $value:expr) => {
        $value
    };
}

/// The integer that an ordinal wraps.
macro_rules! ordinal_inner {
    (Short, $ordinal:expr) => {
        $ordinal.0
    };
    ($kind:ident, $ordinal:expr) => {
        $ordinal
    };
}

/// Implements [`Key`] for integers. `$wide` is the unsigned integer inside the
/// ordinal; `$flip` is the sign bit of a signed key and zero for an unsigned
/// one: flipping it makes the key's bits sort like the key.
macro_rules! integer_keys {
    ($($key:ty, $len:ty, $ordinal:ident, $wide:ty, $flip:expr;)*) => {$(
        impl Sealed for $key {}
        impl Key for $key {
            const MIN: Self = <$key>::MIN;
            const MAX: Self = <$key>::MAX;
            const ONE: Self::Len = 1;
            type Len = $len;
            type Ordinal = $ordinal;
            const ORIGIN: $ordinal = ordinal_value!($ordinal, $flip as $wide);

            #[inline]
            fn to_ordinal(self) -> $ordinal {
                ordinal_value!($ordinal, ((self as $len) ^ $flip) as $wide)
            }

            #[inline]
            fn from_ordinal(ordinal: $ordinal) -> Self {
                ((ordinal_inner!($ordinal, ordinal) as $len) ^ $flip) as $key
            }

            #[inline]
            fn len_to_ordinal(len: $len) -> $ordinal {
                ordinal_value!($ordinal, len as $wide)
            }

            #[inline]
            fn len_from_ordinal(ordinal: $ordinal) -> $len {
                ordinal_inner!($ordinal, ordinal) as $len
            }
        }
    )*};
}
integer_keys! {
    u8, u8, Short, u64, 0_u8;
    u16, u16, Short, u64, 0_u16;
    u32, u32, Short, u64, 0_u32;
    u64, u64, u64, u64, 0_u64;
    usize, usize, u64, u64, 0_usize;
    u128, u128, u128, u128, 0_u128;
    i8, u8, Short, u64, 1_u8 << 7;
    i16, u16, Short, u64, 1_u16 << 15;
    i32, u32, Short, u64, 1_u32 << 31;
    i64, u64, u64, u64, 1_u64 << 63;
    isize, usize, u64, u64, 1_usize << (usize::BITS - 1);
    i128, u128, u128, u128, 1_u128 << 127;
}
