//! Committed recordings replayed, and changed ones noticed.

use std::path::{Path, PathBuf};

use gaptree::{BTreeStore, Page, RangeStore, SortedVecStore};
use reference::ReferenceStore;
use reference::trace::{Call, Exceptions, Kept, Recording, Report, find};

/// The committed recordings.
fn traces() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/traces")
}

fn load(name: &str) -> Recording {
    Recording::load(&traces().join(name)).unwrap_or_else(|error| panic!("{error}"))
}

fn replay<S: RangeStore<Page, Kept>>(recording: &Recording) -> Report {
    let report = recording.replay::<S>(|_| ());
    report.unwrap_or_else(|disagreement| panic!("{disagreement}"))
}

/// Those with few regions, for engines that are slow with many.
const SMALL: [&str; 6] = [
    "dense-malloc-glibc.trace.xz",
    "malloc-glibc.trace.xz",
    "postgres-postmaster.trace",
    "sqlite.trace",
    "stressng-mprotect.trace.xz",
    "valgrind.trace.xz",
];

#[test]
fn every_engine_agrees_with_the_kernel() {
    for name in SMALL {
        let recording = load(name);
        let report = replay::<BTreeStore<Page, Kept>>(&recording);
        assert_eq!(
            replay::<BTreeStore<Page, Kept, 3, 3>>(&recording),
            report,
            "{name}"
        );
        assert_eq!(
            replay::<BTreeStore<Page, Kept, 4, 4>>(&recording),
            report,
            "{name}"
        );
        assert_eq!(
            replay::<SortedVecStore<Page, Kept>>(&recording),
            report,
            "{name}"
        );
        assert_eq!(
            replay::<ReferenceStore<Page, Kept>>(&recording),
            report,
            "{name}"
        );
    }
}

#[test]
fn everything_recorded_is_compared() {
    let mut total = Report::default();
    for path in find(&traces()).unwrap() {
        let recording = Recording::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let report = replay::<BTreeStore<Page, Kept>>(&recording);
        assert_eq!(report.operations, recording.trace.ops.len());
        assert_eq!(report.listings, recording.listings.len());
        assert_eq!(report.lookups, recording.faults.len());
        total.operations += report.operations;
        total.placements += report.placements;
        total.listings += report.listings;
        total.exact += report.exact;
        total.exceptions = total.exceptions + report.exceptions;
        total.results.add(&report.results);
    }
    assert_eq!(
        (total.operations, total.placements, total.listings),
        (276_300, 51_171, 4519)
    );
    // The others have page faults that were not recorded.
    assert_eq!(total.exact, 3582);
    let exceptions = Exceptions {
        growth: 17,
        null: 2,
        extended: 1,
        refused: 812,
    };
    assert_eq!(total.exceptions, exceptions);
    let predicted: usize = total.results.predicted.values().sum();
    let followed: usize = total.results.followed.values().sum();
    assert_eq!((predicted, followed), (276_299, 1));
    let errors = total.results.predicted.iter();
    let errors = errors.filter(|((_, outcome), _)| outcome.starts_with('E'));
    assert_eq!(errors.map(|(_, count)| count).sum::<usize>(), 11_374);
}

/// A listing follows every operation here, so an operation that is left out is
/// noticed at once if it changed a page.
#[test]
fn every_operation_that_is_left_out_is_noticed() {
    let mut recording = load("dense-mmstress-a.trace.xz");
    let mut noticed = 0;
    for index in (1..recording.trace.ops.len()).step_by(7) {
        let (before, after) = (
            &recording.listings[index - 1].1,
            &recording.listings[index].1,
        );
        assert_eq!((before.after, after.after), (index, index + 1));
        if before.rows == after.rows {
            continue;
        }
        let nothing = Call::Madvise {
            addr: 0,
            len: 0,
            advice: 0,
        };
        let call = std::mem::replace(&mut recording.trace.ops[index].call, nothing);
        let disagreement = recording.replay::<BTreeStore<Page, Kept>>(|_| ());
        let text = disagreement.expect_err("left out").to_string();
        assert!(
            text.contains(&format!(": operation {} ", index + 1)),
            "{text}"
        );
        recording.trace.ops[index].call = call;
        noticed += 1;
    }
    assert!(noticed > 100, "{noticed}");
    replay::<BTreeStore<Page, Kept>>(&recording);
}
