//! What libmmap documents and tests, example by example and edge case by edge
//! case, in our API and on both engines. Where ours differs on purpose, the
//! test says so.

use gaptree::{
    AddrSpace, HolePolicy, Mapping, Page, PageMapping, Prot, RangeMap, Region, SortedVecStore,
    SpaceError,
};

const BASE: u64 = 0x1_0000;
const SIZE: u64 = 0x10_0000;
const PAGE: u64 = 0x1000;

type SmallSpace = AddrSpace<(), SortedVecStore<Page, PageMapping>>;
type SmallMap = RangeMap<i32, i32, SortedVecStore<i32, i32>>;

/// Tests that start with an empty map or space, each on both engines.
macro_rules! on_both_engines {
    ($tree:ident, $sorted_vector:ident, $new_tree:expr, $new_vector:expr;
     $(fn $name:ident($subject:ident) $body:block)*) => {
        mod $tree {
            use super::*;
            $(
                #[test]
                fn $name() {
                    let mut $subject = $new_tree;
                    $body
                    $subject.check();
                }
            )*
        }
        mod $sorted_vector {
            use super::*;
            $(
                #[test]
                fn $name() {
                    let mut $subject = $new_vector;
                    $body
                    $subject.check();
                }
            )*
        }
    };
}

/// The address of a page.
fn page(number: u64) -> u64 {
    BASE + number * PAGE
}

/// Memory with this protection.
fn memory(prot: u32) -> Mapping {
    Mapping::anonymous(Prot(prot), 2)
}

/// Pages and old protection of a region.
fn brief(region: Region) -> (u64, u64, u32) {
    (
        (region.addr - BASE) / PAGE,
        region.len / PAGE,
        region.mapping.prot.0,
    )
}

