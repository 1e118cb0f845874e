//! Keys as distances from the smallest key of their type, in 128 bits: the
//! reference's own arithmetic, which shares nothing with the engines'.

use gaptree::{Key, Page};

/// A key that can be counted from the smallest key of its type.
pub trait Position: Key {
    /// The position of the key zero.
    const ZERO: u128;

    /// How far the key is above [`Key::MIN`].
    fn position(self) -> u128;

    /// The key at a position, or `None` above [`Key::MAX`].
    fn at(position: u128) -> Option<Self>;

    /// A length as a wide integer.
    fn wide(len: Self::Len) -> u128;

    /// A wide integer as a length; the longest length where it is longer.
    fn length(wide: u128) -> Self::Len;

    /// The key at a position, or [`Key::MAX`] above it.
    #[must_use]
    fn at_most(position: u128) -> Self {
        Self::at(position).unwrap_or(Self::MAX)
    }

    /// The key modulo `align`, never negative. `align` is at most 2^127.
    fn residue(self, align: u128) -> u128 {
        (self.position() % align + (align - Self::ZERO % align)) % align
    }
}

macro_rules! positions {
    ($($key:ty, $unsigned:ty, $from_distance:expr;)*) => {$(
        impl Position for $key {
            const ZERO: u128 = (0 as $key).abs_diff(<$key>::MIN) as u128;

            fn position(self) -> u128 {
                self.abs_diff(<$key>::MIN) as u128
            }

            fn at(position: u128) -> Option<Self> {
                <$unsigned>::try_from(position).ok().map($from_distance)
            }

            fn wide(len: $unsigned) -> u128 {
                len as u128
            }

            fn length(wide: u128) -> $unsigned {
                <$unsigned>::try_from(wide).unwrap_or(<$unsigned>::MAX)
            }
        }
    )*};
}
positions! {
    u8, u8, |distance| distance;
    u16, u16, |distance| distance;
    u32, u32, |distance| distance;
    u64, u64, |distance| distance;
    usize, usize, |distance| distance;
    u128, u128, |distance| distance;
    i8, u8, |distance| Self::MIN.wrapping_add_unsigned(distance);
    i16, u16, |distance| Self::MIN.wrapping_add_unsigned(distance);
    i32, u32, |distance| Self::MIN.wrapping_add_unsigned(distance);
    i64, u64, |distance| Self::MIN.wrapping_add_unsigned(distance);
    isize, usize, |distance| Self::MIN.wrapping_add_unsigned(distance);
    i128, u128, |distance| Self::MIN.wrapping_add_unsigned(distance);
}

impl Position for Page {
    const ZERO: u128 = 0;

    fn position(self) -> u128 {
        u128::from(self.number())
    }

    fn at(position: u128) -> Option<Self> {
        Self::new(u64::try_from(position).ok()?)
    }

    fn wide(len: u64) -> u128 {
        u128::from(len)
    }

    fn length(wide: u128) -> u64 {
        u64::try_from(wide).unwrap_or(u64::MAX)
    }
}
