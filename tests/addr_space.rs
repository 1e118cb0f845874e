//! `AddrSpace` by example: each rule of mapping, unmapping and protecting, and
//! arguments at the ends of 64 bits.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gaptree::{
    AddrSpace, HolePolicy, MapOptions, Mapping, OffsetRule, Page, Placement, Prot, Region,
    SpaceError,
};

const PAGE: u64 = 0x1000;
const RW: Prot = Prot(3);

/// 64 pages from 0x10000 on.
fn space() -> AddrSpace {
    AddrSpace::new(0x1_0000, 64 * PAGE, PAGE).unwrap()
}

/// The address of page `number` of [`space`].
fn page(number: u64) -> u64 {
    0x1_0000 + number * PAGE
}

fn anonymous(prot: Prot) -> Mapping {
    Mapping::anonymous(prot, 0x22)
}

fn file(offset: u64) -> Mapping {
    Mapping::file(Prot::READ, 2, 3, offset)
}

/// First page and end of regions, counted from the start of [`space`], and
/// their mappings.
type List = Vec<(u64, u64, Mapping)>;

fn listed(regions: impl IntoIterator<Item = Region>) -> List {
    let number = |addr: u64| (addr - page(0)) / PAGE;
    regions
        .into_iter()
        .map(|region| {
            (
                number(region.addr),
                number(region.addr + region.len),
                region.mapping,
            )
        })
        .collect()
}

/// What a call reports to its sink.
fn reported(
    call: impl FnOnce(&mut dyn FnMut(Region)) -> Result<(), SpaceError>,
) -> (Result<(), SpaceError>, List) {
    let mut regions = Vec::new();
    let result = call(&mut |region| regions.push(region));
    (result, listed(regions))
}

#[test]
fn bounds_and_page_sizes_that_are_no_space() {
    let bad = [
        (0, 0, PAGE),
        (0, PAGE, 0),
        (0, PAGE, 3),
        (0, PAGE + 1, PAGE),
        (1, PAGE, PAGE),
        (2 * PAGE, u64::MAX - PAGE + 1, PAGE),
        (u64::MAX - PAGE + 1, 2 * PAGE, PAGE),
        (0, Page::LIMIT + 1, 1),
        (0, 1 << 63, 2),
        (0, u64::MAX, u64::MAX),
    ];
    for (start, len, page_size) in bad {
        let error = AddrSpace::<()>::new(start, len, page_size).err();
        assert_eq!(
            error,
            Some(SpaceError::BadSpace),
            "{start:#x} {len:#x} {page_size:#x}"
        );
    }
}

#[test]
fn the_top_of_64_bits_is_usable() {
    let tops = [
        (1 << 63, 1 << 63, PAGE),
        (u64::MAX - 4095, PAGE, PAGE),
        (u64::MAX, 1, 1),
        (1 << 63, 1 << 63, 1 << 63),
    ];
    for (start, len, page_size) in tops {
        let mut space = AddrSpace::new(start, len, page_size).unwrap();
        let top = u64::MAX - page_size + 1;
        let highest = MapOptions {
            placement: Some(Placement::Highest),
            ..MapOptions::default()
        };
        assert_eq!(space.map_any_with(1, file(0), &highest), Ok(top));
        let region = space.query(u64::MAX).unwrap();
        assert_eq!(
            (region.addr, region.len, region.mapping),
            (top, page_size, file(0))
        );
        assert_eq!(space.check_access(top, page_size, |_| true), Ok(()));
        assert_eq!(
            space.check_access(top, page_size + 1, |_| true),
            Err(0),
            "past 2^64"
        );
        assert_eq!(space.check_access(u64::MAX, u64::MAX, |_| true), Err(0));
        assert_eq!(space.regions_in(u64::MAX, u64::MAX).count(), 1);
        space
            .protect(
                top,
                page_size,
                Prot::NONE,
                HolePolicy::RequireMapped,
                |_| (),
            )
            .unwrap();
        space.unmap(top, page_size, |_| ()).unwrap();
        space.map_at(start, len, file(0), |_| ()).unwrap();
        assert_eq!(
            (
                space.mapped_bytes(),
                space.largest_gap(),
                space.gaps().count()
            ),
            (len, 0, 0)
        );
        space.check();
    }
}