on_both_engines! {
    map_on_a_tree, map_on_a_sorted_vector, RangeMap::<i32, i32>::new(), SmallMap::with_engine();

    fn the_example_of_the_readme(m) {
        m.insert(0..10, 1);
        m.insert(5..15, 2);
        assert!(m.iter().eq([(0..5, &1), (5..15, &2)]));
        assert_eq!(m.get_key_value(7), Some((5..15, &2)));
        m.remove(3..12);
        assert!(m.iter().eq([(0..3, &1), (12..15, &2)]));
    }

    fn empty(m) {
        assert!(m.is_empty());
        assert_eq!(m.len(), 0);
        assert_eq!(m.get(0), None);
        assert!(!m.overlaps(0..10));
        assert_eq!(m.overlapping(0..10).next(), None);
        assert!(m.gaps(0..100).eq(std::iter::once(0..100)));
        m.remove(0..10);
    }

    fn find_at_both_edges_and_outside(m) {
        m.insert(10..20, 1);
        for inside in [10, 15, 19] {
            assert_eq!(m.get_key_value(inside), Some((10..20, &1)));
        }
        for outside in [9, 20, 100, -1] {
            assert_eq!(m.get(outside), None);
        }
        m.insert(25..26, 42);
        assert_eq!((m.get(24), m.get(25), m.get(26)), (None, Some(&42), None));
    }

    fn insert_replaces(m) {
        m.insert(10..20, 1);
        m.insert(10..20, 2);
        assert!(m.iter().eq([(10..20, &2)]));
        m.insert(10..20, 2);
        assert_eq!(m.len(), 1);
    }

    fn insert_in_the_middle_splits(m) {
        m.insert(0..10, 1);
        m.insert(3..7, 2);
        assert!(m.iter().eq([(0..3, &1), (3..7, &2), (7..10, &1)]));
    }

    fn insert_trims_on_the_left_and_on_the_right(m) {
        m.insert(5..15, 1);
        m.insert(0..10, 2);
        assert!(m.iter().eq([(0..10, &2), (10..15, &1)]));
        m.insert(12..20, 3);
        assert!(m.iter().eq([(0..10, &2), (10..12, &1), (12..20, &3)]));
    }

    fn insert_covers_several(m) {
        for (start, value) in [(0, 1), (10, 2), (20, 3)] {
            m.insert(start..start + 5, value);
        }
        assert_eq!((m.len(), m.get(7), m.get(17)), (3, None, None));
        m.insert(3..22, 4);
        assert!(m.iter().eq([(0..3, &1), (3..22, &4), (22..25, &3)]));
    }

    fn neighbours_coalesce_only_if_equal(m) {
        m.insert(0..5, 1);
        m.insert(5..10, 2);
        assert_eq!(m.len(), 2);
        m.insert(10..15, 2);
        assert!(m.iter().eq([(0..5, &1), (5..15, &2)]));
        m.insert(-5..0, 1);
        assert!(m.iter().eq([(-5..5, &1), (5..15, &2)]));
    }

    fn a_filled_gap_coalesces_both_ways(m) {
        m.insert(0..5, 1);
        m.insert(10..15, 1);
        assert_eq!(m.len(), 2);
        m.insert(5..10, 1);
        assert!(m.iter().eq([(0..15, &1)]));
    }

    fn an_overwrite_coalesces_both_ways(m) {
        m.insert(0..5, 1);
        m.insert(5..10, 2);
        m.insert(10..15, 1);
        assert_eq!(m.len(), 3);
        m.insert(5..10, 1);
        assert!(m.iter().eq([(0..15, &1)]));
        m.insert(15..20, 2);
        m.insert(15..20, 1);
        assert!(m.iter().eq([(0..20, &1)]));
    }

    fn remove_all_or_either_end_or_the_middle(m) {
        m.insert(0..10, 1);
        m.remove(3..7);
        assert!(m.iter().eq([(0..3, &1), (7..10, &1)]));
        assert_eq!(m.get(5), None);
        m.remove(0..1);
        m.remove(9..20);
        assert!(m.iter().eq([(1..3, &1), (7..9, &1)]));
        m.remove(20..30);
        assert_eq!(m.len(), 2);
        m.remove(-10..40);
        assert!(m.is_empty());
    }

    fn remove_across_several(m) {
        for (start, value) in [(0, 1), (10, 2), (20, 3)] {
            m.insert(start..start + 5, value);
        }
        m.remove(3..22);
        assert!(m.iter().eq([(0..3, &1), (22..25, &3)]));
    }

    fn empty_and_inverted_ranges_are_no_ops(m) {
        let inverted = std::ops::Range { start: 5, end: 3 };
        m.insert(5..5, 1);
        m.insert(inverted.clone(), 1);
        assert!(m.is_empty());
        m.insert(0..10, 1);
        m.remove(5..5);
        m.remove(inverted.clone());
        assert_eq!(m.len(), 1);
        assert!(!m.overlaps(5..5) && !m.overlaps(inverted.clone()));
        assert_eq!(m.overlapping(inverted.clone()).next(), None);
        assert_eq!(m.gaps(inverted).next(), None);
    }

    fn overlaps_is_about_keys_not_about_touching(m) {
        m.insert(10..20, 1);
        for range in [15..25, 5..15, 5..25, 12..18, 19..30, 10..11] {
            assert!(m.overlaps(range));
        }
        for range in [0..10, 20..30, 0..5] {
            assert!(!m.overlaps(range));
        }
    }

    fn overlapping_gives_whole_entries(m) {
        m.insert(0..10, 1);
        m.insert(20..30, 2);
        m.insert(40..50, 3);
        assert!(m.overlapping(5..25).eq([(0..10, &1), (20..30, &2)]));
        assert!(m.overlapping(3..42).eq([(0..10, &1), (20..30, &2), (40..50, &3)]));
        assert_eq!(m.overlapping(10..20).next(), None);
    }

    fn gaps_inside_a_range(m) {
        m.insert(5..10, 1);
        m.insert(15..20, 2);
        assert!(m.gaps(0..25).eq([0..5, 10..15, 20..25]));
        assert_eq!(m.gaps(5..10).next(), None);
        assert_eq!(m.gaps(6..9).next(), None);
        assert!(m.gaps(12..17).eq(std::iter::once(12..15)));
    }

    fn clear(m) {
        m.insert(0..10, 1);
        m.insert(20..30, 2);
        m.clear();
        assert!(m.is_empty());
        assert_eq!(m.get(5), None);
    }
}

