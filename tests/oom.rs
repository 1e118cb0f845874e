//! Out of memory: each allocation of each operation fails once. The operation
//! returns an error, has changed and reported nothing, and succeeds when it is
//! repeated.

mod failing;

use std::ops::Range;

use failing::failing_at;

use gaptree::{
    AddrSpace, AllocError, BTreeStore, GapQuery, Guard, MapOptions, Mapping, Order, Page,
    PageMapping, Placement, Prot, RangeMap, RangeStore, Region, RelocateError, SortedVecStore,
    Source, SpaceError,
};

/// What an operation reported, in memory that it does not allocate itself.
struct Reports<T> {
    items: Vec<T>,
}

impl<T> Reports<T> {
    fn new() -> Self {
        Self {
            items: Vec::with_capacity(1000),
        }
    }

    fn push(&mut self, item: T) {
        assert!(
            self.items.len() < self.items.capacity(),
            "more reports than there are entries"
        );
        self.items.push(item);
    }
}

type Pieces = Reports<(Range<u64>, u8)>;

/// An operation on a store, and its name.
struct Case<S> {
    name: &'static str,
    run: fn(&mut S, &mut Pieces) -> Result<(), AllocError>,
}

fn case<S>(name: &'static str, run: fn(&mut S, &mut Pieces) -> Result<(), AllocError>) -> Case<S> {
    Case { name, run }
}

/// A sink that stops when it has had so many pieces.
fn stop(pieces: &mut Pieces, piece: Range<u64>, value: u8, last: usize) -> Result<(), ()> {
    pieces.push((piece, value));
    if pieces.items.len() == last {
        return Err(());
    }
    Ok(())
}

fn cases<S: RangeStore<u64, u8>>() -> Vec<Case<S>> {
    let mut cases = edits();
    cases.extend(stopping_edits());
    cases.extend(whole_stores());
    cases
}

fn edits<S: RangeStore<u64, u8>>() -> Vec<Case<S>> {
    vec![
        case("insert in a gap", |s: &mut S, _| s.try_insert(7..8, 3)),
        case("insert inside one", |s, _| s.try_insert(41..42, 3)),
        case("insert over several", |s, _| s.try_insert(41..75, 3)),
        case("insert beyond", |s, _| s.try_insert(100_000..100_001, 3)),
        case("insert an empty range", |s, _| s.try_insert(5..5, 3)),
        case("insert_with in a gap", |s, pieces| {
            s.try_insert_with(7..8, 3, |piece, value| pieces.push((piece, value)))
        }),
        case("insert_with inside one", |s, pieces| {
            s.try_insert_with(41..42, 3, |piece, value| pieces.push((piece, value)))
        }),
        case("insert_with over an end and a start", |s, pieces| {
            s.try_insert_with(42..51, 3, |piece, value| pieces.push((piece, value)))
        }),
        case("insert_with over a start", |s, pieces| {
            s.try_insert_with(45..51, 3, |piece, value| pieces.push((piece, value)))
        }),
        case("insert_with over several", |s, pieces| {
            s.try_insert_with(41..75, 3, |piece, value| pieces.push((piece, value)))
        }),
        case("insert_with cutting both ends", |s, pieces| {
            s.try_insert_with(1..8001, 3, |piece, value| pieces.push((piece, value)))
        }),
        case("remove_with inside one", |s, pieces| {
            s.try_remove_with(41..42, |piece, value| pieces.push((piece, value)))
        }),
        case("remove_with several", |s, pieces| {
            s.try_remove_with(41..75, |piece, value| pieces.push((piece, value)))
        }),
        case("update inside one", |s, pieces| {
            s.try_update(41..42, |piece, value| {
                pieces.push((piece, *value));
                *value = 9;
            })
        }),
        case("update cutting both ends", |s, pieces| {
            s.try_update(1..8001, |piece, value| {
                pieces.push((piece, *value));
                *value += 9;
            })
        }),
        case("update to one value", |s, pieces| {
            s.try_update(21..79, |piece, value| {
                pieces.push((piece, *value));
                *value = 9;
            })
        }),
        case("allocate the lowest", |s, _| {
            s.try_allocate(&GapQuery::new(1), 9).map(drop)
        }),
        case("allocate the highest in a window", |s, _| {
            let query = GapQuery::new(2).within(0..60).order(Order::Highest);
            s.try_allocate(&query, 9).map(drop)
        }),
        case("allocate what fits nowhere", |s, _| {
            s.try_allocate(&GapQuery::new(u64::MAX), 9).map(drop)
        }),
    ]
}

