//! The engines and the reference under `find` and `churn`: a first benchmark,
//! to which rivals and the other workloads are still to be added.

use benches::Workload;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use gaptree::{BTreeStore, Mapping, Page, RangeStore, SortedVecStore};
use reference::ReferenceStore;

const SIZES: [usize; 3] = [128, 1_000, 10_000];
const SEED: u64 = 1;

/// Runs a workload step by step; its answers must be the reference's.
fn subject<S: RangeStore<Page, Mapping>>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    size: usize,
    step: fn(&mut Workload<S>, usize) -> u64,
    expected: u64,
) {
    let answers = step(&mut Workload::new(size, SEED), CHECKED);
    assert_eq!(answers, expected, "wrong answers: {name}, {size} entries");
    let mut workload = Workload::new(size, SEED);
    group.bench_function(BenchmarkId::new(name, size), |bencher| {
        bencher.iter(|| step(&mut workload, 1))
    });
}

/// How many steps are compared with the reference before any is timed.
const CHECKED: usize = 1_000;

type Tree = BTreeStore<Page, Mapping>;
type Vector = SortedVecStore<Page, Mapping>;
type Oracle = ReferenceStore<Page, Mapping>;

fn find(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find");
    for size in SIZES {
        let expected = Workload::<Oracle>::new(size, SEED).find(CHECKED);
        subject::<Tree>(&mut group, "btree", size, Workload::find, expected);
        subject::<Vector>(&mut group, "sorted-vec", size, Workload::find, expected);
        subject::<Oracle>(&mut group, "reference", size, Workload::find, expected);
    }
    group.finish();
}

fn churn(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("churn");
    for size in SIZES {
        let expected = Workload::<Oracle>::new(size, SEED).churn(CHECKED);
        subject::<Tree>(&mut group, "btree", size, Workload::churn, expected);
        subject::<Vector>(&mut group, "sorted-vec", size, Workload::churn, expected);
        subject::<Oracle>(&mut group, "reference", size, Workload::churn, expected);
    }
    group.finish();
}

criterion_group!(stores, find, churn);
criterion_main!(stores);
