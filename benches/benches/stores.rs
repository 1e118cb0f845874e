//! The loop of everyday work: `cargo bench --bench stores`, a group a workload,
//! so that engines and rivals stand side by side. Answers are compared first.
//!
//! For numbers to publish use `cargo xtask bench`, whose rounds take turns.

use benches::case::{Case, round};
use benches::subject::Subject;
use benches::subjects::{Brie, SortedVec, StdMap, Tree, TreeSpace};
use benches::workload::{Generator, Scale};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};

const SIZES: [usize; 3] = [128, 1_000, 10_000];

const WORKLOADS: [&str; 11] = [
    "find_hit",
    "find_dep",
    "fill",
    "churn",
    "churn_tight",
    "map_at",
    "protect",
    "mix",
    "query",
    "check_access",
    "iterate",
];

/// Rounds of one subject; only what the workload times counts.
fn subject<S: Subject>(group: &mut BenchmarkGroup<'_, WallTime>, case: &Case, expected: u64) {
    let base: S = case.state.build();
    let hash = round(case, &base).hash;
    assert_eq!(
        hash,
        expected,
        "wrong answers: {}, {}",
        S::NAME,
        case.workload
    );
    group.bench_function(BenchmarkId::new(S::NAME, case.n), |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| round(case, &base).time).sum());
    });
}

fn workloads(criterion: &mut Criterion) {
    // `cargo test` runs each once, on little.
    let testing = std::env::args().any(|argument| argument == "--test");
    let sizes = if testing { &SIZES[..1] } else { &SIZES };
    let mut generator = Generator::default();
    for name in WORKLOADS {
        let mut group = criterion.benchmark_group(name);
        for &n in sizes {
            let scale = if testing {
                Scale::tiny()
            } else {
                Scale::measured(n)
            };
            let case = generator.case(name, n, scale);
            let case = case.expect("a workload of this name");
            group.throughput(Throughput::Elements((case.units * case.copies) as u64));
            let expected = round::<StdMap>(&case, &case.state.build()).hash;
            subject::<Tree>(&mut group, &case, expected);
            subject::<SortedVec>(&mut group, &case, expected);
            subject::<TreeSpace>(&mut group, &case, expected);
            subject::<Brie>(&mut group, &case, expected);
            subject::<StdMap>(&mut group, &case, expected);
        }
        group.finish();
    }
}

criterion_group!(stores, workloads);
criterion_main!(stores);
