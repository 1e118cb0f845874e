//! Behaviours that other projects' users reported as bugs, each expressed in one call
//! or two, where its reporters had loops of their own.

use std::rc::Rc;

use gaptree::{
    AddrSpace, Guard, HintRule, HolePolicy, MapOptions, Mapping, Order, Placement, Prot, Source,
    SpaceError,
};

const PAGE: u64 = 0x1000;
const READ_WRITE: Prot = Prot(3);
const DATA: Mapping = Mapping::anonymous(READ_WRITE, 2);

fn space(pages: u64) -> AddrSpace {
    AddrSpace::new(0, pages * PAGE, PAGE).unwrap()
}

/// First page, pages and protection of each region.
fn shape<T: Clone + PartialEq>(space: &AddrSpace<T>) -> Vec<(u64, u64, u32)> {
    let row = |region: gaptree::Region<T>| {
        let prot = region.mapping.prot.0;
        (region.addr / PAGE, region.len / PAGE, prot)
    };
    space.regions().map(row).collect()
}

/// `mremap` made of an unmapping and a mapping lost memory when the second was refused.
#[test]
fn a_move_that_is_refused_has_moved_nothing() {
    let mut space = space(64);
    space.map_at(0, 4 * PAGE, DATA, |_| ()).unwrap();
    space
        .protect(PAGE, PAGE, Prot::READ, HolePolicy::Skip, |_| ())
        .unwrap();
    space.map_at(20 * PAGE, PAGE, DATA, |_| ()).unwrap();
    let before = space.clone();
    for refusing in [20, 21] {
        let refused = space.relocate(0, 4 * PAGE, 18 * PAGE, Source::Remove, |region| {
            if region.addr / PAGE == refusing {
                return Err("the host says no");
            }
            Ok(())
        });
        if refusing == 20 {
            assert_eq!(refused, Ok(Err("the host says no")));
            assert_eq!(space, before);
        } else {
            assert_eq!(refused, Ok(Ok(())));
        }
    }
    let (rw, r) = (3, 1);
    assert_eq!(shape(&space), [(18, 1, rw), (19, 1, r), (20, 2, rw)]);
}

/// First fit took a short request from the large hole, and the large one failed.
#[test]
fn the_shortest_hole_that_fits() {
    for (order, places) in [(Order::Highest, [10, 8]), (Order::Lowest, [8, 10])] {
        let mut space = space(64);
        space.set_placement(Placement::Best(order));
        space.map_at(0, 64 * PAGE, DATA, |_| ()).unwrap();
        space.unmap(8 * PAGE, 4 * PAGE, |_| ()).unwrap();
        space.unmap(32 * PAGE, 8 * PAGE, |_| ()).unwrap();
        for place in places {
            assert_eq!(space.map_any(None, 2 * PAGE, DATA), Ok(place * PAGE));
        }
        assert_eq!(space.map_any(None, 8 * PAGE, DATA), Ok(32 * PAGE));
        assert_eq!(space.gaps().next(), None);
    }
}

/// On BSD a second reservation with the same hint comes above the first.
#[test]
fn a_hint_as_the_start_of_a_search() {
    let mut space = space(64);
    let options = |hint: u64| MapOptions {
        hint: Some(hint),
        hint_rule: HintRule::Upwards,
        align: 4 * PAGE,
        ..MapOptions::default()
    };
    for place in [16, 24, 32] {
        let found = space.map_any_with(7 * PAGE, DATA, &options(16 * PAGE - 0x123));
        assert_eq!(found, Ok(place * PAGE));
    }
    // Nothing at or above: wherever the placement of the space says.
    let found = space.map_any_with(7 * PAGE, DATA, &options(60 * PAGE));
    assert_eq!(found, Ok(0));
}

/// Locking a part lost the attributes of what lay behind it.
#[test]
fn an_attribute_of_a_part_and_back() {
    const LOCKED: u32 = 1 << 13;
    let mut space = space(64);
    let file = Mapping::file(Prot::READ, 2, 3, 0);
    space.map_at(0, 4 * PAGE, file, |_| ()).unwrap();
    space.map_at(4 * PAGE, 4 * PAGE, DATA, |_| ()).unwrap();
    let locked = DATA.with_flags(2 | LOCKED).with_prot(Prot(7));
    space.map_at(10 * PAGE, 4 * PAGE, locked, |_| ()).unwrap();
    let before = space.clone();
    let skip = HolePolicy::Skip;
    let range = (2 * PAGE, 10 * PAGE);
    space
        .update(range.0, range.1, skip, |_, mapping| mapping.flags |= LOCKED)
        .unwrap();
    assert_eq!(shape(&space), [(0, 2, 1), (2, 2, 1), (4, 4, 3), (10, 4, 7)]);
    assert_eq!(space.query(3 * PAGE).unwrap().mapping.offset, 2 * PAGE);
    space
        .update(0, 8 * PAGE, skip, |_, mapping| mapping.flags &= !LOCKED)
        .unwrap();
    assert_eq!(space, before);
}