fn stopping_edits<S: RangeStore<u64, u8>>() -> Vec<Case<S>> {
    vec![
        case(
            "insert_with over several, which can stop",
            |s: &mut S, pieces| {
                s.try_insert_with(41..75, 3, |piece, value| stop(pieces, piece, value, 999))
                    .map(drop)
            },
        ),
        case("insert_with inside one, which can stop", |s, pieces| {
            s.try_insert_with(41..42, 3, |piece, value| stop(pieces, piece, value, 999))
                .map(drop)
        }),
        case(
            "insert_with over everything, which can stop",
            |s, pieces| {
                s.try_insert_with(0..9000, 3, |piece, value| stop(pieces, piece, value, 999))
                    .map(drop)
            },
        ),
        case("insert_with that stops", |s, pieces| {
            s.try_insert_with(1..8001, 3, |piece, value| stop(pieces, piece, value, 3))
                .map(drop)
        }),
        case("remove_with inside one, which can stop", |s, pieces| {
            s.try_remove_with(41..42, |piece, value| stop(pieces, piece, value, 999))
                .map(drop)
        }),
        case("remove_with that stops", |s, pieces| {
            s.try_remove_with(1..8001, |piece, value| stop(pieces, piece, value, 4))
                .map(drop)
        }),
        case("update that stops", |s, pieces| {
            s.try_update(1..8001, |piece, value| {
                let old = *value;
                *value += 9;
                stop(pieces, piece, old, 5)
            })
            .map(drop)
        }),
    ]
}

fn whole_stores<S: RangeStore<u64, u8>>() -> Vec<Case<S>> {
    vec![
        case("clone", |s, _| s.try_clone().map(|copy| *s = copy)),
        case("build in order", |s, _| {
            let entries = (0..s.len() as u64).map(|n| (10 * n..10 * n + 3, 9));
            S::try_from_entries(entries).map(|built| *s = built)
        }),
        case("build out of order", |s, _| {
            let count = s.len() as u64;
            let entries = (0..count).map(|n| (10 * (n * 7 % count)..10 * (n * 7 % count) + 3, 9));
            S::try_from_entries(entries).map(|built| *s = built)
        }),
    ]
}

/// Entries of three keys at every tenth key, their values alternating.
fn filled<S: RangeStore<u64, u8>>(entries: u64) -> S {
    let mut store = S::EMPTY;
    for n in 0..entries {
        store.insert(10 * n..10 * n + 3, u8::from(n % 2 == 1));
    }
    store
}

/// Fails each allocation of a case in turn; returns how many there are.
fn fail_everywhere<S: RangeStore<u64, u8>>(case: &Case<S>, entries: u64) -> usize {
    let Case { name, run } = case;
    let original: S = filled(entries);
    let mut expected = original.clone();
    let mut expected_pieces = Pieces::new();
    run(&mut expected, &mut expected_pieces).expect("there is memory");
    for point in 0.. {
        let what = format!("{name}, {entries} entries, allocation {point} fails");
        let mut store = original.clone();
        let mut pieces = Pieces::new();
        let (result, failed) = failing_at(point, || run(&mut store, &mut pieces));
        store.check();
        if failed {
            let error = result.expect_err(&what);
            let size = error.layout().size();
            assert!(size > 0, "{what}");
            assert_eq!(
                error.to_string(),
                format!("could not allocate {size} bytes"),
                "{what}"
            );
            assert!(
                store.iter().eq(original.iter()),
                "{what}: something changed"
            );
            assert!(
                pieces.items.is_empty(),
                "{what}: reported {:?}",
                pieces.items
            );
            run(&mut store, &mut pieces).expect(&what);
            store.check();
        }
        assert!(
            store.iter().eq(expected.iter()),
            "{what}: repeated, it differs"
        );
        assert_eq!(pieces.items, expected_pieces.items, "{what}: repeated");
        if !failed {
            assert_eq!(
                result,
                Ok(()),
                "{what}: an error without a failed allocation"
            );
            return point;
        }
    }
    unreachable!("some allocation is not reached")
}

