//! [`RangeStore`], the contract of every engine: its laws, what each operation
//! does, and what it costs.

use core::iter::FusedIterator;
use core::ops::Range;

use crate::alloc_error::AllocError;
use crate::flow::Flow;
use crate::key::Key;
use crate::query::{Best, GapQuery};
use crate::span::{Span, is_empty};

/// Disjoint ranges of keys with a value each, kept in order: the contract of
/// every engine.
///
/// Laws, which hold after every operation:
/// - **L1 disjoint**: no key lies in two entries.
/// - **L2 ordered**: iteration is ascending.
/// - **L3 canonical**: adjacent entries have unequal values.
/// - **L4 complementary**: entries and gaps tile any window exactly.
/// - **L5 lowest/highest**: a placement query returns the lowest (highest)
///   start that satisfies it, and `None` only if there is none.
/// - **L6 all or nothing**: a call that returns an error has changed nothing
///   and reported nothing.
/// - **L7 faithful**: what an operation reports is exactly what was there,
///   clipped to the range, in ascending order, each key once.
///
/// An empty or inverted range is a no-op; a query of one finds nothing. No
/// input makes an engine panic, overflow or wrap. A half-open range can end at
/// [`Key::MAX`] but not contain it.
///
/// **User code** is the sinks and closures passed in and the value's `Clone`,
/// `PartialEq` and `Drop`; `PartialEq` must be symmetric and stable. If one
/// panics, the store is valid afterwards: exactly the pieces reported before
/// have been removed or changed (the piece whose report panicked counts as
/// removed, the one whose change panicked as unchanged), and the rest is
/// untouched.
///
/// **Stopping**: a sink or closure can stop the operation; see [`Flow`]. Then
/// exactly the pieces reported before have been removed or changed, the piece of
/// the last report and the rest are untouched, and nothing is put in.
///
/// **Memory**: no operation allocates for each entry it touches, and what it
/// may need is obtained before its first change and its first report. The
/// `try_` operations return an [`AllocError`] where the others end the program.
///
/// Complexity, with `n` entries of which an operation touches `k`:
///
/// | operation | [`BTreeStore`](crate::BTreeStore) | [`SortedVecStore`](crate::SortedVecStore) |
/// |---|---|---|
/// | `get`, `segment_at`, `overlaps`, first item of `overlapping`, `gaps` | O(log n) | O(log n) |
/// | next item of an iterator | O(1) amortised | O(1) |
/// | `find_gap`, for each long-enough gap that misses window or alignment one more step | O(log n) | O(n / 32) |
/// | `insert`, `remove`, `allocate`, `update` | O(log n + k) | O(n) |
/// | `clear` | O(n) | O(n) |
/// | `try_from_entries`, of entries in order | O(n) | O(n log n) |
///
/// A change at one key costs a B+-tree O(log n); `update` costs one such step
/// for each piece that changes across a node's border.
///
/// The trait is open: the project's reference model implements it outside this
/// crate.
pub trait RangeStore<K: Key, V: Clone + PartialEq>: Clone {
    /// A store without entries; it owns no memory.
    const EMPTY: Self;

