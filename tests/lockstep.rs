//! Engines, map and space in lockstep with the reference: random operations
//! from a fixed seed, shrunk by proptest where they disagree.
//!
//! `PROPTEST_CASES` and `PROPTEST_RNG_SEED` choose other runs.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use reference::lockstep;

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
        lockstep::store_ops(&data);
    }

    #[test]
    fn maps_agree_with_the_reference(data in vec(any::<u8>(), 0..400)) {
        lockstep::map_ops(&data);
    }

    #[test]
    fn spaces_agree_with_the_reference(data in vec(any::<u8>(), 0..900)) {
        lockstep::space_ops(&data);
    }
}
