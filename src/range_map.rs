//! [`RangeMap`]: the map that most programs want, on any engine.

use alloc::vec::{self, Vec};
use core::fmt;
use core::hash::{Hash, Hasher};
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::mem;
use core::ops::Range;

use crate::alloc_error::AllocError;
use crate::btree::BTreeStore;
use crate::flow::Flow;
use crate::guard::ScopeGuard;
use crate::key::Key;
use crate::query::GapQuery;
use crate::relocate::{RelocateError, Source, overlap, relocated, target};
use crate::span::is_empty;
use crate::store::{Gaps, RangeStore, Segment};

/// A map from disjoint ranges of integers to values that keeps adjacent equal
/// ones together and knows its gaps.
///
/// Names and traits follow [`BTreeMap`](alloc::collections::BTreeMap), but
/// inserting overwrites: afterwards every key of the range has the value. Two
/// maps that give every key the same value are equal, however they came to be,
/// because touching ranges with equal values are always one entry.
///
/// - **Ranges** are half-open. An empty or inverted one is a no-op; a query of
///   one finds nothing. Every range over every primitive integer type works; it
///   can end at the type's largest value but not contain it.
/// - **Values** are cloned where a range is split and compared where ranges touch.
/// - **Complexity** is that of the engine `S`; see [`RangeStore`]. The
///   default is a B+-tree; [`SortedVecStore`](crate::SortedVecStore) suits
///   small maps in great numbers.
/// - **Panics**: none, but for those of closures and of the values' own code;
///   see [`RangeStore`] for what holds then. Where memory runs out the program
///   ends, as with the standard collections; the `try_` twins return an
///   [`AllocError`] and have changed nothing.
///
/// ```
/// use gaptree::RangeMap;
///
/// let mut map = RangeMap::<u32, &str>::new();
/// map.insert(0..10, "a");
/// map.insert(4..6, "b");
/// assert_eq!(format!("{map:?}"), r#"{0..4: "a", 4..6: "b", 6..10: "a"}"#);
/// map.insert(4..6, "a");
/// assert_eq!(map.len(), 1);
/// assert_eq!(map.get(5), Some(&"a"));
/// assert!(map.gaps(0..20).eq([10..20]));
/// ```
#[derive(Clone)]
pub struct RangeMap<K, V, S = BTreeStore<K, V>> {
    store: S,
    /// `S` holds the keys and values, but its type need not name them.
    holds: PhantomData<(K, V)>,
}

impl<K: Key, V: Clone + PartialEq> RangeMap<K, V> {
    /// An empty map on the default engine. Allocates nothing.
    ///
    /// ```
    /// use gaptree::RangeMap;
    ///
    /// const EMPTY: RangeMap<u64, u8> = RangeMap::new();
    /// assert!(EMPTY.is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self::with_engine()
    }
}

impl<K: Key, V: Clone + PartialEq, S: RangeStore<K, V>> RangeMap<K, V, S> {
    /// An empty map on any engine. Allocates nothing.
    ///
    /// ```
    /// use gaptree::{RangeMap, SortedVecStore};
    ///
    /// let mut map = RangeMap::<i8, char, SortedVecStore<i8, char>>::with_engine();
    /// map.insert(-128..127, 'x');
    /// assert_eq!(map.get_key_value(0), Some((-128..127, &'x')));
    /// ```
    #[must_use]
    pub const fn with_engine() -> Self {
        Self {
            store: S::EMPTY,
            holds: PhantomData,
        }
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: K) -> Option<&V> {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// The entry that contains `key`.
    #[must_use]
    pub fn get_key_value(&self, key: K) -> Option<(Range<K>, &V)> {
        self.store.get(key)
    }

    /// Whether `key` has a value.
    #[must_use]
    pub fn contains_key(&self, key: K) -> bool {
        self.store.get(key).is_some()
    }

    /// The entry that contains `key`, or the whole gap around it.
    ///
    /// ```
    /// use gaptree::{RangeMap, Segment};
    ///
    /// let map = RangeMap::from([(10..20_u8, 'a')]);
    /// assert_eq!(map.segment_at(10), Segment::Entry(10..20, &'a'));
    /// assert_eq!(map.segment_at(20), Segment::Gap(20..255));
    /// ```
    #[must_use]
    pub fn segment_at(&self, key: K) -> Segment<'_, K, V> {
        self.store.segment_at(key)
    }

