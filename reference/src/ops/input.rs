//! The bytes that operations are decoded from.

/// Bytes that are taken off the front.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// All of `data`.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// The next byte, or `None` at the end.
    pub fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// The next `width` bytes as a little-endian number.
    pub fn number(&mut self, width: u32) -> Option<u128> {
        let mut number = 0;
        for i in 0..width {
            number |= u128::from(self.byte()?) << (8 * i);
        }
        Some(number)
    }

    /// The next byte as an index below `count`.
    pub fn index(&mut self, count: usize) -> Option<usize> {
        Some(usize::from(self.byte()?) % count)
    }

    /// The next byte picks one of `choices`.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        Some(choices[self.index(choices.len())?])
    }
}
