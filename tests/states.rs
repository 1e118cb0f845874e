//! Everything that an engine can reach on a few keys: every state, every
//! operation and every question in it. `cargo xtask soak` does the same on
//! more keys.

use gaptree::{BTreeStore, Page, SortedVecStore};
use reference::exhaustive::{Explored, Physical, all_states};

fn run<S: Physical>(keys: u8) -> u64 {
    let Explored {
        states,
        transitions,
        questions,
    } = all_states::<S>(keys);
    println!("{keys} keys: {states} states, {transitions} transitions, {questions} questions");
    states
}

/// States of keys that are free or have one of two values, which may be
/// exchanged: all but the empty one come in pairs.
fn logical_states(keys: u8) -> u64 {
    3_u64.pow(u32::from(keys)).div_ceil(2)
}

#[test]
fn every_state_of_the_sorted_vector() {
    assert_eq!(run::<SortedVecStore<Page, u8>>(7), logical_states(7));
}

#[test]
fn every_shape_of_a_tree_of_nodes_of_3() {
    assert!(run::<BTreeStore<Page, u8, 3, 3>>(6) > logical_states(6));
}

#[test]
fn every_shape_of_a_tree_of_nodes_of_4() {
    assert!(run::<BTreeStore<Page, u8, 4, 4>>(7) > logical_states(7));
}