    /// Whether any key of `range` has a value.
    #[must_use]
    pub fn overlaps(&self, range: Range<K>) -> bool {
        self.store.overlaps(range)
    }

    /// The entries that share a key with `range`, whole, ascending, from both
    /// ends.
    ///
    /// ```
    /// use gaptree::RangeMap;
    ///
    /// let map = RangeMap::from([(0..4_u8, 'a'), (6..9, 'b'), (9..12, 'c')]);
    /// assert!(map.overlapping(3..9).eq([(0..4, &'a'), (6..9, &'b')]));
    /// ```
    #[must_use]
    pub fn overlapping(&self, range: Range<K>) -> S::Entries<'_> {
        self.store.overlapping(range)
    }

    /// The ranges of `window` without a value, clipped to it, ascending, from
    /// both ends.
    ///
    /// ```
    /// use gaptree::RangeMap;
    ///
    /// let map = RangeMap::from([(0..4_u8, 'a'), (6..9, 'b')]);
    /// assert!(map.gaps(2..20).rev().eq([9..20, 4..6]));
    /// ```
    #[must_use]
    pub fn gaps(&self, window: Range<K>) -> Gaps<K, S::Entries<'_>> {
        self.store.gaps(window)
    }

    /// The longest gap inside `window`, the lowest of equally long ones.
    #[must_use]
    pub fn longest_gap(&self, window: Range<K>) -> Option<Range<K>> {
        self.store.longest_gap(window)
    }

    /// The lowest or highest start at which `query` is satisfied.
    #[must_use]
    pub fn find_gap(&self, query: &GapQuery<K>) -> Option<K> {
        self.store.find_gap(query)
    }

    /// Best fit: the start of a placement in the shortest gap that has one, as far as the
    /// gap is in the query's window. Of equally short gaps the lowest or highest, and in
    /// it the lowest or highest start, by the query's order.
    ///
    /// Allocates nothing. O((g + 1) log n) with the default engine, for `g` gaps that are long
    /// enough; the search ends at one that is filled exactly. O(n) with a sorted vector.
    ///
    /// ```
    /// use gaptree::{GapQuery, Order, RangeMap};
    ///
    /// let map = RangeMap::from([(0..4_u8, 'a'), (12..16, 'b'), (20..24, 'c')]);
    /// let query = GapQuery::new(3).within(0..24).order(Order::Highest);
    /// assert_eq!(map.best_gap(&query), Some(17)); // 16..20 is shorter than 4..12
    /// ```
    #[must_use]
    pub fn best_gap(&self, query: &GapQuery<K>) -> Option<K> {
        self.store.best_gap(query)
    }

    /// Gives the keys of the range that [`find_gap`](Self::find_gap) returns
    /// this value, in one search where the engine can. Returns its start.
    ///
    /// ```
    /// use gaptree::{GapQuery, RangeMap};
    ///
    /// let mut map = RangeMap::from([(0..4_u8, 'a'), (6..9, 'b')]);
    /// assert_eq!(map.allocate(&GapQuery::new(3).within(0..12), 'c'), Some(9));
    /// assert_eq!(map.allocate(&GapQuery::new(3).within(0..12), 'c'), None);
    /// ```
    pub fn allocate(&mut self, query: &GapQuery<K>, value: V) -> Option<K> {
        self.store.allocate(query, value)
    }

    /// Gives every key of `range` this value, whatever they had before.
    pub fn insert(&mut self, range: Range<K>, value: V) {
        self.store.insert(range, value);
    }

    /// [`insert`](Self::insert) that first hands each piece that it replaces to
    /// `sink`: clipped to `range`, ascending, the value itself.
    ///
    /// ```
    /// use gaptree::RangeMap;
    ///
    /// let mut map = RangeMap::from([(0..4_u8, 'a'), (6..9, 'b')]);
    /// let mut old = Vec::new();
    /// map.insert_with(3..7, 'c', |range, value| old.push((range, value)));
    /// assert_eq!(old, [(3..4, 'a'), (6..7, 'b')]);
    /// ```
    pub fn insert_with<F: Flow>(
        &mut self,
        range: Range<K>,
        value: V,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> F {
        self.store.insert_with(range, value, sink)
    }

    /// Takes the values of all keys of `range` away, trimming or splitting the
    /// entries at its edges.
    ///
    /// ```
    /// use gaptree::RangeMap;
    ///
    /// let mut map = RangeMap::from([(0..9_u8, 'a')]);
    /// map.remove(3..5);
    /// assert!(map.keys().eq([0..3, 5..9]));
    /// ```
    pub fn remove(&mut self, range: Range<K>) {
        self.store.remove(range);
    }

    /// [`remove`](Self::remove) that hands each removed piece to `sink`:
    /// clipped to `range`, ascending, the value itself. The sink can stop the
    /// removal, and gets clones then: see [`Flow`].
    pub fn remove_with<F: Flow>(
        &mut self,
        range: Range<K>,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> F {
        self.store.remove_with(range, sink)
    }

    /// Changes the values of `range`: calls `f` with every piece of it,
    /// ascending and clipped. Touching entries that are equal afterwards
    /// coalesce, inside the range and at its edges.
    ///
    /// ```
    /// use gaptree::RangeMap;
    ///
    /// let mut map = RangeMap::from([(0..4_u8, 1), (6..9, 2)]);
    /// map.update(2..8, |_, value| *value *= 10);
    /// assert_eq!(map, RangeMap::from([(0..2, 1), (2..4, 10), (6..8, 20), (8..9, 2)]));
    /// ```
    ///
    /// If `f` [stops](Flow) the update, the piece keeps its value, whatever `f`
    /// has done to it, and those behind it are not looked at.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use gaptree::RangeMap;
    ///
    /// let mut map = RangeMap::from([(0..4_u8, 100_u8), (4..6, 250), (6..8, 1)]);
    /// let full = map.update(0..8, |range, value| match value.checked_add(10) {
    ///     Some(sum) => ControlFlow::Continue(*value = sum),
    ///     None => ControlFlow::Break(range),
    /// });
    /// assert_eq!(full, ControlFlow::Break(4..6));
    /// assert_eq!(map, RangeMap::from([(0..4, 110), (4..6, 250), (6..8, 1)]));
    /// ```
    pub fn update<F: Flow>(&mut self, range: Range<K>, f: impl FnMut(Range<K>, &mut V) -> F) -> F {
        self.store.update(range, f)
    }

    /// Moves what is in the keys of `from` to as many keys from `to` on: entries clipped
    /// to the range, and the gaps between them. What was at the target is replaced and
    /// handed to `sink`, as [`remove_with`](Self::remove_with) does; what is moved is not
    /// reported. With [`Source::Keep`] it stays at `from` as well. An empty `from` moves
    /// nothing.
    ///
    /// All or nothing as to memory: it is obtained before the first report. If the sink
    /// stops or panics, the target is removed as far as `remove_with` would have, and
    /// nothing has moved.
    ///
    /// Copies the store: O(n), and its memory twice until the call returns.
    ///
    /// # Errors
    /// [`Overlap`](RelocateError::Overlap), [`PastMax`](RelocateError::PastMax),
    /// [`OutOfMemory`](RelocateError::OutOfMemory).
    ///
    /// ```
    /// use gaptree::{RangeMap, RelocateError, Source};
    ///
    /// let mut map = RangeMap::from([(0..4_u8, 'a'), (6..9, 'b'), (20..30, 'c')]);
    /// map.relocate(2..8, 20, Source::Remove, |range, old| assert_eq!((range, old), (20..26, 'c')))?;
    /// assert_eq!(map, RangeMap::from([(0..2, 'a'), (8..9, 'b'), (20..22, 'a'), (24..26, 'b'), (26..30, 'c')]));
    /// assert_eq!(map.relocate(0..10, 250, Source::Keep, |_, _| ()), Err(RelocateError::PastMax));
    /// # Ok::<(), RelocateError>(())
    /// ```
    pub fn relocate<F: Flow>(
        &mut self,
        from: Range<K>,
        to: K,
        source: Source,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, RelocateError> {
        if is_empty(&from) {
            return Ok(F::GO_ON);
        }
        let to = target(&from, to).ok_or(RelocateError::PastMax)?;
        if overlap(&from, &to) {
            return Err(RelocateError::Overlap);
        }
        let value = |value: &V, _, _| value.clone();
        let store = relocated(&self.store, &from, &to, source, value)?;
        let said = self.store.try_remove_with(to, sink)?;
        if !said.stops() {
            self.store = store;
        }
        Ok(said)
    }

    /// Keeps the entries for which `f` returns true, with the values that it
    /// leaves. Touching entries that are equal afterwards coalesce.
    ///
    /// Moves every entry to a new store, one append each. If `f` panics, the
    /// entry it was asked about is removed; those before are as `f` left them,
    /// those after are untouched.
    ///
    /// ```
    /// use gaptree::RangeMap;
    ///
    /// let mut map = RangeMap::from([(0..2_u8, 1), (2..4, 2), (4..6, 3)]);
    /// map.retain(|_, value| {
    ///     *value /= 2;
    ///     *value > 0
    /// });
    /// assert_eq!(map, RangeMap::from([(2..6, 1)]));
    /// ```
    pub fn retain(&mut self, mut f: impl FnMut(&Range<K>, &mut V) -> bool) {
        let rest = mem::replace(&mut self.store, S::EMPTY);
        let mut stores = (rest, &mut self.store);
        // What a panicking closure has not seen goes behind what was kept.
        let mut stores = ScopeGuard::new(&mut stores, |(rest, kept)| {
            rest.remove_with(K::MIN..K::MAX, |range, value| kept.insert(range, value));
        });
        let (rest, kept) = &mut *stores;
        rest.remove_with(K::MIN..K::MAX, |range, mut value| {
            if f(&range, &mut value) {
                kept.insert(range, value);
            }
        });
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.store.clear();
    }

    /// All entries, ascending, from both ends.
    #[must_use]
    pub fn iter(&self) -> S::Entries<'_> {
        self.store.iter()
    }

    /// The ranges of all entries, ascending, from both ends.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = Range<K>> + FusedIterator + Clone {
        self.iter().map(|(range, _)| range)
    }

    /// The values of all entries, ascending by range, from both ends.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + FusedIterator + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// The lowest entry.
    #[must_use]
    pub fn first_key_value(&self) -> Option<(Range<K>, &V)> {
        self.store.first()
    }

    /// The highest entry.
    #[must_use]
    pub fn last_key_value(&self) -> Option<(Range<K>, &V)> {
        self.store.last()
    }

    /// The number of entries. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether no key has a value. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }

    /// Asserts every invariant of the engine; for tests. O(n).
    ///
    /// # Panics
    /// An invariant does not hold.
    pub fn check(&self) {
        self.store.check();
    }

    /// [`insert`](Self::insert).
    ///
    /// # Errors
    /// Memory could not be obtained; nothing changed.
    pub fn try_insert(&mut self, range: Range<K>, value: V) -> Result<(), AllocError> {
        self.store.try_insert(range, value)
    }

    /// [`insert_with`](Self::insert_with).
    ///
    /// # Errors
    /// Memory could not be obtained; nothing changed and nothing was reported.
    pub fn try_insert_with<F: Flow>(
        &mut self,
        range: Range<K>,
        value: V,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError> {
        self.store.try_insert_with(range, value, sink)
    }

    /// [`remove`](Self::remove).
    ///
    /// # Errors
    /// Memory could not be obtained, which only a range inside one entry can
    /// need; nothing changed.
    pub fn try_remove(&mut self, range: Range<K>) -> Result<(), AllocError> {
        self.store.try_remove_with(range, |_, _| ())
    }

    /// [`remove_with`](Self::remove_with).
    ///
    /// # Errors
    /// Memory could not be obtained, which only a range inside one entry can
    /// need; nothing changed and nothing was reported.
    pub fn try_remove_with<F: Flow>(
        &mut self,
        range: Range<K>,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError> {
        self.store.try_remove_with(range, sink)
    }

    /// [`update`](Self::update).
    ///
    /// # Errors
    /// Memory could not be obtained; nothing changed and `f` was not called.
    pub fn try_update<F: Flow>(
        &mut self,
        range: Range<K>,
        f: impl FnMut(Range<K>, &mut V) -> F,
    ) -> Result<F, AllocError> {
        self.store.try_update(range, f)
    }

    /// [`allocate`](Self::allocate).
    ///
    /// # Errors
    /// Memory could not be obtained; nothing changed.
    pub fn try_allocate(&mut self, query: &GapQuery<K>, value: V) -> Result<Option<K>, AllocError> {
        self.store.try_allocate(query, value)
    }

    /// What `collect` makes: later ranges overwrite earlier ones. O(n) on the
    /// default engine as long as they come in order.
    ///
    /// # Errors
    /// Memory could not be obtained.
    pub fn try_from_entries(
        entries: impl IntoIterator<Item = (Range<K>, V)>,
    ) -> Result<Self, AllocError> {
        Ok(Self {
            store: S::try_from_entries(entries)?,
            holds: PhantomData,
        })
    }

    /// A copy.
    ///
    /// # Errors
    /// Memory could not be obtained.
    pub fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(Self {
            store: self.store.try_clone()?,
            holds: PhantomData,
        })
    }
}

impl<K: Key, V: Clone + PartialEq, S: RangeStore<K, V>> Default for RangeMap<K, V, S> {
    fn default() -> Self {
        Self::with_engine()
    }
}

/// As a map from ranges to values: `{0..5: 1, 7..9: 2}`.
impl<K: Key, V: Clone + PartialEq + fmt::Debug, S: RangeStore<K, V>> fmt::Debug
    for RangeMap<K, V, S>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Equal ranges with equal values, which is: the same value for every key.
impl<K: Key, V: Clone + PartialEq, S: RangeStore<K, V>> PartialEq for RangeMap<K, V, S> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: Key, V: Clone + Eq, S: RangeStore<K, V>> Eq for RangeMap<K, V, S> {}

impl<K: Key, V: Clone + PartialEq + Hash, S: RangeStore<K, V>> Hash for RangeMap<K, V, S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len().hash(state);
        for entry in self {
            entry.hash(state);
        }
    }
}