fn fail_in_every_case<S: RangeStore<u64, u8>>() {
    let mut points = 0;
    // Around the capacities of nodes, of inline storage and of full levels.
    for entries in [
        0, 1, 2, 3, 4, 5, 8, 9, 10, 16, 27, 32, 33, 64, 81, 100, 256, 512, 800,
    ] {
        for case in cases::<S>() {
            points += fail_everywhere(&case, entries);
        }
    }
    assert!(points > 50, "only {points} allocations failed");
}

#[test]
fn the_sorted_vector_survives_failed_allocations() {
    fail_in_every_case::<SortedVecStore<u64, u8>>();
}

#[test]
fn a_tree_of_nodes_of_3_survives_failed_allocations() {
    fail_in_every_case::<BTreeStore<u64, u8, 3, 3>>();
}

#[test]
fn a_tree_of_nodes_of_4_survives_failed_allocations() {
    fail_in_every_case::<BTreeStore<u64, u8, 4, 4>>();
}

#[test]
fn the_tree_survives_failed_allocations() {
    fail_in_every_case::<BTreeStore<u64, u8>>();
}

#[test]
fn empty_stores_maps_and_spaces_allocate_nothing() {
    let (_, asked) = failing_at(0, || {
        let tree = BTreeStore::<u64, u8>::EMPTY;
        let vector = SortedVecStore::<u64, u8>::EMPTY;
        let map = RangeMap::<u64, u8>::new();
        let space: AddrSpace = AddrSpace::new(0, 1 << 40, 4096).expect("a space");
        (tree.len(), vector.len(), map.len(), space.region_count())
    });
    assert!(!asked);
}

fn removals_that_split_nothing_allocate_nothing_on<S: RangeStore<u64, u8>>() {
    for entries in [1, 3, 8, 9, 27, 64] {
        for range in [0..3, 1..40, 5..8000] {
            let mut store: S = filled(entries);
            let (said, asked) = failing_at(0, || {
                store.try_remove_with(range.clone(), |_, _| Ok::<(), ()>(()))
            });
            assert!(!asked, "{entries} entries, {range:?}");
            assert_eq!(said, Ok(Ok(())));
            store.check();
        }
    }
}

#[test]
fn removals_that_split_nothing_allocate_nothing() {
    removals_that_split_nothing_allocate_nothing_on::<SortedVecStore<u64, u8>>();
    removals_that_split_nothing_allocate_nothing_on::<BTreeStore<u64, u8, 3, 3>>();
    removals_that_split_nothing_allocate_nothing_on::<BTreeStore<u64, u8>>();
}

#[test]
fn a_handful_of_entries_in_a_sorted_vector_allocates_nothing() {
    let (store, asked) = failing_at(0, || filled::<SortedVecStore<u64, u8>>(4));
    assert!(!asked);
    store.check();
}

/// Operations of a space that may need memory.
type SpaceCall<S> = fn(&mut AddrSpace<(), S>, &mut Reports<Region>) -> Result<(), SpaceError>;

fn space_calls<S: RangeStore<Page, PageMapping>>() -> Vec<(&'static str, SpaceCall<S>)> {
    const DATA: Mapping = Mapping::anonymous(Prot::WRITE, 7);
    vec![
        ("map_any", |s, _| s.map_any(None, 0x1000, DATA).map(drop)),
        ("map_any with a hint", |s, _| {
            s.map_any(Some(0x2000), 0x1000, DATA).map(drop)
        }),
        ("map_any of a file", |s, _| {
            s.map_any(None, 0x1000, Mapping::file(Prot::READ, 0, 3, 0))
                .map(drop)
        }),
        ("map_any_with at random", |s, _| {
            let placement = Some(Placement::Random(7));
            let options = MapOptions {
                placement,
                ..MapOptions::default()
            };
            s.map_any_with(0x1000, DATA, &options).map(drop)
        }),
        ("map_at", |s, regions| {
            s.map_at(0x1000, 0x1000, DATA, |region| regions.push(region))
        }),
        ("map_at with a sink that can stop", |s, regions| {
            let go_on = |region| -> Result<(), ()> {
                regions.push(region);
                Ok(())
            };
            s.map_at(0x1000, 0x1000, DATA, go_on).map(drop)
        }),
        ("update", |s, regions| {
            let holes = gaptree::HolePolicy::Skip;
            s.update(0x1000, 0x5000, holes, |region, mapping| {
                regions.push(region);
                mapping.flags = 9;
            })
        }),
        ("map_fixed_noreplace", |s, _| {
            s.map_fixed_noreplace(0x3000, 0x1000, DATA)
        }),
        ("unmap", |s, regions| {
            s.unmap(0x1000, 0x1000, |region| regions.push(region))
        }),
        ("protect", |s, regions| {
            let holes = gaptree::HolePolicy::Skip;
            s.protect(0x1000, 0x5000, Prot::NONE, holes, |region| {
                regions.push(region)
            })
        }),
        ("try_clone", |s, _| s.try_clone().map(|copy| *s = copy)),
    ]
}

