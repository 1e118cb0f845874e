//! What moving a range has in common, for maps and address spaces.

use core::fmt;
use core::ops::Range;

use crate::alloc_error::AllocError;
use crate::key::Key;
use crate::ordinal::Ordinal;
use crate::span::{Span, common};
use crate::store::RangeStore;

/// What becomes of the range from which
/// [`AddrSpace::relocate`](crate::AddrSpace::relocate) and
/// [`RangeMap::relocate`](crate::RangeMap::relocate) move.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// It stays as it was; of an address space, mapped (`MREMAP_DONTUNMAP`).
    Keep,
    /// Nothing is left there.
    Remove,
}

/// Why a range of a map was not moved; nothing changed and nothing was reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelocateError {
    /// Source and target have a key in common.
    Overlap,
    /// The target would end beyond [`Key::MAX`].
    PastMax,
    /// Memory could not be obtained.
    OutOfMemory(AllocError),
}

impl From<AllocError> for RelocateError {
    fn from(error: AllocError) -> Self {
        Self::OutOfMemory(error)
    }
}

impl fmt::Display for RelocateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap => f.write_str("source and target overlap"),
            Self::PastMax => f.write_str("the target ends beyond the largest key"),
            Self::OutOfMemory(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RelocateError {}

/// The range of `from`'s length that begins at `to`; `None` if it ends beyond the largest
/// key. `from` is not inverted.
pub(crate) fn target<K: Key>(from: &Range<K>, to: K) -> Option<Range<K>> {
    let (len, start) = (Span::raw(from).len(), to.to_ordinal());
    let room = K::MAX.to_ordinal().minus(start);
    (len <= room).then(|| Span::new(start, start.plus(len)).keys())
}

/// Whether two ranges that are not empty have a key in common.
pub(crate) fn overlap<K: Key>(one: &Range<K>, other: &Range<K>) -> bool {
    one.start < other.end && other.start < one.end
}

/// The store after a move from one range to another of the same length; `value` says what
/// a piece has that moves, by where it begins and will begin.
pub(crate) fn relocated<K: Key, V: Clone + PartialEq, S: RangeStore<K, V>>(
    store: &S,
    from: &Range<K>,
    to: &Range<K>,
    source: Source,
    value: impl Fn(&V, K, K) -> V,
) -> Result<S, AllocError> {
    let (before, after) = (from.start.to_ordinal(), to.start.to_ordinal());
    let there = |key: K| K::from_ordinal(key.to_ordinal().minus(before).plus(after));
    let mut relocated = store.try_clone()?;
    relocated.try_remove_with(to.clone(), |_, old| drop(old))?;
    for (entry, old) in store.overlapping(from.clone()) {
        let piece = common(&entry, from);
        let range = there(piece.start)..there(piece.end);
        let value = value(old, piece.start, range.start);
        relocated.try_insert(range, value)?;
    }
    if source == Source::Remove {
        relocated.try_remove_with(from.clone(), |_, old| drop(old))?;
    }
    Ok(relocated)
}