    /// Entries in ascending order, from both ends.
    type Entries<'a>: DoubleEndedIterator<Item = (Range<K>, &'a V)> + FusedIterator + Clone
    where
        Self: 'a,
        K: 'a,
        V: 'a;

    /// The entry that contains `key`.
    fn get(&self, key: K) -> Option<(Range<K>, &V)>;

    /// The entries that share a key with `range`, whole.
    fn overlapping(&self, range: Range<K>) -> Self::Entries<'_>;

    /// All entries.
    fn iter(&self) -> Self::Entries<'_>;

    /// The number of entries. O(1).
    fn len(&self) -> usize;

    /// The start of a placement; nothing is changed.
    fn find_gap(&self, query: &GapQuery<K>) -> Option<K>;

    /// Best fit: the start of a placement in the shortest gap that has one, as far as the
    /// gap is in the query's window. Of equally short gaps the lowest or highest, and in
    /// it the lowest or highest start, by the query's order. A walk over the window; a
    /// B+-tree visits only nodes with a gap that is long enough, and stops at one that is
    /// filled exactly.
    fn best_gap(&self, query: &GapQuery<K>) -> Option<K> {
        Best::among(query, self.gaps(query.window.clone()))
    }

    /// The longest gap inside `window`, the lowest of equally long ones. A walk
    /// over the window; in a B+-tree one descent, if the window reaches past the
    /// first and the last entry.
    fn longest_gap(&self, window: Range<K>) -> Option<Range<K>> {
        longest(self.gaps(window))
    }

    /// [`insert`](Self::insert).
    ///
    /// # Errors
    /// The memory for a new entry could not be obtained.
    fn try_insert(&mut self, range: Range<K>, value: V) -> Result<(), AllocError>;

    /// [`insert_with`](Self::insert_with).
    ///
    /// # Errors
    /// The memory for a new entry could not be obtained.
    fn try_insert_with<F: Flow>(
        &mut self,
        range: Range<K>,
        value: V,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError>;

    /// [`remove_with`](Self::remove_with).
    ///
    /// # Errors
    /// The range is inside one entry, and the memory to make two of it could
    /// not be obtained.
    fn try_remove_with<F: Flow>(
        &mut self,
        range: Range<K>,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError>;

    /// [`update`](Self::update).
    ///
    /// # Errors
    /// The memory to split the entries at the range's edges could not be
    /// obtained.
    fn try_update<F: Flow>(
        &mut self,
        range: Range<K>,
        f: impl FnMut(Range<K>, &mut V) -> F,
    ) -> Result<F, AllocError>;

    /// [`allocate`](Self::allocate).
    ///
    /// # Errors
    /// The memory for a new entry could not be obtained.
    fn try_allocate(&mut self, query: &GapQuery<K>, value: V) -> Result<Option<K>, AllocError>;

    /// A store of these entries; later ones overwrite earlier ones. O(n) in a
    /// B+-tree as long as they come in order, and its nodes are full then.
    ///
    /// # Errors
    /// The memory for them could not be obtained.
    fn try_from_entries(
        entries: impl IntoIterator<Item = (Range<K>, V)>,
    ) -> Result<Self, AllocError> {
        let mut store = Self::EMPTY;
        for (range, value) in entries {
            store.try_insert(range, value)?;
        }
        Ok(store)
    }

    /// A copy.
    ///
    /// # Errors
    /// The memory for it could not be obtained.
    fn try_clone(&self) -> Result<Self, AllocError>;

    /// Removes all entries and frees their memory.
    fn clear(&mut self);

    /// Asserts every invariant of the whole structure; for tests. O(n).
    ///
    /// # Panics
    /// An invariant does not hold.
    fn check(&self);

    /// Whether there is no entry. O(1).
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lowest entry.
    fn first(&self) -> Option<(Range<K>, &V)> {
        self.iter().next()
    }

    /// The highest entry.
    fn last(&self) -> Option<(Range<K>, &V)> {
        self.iter().next_back()
    }

    /// Whether an entry contains a key of `range`.
    fn overlaps(&self, range: Range<K>) -> bool {
        self.overlapping(range).next().is_some()
    }

    /// Calls `f` with every entry that ends above `key`, whole and ascending, until it
    /// [stops](Flow); returns what it said last. In a B+-tree one descent: the next
    /// entry is taken from the leaf at hand.
    fn walk<F: Flow>(&self, key: K, mut f: impl FnMut(Range<K>, &V) -> F) -> F {
        for (range, value) in self.overlapping(key..K::MAX) {
            let said = f(range, value);
            if said.stops() {
                return said;
            }
        }
        F::GO_ON
    }

    /// The entry that contains `key`, or the gap around it. For [`Key::MAX`],
    /// which no range contains, it is the gap that ends there, empty if an
    /// entry does.
    fn segment_at(&self, key: K) -> Segment<'_, K, V> {
        if let Some((range, value)) = self.get(key) {
            return Segment::Entry(range, value);
        }
        let below = self.overlapping(K::MIN..key).next_back();
        let above = self.overlapping(key..K::MAX).next();
        let start = below.map_or(K::MIN, |(range, _)| range.end);
        Segment::Gap(start..above.map_or(K::MAX, |(range, _)| range.start))
    }

    /// The gaps of `window`, clipped to it, in ascending order, from both ends.
    fn gaps(&self, window: Range<K>) -> Gaps<K, Self::Entries<'_>> {
        Gaps {
            entries: self.overlapping(window.clone()),
            window,
        }
    }

    /// Gives every key of `range` this value. What was there is removed; equal
    /// neighbours on both sides coalesce with it.
    fn insert(&mut self, range: Range<K>, value: V) {
        self.try_insert(range, value)
            .unwrap_or_else(|error| error.abort());
    }

    /// [`insert`](Self::insert) that first hands each removed piece to `sink`. If
    /// that stops, the new value is not put in.
    fn insert_with<F: Flow>(
        &mut self,
        range: Range<K>,
        value: V,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> F {
        self.try_insert_with(range, value, sink)
            .unwrap_or_else(|error| error.abort())
    }

    /// Removes the keys of `range`, trimming or splitting the entries that reach
    /// beyond its edges.
    fn remove(&mut self, range: Range<K>) {
        self.remove_with(range, |_, _| ());
    }

    /// [`remove`](Self::remove) that hands each removed piece to `sink`.
    fn remove_with<F: Flow>(&mut self, range: Range<K>, sink: impl FnMut(Range<K>, V) -> F) -> F {
        self.try_remove_with(range, sink)
            .unwrap_or_else(|error| error.abort())
    }

    /// Calls `f` with every piece of `range` and a copy of its value, then
    /// gives the piece that value; coalesces inside and at both edges. A piece at
    /// which `f` stops keeps its value.
    fn update<F: Flow>(&mut self, range: Range<K>, f: impl FnMut(Range<K>, &mut V) -> F) -> F {
        self.try_update(range, f)
            .unwrap_or_else(|error| error.abort())
    }

    /// [`find_gap`](Self::find_gap), then [`insert`](Self::insert) there.
    fn allocate(&mut self, query: &GapQuery<K>, value: V) -> Option<K> {
        self.try_allocate(query, value)
            .unwrap_or_else(|error| error.abort())
    }
}

