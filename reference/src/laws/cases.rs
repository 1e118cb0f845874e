//! What worked cases are written with: small numbers for keys, lists of entries,
//! and combs.

use std::ops::Range;

use gaptree::RangeStore;

use crate::Position;

/// An entry of a worked case.
pub(super) type Entry = (Range<u8>, char);

/// The key that a number stands for: zero for unsigned keys, 32 below it for
/// signed ones, so that it keeps its residue modulo alignments up to 32.
pub(super) fn key<K: Position>(number: u8) -> K {
    let lowest = K::ZERO.saturating_sub(32);
    K::at(lowest + u128::from(number)).expect("cases fit the smallest key type")
}

/// The range that two numbers stand for.
pub(super) fn keys<K: Position>(range: Range<u8>) -> Range<K> {
    key(range.start)..key(range.end)
}

/// A store with these entries, inserted one after the other.
pub(super) fn store<K: Position, S: RangeStore<K, char>>(entries: &[Entry]) -> S {
    let mut store = S::EMPTY;
    for (range, value) in entries {
        store.insert(keys(range.clone()), *value);
    }
    store
}

/// Entries of one key at every second key, their values alternating; as many
/// as the key type has room for, at most `count`.
pub(super) fn comb<K: Position, S: RangeStore<K, char>>(count: u32) -> S {
    let mut store = S::EMPTY;
    for n in (0..2 * comb_len::<K>(count)).step_by(2) {
        let value = if n % 4 == 0 { 'a' } else { 'b' };
        store.insert(comb_key(n)..comb_key(n + 1), value);
    }
    store
}

/// The number of entries of [`comb`].
pub(super) fn comb_len<K: Position>(count: u32) -> u32 {
    u32::try_from(K::MAX.position() / 2).map_or(count, |most| count.min(most))
}

/// A key of [`comb`].
pub(super) fn comb_key<K: Position>(number: u32) -> K {
    K::at(u128::from(number)).expect("a comb fits the key type")
}
