//! Panics in user code: sinks and closures, and the value's `Clone`,
//! `PartialEq` and `Drop`, each at every point where it runs. Afterwards the
//! store is valid, keys outside the operation's range have their old values,
//! and no value is leaked or dropped twice. The same for address spaces with such
//! values as data: their totals, and what placement can use, are right.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use gaptree::{
    AddrSpace, BTreeStore, GapQuery, Guard, HolePolicy, MapOptions, Mapping, Order, Page,
    PageMapping, Placement, Prot, RangeStore, Region, SortedVecStore, Source,
};

/// User code that can panic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Code {
    Sink,
    Clone,
    Eq,
    Drop,
}

/// What this thread knows of the values.
#[derive(Default)]
struct Watch {
    /// The next panic: whose code, and how often it runs before.
    armed: Option<(Code, usize)>,
    next_serial: usize,
    /// Serial numbers of the values that live.
    live: BTreeSet<usize>,
    /// Serial numbers of the values that were dropped more than once.
    dropped_twice: Vec<usize>,
}

thread_local! {
    static WATCH: RefCell<Watch> = RefCell::default();
}

/// What [`visit`] throws, past the panic hook.
struct Stop;

/// Says that user code runs, which may be the time to panic.
fn visit(code: Code) {
    let stop = WATCH.with_borrow_mut(|watch| match &mut watch.armed {
        Some((armed, _)) if *armed != code || std::thread::panicking() => false,
        Some((_, 0)) => watch.armed.take().is_some(),
        Some((_, rest)) => {
            *rest -= 1;
            false
        }
        None => false,
    });
    if stop {
        resume_unwind(Box::new(Stop));
    }
}

fn arm(panic: Option<(Code, usize)>) {
    WATCH.with_borrow_mut(|watch| watch.armed = panic);
}

/// A value that is watched. Its number is what it is compared by.
#[derive(Debug)]
struct Watched {
    number: u8,
    serial: usize,
}

fn value(number: u8) -> Watched {
    WATCH.with_borrow_mut(|watch| {
        let serial = watch.next_serial;
        watch.next_serial += 1;
        watch.live.insert(serial);
        Watched { number, serial }
    })
}

impl Clone for Watched {
    fn clone(&self) -> Self {
        visit(Code::Clone);
        value(self.number)
    }
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        visit(Code::Eq);
        self.number == other.number
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        WATCH.with_borrow_mut(|watch| {
            if !watch.live.remove(&self.serial) {
                watch.dropped_twice.push(self.serial);
            }
        });
        visit(Code::Drop);
    }
}

/// One operation, the range that it may change, and its name.
struct Case<S> {
    name: &'static str,
    range: Range<u16>,
    run: fn(&mut S),
}

/// Entries 0..2, 4..6, ... with values 0, 1, 2, 0, ...; the last two of every
/// eight are adjacent, and so are the first two.
fn filled<S: RangeStore<u16, Watched>>(entries: u16) -> S {
    let mut store = S::EMPTY;
    for n in 0..entries {
        let end = if n % 8 == 6 || n == 0 {
            4 * n + 4
        } else {
            4 * n + 2
        };
        store.insert(4 * n..end, value((n % 3) as u8));
    }
    store
}

fn case<S>(name: &'static str, range: Range<u16>, run: fn(&mut S)) -> Case<S> {
    Case { name, range, run }
}

fn stopping_cases<S: RangeStore<u16, Watched>>() -> Vec<Case<S>> {
    fn go_on(_: Range<u16>, _: Watched) -> Result<(), ()> {
        visit(Code::Sink);
        Ok(())
    }
    fn stop_at_24(piece: Range<u16>, _: Watched) -> Result<(), ()> {
        visit(Code::Sink);
        if piece.start == 24 { Err(()) } else { Ok(()) }
    }
    vec![
        case(
            "insert_with over several, which can stop",
            5..33,
            |s: &mut S| {
                s.insert_with(5..33, value(3), go_on).expect("it goes on");
            },
        ),
        case("insert_with inside one, which can stop", 1..2, |s| {
            s.insert_with(1..2, value(3), go_on).expect("it goes on");
        }),
        case("insert_with over everything, which stops", 0..500, |s| {
            let _ = s.insert_with(0..500, value(0), stop_at_24);
        }),
        case("remove_with everything, which can stop", 0..500, |s| {
            s.remove_with(0..500, go_on).expect("it goes on");
        }),
        case("remove_with everything, which stops", 0..500, |s| {
            let _ = s.remove_with(0..500, stop_at_24);
        }),
        case("update that stops", 0..500, |s| {
            let _ = s.update(0..500, |piece, old| {
                *old = value(1);
                stop_at_24(piece, value(2))
            });
        }),
    ]
}