/// A snapshot taken before another was restored after it, and the other way round.
#[test]
fn snapshots_in_any_order() {
    let mut space = space(64);
    space.map_at(0, 16 * PAGE, DATA, |_| ()).unwrap();
    let older = space.clone();
    let file = Mapping::file(Prot::READ, 0, 5, 0x8000);
    space.map_at(4 * PAGE, 4 * PAGE, file, |_| ()).unwrap();
    let newer = space.clone();
    space.unmap(2 * PAGE, 4 * PAGE, |_| ()).unwrap();
    for snapshot in [&older, &newer, &newer, &older] {
        space = snapshot.clone();
        assert_eq!(&space, snapshot);
        space.check();
        space.unmap(0, 64 * PAGE, |_| ()).unwrap();
    }
}

/// The books ran ahead of a host that refused one piece of several.
#[test]
fn the_books_stop_where_the_host_stopped() {
    let filled = || {
        let mut space = space(64);
        for n in 0..5_u32 {
            let mapping = DATA.with_prot(Prot(n & 3));
            let addr = 4 * u64::from(n) * PAGE;
            space.map_at(addr, 2 * PAGE, mapping, |_| ()).unwrap();
        }
        space
    };
    for refused in 0..=5 {
        let host = |addr: u64| match addr == 4 * refused * PAGE {
            true => Err(12),
            false => Ok(()),
        };
        let said = (refused < 5).then_some(12).map_or(Ok(()), Err);
        let left: Vec<u64> = (refused..5).map(|n| 4 * n).collect();
        let mut space = filled();
        let result = space.unmap(0, 64 * PAGE, |region| host(region.addr));
        assert_eq!(result, Ok(said));
        let pages: Vec<u64> = space.regions().map(|region| region.addr / PAGE).collect();
        assert_eq!(pages, left);
        let mut space = filled();
        let skip = HolePolicy::Skip;
        let result = space.protect(0, 64 * PAGE, Prot(7), skip, |region| host(region.addr));
        assert_eq!(result, Ok(said));
        let old = space
            .regions()
            .filter(|region| region.mapping.prot != Prot(7));
        assert_eq!(old.count(), left.len());
    }
}

/// A file is cut short: the pages beyond its end, in regions that begin anywhere in it.
#[test]
fn the_pages_beyond_the_end_of_a_file() {
    let mut space = space(1024);
    let file = Mapping::file(Prot::READ, 2, 3, 0);
    space.map_at(0x10_0000, 8 * PAGE, file, |_| ()).unwrap();
    let tail = file.with_offset(6 * PAGE).with_prot(READ_WRITE);
    space.map_at(0x20_0000, 4 * PAGE, tail, |_| ()).unwrap();
    let other = Mapping::file(Prot::READ, 2, 4, 0);
    space.map_at(0x30_0000, 4 * PAGE, other, |_| ()).unwrap();
    space.unmap(0x10_5000, PAGE, |_| ()).unwrap();
    let end = (4 * PAGE + 1).next_multiple_of(PAGE);
    let of_file = |region: &gaptree::Region| region.mapping.fd == 3;
    let gone = space.regions().filter(of_file).filter_map(|region| {
        let kept = end.saturating_sub(region.mapping.offset).min(region.len);
        let addr = region.addr + kept;
        let mapping = region.mapping_at(addr)?;
        assert!(mapping.offset >= end);
        Some((addr, region.len - kept))
    });
    let gone: Vec<(u64, u64)> = gone.collect();
    assert_eq!(gone, [(0x10_6000, 2 * PAGE), (0x20_0000, 4 * PAGE)]);
    for (addr, len) in gone {
        space.unmap(addr, len, |_| ()).unwrap();
    }
    assert_eq!(space.mapped_bytes(), 9 * PAGE);
}