#[test]
fn map_any_takes_the_lowest_gap_that_fits_and_reuses_it() {
    let mut space = space();
    for expected in [page(0), page(4), page(8)] {
        assert_eq!(space.map_any(None, 4 * PAGE, anonymous(RW)), Ok(expected));
    }
    assert_eq!(space.region_count(), 1, "equal neighbours are one region");
    space.unmap(page(4), 2 * PAGE, |_| ()).unwrap();
    assert_eq!(
        space.map_any(None, 3 * PAGE, anonymous(RW)),
        Ok(page(12)),
        "too long for the gap"
    );
    assert_eq!(
        space.map_any(None, PAGE + 1, anonymous(RW)),
        Ok(page(4)),
        "rounded up, exactly"
    );
    assert_eq!((space.region_count(), space.mapped_bytes()), (1, 15 * PAGE));
}

#[test]
fn hints_are_taken_or_ignored() {
    let mut space = space();
    space
        .map_at(page(20), 4 * PAGE, anonymous(RW), |_| ())
        .unwrap();
    let hints = [
        (page(8), 2, page(8), "free"),
        (page(62), 2, page(62), "free, at the end"),
        (page(18), 2, page(18), "free, up to the next region"),
        (page(20), 2, page(0), "taken"),
        (page(19), 2, page(0), "taken in part"),
        (page(8) + 1, 2, page(0), "not aligned"),
        (page(63), 2, page(0), "runs past the end"),
        (page(64), 1, page(0), "at the end"),
        (page(0) - PAGE, 2, page(0), "below the start"),
        (0, 1, page(0), "zero"),
        (u64::MAX - PAGE + 1, 2, page(0), "wraps"),
    ];
    for (hint, pages, expected, why) in hints {
        for mapping in [anonymous(RW), file(0)] {
            let mut space = space.clone();
            let options = MapOptions {
                hint: Some(hint),
                ..MapOptions::default()
            };
            assert_eq!(
                space.find_free(pages * PAGE, &options),
                Ok(expected),
                "{why}"
            );
            assert_eq!(
                space.map_any(Some(hint), pages * PAGE, mapping),
                Ok(expected),
                "{why}"
            );
            space.check();
        }
    }
    let aligned = MapOptions {
        hint: Some(page(9)),
        align: 2 * PAGE,
        ..MapOptions::default()
    };
    assert_eq!(
        space.find_free(PAGE, &aligned),
        Ok(page(0)),
        "not aligned as asked"
    );
    let window = Some((page(1), 9 * PAGE));
    let outside = MapOptions {
        hint: Some(page(9)),
        window,
        ..MapOptions::default()
    };
    assert_eq!(
        space.find_free(2 * PAGE, &outside),
        Ok(page(1)),
        "not in the window"
    );
    assert_eq!(
        space.find_free(PAGE, &outside),
        Ok(page(9)),
        "in the window"
    );
}