fn cases<S: RangeStore<u16, Watched>>() -> Vec<Case<S>> {
    fn sink(_: Range<u16>, _: Watched) {
        visit(Code::Sink);
    }
    vec![
        case("insert over several", 5..33, |s: &mut S| {
            s.insert(5..33, value(3))
        }),
        case("insert an equal value over several", 5..33, |s| {
            s.insert(5..33, value(1))
        }),
        case("insert over everything", 0..500, |s| {
            s.insert(0..500, value(1))
        }),
        case("insert inside one", 1..2, |s| s.insert(1..2, value(3))),
        case("insert between equal ones", 2..4, |s| {
            s.insert(2..4, value(0))
        }),
        case("insert beyond", 900..901, |s| s.insert(900..901, value(0))),
        case("insert_with over several", 5..33, |s| {
            s.insert_with(5..33, value(3), sink)
        }),
        case("insert_with inside one", 1..2, |s| {
            s.insert_with(1..2, value(3), sink)
        }),
        case("insert_with over everything", 0..500, |s| {
            s.insert_with(0..500, value(0), sink)
        }),
        case("remove several", 5..33, |s| s.remove(5..33)),
        case("remove inside one", 1..2, |s| s.remove(1..2)),
        case("remove_with several", 5..33, |s| s.remove_with(5..33, sink)),
        case("remove_with everything", 0..500, |s| {
            s.remove_with(0..500, sink)
        }),
        case("update several to one value", 5..33, |s| {
            s.update(5..33, |_, old| {
                *old = value(1);
                visit(Code::Sink);
            });
        }),
        case("update everything to unlike values", 0..500, |s| {
            s.update(0..500, |piece, old| {
                visit(Code::Sink);
                *old = value((piece.start / 4 % 2) as u8);
            });
        }),
        case("update inside one", 1..2, |s| {
            s.update(1..2, |_, old| *old = value(7))
        }),
        case("update nothing", 1..40, |s| {
            s.update(1..40, |_, _| visit(Code::Sink))
        }),
        case("allocate the lowest", 0..500, |s| {
            s.allocate(&GapQuery::new(2).within(0..500), value(0));
        }),
        case("allocate the highest", 0..500, |s| {
            s.allocate(
                &GapQuery::new(3).within(0..500).order(Order::Highest),
                value(1),
            );
        }),
        case("clone", 0..0, |s| drop(s.clone())),
        case("clear", 0..500, |s| s.clear()),
        case("drop", 0..500, |s| drop(std::mem::replace(s, S::EMPTY))),
    ]
}

/// The number of the value of each key.
fn values<S: RangeStore<u16, Watched>>(store: &S, keys: &Range<u16>) -> Vec<Option<u8>> {
    keys.clone()
        .map(|key| store.get(key).map(|(_, value)| value.number))
        .collect()
}

