//! How an operation is made: the way through an iterator, a fallible twin, a sink
//! that panics.

use std::fmt;

use super::input::Input;

/// In which order a double-ended iterator is taken from its two ends. Each bit of
/// the number is a step, from the lowest on and over again; 1 takes from the back.
/// If the highest bit is set, but not all are, there are only four such steps,
/// and `fold` takes the rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Walk(pub u8);

impl Walk {
    fn folds(self) -> bool {
        self.0 >= 0x80 && self.0 != 0xff
    }

    /// Everything the iterator yields, taken in this order, and what both its
    /// ends answer once it is exhausted (`None`, as it is fused).
    pub fn take<T>(self, mut items: impl DoubleEndedIterator<Item = T>) -> Vec<Option<T>> {
        let mut taken = Vec::new();
        for step in 0.. {
            if step == 4 && self.folds() {
                items.for_each(|item| taken.push(Some(item)));
                return taken;
            }
            let back = self.0 >> (step % 8) & 1 == 1;
            let item = if back {
                items.next_back()
            } else {
                items.next()
            };
            let exhausted = item.is_none();
            taken.push(item);
            if exhausted {
                break;
            }
        }
        taken.push(items.next());
        taken.push(items.next_back());
        taken
    }
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0x00 => f.write_str("forwards"),
            0xff => f.write_str("backwards"),
            bits if self.folds() => write!(f, "from both ends {:04b}, then folded", bits & 15),
            bits => write!(f, "from both ends {bits:08b}"),
        }
    }
}

/// How a call that reports pieces or may fail is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    /// Through the `try_` twin.
    pub fallible: bool,
    /// The sink or closure is of a type that can stop the call.
    pub can_stop: bool,
    /// The piece of this index is where it does, or else panics.
    pub stop: Option<usize>,
}

impl Call {
    /// One byte: half of the calls are fallible, half have a sink that can stop; a
    /// quarter does not go further than one of the first eight pieces.
    pub(super) fn decode(input: &mut Input<'_>) -> Option<Self> {
        let byte = input.byte()?;
        let stop = (byte >= 192).then_some(usize::from(byte >> 1 & 7));
        Some(Self {
            fallible: byte & 1 == 1,
            can_stop: byte & 16 == 16,
            stop,
        })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fallible {
            f.write_str(" (fallible)")?;
        }
        match (self.stop, self.can_stop) {
            (Some(stop), true) => write!(f, " (stops at piece {stop})"),
            (Some(stop), false) => write!(f, " (panics at piece {stop})"),
            (None, true) => f.write_str(" (can stop)"),
            (None, false) => Ok(()),
        }
    }
}
