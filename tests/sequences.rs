//! All sequences of up to three operations on six keys and two values; four in
//! `cargo xtask soak`.

use gaptree::{BTreeStore, SortedVecStore};
use reference::exhaustive::all_sequences;

const DEPTH: usize = 3;

#[test]
fn the_sorted_vector_agrees_on_all_short_sequences() {
    assert!(all_sequences::<SortedVecStore<u8, u8>>(DEPTH) > 1_000_000);
}

#[test]
fn a_tree_of_nodes_of_3_agrees_on_all_short_sequences() {
    assert!(all_sequences::<BTreeStore<u8, u8, 3, 3>>(DEPTH) > 1_000_000);
}

#[test]
fn a_tree_of_nodes_of_4_agrees_on_all_short_sequences() {
    assert!(all_sequences::<BTreeStore<u8, u8, 4, 4>>(DEPTH) > 1_000_000);
}
