//! The law suite: worked cases of L1 to L7 for any [`RangeStore`], each a
//! function that its name describes.
//!
//! Cases are written with small numbers, which stand for keys around zero;
//! for signed keys they cross it.

mod cases;
mod domain;
mod edits;
mod placement;
mod queries;
mod sinks;
mod state;
mod updates;

use gaptree::RangeStore;

use crate::Position;

/// Runs the whole suite on an engine with one type of key.
///
/// # Panics
/// A law does not hold.
pub fn all<K: Position, S: RangeStore<K, char>>() {
    edits::all::<K, S>();
    updates::all::<K, S>();
    queries::all::<K, S>();
    placement::all::<K, S>();
    sinks::all::<K, S>();
    domain::all::<K, S>();
}

/// Runs the part of the suite that depends on the type of key: the edges of
/// its domain.
///
/// # Panics
/// A law does not hold.
pub fn edges<K: Position, S: RangeStore<K, char>>() {
    domain::all::<K, S>();
}