/// Runs a case with a panic at each point in turn where `code` runs; returns
/// how many there are.
fn panic_everywhere<S: RangeStore<u16, Watched>>(
    case: &Case<S>,
    entries: u16,
    code: Code,
) -> usize {
    let Case { name, range, run } = case;
    let outside = [0..range.start, range.end..1000];
    for point in 0.. {
        let what = format!("{name}, {entries} entries, panic at {code:?} {point}");
        let mut store: S = filled(entries);
        let before = outside.clone().map(|keys| values(&store, &keys));
        arm(Some((code, point)));
        let result = catch_unwind(AssertUnwindSafe(|| run(&mut store)));
        arm(None);
        let panicked = match result {
            Ok(()) => false,
            Err(payload) if payload.is::<Stop>() => true,
            Err(payload) => resume_unwind(payload),
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| store.check())) {
            eprintln!("{what}: the store is not valid afterwards");
            resume_unwind(payload);
        }
        let after = outside.clone().map(|keys| values(&store, &keys));
        assert_eq!(after, before, "{what}: keys outside {range:?}");
        // It goes on working.
        store.insert(3..300, value(9));
        store.remove(100..200);
        store.check();
        drop(store);
        let (leaked, dropped_twice) = WATCH.with_borrow_mut(|watch| {
            (
                std::mem::take(&mut watch.live),
                std::mem::take(&mut watch.dropped_twice),
            )
        });
        assert!(
            dropped_twice.is_empty(),
            "{what}: values {dropped_twice:?} dropped twice"
        );
        assert!(leaked.is_empty(), "{what}: values {leaked:?} leaked");
        if !panicked {
            return point;
        }
    }
    unreachable!("some point is not reached")
}

fn panic_in_every_case<S: RangeStore<u16, Watched>>() {
    let mut points = [0; 4];
    for entries in [1, 3, 9, 60] {
        for case in cases::<S>().into_iter().chain(stopping_cases()) {
            let codes = [Code::Sink, Code::Clone, Code::Eq, Code::Drop];
            for (points, code) in points.iter_mut().zip(codes) {
                *points += panic_everywhere(&case, entries, code);
            }
        }
    }
    assert!(
        points.iter().all(|&points| points > 50),
        "too few panics: {points:?}"
    );
}

#[test]
fn the_sorted_vector_survives_panics() {
    panic_in_every_case::<SortedVecStore<u16, Watched>>();
}

#[test]
fn a_tree_of_nodes_of_3_survives_panics() {
    panic_in_every_case::<BTreeStore<u16, Watched, 3, 3>>();
}

#[test]
fn a_tree_of_nodes_of_4_survives_panics() {
    panic_in_every_case::<BTreeStore<u16, Watched, 4, 4>>();
}

#[test]
fn the_tree_survives_panics() {
    panic_in_every_case::<BTreeStore<u16, Watched>>();
}

const PAGE: u64 = 0x1000;

/// A mapping with a value of this number.
fn mapping(number: u8) -> Mapping<Watched> {
    Mapping::anonymous(Prot::READ, 0).with_data(value(number))
}