#[test]
fn errors_come_in_the_documented_order() {
    let mut space = space();
    space.map_at(page(0), PAGE, anonymous(RW), |_| ()).unwrap();
    let (zero, misaligned, outside) = (
        SpaceError::ZeroLength,
        SpaceError::Misaligned,
        SpaceError::OutsideSpace,
    );
    let ranges = [
        (page(0) + 1, 0, zero),
        (1, 1, misaligned),
        (page(64) + 1, u64::MAX, misaligned),
        (page(0) - PAGE, PAGE, outside),
        (page(0) - PAGE, 2 * PAGE, outside),
        (page(63), PAGE + 1, outside),
        (page(64), 1, outside),
        (page(0), u64::MAX, outside),
        (page(0), 64 * PAGE + 1, outside),
        (0, PAGE, outside),
        (u64::MAX - PAGE + 1, PAGE, outside),
        (u64::MAX - PAGE + 1, u64::MAX, outside),
    ];
    let before = space.clone();
    let never = |region| panic!("{region:?} was reported");
    for (addr, len, error) in ranges {
        let results = [
            space.map_at(addr, len, anonymous(RW), never),
            space.map_fixed_noreplace(addr, len, anonymous(RW)),
            space.unmap(addr, len, never),
            space.protect(addr, len, RW, HolePolicy::Skip, never),
            space.protect(addr, len, RW, HolePolicy::StopAtHole, never),
            space.protect(addr, len, RW, HolePolicy::RequireMapped, never),
        ];
        assert_eq!(results, [Err(error); 6], "{addr:#x}+{len:#x}");
    }
    let bad = MapOptions {
        align: 3,
        window: Some((0, 0)),
        ..MapOptions::default()
    };
    let none = MapOptions {
        window: Some((0, 0)),
        ..MapOptions::default()
    };
    let nowhere = SpaceError::NoFreeRange;
    for (len, options, error) in [
        (0, bad, zero),
        (u64::MAX, bad, SpaceError::BadAlignment),
        (1, none, nowhere),
        (u64::MAX, MapOptions::default(), nowhere),
        (64 * PAGE, MapOptions::default(), nowhere),
    ] {
        assert_eq!(
            space.find_free(len, &options),
            Err(error),
            "{len:#x} {options:?}"
        );
        assert_eq!(space.map_any_with(len, anonymous(RW), &options), Err(error));
        assert_eq!(space.map_any_with(len, file(0), &options), Err(error));
    }
    assert_eq!(space, before);
    space.check();
}

#[test]
fn map_at_reports_what_it_replaces_clipped_and_with_its_offsets() {
    let mut space = space();
    space
        .map_at(page(2), 4 * PAGE, file(0x8000), |_| ())
        .unwrap();
    space
        .map_at(page(8), 2 * PAGE, anonymous(RW), |_| ())
        .unwrap();
    let call = reported(|sink| space.map_at(page(4), 5 * PAGE, anonymous(Prot::NONE), sink));
    assert_eq!(
        call,
        (Ok(()), vec![(4, 6, file(0xa000)), (8, 9, anonymous(RW))])
    );
    let left = [
        (2, 4, file(0x8000)),
        (4, 9, anonymous(Prot::NONE)),
        (9, 10, anonymous(RW)),
    ];
    assert_eq!(listed(&space), left);
    assert_eq!(space.mapped_bytes(), 8 * PAGE);
}

#[test]
fn map_fixed_noreplace_wants_every_page_free() {
    let mut space = space();
    space
        .map_at(page(4), 2 * PAGE, anonymous(RW), |_| ())
        .unwrap();
    for (first, pages, expected) in [
        (3, 2, Err(SpaceError::Exists)),
        (4, 1, Err(SpaceError::Exists)),
        (5, 9, Err(SpaceError::Exists)),
        (0, 64, Err(SpaceError::Exists)),
        (2, 2, Ok(())),
        (6, 58, Ok(())),
    ] {
        assert_eq!(
            space.map_fixed_noreplace(page(first), pages * PAGE, anonymous(RW)),
            expected,
            "{first}"
        );
    }
    assert_eq!(listed(&space), [(2, 64, anonymous(RW))]);
}

