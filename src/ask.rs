//! Removal with a sink that can stop: it is asked about every piece before any is
//! removed, so that there is nothing to take back. Written once for all engines.

use core::cell::Cell;
use core::ops::Range;

use crate::flow::Flow;
use crate::guard::ScopeGuard;
use crate::key::Key;
use crate::span::common;
use crate::store::RangeStore;
use crate::value;

/// Asks `sink` about each piece of `range`, and removes those before the one at
/// which it stopped. A panic of the sink removes the piece of that report too.
/// There is room for the entry that a removal inside another one adds.
pub(crate) fn remove_while<K: Key, V: Clone + PartialEq, F: Flow>(
    store: &mut impl RangeStore<K, V>,
    range: Range<K>,
    mut sink: impl FnMut(Range<K>, V) -> F,
) -> F {
    let start = range.start;
    // Everything below has been agreed to.
    let agreed = Cell::new(start);
    let store = ScopeGuard::new(store, |store| remove_quietly(store, start..agreed.get()));
    for (entry, value) in store.overlapping(range.clone()) {
        let piece = common(&entry, &range);
        let value = value::part(value);
        agreed.set(piece.end);
        let said = sink(piece.clone(), value);
        if said.stops() {
            agreed.set(piece.start);
            return said;
        }
    }
    F::GO_ON
}

/// Removes a range and drops its values. If dropping one panics, the others go as
/// well.
fn remove_quietly<K: Key, V: Clone + PartialEq>(
    store: &mut impl RangeStore<K, V>,
    range: Range<K>,
) {
    let Range { start, end } = range;
    let drop_all = |store: &mut _| {
        let removed = RangeStore::try_remove_with(store, start..end, |_, value| drop(value));
        debug_assert!(removed.is_ok(), "room was made before");
    };
    let mut rest = ScopeGuard::new(store, drop_all);
    drop_all(&mut *rest);
    rest.defuse();
}
