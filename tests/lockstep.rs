//! Engines, map, space and the C interface in lockstep with the reference:
//! random operations from a fixed seed, shrunk by proptest where they disagree;
//! longer runs; and the fuzzers' corpus with what they once found.
//!
//! `PROPTEST_CASES` and `PROPTEST_RNG_SEED` choose other runs.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use gaptree::{BTreeStore, SortedVecStore};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use reference::lockstep::{self, Body, Compare, run_store};
use reference::ops::{Input, Scatter, StoreOp};

/// A fixed seed, unless the environment gives one; nothing is written.
fn config(cases: u32) -> Config {
    let default = Config::default();
    let fixed = RngSeed::Fixed(0x6761_7074_7265_6501);
    let rng_seed = if default.rng_seed == RngSeed::Random {
        fixed
    } else {
        default.rng_seed
    };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() {
        default.cases
    } else {
        cases
    };
    Config {
        cases,
        rng_seed,
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn stores_agree_with_the_reference(data in vec(any::<u8>(), 0..600)) {
        lockstep::store_ops(&data, Compare::Always);
    }

    #[test]
    fn spaces_agree_with_the_reference(data in vec(any::<u8>(), 0..900)) {
        lockstep::space_ops(&data, Compare::Always);
    }

    #[test]
    fn the_c_interface_agrees_with_the_reference(data in vec(any::<u8>(), 0..900)) {
        lockstep::capi_ops(&data, Compare::Always);
    }
}

proptest! {
    // Much more is compared after each operation.
    #![proptest_config(config(40))]

    #[test]
    fn maps_agree_with_the_reference(data in vec(any::<u8>(), 0..400)) {
        lockstep::map_ops(&data, Compare::Always);
    }
}

/// The next number of a sequence (SplitMix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Bytes from a seed.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    (0..len)
        .map(|_| next(&mut state).to_le_bytes()[0])
        .collect()
}

/// Runs a body on long inputs, longer than what shrinks well.
fn long_run(body: Body, seeds: u64, len: usize) {
    for seed in 0..seeds {
        let result = catch_unwind(|| body(&bytes(seed, len), Compare::Always));
        assert!(result.is_ok(), "seed {seed} disagrees, see above");
    }
}

#[test]
fn stores_agree_in_long_runs() {
    long_run(lockstep::store_ops, 10, 4_000);
}

#[test]
fn maps_agree_in_long_runs() {
    long_run(lockstep::map_ops, 4, 2_000);
}

#[test]
fn spaces_agree_in_long_runs() {
    long_run(lockstep::space_ops, 10, 8_000);
}

#[test]
fn the_c_interface_agrees_in_long_runs() {
    long_run(lockstep::capi_ops, 10, 8_000);
}

/// Enough entries for a tree of three levels of full-sized nodes.
#[test]
fn stores_of_many_entries_agree() {
    for (seed, scatter) in [
        (1, Scatter::Ascending),
        (2, Scatter::Descending),
        (3, Scatter::Scattered),
    ] {
        let (first, count, stride, len) = (0_u64, 2048, 2, 1);
        let fill = StoreOp::Stripes {
            first,
            count,
            stride,
            len,
            scatter,
            value: Some(0),
        };
        let mut ops = vec![fill];
        // The first byte places the keys at the bottom, among the stripes.
        let mut data = bytes(seed, 600);
        data[0] = 0;
        ops.extend(StoreOp::decode_all(&mut Input::new(&data)));
        let result = catch_unwind(|| {
            run_store::<u64, u8, BTreeStore<u64, u8>>(&ops, Compare::Always);
            run_store::<u64, u8, SortedVecStore<u64, u8>>(&ops, Compare::Always);
        });
        assert!(result.is_ok(), "seed {seed} disagrees, see above");
    }
}

/// Runs `body` on every file of a target's folders; `corpus` is never empty.
fn replay(target: &str, body: Body) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut inputs = 0;
    for folder in ["corpus", "regressions"] {
        let folder = fuzz.join(folder).join(target);
        let Ok(files) = fs::read_dir(&folder) else {
            continue;
        };
        let mut paths: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
        paths.sort();
        for path in paths {
            let data = fs::read(&path).expect("readable");
            let result = catch_unwind(|| body(&data, Compare::Always));
            assert!(result.is_ok(), "{} disagrees, see above", path.display());
            inputs += 1;
        }
    }
    assert!(inputs > 10, "only {inputs} inputs below {}", fuzz.display());
}

#[test]
fn the_corpus_of_stores() {
    replay("store_ops", lockstep::store_ops);
}

#[test]
fn the_corpus_of_maps() {
    replay("map_ops", lockstep::map_ops);
}

#[test]
fn the_corpus_of_spaces() {
    replay("space_ops", lockstep::space_ops);
}

#[test]
fn the_corpus_of_the_c_interface() {
    replay("capi_ops", lockstep::capi_ops);
}