#[test]
fn linear_offsets_follow_the_address_and_verbatim_ones_do_not() {
    let mut space = space();
    space.map_at(page(0), 2 * PAGE, file(0), |_| ()).unwrap();
    space
        .map_at(page(2), 2 * PAGE, file(2 * PAGE), |_| ())
        .unwrap();
    assert_eq!(space.region_count(), 1, "contiguous in the file");
    space.map_at(page(4), PAGE, file(2 * PAGE), |_| ()).unwrap();
    assert_eq!(space.region_count(), 2, "the same offset again");
    space.unmap(page(1), PAGE, |_| ()).unwrap();
    assert_eq!(
        listed(&space),
        [
            (0, 1, file(0)),
            (2, 4, file(2 * PAGE)),
            (4, 5, file(2 * PAGE))
        ]
    );
    space.map_at(page(1), PAGE, file(PAGE), |_| ()).unwrap();
    assert_eq!(
        space.query(page(3)).unwrap().addr,
        page(0),
        "the hole is filled"
    );

    space.reset();
    let verbatim = Mapping {
        offset_rule: OffsetRule::Verbatim,
        ..file(0x5000)
    };
    space.map_at(page(0), 2 * PAGE, verbatim, |_| ()).unwrap();
    space.map_at(page(2), 2 * PAGE, verbatim, |_| ()).unwrap();
    space.unmap(page(1), PAGE, |_| ()).unwrap();
    assert_eq!(listed(&space), [(0, 1, verbatim), (2, 4, verbatim)]);

    space
        .map_at(page(8), 4 * PAGE, file(u64::MAX - PAGE + 1), |_| ())
        .unwrap();
    space.unmap(page(8), PAGE, |_| ()).unwrap();
    assert_eq!(
        space.query(page(9)).unwrap().mapping.offset,
        0,
        "offsets count modulo 2^64"
    );
}

#[test]
fn every_field_of_a_mapping_keeps_neighbours_apart() {
    let plain = anonymous(RW);
    let others = [
        Mapping {
            prot: Prot(0x103),
            ..plain
        },
        Mapping {
            flags: plain.flags | 1 << 31,
            ..plain
        },
        Mapping {
            fd: i32::MIN,
            ..plain
        },
        Mapping {
            offset: 1 << 63,
            ..plain
        },
        Mapping {
            offset_rule: OffsetRule::Linear,
            offset: page(1),
            ..plain
        },
    ];
    for other in others {
        let mut space = space();
        space.map_at(page(0), PAGE, plain, |_| ()).unwrap();
        space.map_at(page(1), PAGE, other, |_| ()).unwrap();
        assert_eq!(listed(&space), [(0, 1, plain), (1, 2, other)]);
    }
    let mut space = space();
    space.map_at(page(0), PAGE, plain, |_| ()).unwrap();
    space.mark_original();
    space.map_at(page(1), PAGE, plain, |_| ()).unwrap();
    let original = Mapping {
        original: true,
        ..plain
    };
    assert_eq!(listed(&space), [(0, 1, original), (1, 2, plain)]);
}

#[test]
fn unmap_passes_over_holes_and_reports_what_was_there() {
    let mut space = space();
    for at in [2, 6, 10] {
        space
            .map_at(page(at), 2 * PAGE, file(at * 0x10_0000), |_| ())
            .unwrap();
    }
    let call = reported(|sink| space.unmap(page(3), 8 * PAGE, sink));
    let gone = vec![
        (3, 4, file(0x20_1000)),
        (6, 8, file(0x60_0000)),
        (10, 11, file(0xa0_0000)),
    ];
    assert_eq!(call, (Ok(()), gone));
    assert_eq!(
        listed(&space),
        [(2, 3, file(0x20_0000)), (11, 12, file(0xa0_1000))]
    );
    assert_eq!(
        reported(|sink| space.unmap(page(3), 8 * PAGE, sink)),
        (Ok(()), vec![])
    );
    assert_eq!(space.mapped_bytes(), 2 * PAGE);
    assert_eq!(space.gaps().next_back(), Some((page(12), 52 * PAGE)));
}

