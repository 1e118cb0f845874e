//! Defects that others had, and some that we had, each with a test of its name.
//!
//! Two more are elsewhere: mappings lost by a failed allocation (libmmap) in
//! `oom.rs`; and a page unmapped inside a callback that comes back (libmmap)
//! cannot be written here, as a sink cannot reach the space that calls it.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use gaptree::{
    AddrSpace, BTreeStore, GapQuery, HolePolicy, MapOptions, Mapping, Order, Placement, Prot,
    RangeMap, RangeStore, SortedVecStore, SpaceError,
};

const PAGE: u64 = 0x1000;
const DATA: Mapping = Mapping::anonymous(Prot::READ, 2);

fn space() -> AddrSpace {
    AddrSpace::new(0x1_0000, 0x10_0000, PAGE).expect("valid bounds")
}

/// libmmap: `base + len - start` wraps for a start beyond the end.
#[test]
fn addresses_beyond_the_end_are_outside() {
    let mut space = space();
    let beyond = [
        0x11_0000,
        0x12_0000,
        1 << 32,
        1 << 63,
        u64::MAX - PAGE + 1,
        0,
        0xf000,
    ];
    for addr in beyond {
        let outside = Err(SpaceError::OutsideSpace);
        for len in [PAGE, 0x10_0000, 1 << 63, u64::MAX] {
            assert_eq!(space.map_at(addr, len, DATA, |_| ()), outside);
            assert_eq!(space.map_fixed_noreplace(addr, len, DATA), outside);
            assert_eq!(space.unmap(addr, len, |_| ()), outside);
            let refused = space.protect(addr, len, Prot::NONE, HolePolicy::Skip, |_| ());
            assert_eq!(refused, outside);
        }
        assert_eq!(space.query(addr), None);
        assert_eq!(
            space.map_any(Some(addr), PAGE, DATA),
            Ok(0x1_0000),
            "a hint is ignored"
        );
        space.reset();
    }
}

/// libmmap: accepted by `init`, aborts later.
#[test]
fn a_space_that_wraps_is_refused() {
    for (start, len) in [(u64::MAX - PAGE + 1, 2 * PAGE), (1 << 63, (1 << 63) + PAGE)] {
        assert_eq!(
            AddrSpace::<()>::new(start, len, PAGE).err(),
            Some(SpaceError::BadSpace)
        );
    }
    let mut top = AddrSpace::new(u64::MAX - PAGE + 1, PAGE, PAGE).expect("ends at 2^64");
    assert_eq!(top.map_any(None, PAGE, DATA), Ok(u64::MAX - PAGE + 1));
    assert_eq!(top.check_access(u64::MAX, 1, |_| true), Ok(()));
    assert_eq!(top.check_access(u64::MAX, 2, |_| true), Err(0));
}

/// Linux's maple tree: the highest gap was found below the asked minimum.
/// ArceOS: the lower limit was ignored inside a window.
#[test]
fn a_placement_never_leaves_its_window() {
    fn check<S: RangeStore<u64, u8>>() {
        let mut store = S::EMPTY;
        for n in 0..200 {
            store.insert(100 * n..100 * n + 90, (n % 2) as u8);
        }
        // A long gap below the window, only short ones inside.
        store.remove(500..700);
        for order in [Order::Lowest, Order::Highest] {
            for (low, high) in [(800, 20_000), (801, 1001), (695, 790), (795, 15_000)] {
                let query = GapQuery::new(11).within(low..high).order(order);
                assert_eq!(store.find_gap(&query), None, "{query:?}");
            }
            let query = GapQuery::new(10).within(695..20_000).order(order);
            let expected = if order == Order::Lowest { 790 } else { 19_990 };
            assert_eq!(store.find_gap(&query), Some(expected));
        }
    }
    check::<SortedVecStore<u64, u8>>();
    check::<BTreeStore<u64, u8, 3, 3>>();
    check::<BTreeStore<u64, u8>>();
}