/// Two reservations side by side stay two, whatever is done to them.
#[test]
fn reservations_that_never_join() {
    #[derive(Clone)]
    struct Reservation(Rc<()>);
    impl PartialEq for Reservation {
        fn eq(&self, other: &Self) -> bool {
            Rc::ptr_eq(&self.0, &other.0)
        }
    }
    let mut space = AddrSpace::<Reservation>::new(0, 64 * PAGE, PAGE).unwrap();
    for start in [0, 16] {
        let own = Mapping::anonymous(Prot::NONE, 2).with_data(Reservation(Rc::new(())));
        space.map_at(start * PAGE, 16 * PAGE, own, |_| ()).unwrap();
    }
    let mut calls = Vec::new();
    let all = HolePolicy::RequireMapped;
    space
        .protect(8 * PAGE, 16 * PAGE, READ_WRITE, all, |region| {
            calls.push((region.addr / PAGE, region.len / PAGE));
        })
        .unwrap();
    assert_eq!(calls, [(8, 8), (16, 8)]);
    space
        .protect(8 * PAGE, 16 * PAGE, Prot::NONE, all, |_| ())
        .unwrap();
    assert_eq!(shape(&space), [(0, 16, 0), (16, 16, 0)]);
}

/// Memory of the host inside the guest's space was handed out, unmapped, or listed.
#[test]
fn memory_of_the_host() {
    let mut space = space(64);
    space.reserve(16 * PAGE, 16 * PAGE).unwrap();
    for placement in [
        Placement::Lowest,
        Placement::Highest,
        Placement::Random(1),
        Placement::Nearest(20 * PAGE),
        Placement::Best(Order::Lowest),
    ] {
        space.set_placement(placement);
        let at = space.map_any(Some(20 * PAGE), 8 * PAGE, DATA).unwrap();
        assert!(at + 8 * PAGE <= 16 * PAGE || at >= 32 * PAGE);
        space.unmap(at, 8 * PAGE, |_| ()).unwrap();
    }
    assert_eq!((space.region_count(), space.mapped_bytes()), (0, 0));
    let never = |_| -> () { unreachable!("nothing is mapped") };
    let across = space.map_at(12 * PAGE, 8 * PAGE, DATA, never);
    assert_eq!(across, Err(SpaceError::Reserved));
    let all = space.unmap(0, 64 * PAGE, never);
    assert_eq!(all, Err(SpaceError::Reserved));
}

/// Memory near a function, on either side, where the arithmetic went wrong at the ends.
#[test]
fn the_nearest_place_within_reach() {
    const REACH: u64 = 1 << 31;
    let end = 1 << 40;
    let mut space = AddrSpace::new(PAGE, end - PAGE, PAGE).unwrap();
    let near = |space: &AddrSpace, target: u64, pages: u64| {
        let low = target.saturating_sub(REACH);
        let options = MapOptions {
            window: Some((low, target.saturating_add(REACH) - low)),
            placement: Some(Placement::Nearest(target)),
            ..MapOptions::default()
        };
        space.find_free(pages * PAGE, &options)
    };
    space.map_at(2 * PAGE, 3 * PAGE, DATA, |_| ()).unwrap();
    assert_eq!(near(&space, 2 * PAGE + 0x123, 1), Ok(PAGE));
    assert_eq!(near(&space, 4 * PAGE + 0x123, 1), Ok(5 * PAGE));
    let function = 1 << 39;
    space
        .map_at(function - 2 * REACH, 4 * REACH, DATA, |_| ())
        .unwrap();
    assert_eq!(near(&space, function, 1), Err(SpaceError::NoFreeRange));
    space.unmap(function - REACH / 2, PAGE, |_| ()).unwrap();
    assert_eq!(near(&space, function, 1), Ok(function - REACH / 2));
    space.unmap(function + REACH / 4, PAGE, |_| ()).unwrap();
    assert_eq!(near(&space, function, 1), Ok(function + REACH / 4));
    assert_eq!(near(&space, function, 2), Err(SpaceError::NoFreeRange));
    assert_eq!(near(&space, end - 1, 2), Ok(end - 2 * PAGE));
}

/// A mapping came to lie directly below a stack, which then could not grow.
#[test]
fn room_for_a_stack_to_grow() {
    let mut space = space(64);
    space.set_placement(Placement::Highest);
    space.set_guard(1, Guard::below(16 * PAGE)).unwrap();
    let stack = DATA.with_guard(1);
    space.map_at(60 * PAGE, 4 * PAGE, stack, |_| ()).unwrap();
    assert_eq!(space.map_any(None, 2 * PAGE, DATA), Ok(42 * PAGE));
    // It grows, and keeps the same room below, as far as that is free.
    space.map_at(56 * PAGE, 4 * PAGE, stack, |_| ()).unwrap();
    assert_eq!(space.map_any(None, 2 * PAGE, DATA), Ok(40 * PAGE));
}