/// Inserts one after the other, so that later ranges overwrite earlier ones.
impl<K: Key, V: Clone + PartialEq, S: RangeStore<K, V>> Extend<(Range<K>, V)>
    for RangeMap<K, V, S>
{
    fn extend<I: IntoIterator<Item = (Range<K>, V)>>(&mut self, entries: I) {
        for (range, value) in entries {
            self.insert(range, value);
        }
    }
}

/// Later ranges overwrite earlier ones. O(n) on the default engine as long as
/// they come in order.
impl<K: Key, V: Clone + PartialEq, S: RangeStore<K, V>> FromIterator<(Range<K>, V)>
    for RangeMap<K, V, S>
{
    fn from_iter<I: IntoIterator<Item = (Range<K>, V)>>(entries: I) -> Self {
        Self::try_from_entries(entries).unwrap_or_else(|error| error.abort())
    }
}

/// Later ranges overwrite earlier ones. On the default engine.
impl<K: Key, V: Clone + PartialEq, const N: usize> From<[(Range<K>, V); N]> for RangeMap<K, V> {
    fn from(entries: [(Range<K>, V); N]) -> Self {
        Self::from_iter(entries)
    }
}

impl<'a, K: Key, V: Clone + PartialEq, S: RangeStore<K, V>> IntoIterator for &'a RangeMap<K, V, S> {
    type Item = (Range<K>, &'a V);
    type IntoIter = S::Entries<'a>;

    fn into_iter(self) -> S::Entries<'a> {
        self.iter()
    }
}