#[test]
fn protect_over_holes_does_what_the_policy_says() {
    let mut base = space();
    base.map_at(page(2), 3 * PAGE, file(0), |_| ()).unwrap();
    base.map_at(page(8), 2 * PAGE, anonymous(RW), |_| ())
        .unwrap();
    let none = |mapping: Mapping| Mapping {
        prot: Prot::NONE,
        ..mapping
    };
    let protect = |policy, first: u64, pages: u64| {
        let mut space = base.clone();
        let call =
            reported(|sink| space.protect(page(first), pages * PAGE, Prot::NONE, policy, sink));
        space.check();
        (call.0, call.1, listed(&space))
    };
    let untouched = listed(&base);
    let not_mapped = Err(SpaceError::NotMapped);
    let (whole, tail) = (
        vec![(3, 5, file(PAGE)), (8, 9, anonymous(RW))],
        vec![(3, 5, file(PAGE))],
    );
    let (head, rest) = ((2, 3, file(0)), (8, 10, anonymous(RW)));
    let changed = (3, 5, none(file(PAGE)));

    let all = vec![
        head,
        changed,
        (8, 9, none(anonymous(RW))),
        (9, 10, anonymous(RW)),
    ];
    assert_eq!(protect(HolePolicy::Skip, 3, 6), (Ok(()), whole, all));
    let before = vec![head, changed, rest];
    assert_eq!(
        protect(HolePolicy::StopAtHole, 3, 6),
        (not_mapped, tail.clone(), before.clone())
    );
    assert_eq!(
        protect(HolePolicy::RequireMapped, 3, 6),
        (not_mapped, vec![], untouched.clone())
    );
    for policy in [
        HolePolicy::Skip,
        HolePolicy::StopAtHole,
        HolePolicy::RequireMapped,
    ] {
        assert_eq!(
            protect(policy, 3, 2),
            (Ok(()), tail.clone(), before.clone()),
            "no hole"
        );
    }
    assert_eq!(
        protect(HolePolicy::StopAtHole, 6, 4),
        (not_mapped, vec![], untouched.clone()),
        "hole first"
    );
    assert_eq!(
        protect(HolePolicy::Skip, 20, 4),
        (Ok(()), vec![], untouched),
        "nothing there"
    );
}

#[test]
fn protect_reports_unchanged_protections_and_coalesces() {
    let mut space = space();
    space.map_at(page(0), 6 * PAGE, file(0), |_| ()).unwrap();
    space.mark_original();
    space
        .protect(page(2), 2 * PAGE, RW, HolePolicy::Skip, |_| ())
        .unwrap();
    assert_eq!(space.region_count(), 3);
    let old = |first: u64, end, prot| {
        (
            first,
            end,
            Mapping {
                prot,
                original: true,
                ..file(first * PAGE)
            },
        )
    };
    let call = reported(|sink| {
        space.protect(
            page(1),
            4 * PAGE,
            Prot::READ,
            HolePolicy::RequireMapped,
            sink,
        )
    });
    assert_eq!(
        call,
        (
            Ok(()),
            vec![old(1, 2, Prot::READ), old(2, 4, RW), old(4, 5, Prot::READ)]
        )
    );
    assert_eq!(listed(&space), [old(0, 6, Prot::READ)]);
}