fn space_moves<S: RangeStore<Page, PageMapping>>() -> Vec<(&'static str, SpaceCall<S>)> {
    vec![
        ("relocate", |s, regions| {
            s.relocate(0x1000, 0x4000, 0x9000, Source::Remove, |region| {
                regions.push(region)
            })
        }),
        ("relocate that keeps", |s, regions| {
            let go_on = |region| -> Result<(), ()> {
                regions.push(region);
                Ok(())
            };
            s.relocate(0x1000, 0x1000, 0x9000, Source::Keep, go_on)
                .map(drop)
        }),
        ("extend", |s, _| match s.extend(0x1000, 0x1000) {
            Err(SpaceError::NotMapped) => Ok(()), // nothing is
            extended => extended.map(drop),
        }),
        ("seal", |s, _| match s.seal(0x1000, 0x1000) {
            Err(SpaceError::NotMapped) => Ok(()),
            sealed => sealed,
        }),
    ]
}

/// A map is moved as a whole, or not at all.
fn moves_of_a_map<S: RangeStore<u64, u8>>() {
    let mut points = 0;
    for entries in [0, 1, 3, 8, 9, 33, 100, 512] {
        let mut original = RangeMap::<u64, u8, S>::with_engine();
        original.extend((0..entries).map(|n| (10 * n..10 * n + 3, (n % 2) as u8)));
        for source in [Source::Keep, Source::Remove] {
            for point in 0.. {
                let mut map = original.clone();
                let mut pieces = Pieces::new();
                let (result, failed) = failing_at(point, || {
                    let sink = |piece, value| pieces.push((piece, value));
                    map.relocate(1..42, 61, source, sink)
                });
                map.check();
                if !failed {
                    assert_eq!(result, Ok(()));
                    break;
                }
                let refused = matches!(result, Err(RelocateError::OutOfMemory(_)));
                assert!(refused && map == original && pieces.items.is_empty());
                points += 1;
            }
        }
    }
    assert!(points > 10, "only {points} allocations failed");
}

#[test]
fn maps_are_moved_whole_or_not_at_all() {
    moves_of_a_map::<SortedVecStore<u64, u8>>();
    moves_of_a_map::<BTreeStore<u64, u8, 3, 3>>();
    moves_of_a_map::<BTreeStore<u64, u8>>();
}

/// A space with regions of three pages, each after a free page but the first.
fn filled_space<S: RangeStore<Page, PageMapping>>(regions: u64) -> AddrSpace<(), S> {
    let mut space = AddrSpace::with_engine(0, 0x100_0000, 0x1000).expect("a space");
    for n in 0..regions {
        let data = Mapping::anonymous(Prot::READ, 0);
        space
            .map_at(0x4000 * n, 0x3000, data, |_| ())
            .expect("memory");
    }
    space
}

