//! Lockstep of a [`RangeMap`] and the reference: the map is driven as the
//! store that it wraps, through its own methods; what only a map has is
//! compared after every operation.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use gaptree::{
    AllocError, Flow, GapQuery, Gaps, RangeMap, RangeStore, RelocateError, Segment, Source,
};

use super::driver::{Lockstep, Mismatch, Reported, reported, same};
use super::store::{StoreLockstep, remove_with};
use crate::ops::{Call, Change, Sample, StoreOp};
use crate::{Position, ReferenceStore};

/// A map as a store.
#[derive(Clone)]
struct AsStore<K, V, S>(RangeMap<K, V, S>);

impl<K: Position, V: Sample, S: RangeStore<K, V>> RangeStore<K, V> for AsStore<K, V, S> {
    const EMPTY: Self = Self(RangeMap::with_engine());

    type Entries<'a>
        = S::Entries<'a>
    where
        Self: 'a,
        K: 'a,
        V: 'a;

    fn get(&self, key: K) -> Option<(Range<K>, &V)> {
        assert_eq!(
            self.0.get(key).is_some(),
            self.0.contains_key(key),
            "contains_key {key:?}"
        );
        assert_eq!(
            self.0.get(key),
            self.0.get_key_value(key).map(|(_, value)| value)
        );
        self.0.get_key_value(key)
    }