#[test]
fn check_access_names_the_first_bad_address() {
    let mut space = space();
    space
        .map_at(page(1), 2 * PAGE, anonymous(RW), |_| ())
        .unwrap();
    space.map_at(page(3), PAGE, file(0), |_| ()).unwrap();
    space.map_at(page(5), PAGE, anonymous(RW), |_| ()).unwrap();
    space.map_at(page(63), PAGE, anonymous(RW), |_| ()).unwrap();
    let readable = |mapping: &Mapping| mapping.prot.contains(Prot::READ);
    let writable = |mapping: &Mapping| mapping.prot.contains(Prot::WRITE);
    let reads = [
        (page(1), 3 * PAGE, Ok(())),
        (page(1) + 5, 3 * PAGE - 5, Ok(())),
        (page(1) + 5, 3 * PAGE - 4, Err(page(4))),
        (page(1), u64::MAX, Err(page(4))),
        (page(0) + 7, 1, Err(page(0) + 7)),
        (page(4) + 7, PAGE, Err(page(4) + 7)),
        (page(63) + 9, u64::MAX, Err(page(64))),
        (5, 1, Err(5)),
        (5, u64::MAX, Err(5)),
        (page(64), 1, Err(page(64))),
        (u64::MAX, 2, Err(u64::MAX)),
        (u64::MAX, 0, Ok(())),
        (page(0), 0, Ok(())),
    ];
    for (addr, len, expected) in reads {
        assert_eq!(
            space.check_access(addr, len, readable),
            expected,
            "{addr:#x}+{len:#x}"
        );
    }
    assert_eq!(
        space.check_access(page(2) + 1, PAGE, writable),
        Err(page(3))
    );
    assert_eq!(
        space.check_access(page(3) + 5, 1, writable),
        Err(page(3) + 5)
    );
    let mut asked = Vec::new();
    let outcome = space.check_access(page(2), 4 * PAGE, |mapping| {
        asked.push(*mapping);
        true
    });
    assert_eq!(
        (outcome, asked),
        (Err(page(4)), vec![anonymous(RW), file(0)])
    );
}

#[test]
fn regions_of_a_range_are_whole() {
    let mut space = space();
    for at in [1, 5, 9] {
        space
            .map_at(page(at), 3 * PAGE, anonymous(RW), |_| ())
            .unwrap();
    }
    let starts = |addr, len| {
        listed(space.regions_in(addr, len))
            .into_iter()
            .map(|(first, ..)| first)
            .collect::<Vec<_>>()
    };
    assert_eq!(starts(page(4) - 1, PAGE + 1), [1]);
    assert_eq!(starts(page(4) - 1, PAGE + 2), [1, 5]);
    assert_eq!(starts(0, u64::MAX), [1, 5, 9]);
    assert_eq!(starts(page(6), 0), []);
    let ends: Vec<_> = listed(space.regions().rev())
        .into_iter()
        .map(|(_, end, _)| end)
        .collect();
    assert_eq!(ends, [12, 8, 4]);
    let mut regions = space.regions();
    assert_eq!(regions.by_ref().count(), 3);
    assert_eq!((regions.next(), regions.next_back()), (None, None));
    assert_eq!(space.largest_gap(), 52 * PAGE);
}

#[test]
fn what_was_not_original_goes() {
    let mut space = space();
    let original = |mapping| Mapping {
        original: true,
        ..mapping
    };
    space
        .map_at(page(2), 4 * PAGE, anonymous(RW), |_| ())
        .unwrap();
    space.map_at(page(10), 2 * PAGE, file(0), |_| ()).unwrap();
    space.mark_original();
    space
        .map_at(page(0), 3 * PAGE, anonymous(RW), |_| ())
        .unwrap();
    space
        .protect(page(4), PAGE, Prot::NONE, HolePolicy::Skip, |_| ())
        .unwrap();
    space.unmap(page(5), PAGE, |_| ()).unwrap();
    space.map_at(page(11), 3 * PAGE, file(0), |_| ()).unwrap();
    space
        .map_at(page(14), 2 * PAGE, anonymous(RW), |_| ())
        .unwrap();
    let call = reported(|sink| {
        space.unmap_non_original(sink);
        Ok(())
    });
    assert_eq!(
        call.1,
        [
            (0, 3, anonymous(RW)),
            (11, 14, file(0)),
            (14, 16, anonymous(RW))
        ]
    );
    let left = [
        (3, 4, original(anonymous(RW))),
        (4, 5, original(anonymous(Prot::NONE))),
        (10, 11, original(file(0))),
    ];
    assert_eq!(listed(&space), left);
    space
        .map_at(page(5), PAGE, anonymous(Prot::NONE), |_| ())
        .unwrap();
    space.mark_original();
    assert_eq!(
        listed(&space)[1],
        (4, 6, original(anonymous(Prot::NONE))),
        "equal once both are marked"
    );
    space.unmap_non_original(|region| -> () { panic!("{region:?} is original") });
    space.check();
}