/// An operation of a space, and its name.
type SpaceCase<S> = (&'static str, fn(&mut AddrSpace<Watched, S>));

fn space_cases<S: RangeStore<Page, PageMapping<Watched>>>() -> Vec<SpaceCase<S>> {
    fn sink(_: Region<Watched>) {
        visit(Code::Sink);
    }
    vec![
        // Each joins a neighbour, whose value or the new one is dropped.
        ("map_at behind an equal region", |s| {
            s.map_at(2 * PAGE, PAGE, mapping(0), sink).expect("memory");
        }),
        ("map_at between equal regions", |s| {
            s.map_at(PAGE, 7 * PAGE, mapping(0), sink).expect("memory");
        }),
        ("map_fixed_noreplace between equal regions", |s| {
            let done = s.map_fixed_noreplace(2 * PAGE, 2 * PAGE, mapping(0));
            done.expect("it is free");
        }),
        ("map_any, the lowest", |s| {
            s.map_any(None, 2 * PAGE, mapping(0)).expect("a place");
        }),
        ("map_any_with, the nearest", |s| {
            let options = MapOptions {
                placement: Some(Placement::Nearest(2 * PAGE)),
                ..MapOptions::default()
            };
            let placed = s.map_any_with(2 * PAGE, mapping(0), &options);
            placed.expect("a place");
        }),
        ("extend", |s| {
            s.extend(0, 2 * PAGE).expect("it is free");
        }),
        ("unmap", |s| s.unmap(PAGE, 20 * PAGE, sink).expect("memory")),
        ("protect", |s| {
            let skip = HolePolicy::Skip;
            s.protect(PAGE, 20 * PAGE, Prot(3), skip, sink)
                .expect("memory");
        }),
        ("update", |s| {
            let skip = HolePolicy::Skip;
            let updated = s.update(PAGE, 20 * PAGE, skip, |_, mapping| {
                visit(Code::Sink);
                mapping.data = value(0);
                mapping.guard = 1;
            });
            updated.expect("memory");
        }),
        ("relocate", |s| {
            let moved = s.relocate(0, 6 * PAGE, 9 * PAGE, Source::Remove, sink);
            moved.expect("memory");
        }),
        ("seal", |s| s.seal(0, 2 * PAGE).expect("it is mapped")),
        ("mark_original", |s| s.mark_original()),
        ("unmap_non_original", |s| s.unmap_non_original(sink)),
        ("reset", |s| s.reset()),
        ("clone", |s| drop(s.clone())),
    ]
}

/// Regions of two pages at every fourth page, with the values 0, 0, 1, 0, 0, 1, ...
fn filled_space<S: RangeStore<Page, PageMapping<Watched>>>(
    regions: u64,
    guarded: bool,
) -> AddrSpace<Watched, S> {
    let mut space = AddrSpace::with_engine(0, 1024 * PAGE, PAGE).expect("a space");
    for n in 0..regions {
        let own = mapping(u8::from(n % 3 == 2)).with_guard(1);
        space
            .map_at(4 * n * PAGE, 2 * PAGE, own, |_| ())
            .expect("memory");
    }
    if guarded {
        space.set_guard(1, Guard::below(1)).expect("memory");
        space.reserve(1000 * PAGE, PAGE).expect("it is free");
    }
    space
}

/// Runs a case with a panic at each point in turn where `code` runs; returns how many
/// there are.
fn panic_in_space<S: RangeStore<Page, PageMapping<Watched>>>(
    (name, run): SpaceCase<S>,
    (regions, guarded): (u64, bool),
    code: Code,
) -> usize {
    for point in 0.. {
        let what = format!("{name}, {regions} regions, {guarded}, panic at {code:?} {point}");
        let mut space: AddrSpace<Watched, S> = filled_space(regions, guarded);
        arm(Some((code, point)));
        let result = catch_unwind(AssertUnwindSafe(|| run(&mut space)));
        arm(None);
        let panicked = match result {
            Ok(()) => false,
            Err(payload) if payload.is::<Stop>() => true,
            Err(payload) => resume_unwind(payload),
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| space.check())) {
            eprintln!("{what}: the space is not right afterwards");
            resume_unwind(payload);
        }
        // A seal that shows is kept.
        let sealed = space.regions().find(|region| region.mapping.sealed);
        if let Some(region) = sealed {
            let refused = space.unmap(region.addr, PAGE, |_| ());
            assert!(refused.is_err(), "{what}: a sealed region was unmapped");
        }
        space.reset();
        assert_eq!(space.mapped_bytes(), 0, "{what}");
        space.check();
        drop(space);
        let watch = WATCH.with_borrow_mut(std::mem::take);
        assert!(watch.live.is_empty(), "{what}: leaked");
        assert!(watch.dropped_twice.is_empty(), "{what}: dropped twice");
        if !panicked {
            return point;
        }
    }
    unreachable!("some point is not reached")
}

fn panic_in_every_space_case<S: RangeStore<Page, PageMapping<Watched>>>() {
    let mut points = [0; 4];
    for state in [1, 3, 20].map(|regions| [(regions, false), (regions, true)]) {
        for (case, state) in space_cases::<S>()
            .into_iter()
            .flat_map(|case| state.map(|state| (case, state)))
        {
            let codes = [Code::Sink, Code::Clone, Code::Eq, Code::Drop];
            for (points, code) in points.iter_mut().zip(codes) {
                *points += panic_in_space(case, state, code);
            }
        }
    }
    assert!(
        points.iter().all(|&points| points > 20),
        "too few panics: {points:?}"
    );
}

#[test]
fn spaces_survive_panics() {
    panic_in_every_space_case::<BTreeStore<Page, PageMapping<Watched>, 3, 3>>();
    panic_in_every_space_case::<BTreeStore<Page, PageMapping<Watched>>>();
    panic_in_every_space_case::<SortedVecStore<Page, PageMapping<Watched>>>();
}
