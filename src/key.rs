//! [`Key`]: what ranges are of, and how each key type becomes an
//! [`Ordinal`], the integer that engines compute with.
//!
//! Half-open ranges cannot contain the largest key. Its ordinal is never
//! inside an entry; it can be an entry's end.

use core::fmt::Debug;
use core::hash::Hash;

use crate::ordinal::{Ordinal, Sealed};
use crate::u62::U62;

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

/// The ordinal of an integer type as the integer it wraps.
macro_rules! ordinal_value {
    (U62, $value:expr) => {
        U62($value)
    };
    ($ordinal:ident, $value:expr) => {
        $value
    };
}

/// The integer that an ordinal wraps.
macro_rules! ordinal_inner {
    (U62, $ordinal:expr) => {
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
    u8, u8, U62, u64, 0_u8;
    u16, u16, U62, u64, 0_u16;
    u32, u32, U62, u64, 0_u32;
    u64, u64, u64, u64, 0_u64;
    usize, usize, u64, u64, 0_usize;
    u128, u128, u128, u128, 0_u128;
    i8, u8, U62, u64, 1_u8 << 7;
    i16, u16, U62, u64, 1_u16 << 15;
    i32, u32, U62, u64, 1_u32 << 31;
    i64, u64, u64, u64, 1_u64 << 63;
    isize, usize, u64, u64, 1_usize << (usize::BITS - 1);
    i128, u128, u128, u128, 1_u128 << 127;
}