#[test]
fn reset_keeps_the_placement() {
    let mut space = space();
    space.set_placement(Placement::Highest);
    space.map_any(None, PAGE, anonymous(RW)).unwrap();
    space.reset();
    assert_eq!((space.region_count(), space.mapped_bytes()), (0, 0));
    assert_eq!(space.placement(), Placement::Highest);
    assert_eq!(space.map_any(None, PAGE, anonymous(RW)), Ok(page(63)));
    space.check();
}

#[test]
fn a_space_is_shown_like_proc_maps() {
    let mut space = space();
    assert_eq!(space.to_string(), "");
    space
        .map_at(page(0), PAGE, Mapping::file(Prot(5), 1, 7, 0x2000), |_| ())
        .unwrap();
    space.map_at(page(2), PAGE, anonymous(RW), |_| ()).unwrap();
    assert_eq!(
        space.to_string(),
        "00010000-00011000 r-xs 00002000 00:00 0 fd:7\n00012000-00013000 rw-p 00000000 00:00 0\n"
    );
    let debug = format!("{space:?}");
    assert!(debug.starts_with("AddrSpace { start: 65536, size: 262144, page_size: 4096, placement: Lowest, regions: [Region {"), "{debug}");
}

#[test]
fn equality_is_of_bounds_and_regions() {
    let mut one = space();
    let mut other = space();
    one.map_any(None, 2 * PAGE, anonymous(RW)).unwrap();
    assert_ne!(one, other);
    other.set_placement(Placement::Highest);
    other.map_at(page(1), PAGE, anonymous(RW), |_| ()).unwrap();
    other.map_at(page(0), PAGE, anonymous(RW), |_| ()).unwrap();
    assert_eq!(one, other);
    assert_eq!(one.try_clone().as_ref(), Ok(&one));
    assert_ne!(space(), AddrSpace::new(0, 64 * PAGE, PAGE).unwrap());
}

/// Runs `call`, whose sink panics at its second report, and checks the totals.
fn panics_at_the_second_report(
    call: impl FnOnce(&mut AddrSpace, &mut dyn FnMut(Region)),
) -> AddrSpace {
    let mut space = space();
    for at in [2, 4, 6] {
        space
            .map_at(page(at), PAGE, file(at * 0x10_0000), |_| ())
            .unwrap();
    }
    let mut reports = 0;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        call(&mut space, &mut |_| {
            reports += 1;
            assert!(reports < 2, "as planned");
        });
    }));
    assert!(outcome.is_err());
    space.check();
    space
}

#[test]
fn totals_are_right_after_a_panic_in_a_sink() {
    let left = [(6, 7, file(0x60_0000))];
    let space =
        panics_at_the_second_report(|space, sink| space.unmap(page(0), 9 * PAGE, sink).unwrap());
    assert_eq!(listed(&space), left);
    let space = panics_at_the_second_report(|space, sink| {
        space
            .map_at(page(0), 9 * PAGE, anonymous(RW), sink)
            .unwrap()
    });
    assert_eq!(listed(&space), left);
    let space = panics_at_the_second_report(|space, sink| space.unmap_non_original(sink));
    assert_eq!(listed(&space), left);
    let space = panics_at_the_second_report(|space, sink| {
        space
            .protect(page(0), 9 * PAGE, RW, HolePolicy::Skip, sink)
            .unwrap();
    });
    let prots: Vec<_> = space.regions().map(|region| region.mapping.prot).collect();
    assert_eq!(prots, [RW, Prot::READ, Prot::READ]);
}