/// Linux's maple tree: the longest gap was not recomputed after a split.
#[test]
fn the_longest_gap_is_right_after_every_split_and_merge() {
    fn check<S: RangeStore<u32, u8>>() {
        // Gaps grow upwards, so that each split takes the longest to one side.
        let start = |n: u32| n * n;
        for descending in [false, true] {
            let mut store = S::EMPTY;
            let mut made = Vec::new();
            for n in 0..150 {
                let n = if descending { 149 - n } else { n * 37 % 150 };
                store.insert(start(n)..start(n) + 1, 0);
                made.push(start(n));
                check_gaps(&store, &mut made);
            }
            for n in 0..149 {
                let n = if descending { n } else { n * 37 % 150 };
                store.remove(start(n)..start(n) + 1);
                made.retain(|&made| made != start(n));
                check_gaps(&store, &mut made);
            }
        }
    }
    fn check_gaps<S: RangeStore<u32, u8>>(store: &S, starts: &mut [u32]) {
        starts.sort_unstable();
        let lengths = starts.windows(2).map(|pair| pair[1] - pair[0] - 1);
        let longest = lengths.max().unwrap_or(0);
        let window = starts[0]..starts[starts.len() - 1];
        for order in [Order::Lowest, Order::Highest] {
            let fits = |len: u32| {
                let query = GapQuery::new(len).within(window.clone()).order(order);
                store.find_gap(&query).is_some()
            };
            assert_eq!(fits(longest), longest > 0, "{longest} in {window:?}");
            assert!(!fits(longest + 1), "{} in {window:?}", longest + 1);
        }
        store.check();
    }
    check::<SortedVecStore<u32, u8>>();
    check::<BTreeStore<u32, u8, 3, 3>>();
    check::<BTreeStore<u32, u8, 4, 4>>();
    check::<BTreeStore<u32, u8>>();
}

/// Linux: asks for length + alignment, and so misses a gap that just fits.
#[test]
fn a_tight_aligned_gap_is_found() {
    let mut space = AddrSpace::new(0, 8 << 20, PAGE).expect("valid bounds");
    space.map_at(0, 8 << 20, DATA, |_| ()).expect("inside");
    space.unmap(4 << 20, 2 << 20, |_| ()).expect("inside");
    for placement in [Placement::Lowest, Placement::Highest, Placement::Random(1)] {
        let align = 2 << 20;
        let placement = Some(placement);
        let options = MapOptions {
            align,
            placement,
            ..MapOptions::default()
        };
        assert_eq!(space.find_free(2 << 20, &options), Ok(4 << 20));
    }
}

/// rangemap: `Eq` and `Hash` compared starts only.
#[test]
fn equality_and_hash_see_ends_and_values() {
    let of = |end, value| RangeMap::from([(0..end, value)]);
    assert_eq!(of(5, 1), of(5, 1));
    assert_ne!(of(5, 1), of(6, 1));
    assert_ne!(of(5, 1), of(5, 2));
    let maps: HashSet<RangeMap<u8, u8>> = [of(5, 1), of(6, 1), of(5, 2), of(5, 1)].into();
    assert_eq!(maps.len(), 3);
}

/// rangemap, nodit: a panic.
#[test]
fn empty_ranges_do_nothing() {
    let mut map = RangeMap::<u8, u8>::new();
    for range in [0..0, 255..255, 9..9] {
        map.insert(range.clone(), 1);
        map.remove(range.clone());
        assert_eq!(map.gaps(range).next(), None);
    }
    assert!(map.is_empty());
}

/// range-set, rangemap: `end + 1` on the largest key.
#[test]
fn ranges_reach_to_the_largest_key() {
    let mut map = RangeMap::<u64, u8>::new();
    map.insert(u64::MAX - 1..u64::MAX, 1);
    map.insert(0..u64::MAX - 1, 1);
    assert!(map.iter().eq([(0..u64::MAX, &1)]));
    assert_eq!(map.get(u64::MAX), None);
    assert_eq!(map.gaps(0..u64::MAX).next(), None);
    let mut signed = RangeMap::<i8, u8>::new();
    signed.insert(i8::MIN..i8::MAX, 1);
    signed.remove(-1..1);
    assert!(signed.iter().eq([(i8::MIN..-1, &1), (1..i8::MAX, &1)]));
}

