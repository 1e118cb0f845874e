//! Lockstep on few engines and types of key, chosen so that they reach nearly
//! every line, compile in seconds and run in less: the first thing that
//! `cargo xtask mutants` asks. `lockstep.rs` is the same on all of them.

use std::ops::Range;

use gaptree::{BTreeStore, Page, SortedVecStore};
use reference::lockstep::{Compare, run_space, run_store};
use reference::ops::{Input, SpaceOp, SpaceShape, StoreOp};

/// Bytes from a seed (SplitMix64).
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

/// Random operations, one list a seed.
fn lists<K: reference::Position>(seeds: Range<u64>) -> impl Iterator<Item = Vec<StoreOp<K>>> {
    seeds.map(|seed| StoreOp::decode_all(&mut Input::new(&bytes(seed, 1000))))
}

const RARELY: Compare = Compare::Rarely(8);

#[test]
fn the_sorted_vector_agrees() {
    for ops in lists::<i64>(0..60) {
        run_store::<i64, u8, SortedVecStore<i64, u8>>(&ops, RARELY);
    }
}

#[test]
fn a_tree_of_nodes_of_4_agrees() {
    for ops in lists::<Page>(100..160) {
        run_store::<Page, u8, BTreeStore<Page, u8, 4, 4>>(&ops, RARELY);
    }
}

#[test]
fn spaces_agree() {
    for seed in 200..500 {
        let data = bytes(seed, 1000);
        let mut input = Input::new(&data);
        let shape = SpaceShape::decode(&mut input).expect("two bytes");
        let decode = || SpaceOp::decode(&shape, &mut input);
        let ops: Vec<SpaceOp> = std::iter::from_fn(decode).collect();
        run_space::<u8, SortedVecStore<_, _>>(&shape, &ops, RARELY);
    }
}
