//! Instructions of every operation: `cargo xtask bench --instructions`.
//!
//! Each benchmark is one round of a workload, 200 operations on a prepared
//! state. Making the state is not counted, the harness is.

#![expect(missing_docs, reason = "the macros make items without documentation")]

use std::hint::black_box;

use benches::case::{Body, Case, round};
use benches::subject::Subject;
use benches::subjects::{SortedVec, Space, Tree, TreeSpace, WithFiles, WithGuard};
use benches::workload::{Generator, Scale};
use iai_callgrind::{library_benchmark, library_benchmark_group, main};

/// A case and a subject in its state; copies that the round makes are counted,
/// so bodies that change the subject run on it directly.
fn setup<S: Subject>(workload: &str, n: usize) -> (Case, S) {
    let scale = Scale {
        units: 1,
        ..Scale::tiny()
    };
    let case = Generator::default().case(workload, n, scale);
    let case = case.expect("a workload of this name");
    let subject = case.state.build();
    (case, subject)
}

/// Everything is given back, so that dropping it is not counted.
fn counted<S: Subject>((case, mut subject): (Case, S)) -> (Case, S, u64) {
    let hash = match &case.body {
        Body::Steps {
            steps,
            place,
            values,
        } => benches::case::run(&mut subject, steps, place, values),
        _ => round(&case, &subject).hash,
    };
    (case, subject, black_box(hash))
}

#[library_benchmark(setup = setup::<Tree>)]
#[bench::find_hit_128("find_hit", 128)]
#[bench::find_hit_1000("find_hit", 1000)]
#[bench::find_hit_10000("find_hit", 10000)]
#[bench::find_miss_128("find_miss", 128)]
#[bench::find_miss_1000("find_miss", 1000)]
#[bench::find_miss_10000("find_miss", 10000)]
#[bench::fill_128("fill", 128)]
#[bench::fill_1000("fill", 1000)]
#[bench::fill_10000("fill", 10000)]
#[bench::churn_128("churn", 128)]
#[bench::churn_1000("churn", 1000)]
#[bench::churn_10000("churn", 10000)]
#[bench::churn_tight_128("churn_tight", 128)]
#[bench::churn_tight_1000("churn_tight", 1000)]
#[bench::churn_tight_10000("churn_tight", 10000)]
#[bench::map_at_128("map_at", 128)]
#[bench::map_at_1000("map_at", 1000)]
#[bench::map_at_10000("map_at", 10000)]
#[bench::protect_128("protect", 128)]
#[bench::protect_1000("protect", 1000)]
#[bench::protect_10000("protect", 10000)]
#[bench::mix_128("mix", 128)]
#[bench::mix_1000("mix", 1000)]
#[bench::mix_10000("mix", 10000)]
#[bench::query_128("query", 128)]
#[bench::query_1000("query", 1000)]
#[bench::query_10000("query", 10000)]
#[bench::check_access_128("check_access", 128)]
#[bench::check_access_1000("check_access", 1000)]
#[bench::check_access_10000("check_access", 10000)]
#[bench::iterate_128("iterate", 128)]
#[bench::iterate_1000("iterate", 1000)]
#[bench::iterate_10000("iterate", 10000)]
#[bench::clone_128("clone", 128)]
#[bench::clone_1000("clone", 1000)]
#[bench::clone_10000("clone", 10000)]
#[bench::place_highest_128("place_highest", 128)]
#[bench::place_highest_1000("place_highest", 1000)]
#[bench::place_highest_10000("place_highest", 10000)]
#[bench::place_aligned_128("place_aligned", 128)]
#[bench::place_aligned_1000("place_aligned", 1000)]
#[bench::place_aligned_10000("place_aligned", 10000)]
#[bench::place_window_128("place_window", 128)]
#[bench::place_window_1000("place_window", 1000)]
#[bench::place_window_10000("place_window", 10000)]
#[bench::unmap_many_128("unmap_many", 128)]
#[bench::unmap_many_1000("unmap_many", 1000)]
#[bench::unmap_many_10000("unmap_many", 10000)]
fn tree(prepared: (Case, Tree)) -> (Case, Tree, u64) {
    counted(prepared)
}

#[library_benchmark(setup = setup::<SortedVec>)]
#[bench::find_hit_16("find_hit", 16)]
#[bench::find_hit_128("find_hit", 128)]
#[bench::find_hit_1000("find_hit", 1000)]
#[bench::churn_16("churn", 16)]
#[bench::churn_128("churn", 128)]
#[bench::churn_1000("churn", 1000)]
#[bench::map_at_16("map_at", 16)]
#[bench::map_at_128("map_at", 128)]
#[bench::map_at_1000("map_at", 1000)]
#[bench::protect_16("protect", 16)]
#[bench::protect_128("protect", 128)]
#[bench::protect_1000("protect", 1000)]
fn sorted_vec(prepared: (Case, SortedVec)) -> (Case, SortedVec, u64) {
    counted(prepared)
}

#[library_benchmark(setup = setup::<TreeSpace>)]
#[bench::find_hit_128("find_hit", 128)]
#[bench::find_hit_1000("find_hit", 1000)]
#[bench::find_hit_10000("find_hit", 10000)]
#[bench::churn_128("churn", 128)]
#[bench::churn_1000("churn", 1000)]
#[bench::churn_10000("churn", 10000)]
#[bench::map_at_128("map_at", 128)]
#[bench::map_at_1000("map_at", 1000)]
#[bench::map_at_10000("map_at", 10000)]
#[bench::protect_128("protect", 128)]
#[bench::protect_1000("protect", 1000)]
#[bench::protect_10000("protect", 10000)]
#[bench::check_access_128("check_access", 128)]
#[bench::check_access_1000("check_access", 1000)]
#[bench::check_access_10000("check_access", 10000)]
#[bench::place_random_128("place_random", 128)]
#[bench::place_random_1000("place_random", 1000)]
#[bench::place_random_10000("place_random", 10000)]
fn addr_space(prepared: (Case, TreeSpace)) -> (Case, TreeSpace, u64) {
    counted(prepared)
}

// What data costs: a counted pointer in each region.
#[library_benchmark(setup = setup::<Space<WithFiles>>)]
#[bench::find_hit_1000("find_hit", 1000)]
#[bench::check_access_1000("check_access", 1000)]
#[bench::protect_1000("protect", 1000)]
#[bench::map_at_1000("map_at", 1000)]
#[bench::map_at_10000("map_at", 10000)]
#[bench::churn_1000("churn", 1000)]
#[bench::churn_10000("churn", 10000)]
fn with_files(prepared: (Case, Space<WithFiles>)) -> (Case, Space<WithFiles>, u64) {
    counted(prepared)
}

// What a guard costs: what placement can use is kept beside.
#[library_benchmark(setup = setup::<Space<WithGuard>>)]
#[bench::find_hit_1000("find_hit", 1000)]
#[bench::protect_1000("protect", 1000)]
#[bench::map_at_1000("map_at", 1000)]
#[bench::map_at_10000("map_at", 10000)]
#[bench::churn_1000("churn", 1000)]
#[bench::churn_10000("churn", 10000)]
#[bench::place_random_1000("place_random", 1000)]
fn with_guard(prepared: (Case, Space<WithGuard>)) -> (Case, Space<WithGuard>, u64) {
    counted(prepared)
}

library_benchmark_group!(
    name = operations;
    benchmarks = tree, sorted_vec, addr_space, with_files, with_guard
);
main!(library_benchmark_groups = operations);