    fn overlapping(&self, range: Range<K>) -> S::Entries<'_> {
        self.0.overlapping(range)
    }

    fn iter(&self) -> S::Entries<'_> {
        self.0.iter()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn first(&self) -> Option<(Range<K>, &V)> {
        self.0.first_key_value()
    }

    fn last(&self) -> Option<(Range<K>, &V)> {
        self.0.last_key_value()
    }

    fn overlaps(&self, range: Range<K>) -> bool {
        self.0.overlaps(range)
    }

    fn segment_at(&self, key: K) -> Segment<'_, K, V> {
        self.0.segment_at(key)
    }

    fn gaps(&self, window: Range<K>) -> Gaps<K, S::Entries<'_>> {
        self.0.gaps(window)
    }

    fn find_gap(&self, query: &GapQuery<K>) -> Option<K> {
        self.0.find_gap(query)
    }

    fn best_gap(&self, query: &GapQuery<K>) -> Option<K> {
        self.0.best_gap(query)
    }

    fn longest_gap(&self, window: Range<K>) -> Option<Range<K>> {
        self.0.longest_gap(window)
    }

    fn insert(&mut self, range: Range<K>, value: V) {
        self.0.insert(range, value);
    }

    fn insert_with<F: Flow>(
        &mut self,
        range: Range<K>,
        value: V,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> F {
        self.0.insert_with(range, value, sink)
    }

    fn remove(&mut self, range: Range<K>) {
        self.0.remove(range);
    }

    fn remove_with<F: Flow>(&mut self, range: Range<K>, sink: impl FnMut(Range<K>, V) -> F) -> F {
        self.0.remove_with(range, sink)
    }

    fn update<F: Flow>(&mut self, range: Range<K>, f: impl FnMut(Range<K>, &mut V) -> F) -> F {
        self.0.update(range, f)
    }

    fn allocate(&mut self, query: &GapQuery<K>, value: V) -> Option<K> {
        self.0.allocate(query, value)
    }

    fn try_insert(&mut self, range: Range<K>, value: V) -> Result<(), AllocError> {
        self.0.try_insert(range, value)
    }

    fn try_insert_with<F: Flow>(
        &mut self,
        range: Range<K>,
        value: V,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError> {
        self.0.try_insert_with(range, value, sink)
    }

    fn try_remove_with<F: Flow>(
        &mut self,
        range: Range<K>,
        sink: impl FnMut(Range<K>, V) -> F,
    ) -> Result<F, AllocError> {
        self.0.try_remove_with(range, sink)
    }

    fn try_update<F: Flow>(
        &mut self,
        range: Range<K>,
        f: impl FnMut(Range<K>, &mut V) -> F,
    ) -> Result<F, AllocError> {
        self.0.try_update(range, f)
    }

    fn try_allocate(&mut self, query: &GapQuery<K>, value: V) -> Result<Option<K>, AllocError> {
        self.0.try_allocate(query, value)
    }

    fn try_from_entries(
        entries: impl IntoIterator<Item = (Range<K>, V)>,
    ) -> Result<Self, AllocError> {
        RangeMap::try_from_entries(entries).map(Self)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        self.0.try_clone().map(Self)
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn check(&self) {
        self.0.check();
    }
}

/// A map and its oracle.
pub(super) struct MapLockstep<K, V, S>(StoreLockstep<K, V, AsStore<K, V, S>>);

impl<K: Position, V: Sample + Hash, S: RangeStore<K, V>> MapLockstep<K, V, S> {
    pub(super) fn new() -> Self {
        Self(StoreLockstep::new())
    }

    /// Compares `retain` with a filter and one insertion after the other.
    fn compare_retain(
        &self,
        map: &RangeMap<K, V, S>,
        entries: &[(Range<K>, V)],
    ) -> Result<(), Mismatch> {
        let keep = |value: &mut V| {
            *value = V::of(Change::Next.of(value.number(), 0) / 2);
            value.number() > 0
        };
        let mut expected: RangeMap<K, V, S> = RangeMap::default();
        for (range, value) in entries {
            let mut value = value.clone();
            if keep(&mut value) {
                expected.extend([(range.clone(), value)]);
            }
        }
        let mut retained = map.clone();
        retained.retain(|_, value| keep(value));
        retained.check();
        same("retained", format!("{expected:?}"), format!("{retained:?}"))
    }
}

/// What `relocate` reports, and how it ends.
type Relocated<K> = Reported<(Range<K>, u8), RelocateError>;

/// What a move does to the reference: the target is removed, and the pieces are put in
/// one by one.
fn relocate<K: Position, V: Sample>(
    oracle: &mut ReferenceStore<K, V>,
    from: &Range<K>,
    to: K,
    source: Source,
    call: Call,
) -> Relocated<K> {
    let refused = |error| (Vec::new(), Some(Err(error)));
    if from.start >= from.end {
        return (Vec::new(), Some(Ok(None)));
    }
    let shifted = |key: K| key.position() - from.start.position() + to.position();
    let Some(end) = K::at(shifted(from.end)).filter(|_| shifted(from.end) <= K::MAX.position())
    else {
        return refused(RelocateError::PastMax);
    };
    if to < from.end && from.start < end {
        return refused(RelocateError::Overlap);
    }
    let pieces: Vec<_> = oracle
        .overlapping(from.clone())
        .map(|(entry, value)| {
            let ends = [entry.start.max(from.start), entry.end.min(from.end)];
            let [start, end] = ends.map(|key| K::at_most(shifted(key)));
            (start..end, value.clone())
        })
        .collect();
    let (reported, result) = remove_with(oracle, &(to..end), call);
    let result = result.map(|said| said.map_err(RelocateError::OutOfMemory));
    if result == Some(Ok(None)) {
        if source == Source::Remove {
            oracle.remove(from.clone());
        }
        for (range, value) in pieces {
            oracle.insert(range, value);
        }
    }
    (reported, result)
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl<K: Position, V: Sample + Hash, S: RangeStore<K, V>> Lockstep for MapLockstep<K, V, S> {
    type Op = StoreOp<K>;

    fn apply(&mut self, op: &StoreOp<K>) -> Result<(), Mismatch> {
        let StoreOp::Relocate {
            from,
            to,
            source,
            call,
        } = op
        else {
            return self.0.apply(op);
        };
        let (subject, oracle) = self.0.both();
        let expected = relocate(oracle, from, *to, *source, *call);
        let got: Relocated<K> = reported!(*call, |sink| {
            let sink = |piece, value: V| sink((piece, value.number()));
            subject.0.relocate(from.clone(), *to, *source, sink)
        });
        same("moved", expected, got)
    }

    /// Compares also what only a map has.
    fn compare(&self) -> Result<(), Mismatch> {
        self.0.compare()?;
        let map = &self.0.subject().0;
        let entries: Vec<(Range<K>, V)> = map
            .iter()
            .map(|(range, value)| (range, value.clone()))
            .collect();
        let keys = entries.iter().map(|(range, _)| range.clone());
        same("keys", keys.collect::<Vec<_>>(), map.keys().collect())?;
        let values = entries.iter().map(|(_, value)| value);
        same("values", values.collect::<Vec<_>>(), map.values().collect())?;
        same(
            "by reference",
            map.iter().collect::<Vec<_>>(),
            map.into_iter().collect(),
        )?;
        same(
            "by value",
            entries.clone(),
            map.clone().into_iter().collect(),
        )?;
        let text: Vec<String> = entries
            .iter()
            .map(|(range, value)| format!("{range:?}: {value:?}"))
            .collect();
        same(
            "Debug",
            format!("{{{}}}", text.join(", ")),
            format!("{map:?}"),
        )?;
        // From the other end, so that it grows in another way.
        let rebuilt: RangeMap<K, V, S> = entries.iter().rev().cloned().collect();
        same("equal to itself, rebuilt", true, *map == rebuilt)?;
        same("hash of itself, rebuilt", hash(map), hash(&rebuilt))?;
        if let Some((range, value)) = entries.last() {
            let mut other = rebuilt;
            other.insert(range.clone(), V::of(value.number() ^ 1));
            same("equal to another", false, *map == other)?;
        }
        if let Some((range, _)) = entries.first() {
            let mut rest = map.clone();
            rest.try_remove(range.clone()).expect("memory");
            let kept = rest.iter().map(|(range, value)| (range, value.clone()));
            same(
                "without the first",
                &entries[1..],
                &kept.collect::<Vec<_>>(),
            )?;
        }
        self.compare_retain(map, &entries)
    }

    fn cost(&self) -> usize {
        // Several maps are built.
        8 * self.0.cost()
    }

    fn name(&self) -> String {
        std::any::type_name::<RangeMap<K, V, S>>().to_owned()
    }
}