on_both_engines! {
    space_on_a_tree, space_on_a_sorted_vector,
    AddrSpace::<()>::new(BASE, SIZE, PAGE).expect("valid bounds"),
    SmallSpace::with_engine(BASE, SIZE, PAGE).expect("valid bounds");

    fn the_example_of_the_readme(mm) {
        let addr = mm.map_any(None, PAGE, memory(1)).expect("room");
        let mut unmapped = Vec::new();
        mm.unmap(addr, PAGE, |region| unmapped.push(region)).expect("inside");
        assert_eq!(unmapped, [Region { addr: BASE, len: PAGE, mapping: memory(1) }]);
        assert_eq!(mm.region_count(), 0);
    }

    fn query_gives_what_was_mapped(mm) {
        let mapping = Mapping { fd: 5, offset: 0x3000, ..memory(1) };
        let addr = mm.map_any(None, 4 * PAGE, mapping).expect("room");
        for offset in [0, 1, PAGE, 4 * PAGE - 1] {
            let region = mm.query(addr + offset).expect("mapped");
            assert_eq!(region, Region { addr, len: 4 * PAGE, mapping });
        }
        assert_eq!(mm.query(addr + 4 * PAGE), None);
        assert_eq!(mm.query(BASE + SIZE - PAGE), None);
    }

    fn map_any_goes_on_upwards(mm) {
        let addrs = [1, 2, 3].map(|prot| mm.map_any(None, PAGE, memory(prot)).expect("room"));
        assert_eq!(addrs, [page(0), page(1), page(2)]);
        for (addr, prot) in addrs.into_iter().zip([1, 2, 3]) {
            assert_eq!(mm.query(addr).expect("mapped").mapping, memory(prot));
        }
    }

    fn map_any_fills_the_space_and_then_fails(mm) {
        for n in 0..SIZE / PAGE {
            assert_eq!(mm.map_any(None, PAGE, memory(1)), Ok(page(n)));
        }
        assert_eq!(mm.map_any(None, PAGE, memory(1)), Err(SpaceError::NoFreeRange));
        assert_eq!(mm.map_any(Some(page(3)), PAGE, memory(1)), Err(SpaceError::NoFreeRange));
        assert_eq!((mm.region_count(), mm.mapped_bytes()), (1, SIZE));
    }

    fn map_any_reuses_a_gap_that_is_long_enough(mm) {
        mm.map_any(None, SIZE, memory(1)).expect("all of it");
        mm.unmap(page(5), PAGE, |_| ()).expect("inside");
        assert_eq!(mm.map_any(None, PAGE, memory(1)), Ok(page(5)));
        mm.unmap(page(1), PAGE, |_| ()).expect("inside");
        assert_eq!(mm.map_any(None, 2 * PAGE, memory(1)), Err(SpaceError::NoFreeRange));
        mm.unmap(page(9), 2 * PAGE, |_| ()).expect("inside");
        assert_eq!(mm.map_any(None, 2 * PAGE, memory(1)), Ok(page(9)));
        assert_eq!(mm.map_any(None, PAGE, memory(1)), Ok(page(1)));
    }

    fn lengths_are_rounded_up_to_pages(mm) {
        assert_eq!(mm.map_any(None, 1, memory(1)), Ok(page(0)));
        assert_eq!(mm.map_any(None, PAGE + 1, memory(1)), Ok(page(1)));
        assert_eq!(mm.mapped_bytes(), 3 * PAGE);
        mm.unmap(page(0), PAGE + 1, |_| ()).expect("inside");
        assert_eq!(mm.mapped_bytes(), PAGE);
    }

    fn a_hint_is_taken_if_it_is_free(mm) {
        assert_eq!(mm.map_any(Some(page(8)), 2 * PAGE, memory(1)), Ok(page(8)));
        // Another one right below and right above, as long as they fit.
        assert_eq!(mm.map_any(Some(page(6)), 2 * PAGE, memory(1)), Ok(page(6)));
        assert_eq!(mm.map_any(Some(page(10)), PAGE, memory(1)), Ok(page(10)));
        let last = BASE + SIZE - PAGE;
        assert_eq!(mm.map_any(Some(last), PAGE, memory(1)), Ok(last));
    }

    fn a_hint_that_is_taken_is_ignored(mm) {
        mm.map_at(page(8), 2 * PAGE, memory(1), |_| ()).expect("inside");
        assert_eq!(mm.map_any(Some(page(8)), PAGE, memory(1)), Ok(page(0)));
        assert_eq!(mm.map_any(Some(page(7)), 2 * PAGE, memory(1)), Ok(page(1)), "half taken");
        assert_eq!(mm.map_any(Some(page(9)), 2 * PAGE, memory(1)), Ok(page(3)), "half taken");
    }

    fn a_hint_that_is_misaligned_is_ignored(mm) {
        assert_eq!(mm.map_any(Some(page(8) + 1), PAGE, memory(1)), Ok(page(0)));
        assert_eq!(mm.map_any(Some(page(8) - 1), PAGE, memory(1)), Ok(page(1)));
    }

    fn a_hint_outside_the_space_is_ignored(mm) {
        let outside = [0, BASE - PAGE, BASE + SIZE, BASE + SIZE + PAGE, u64::MAX - PAGE + 1, 1 << 63];
        for (n, hint) in (0..).zip(outside) {
            assert_eq!(mm.map_any(Some(hint), PAGE, memory(1)), Ok(page(n)));
        }
        // Its start is inside, its end is not.
        let last = BASE + SIZE - PAGE;
        assert_eq!(mm.map_any(Some(last), 2 * PAGE, memory(1)), Ok(page(6)));
    }

    fn map_at_replaces_and_reports_the_old(mm) {
        mm.map_at(page(1), PAGE, memory(1), |_| -> () { unreachable!("free") }).expect("inside");
        let mut old = Vec::new();
        mm.map_at(page(1), PAGE, memory(7), |region| old.push(brief(region))).expect("inside");
        assert_eq!(old, [(1, 1, 1)]);
        assert_eq!(mm.query(page(1)).expect("mapped").mapping, memory(7));
    }

    fn map_at_refuses_what_is_outside_or_misaligned(mm) {
        for addr in [0, BASE - PAGE, BASE + SIZE, u64::MAX - PAGE + 1] {
            let refused = mm.map_at(addr, PAGE, memory(1), |_| ());
            assert_eq!(refused, Err(SpaceError::OutsideSpace));
        }
        let misaligned = mm.map_at(BASE + 1, PAGE, memory(1), |_| ());
        assert_eq!(misaligned, Err(SpaceError::Misaligned));
        assert_eq!(mm.map_at(BASE, 0, memory(1), |_| ()), Err(SpaceError::ZeroLength));
        assert_eq!(mm.region_count(), 0);
    }

    fn unmap_of_the_middle_reports_the_clipped_part(mm) {
        mm.map_at(page(0), 4 * PAGE, memory(1), |_| ()).expect("inside");
        let mut gone = Vec::new();
        mm.unmap(page(1), 2 * PAGE, |region| gone.push(brief(region))).expect("inside");
        assert_eq!(gone, [(1, 2, 1)]);
        assert!(mm.regions().map(brief).eq([(0, 1, 1), (3, 1, 1)]));
    }

    fn unmap_across_several_regions_and_holes(mm) {
        mm.map_at(page(0), 2 * PAGE, memory(1), |_| ()).expect("inside");
        mm.map_at(page(2), PAGE, memory(2), |_| ()).expect("inside");
        mm.map_at(page(5), 3 * PAGE, memory(3), |_| ()).expect("inside");
        let mut gone = Vec::new();
        mm.unmap(page(1), 5 * PAGE, |region| gone.push(brief(region))).expect("inside");
        assert_eq!(gone, [(1, 1, 1), (2, 1, 2), (5, 1, 3)]);
        assert!(mm.regions().map(brief).eq([(0, 1, 1), (6, 2, 3)]));
        mm.unmap(page(1), 4 * PAGE, |_| -> () { unreachable!("a hole") }).expect("holes are fine");
    }

    fn unmap_and_protect_refuse_zero_lengths_and_misaligned_addresses(mm) {
        assert_eq!(mm.unmap(BASE, 0, |_| ()), Err(SpaceError::ZeroLength));
        assert_eq!(mm.unmap(BASE + 1, PAGE, |_| ()), Err(SpaceError::Misaligned));
        let skip = HolePolicy::Skip;
        assert_eq!(mm.protect(BASE, 0, Prot(7), skip, |_| ()), Err(SpaceError::ZeroLength));
        assert_eq!(mm.protect(BASE + 1, PAGE, Prot(7), skip, |_| ()), Err(SpaceError::Misaligned));
    }

    fn protect_reports_the_old_protection(mm) {
        let addr = mm.map_any(None, PAGE, memory(1)).expect("room");
        let mut old = Vec::new();
        let sink = |region| old.push(brief(region));
        mm.protect(addr, PAGE, Prot(7), HolePolicy::Skip, sink).expect("inside");
        assert_eq!(old, [(0, 1, 1)]);
        assert_eq!(mm.query(addr).expect("mapped").mapping, memory(7));
        // Also where it does not change.
        let mut again = Vec::new();
        let sink = |region| again.push(brief(region));
        mm.protect(addr, PAGE, Prot(7), HolePolicy::Skip, sink).expect("inside");
        assert_eq!(again, [(0, 1, 7)]);
    }

    fn protect_of_a_part_splits(mm) {
        mm.map_at(page(0), 3 * PAGE, memory(1), |_| ()).expect("inside");
        mm.protect(page(1), PAGE, Prot(7), HolePolicy::Skip, |_| ()).expect("inside");
        assert!(mm.regions().map(brief).eq([(0, 1, 1), (1, 1, 7), (2, 1, 1)]));
        mm.protect(page(0), PAGE, Prot(7), HolePolicy::Skip, |_| ()).expect("inside");
        assert!(mm.regions().map(brief).eq([(0, 2, 7), (2, 1, 1)]), "equal ones coalesce");
        mm.protect(page(0), 2 * PAGE, Prot(1), HolePolicy::Skip, |_| ()).expect("inside");
        assert!(mm.regions().map(brief).eq([(0, 3, 1)]));
    }

    fn protect_passes_over_holes(mm) {
        mm.map_at(page(0), 2 * PAGE, memory(1), |_| ()).expect("inside");
        mm.map_at(page(4), 2 * PAGE, memory(2), |_| ()).expect("inside");
        let mut old = Vec::new();
        let sink = |region| old.push(brief(region));
        mm.protect(page(1), 4 * PAGE, Prot(7), HolePolicy::Skip, sink).expect("holes are fine");
        assert_eq!(old, [(1, 1, 1), (4, 1, 2)]);
        assert!(mm.regions().map(brief).eq([(0, 1, 1), (1, 1, 7), (4, 1, 7), (5, 1, 2)]));
        assert_eq!(mm.query(page(2)), None);
    }

    fn mark_and_restore(mm) {
        mm.map_at(page(0), 2 * PAGE, memory(5), |_| ()).expect("inside");
        mm.map_at(page(4), PAGE, memory(3), |_| ()).expect("inside");
        mm.mark_original();
        // Beside an original region, equal but for the mark; and elsewhere.
        mm.map_at(page(2), PAGE, memory(5), |_| ()).expect("inside");
        mm.map_at(page(8), PAGE, memory(1), |_| ()).expect("inside");
        assert_eq!(mm.region_count(), 4);
        // Changing its protection leaves a region original.
        mm.protect(page(4), PAGE, Prot(1), HolePolicy::Skip, |_| ()).expect("inside");
        let mut gone = Vec::new();
        mm.unmap_non_original(|region| gone.push(brief(region)));
        assert_eq!(gone, [(2, 1, 5), (8, 1, 1)]);
        assert!(mm.regions().map(brief).eq([(0, 2, 5), (4, 1, 1)]));
        mm.unmap_non_original(|_| -> () { unreachable!("all that is left is original") });
    }

    fn original_pages_that_were_replaced_do_not_come_back(mm) {
        mm.map_at(page(0), 4 * PAGE, memory(1), |_| ()).expect("inside");
        mm.mark_original();
        mm.unmap(page(0), PAGE, |_| ()).expect("inside");
        mm.map_at(page(1), PAGE, memory(1), |_| ()).expect("inside");
        mm.unmap_non_original(|region| assert_eq!(brief(region), (1, 1, 1)));
        assert!(mm.regions().map(brief).eq([(2, 2, 1)]));
    }

    // libmmap may report two touching equal regions here; ours are one (L3).
    fn marking_coalesces_what_differed_only_by_the_mark(mm) {
        mm.map_at(page(0), PAGE, memory(1), |_| ()).expect("inside");
        mm.mark_original();
        mm.map_at(page(1), PAGE, memory(1), |_| ()).expect("inside");
        assert_eq!(mm.region_count(), 2);
        mm.mark_original();
        assert!(mm.regions().map(brief).eq([(0, 2, 1)]));
    }

    fn reset_empties(mm) {
        mm.map_any(None, PAGE, memory(1)).expect("room");
        mm.map_any(None, PAGE, memory(2)).expect("room");
        mm.reset();
        assert_eq!((mm.query(BASE), mm.region_count(), mm.mapped_bytes()), (None, 0, 0));
        assert_eq!(mm.map_any(None, SIZE, memory(1)), Ok(BASE));
    }
}

#[test]
fn page_sizes_that_are_no_power_of_two_are_refused() {
    for page_size in [3000, 0] {
        assert_eq!(
            AddrSpace::<()>::new(BASE, SIZE, page_size).err(),
            Some(SpaceError::BadSpace)
        );
    }
}
