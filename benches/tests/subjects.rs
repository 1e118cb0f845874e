//! Every workload on every subject, tiny: all agree with the reference, and a
//! wrong answer is caught by name.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use benches::case::{Case, round};
use benches::measure::{Contender, Effort, Entrant, contenders, measure};
use benches::subject::{Place, Side, Subject};
use benches::subjects::{ReferenceSpace, Space, Tree, TreeSpace, WithFiles, WithGuard};
use benches::traces;
use benches::value::Value;
use benches::workload::{Generator, NAMES, Scale};

const EFFORT: Effort = Effort {
    rounds: 2,
    budget: Duration::from_secs(60),
};

/// Subjects of any build, the reference and the harness alone among them; rivals
/// in C++ come on top.
const SUBJECTS: usize = 11;

fn agree(case: &Case) -> usize {
    let rows = measure(case, &mut contenders(), &|_| true, EFFORT);
    rows.unwrap_or_else(|error| panic!("{error}")).len()
}

#[test]
fn all_subjects_agree_on_all_workloads() {
    let all = contenders().len();
    assert!(all >= SUBJECTS);
    let mut generator = Generator::default();
    for name in NAMES {
        for n in [1, 16, 150] {
            let case = generator.case(name, n, Scale::tiny()).unwrap();
            let subjects = agree(&case);
            let expected = match name {
                "place_random" => 1,
                "iterate" | "build" | "clone" | "drop" => all - 1,
                _ => all,
            };
            assert_eq!(subjects, expected, "{name} {n}");
        }
    }
}

#[test]
fn spaces_of_all_kinds_agree() {
    for name in NAMES {
        for n in [1, 16, 150] {
            let case = Generator::default().case(name, n, Scale::tiny()).unwrap();
            let expected = round::<TreeSpace>(&case, &case.state.build()).hash;
            let files = round::<Space<WithFiles>>(&case, &case.state.build()).hash;
            let guard = round::<Space<WithGuard>>(&case, &case.state.build()).hash;
            assert_eq!((files, guard), (expected, expected), "{name} {n}");
        }
    }
}

#[test]
fn random_placement_does_not_depend_on_the_engine() {
    for n in [1, 16, 150] {
        let case = Generator::default()
            .case("place_random", n, Scale::tiny())
            .unwrap();
        let rows = measure(&case, &mut contenders(), &|_| true, EFFORT).unwrap();
        let expected = round::<ReferenceSpace>(&case, &case.state.build());
        assert_eq!(rows[0].hash, expected.hash, "{n}");
    }
}

#[test]
fn all_subjects_agree_on_a_recorded_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/traces");
    for name in ["sqlite.trace", "dense-python.trace.xz", "wasmtime.trace.xz"] {
        let case = traces::case(&folder.join(name), 300).unwrap();
        let program = name.split('.').next().unwrap();
        assert_eq!(case.workload, format!("trace:{program}"));
        assert!(case.units > 100, "{name}");
        assert_eq!(agree(&case), contenders().len(), "{name}");
    }
}

#[test]
fn every_recording_becomes_a_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/traces");
    let mut units = 0;
    for path in reference::trace::find(&folder).unwrap() {
        units += traces::case(&path, 0).unwrap().units;
    }
    assert!(units > 240_000, "{units}");
}

/// The tree, wrong once in 20,000 look-ups.
#[derive(Clone, Debug)]
struct Liar {
    honest: Tree,
    asked: Cell<u32>,
}

impl Subject for Liar {
    const NAME: &'static str = "liar";
    const SIDE: Side = Side::Rival;

    fn new() -> Self {
        Self {
            honest: Tree::new(),
            asked: Cell::new(0),
        }
    }

    fn find(&self, page: u64) -> Option<u64> {
        self.asked.set(self.asked.get() + 1);
        let found = self.honest.find(page);
        if self.asked.get() == 12_345 {
            found.map(|start| start + 1)
        } else {
            found
        }
    }

    fn insert(&mut self, start: u64, end: u64, value: Value) {
        self.honest.insert(start, end, value);
    }

    fn remove(&mut self, start: u64, end: u64) {
        self.honest.remove(start, end);
    }

    fn protect(&mut self, start: u64, end: u64, prot: u32) {
        self.honest.protect(start, end, prot);
    }

    fn overlapping(&self, start: u64, end: u64, f: impl FnMut(u64, u64, u32) -> bool) {
        self.honest.overlapping(start, end, f);
    }

    fn for_each(&self, f: impl FnMut(u64, u64, Value)) {
        self.honest.for_each(f);
    }

    fn find_gap(&self, place: &Place) -> Option<u64> {
        self.honest.find_gap(place)
    }
}

#[test]
fn one_wrong_answer_in_twenty_thousand_is_caught_by_name() {
    let scale = Scale {
        reads: 20_000,
        ..Scale::tiny()
    };
    let case = Generator::default().case("find_hit", 40, scale).unwrap();
    let mut contenders = contenders();
    contenders.insert(
        1,
        Box::new(Entrant::<Liar>::default()) as Box<dyn Contender>,
    );
    let error = measure(&case, &mut contenders, &|_| true, EFFORT).unwrap_err();
    assert_eq!((error.subject, error.oracle), ("liar", "reference"));
    let message = error.to_string();
    assert!(
        message.starts_with("`liar` gave a wrong answer in find_hit, 40 regions"),
        "{message}"
    );
}