fn fail_in_every_call<S: RangeStore<Page, PageMapping>>() {
    let mut points = 0;
    for regions in [0, 1, 3, 4, 8, 9, 27, 32, 64, 300] {
        for (name, call) in space_calls::<S>().into_iter().chain(space_moves()) {
            for point in 0.. {
                let what = format!("{name}, {regions} regions, allocation {point} fails");
                let mut space: AddrSpace<(), S> = filled_space(regions);
                let before = space.to_string();
                let mut reports = Reports::new();
                let (result, failed) = failing_at(point, || call(&mut space, &mut reports));
                space.check();
                if !failed {
                    assert!(result != Err(SpaceError::OutOfMemory), "{what}");
                    break;
                }
                assert_eq!(result, Err(SpaceError::OutOfMemory), "{what}");
                assert_eq!(space.to_string(), before, "{what}");
                assert!(reports.items.is_empty(), "{what}: {:?}", reports.items);
                assert_eq!(call(&mut space, &mut reports), Ok(()), "{what}: repeated");
                space.check();
                points += 1;
            }
        }
    }
    assert!(points > 10, "only {points} allocations failed");
}

#[test]
fn a_space_on_a_tree_survives_failed_allocations() {
    fail_in_every_call::<BTreeStore<Page, PageMapping, 4, 4>>();
}

#[test]
fn a_space_on_a_sorted_vector_survives_failed_allocations() {
    fail_in_every_call::<SortedVecStore<Page, PageMapping>>();
}

/// A range is reserved, or there was no memory for that; what placement can use is no
/// reason to fail.
#[test]
fn reserving_without_memory() {
    let (mut errors, mut walks) = (0, 0);
    for point in 0.. {
        let mut space = filled_space::<BTreeStore<Page, PageMapping, 4, 4>>(64);
        let (result, asked) = failing_at(point, || space.reserve(0xff_f000, 0x1000));
        space.check();
        let reserved = space.reserved().count();
        match result {
            Ok(()) => assert_eq!(reserved, 1),
            Err(error) => assert_eq!((error, reserved), (SpaceError::OutOfMemory, 0)),
        }
        if !asked {
            break;
        }
        errors += u32::from(result.is_err());
        walks += u32::from(result.is_ok());
        let free = space.find_free(0x1000, &MapOptions::default());
        assert_eq!(free, Ok(0x3000));
    }
    assert!(errors > 0 && walks > 0, "{errors} errors, {walks} walks");
}

/// No call fails for lack of memory for what placement can use; without it, placements
/// are found by a walk, and they are the same.
#[test]
fn guards_without_memory_for_their_index() {
    const DATA: Mapping = Mapping::anonymous(Prot::WRITE, 7);
    let mut full = AddrSpace::new(0, 0x100_0000, 0x1000).unwrap();
    for page in (0..1600).step_by(16) {
        full.map_at(page * 0x1000, 0x1000, DATA.with_guard(1), |_| ())
            .unwrap();
    }
    let guard = Guard {
        below: 0x3000,
        above: 0x2000,
    };
    full.set_guard(1, guard).unwrap();
    full.map_at(0x80_0000, 0x1000, DATA.with_guard(1), |_| ())
        .unwrap();
    let mut walks = 0;
    for point in 0..8 {
        let mut space = full.clone();
        // The guard is there: only what placement can use needs memory here.
        let (result, asked) = failing_at(point, || space.set_guard(1, guard));
        assert_eq!(result, Ok(()));
        space.check();
        walks += u32::from(asked);
        placements_are_equal(&full, &space);
        // The next change finds memory again.
        space.unmap(0x80_0000, 0x1000, |_| ()).unwrap();
        let mut same = full.clone();
        same.unmap(0x80_0000, 0x1000, |_| ()).unwrap();
        space.check();
        placements_are_equal(&same, &space);
    }
    assert!(walks > 2, "{walks} allocations failed");
}

/// Holds every kind of placement in one space against that in another.
fn placements_are_equal(one: &AddrSpace, other: &AddrSpace) {
    let kinds = [
        Placement::Lowest,
        Placement::Highest,
        Placement::Nearest(0x10_0000),
        Placement::Best(Order::Lowest),
        Placement::Best(Order::Highest),
        Placement::Random(5),
    ];
    for placement in kinds.map(Some) {
        for hint in [None, Some(0x80_1000), Some(0x80_3000)] {
            let options = MapOptions {
                placement,
                hint,
                ..MapOptions::default()
            };
            let found = one.find_free(0x1000, &options);
            let drawn = matches!(placement, Some(Placement::Random(_))) && hint.is_none();
            assert_eq!(
                found,
                other.find_free(0x1000, &options),
                "{options:x?} {drawn}"
            );
        }
    }
}
