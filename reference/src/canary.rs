//! The canary: an engine with a planted bug, which proves that fuzzing can
//! fail. A fuzzing run that does not find it is worth nothing.

use std::ops::Range;

use gaptree::{AllocError, Flow, GapQuery, Key, Order, RangeStore, SortedVecStore};

use crate::lockstep::{Compare, run_store};
use crate::ops::{Input, StoreOp};

/// A sorted vector that is right but for one thing: it does not find the
/// highest placement of more than one key where that is the window's start.
#[derive(Clone, Debug)]
struct Canary<K: Key, V: Clone + PartialEq>(SortedVecStore<K, V>);

impl<K: Key, V: Clone + PartialEq> RangeStore<K, V> for Canary<K, V> {
    const EMPTY: Self = Self(SortedVecStore::EMPTY);

    type Entries<'a>
        = <SortedVecStore<K, V> as RangeStore<K, V>>::Entries<'a>
    where
        Self: 'a,
        K: 'a,
        V: 'a;

    fn get(&self, key: K) -> Option<(Range<K>, &V)> {
        self.0.get(key)
    }

    fn overlapping(&self, range: Range<K>) -> Self::Entries<'_> {
        self.0.overlapping(range)
    }

    fn iter(&self) -> Self::Entries<'_> {
        self.0.iter()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn find_gap(&self, query: &GapQuery<K>) -> Option<K> {
        let found = self.0.find_gap(query)?;
        let missed =
            query.len > K::ONE && query.order == Order::Highest && found == query.window.start;
        (!missed).then_some(found)
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

/// The body of the canary target.
///
/// # Panics
/// The planted bug was met.
pub fn canary_ops(data: &[u8], compare: Compare) -> u64 {
    let ops = StoreOp::<u32>::decode_all(&mut Input::new(data));
    run_store::<u32, u8, Canary<u32, u8>>(&ops, compare)
}
