//! What the books keep of a row beyond what Linux shows of it, in fields of a
//! [`Mapping`] that this layer has no other use for.

use super::backing::Backing;
use crate::addr_space::Mapping;

/// What the books keep of a row.
pub(super) type Kept<F> = Mapping<Backing<F>>;

/// Which memory without a file has been written to, and by which process: Linux's
/// `anon_vma`. Rows with different ones do not join.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Anon(i32);

impl Anon {
    /// Of a row that came with a `fork`: its `anon_vma` is not the only one in its chain.
    const FORKED: i32 = 1 << 30;

    /// How many there can be.
    pub(super) const MAX: i32 = Self::FORKED;

    /// The one of a number below [`MAX`](Self::MAX).
    pub(super) const fn new(number: i32, forked: bool) -> Self {
        Self(if forked {
            number | Self::FORKED
        } else {
            number
        })
    }

    pub(super) const fn number(self) -> i32 {
        self.0 & !Self::FORKED
    }

    pub(super) const fn is_forked(self) -> bool {
        self.0 & Self::FORKED != 0
    }
}

/// Bit of [`Mapping::guard`]: the host does not have it yet, or has it no longer.
const PENDING: u8 = 1;

/// Where in [`Mapping::guard`] the mark begins that tells two rows apart that Linux did
/// not join although it could.
const APART: u32 = 1;

/// How many such marks there are: one more than a row has neighbours.
pub(super) const MARKS: u8 = 3;

/// The fields by what they mean here.
pub(super) trait Fields {
    /// None as long as nobody wrote to it.
    fn anon(&self) -> Option<Anon>;
    fn set_anon(&mut self, anon: Option<Anon>);
    fn is_pending(&self) -> bool;
    fn set_pending(&mut self, pending: bool);
    fn mark(&self) -> u8;
    fn set_mark(&mut self, mark: u8);
}

impl<T> Fields for Mapping<T> {
    fn anon(&self) -> Option<Anon> {
        (self.fd >= 0).then_some(Anon(self.fd))
    }

    fn set_anon(&mut self, anon: Option<Anon>) {
        self.fd = anon.map_or(-1, |Anon(number)| number);
    }

    fn is_pending(&self) -> bool {
        self.guard & PENDING != 0
    }

    fn set_pending(&mut self, pending: bool) {
        self.guard = self.guard & !PENDING | u8::from(pending);
    }

    fn mark(&self) -> u8 {
        self.guard >> APART
    }

    fn set_mark(&mut self, mark: u8) {
        self.guard = self.guard & PENDING | mark << APART;
    }
}