/// Entries by value. Moves them to one array first.
impl<K: Key, V: Clone + PartialEq, S: RangeStore<K, V>> IntoIterator for RangeMap<K, V, S> {
    type Item = (Range<K>, V);
    type IntoIter = IntoEntries<K, V>;

    fn into_iter(mut self) -> IntoEntries<K, V> {
        let mut entries = Vec::with_capacity(self.len());
        self.remove_with(K::MIN..K::MAX, |range, value| entries.push((range, value)));
        IntoEntries {
            entries: entries.into_iter(),
        }
    }
}

/// The entries of a [`RangeMap`] by value, ascending and double-ended; made by
/// its [`into_iter`](IntoIterator::into_iter).
#[derive(Clone, Debug)]
pub struct IntoEntries<K, V> {
    entries: vec::IntoIter<(Range<K>, V)>,
}

impl<K, V> Iterator for IntoEntries<K, V> {
    type Item = (Range<K>, V);

    fn next(&mut self) -> Option<(Range<K>, V)> {
        self.entries.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl<K, V> DoubleEndedIterator for IntoEntries<K, V> {
    fn next_back(&mut self) -> Option<(Range<K>, V)> {
        self.entries.next_back()
    }
}

impl<K, V> ExactSizeIterator for IntoEntries<K, V> {}
impl<K, V> FusedIterator for IntoEntries<K, V> {}