/// FEX: the part above a change kept the offset of the part below.
#[test]
fn the_tail_of_a_split_file_keeps_its_own_offset() {
    let mut space = space();
    let file = Mapping::file(Prot::READ, 2, 3, 0x8000);
    space
        .map_at(0x2_0000, 4 * PAGE, file, |_| ())
        .expect("inside");
    let skip = HolePolicy::Skip;
    space
        .protect(0x2_1000, PAGE, Prot::NONE, skip, |_| ())
        .expect("inside");
    let offsets: Vec<(u64, u64)> = space
        .regions()
        .map(|region| (region.addr, region.mapping.offset))
        .collect();
    assert_eq!(
        offsets,
        [(0x2_0000, 0x8000), (0x2_1000, 0x9000), (0x2_2000, 0xa000)]
    );
    space.unmap(0x2_2000, PAGE, |_| ()).expect("inside");
    assert_eq!(
        space.query(0x2_3000).map(|region| region.mapping.offset),
        Some(0xb000)
    );
    // Put together again, it is one.
    let middle = Mapping::file(Prot::READ, 2, 3, 0x9000);
    space
        .map_at(0x2_1000, 2 * PAGE, middle, |_| ())
        .expect("inside");
    assert_eq!(space.region_count(), 1);
}

/// lind-wasm: an access was allowed by a permission that had been taken away.
#[test]
fn check_access_sees_every_change_at_once() {
    let mut space = space();
    let writable = |space: &AddrSpace, addr| {
        space
            .check_access(addr, 8, |mapping| mapping.prot.contains(Prot::WRITE))
            .is_ok()
    };
    let addr = space.map_any(None, PAGE, DATA).expect("room");
    assert!(!writable(&space, addr));
    let skip = HolePolicy::Skip;
    space
        .protect(addr, PAGE, Prot::READ | Prot::WRITE, skip, |_| ())
        .expect("inside");
    assert!(writable(&space, addr));
    space
        .protect(addr, PAGE, Prot::READ, skip, |_| ())
        .expect("inside");
    assert!(!writable(&space, addr));
    space
        .map_at(addr, PAGE, Mapping::anonymous(Prot::WRITE, 2), |_| ())
        .expect("inside");
    assert!(writable(&space, addr));
    space.unmap(addr, PAGE, |_| ()).expect("inside");
    assert!(!writable(&space, addr));
}

/// rangemap: gap iteration scanned from the first entry. Scanning here would
/// be 4 * 10^10 steps; seeking is done in well under a second.
#[test]
fn gaps_seek_to_their_window() {
    fn check<S: RangeStore<u64, u8>>() {
        const ENTRIES: u64 = 200_000;
        let mut store = S::EMPTY;
        for n in 0..ENTRIES {
            store.insert(2 * n..2 * n + 1, 0);
        }
        let begun = Instant::now();
        for _ in 0..ENTRIES {
            let top = 2 * ENTRIES;
            assert_eq!(store.gaps(top - 3..top).next(), Some(top - 3..top - 2));
            assert_eq!(store.gaps(0..3).next_back(), Some(1..2));
        }
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
    }
    check::<SortedVecStore<u64, u8>>();
    check::<BTreeStore<u64, u8>>();
}

/// Ours: an update that ended inside an entry went on with empty pieces.
#[test]
fn an_update_ends_inside_an_entry() {
    fn check<S: RangeStore<u64, u8>>() {
        let mut store = S::EMPTY;
        store.insert(2..20, 2);
        let mut pieces = Vec::new();
        store.update(11..17, |piece, _| pieces.push((piece.start, piece.end)));
        assert_eq!(pieces, [(11, 17)]);
        assert_eq!(store.len(), 1);
    }
    check::<SortedVecStore<u64, u8>>();
    check::<BTreeStore<u64, u8>>();
}

/// Ours: a removal went on in a root leaf that it had emptied.
#[test]
fn a_removal_ends_when_nothing_is_left() {
    let mut tree = BTreeStore::<u64, u8>::EMPTY;
    tree.insert(2..3, 0);
    let mut pieces = Vec::new();
    tree.insert_with(0..4, 0, |piece, _| pieces.push((piece.start, piece.end)));
    assert_eq!(pieces, [(2, 3)]);
    assert!(tree.iter().eq([(0..4, &0)]));
}

/// Twenty adjacent entries of two keys each.
fn adjacent<const LEAF: usize>() -> (BTreeStore<u8, u8, LEAF, 3>, Vec<u8>) {
    let mut store = BTreeStore::new();
    for i in 0..20 {
        store.insert(2 * i..2 * i + 2, i % 3);
    }
    (store, (0..40).map(|key| key / 2 % 3).collect())
}