/// What is at a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Segment<'a, K, V> {
    /// An entry contains it.
    Entry(Range<K>, &'a V),
    /// It is free: the whole gap around it, which ends at the key type's
    /// bounds where no entry does.
    Gap(Range<K>),
}

/// The gaps of a window, ascending and double-ended; made by
/// [`RangeStore::gaps`].
#[derive(Clone, Debug)]
pub struct Gaps<K, I> {
    /// Entries overlapping what is left of the window.
    entries: I,
    /// What neither end has passed yet.
    window: Range<K>,
}

impl<'a, K: Key, V: 'a, I: Iterator<Item = (Range<K>, &'a V)>> Iterator for Gaps<K, I> {
    type Item = Range<K>;

    fn next(&mut self) -> Option<Range<K>> {
        while !is_empty(&self.window) {
            let (gap_end, resume) = match self.entries.next() {
                Some((range, _)) => (range.start, range.end),
                None => (self.window.end, self.window.end),
            };
            let gap = self.window.start..gap_end;
            self.window.start = resume;
            if !is_empty(&gap) {
                return Some(gap);
            }
        }
        None
    }
}

impl<'a, K: Key, V: 'a, I> DoubleEndedIterator for Gaps<K, I>
where
    I: DoubleEndedIterator<Item = (Range<K>, &'a V)>,
{
    fn next_back(&mut self) -> Option<Range<K>> {
        while !is_empty(&self.window) {
            let (resume, gap_start) = match self.entries.next_back() {
                Some((range, _)) => (range.start, range.end),
                None => (self.window.start, self.window.start),
            };
            let gap = gap_start..self.window.end;
            self.window.end = resume;
            if !is_empty(&gap) {
                return Some(gap);
            }
        }
        None
    }
}

impl<'a, K: Key, V: 'a, I: Iterator<Item = (Range<K>, &'a V)>> FusedIterator for Gaps<K, I> {}

/// The longest of some ranges, the first of equally long ones.
pub(crate) fn longest<K: Key>(gaps: impl Iterator<Item = Range<K>>) -> Option<Range<K>> {
    let length = |gap: &Range<K>| Span::raw(gap).len();
    gaps.reduce(|a, b| if length(&b) > length(&a) { b } else { a })
}