/// The value of every key.
fn values<const LEAF: usize>(store: &BTreeStore<u8, u8, LEAF, 3>) -> Vec<u8> {
    (0..40)
        .map(|key| *store.get(key).expect("every key has a value").1)
        .collect()
}

/// Every range of the entries of [`adjacent`] is updated so that neighbours join,
/// leaves merge and the root becomes a leaf in the middle of it; and again with
/// a closure that panics at each piece in turn.
fn updates_join_across_leaves_that_merge<const LEAF: usize>() {
    let changes: [fn(u8) -> u8; 4] = [|_| 1, |v| v / 2, |v| 2 - v, |v| (v + 1) % 3];
    for (start, end) in (0..40).flat_map(|start| (start + 1..=40).map(move |end| (start, end))) {
        for change in changes {
            let (mut store, mut expected) = adjacent::<LEAF>();
            let pieces = (end - 1) / 2 - start / 2 + 1;
            store.update(start..end, |_, value| *value = change(*value));
            for key in start..end {
                expected[usize::from(key)] = change(expected[usize::from(key)]);
            }
            store.check();
            assert_eq!(values(&store), expected, "{start}..{end}");

            let (mut store, mut expected) = adjacent::<LEAF>();
            let panics_at = (start ^ end) % pieces;
            let mut piece = 0;
            let updated = catch_unwind(AssertUnwindSafe(|| {
                store.update(start..end, |_, value| {
                    *value = change(*value);
                    if piece == panics_at {
                        // No message: it is meant.
                        resume_unwind(Box::new(()));
                    }
                    piece += 1;
                });
            }));
            assert!(updated.is_err());
            for key in (start..end).filter(|key| key / 2 - start / 2 < panics_at) {
                expected[usize::from(key)] = change(expected[usize::from(key)]);
            }
            store.check();
            assert_eq!(values(&store), expected, "{start}..{end}, at {panics_at}");
        }
    }
}

#[test]
fn an_update_goes_on_in_a_tree_that_became_one_leaf() {
    updates_join_across_leaves_that_merge::<3>();
    updates_join_across_leaves_that_merge::<4>();
    updates_join_across_leaves_that_merge::<8>();
    updates_join_across_leaves_that_merge::<32>();
}

/// Ours: the mark of the original state came with a mapping that was copied, so
/// that a region which was moved that way outlived `unmap_non_original`.
#[test]
fn what_is_mapped_anew_is_never_original() {
    let mut marked = space();
    marked.map_at(0x1_0000, PAGE, DATA, |_| ()).expect("inside");
    marked.mark_original();
    let copied = marked.query(0x1_0000).expect("mapped").mapping;
    assert!(copied.original);

    type Map = fn(&mut AddrSpace, Mapping) -> Result<(), SpaceError>;
    let ways: [(&str, Map); 5] = [
        ("map_at", |space, mapping| {
            space.map_at(0x2_0000, PAGE, mapping, |_| ())
        }),
        ("map_at over an original page", |space, mapping| {
            space.map_at(0x1_0000, PAGE, mapping, |_| ())
        }),
        ("map_fixed_noreplace beside one", |space, mapping| {
            space.map_fixed_noreplace(0x1_1000, PAGE, mapping)
        }),
        ("map_any", |space, mapping| {
            space.map_any(None, PAGE, mapping).map(drop)
        }),
        ("map_any_with", |space, mapping| {
            let options = MapOptions {
                placement: Some(Placement::Random(1)),
                ..MapOptions::default()
            };
            space.map_any_with(PAGE, mapping, &options).map(drop)
        }),
    ];
    for (way, map) in ways {
        for mapping in [
            copied,
            Mapping {
                original: true,
                ..Mapping::file(Prot::READ, 0, 3, 0)
            },
        ] {
            let mut space = marked.clone();
            map(&mut space, mapping).expect(way);
            space.check();
            let before = space.mapped_bytes();
            let mut unmapped = 0;
            space.unmap_non_original(|region| {
                assert!(!region.mapping.original, "{way}");
                unmapped += region.len;
            });
            assert_eq!(unmapped, PAGE, "{way}");
            assert_eq!(space.mapped_bytes(), before - PAGE, "{way}");
        }
    }
}
