//! Placement without a fixed address: exact for lowest and highest, uniform over
//! all starts that fit and repeatable for random.

use gaptree::{AddrSpace, Guard, MapOptions, Mapping, Placement, Prot, SpaceError};
use reference::ReferenceSpace;

const PAGE: u64 = 0x1000;
const DATA: Mapping = Mapping::anonymous(Prot::READ, 0);

/// A space of `pages` pages from address 0 on, of which those for which `taken`
/// holds are mapped.
fn space(pages: u64, taken: impl Fn(u64) -> bool) -> AddrSpace {
    let mut space = AddrSpace::new(0, pages * PAGE, PAGE).unwrap();
    for page in (0..pages).filter(|page| taken(*page)) {
        space.map_at(page * PAGE, PAGE, DATA, |_| ()).unwrap();
    }
    space
}

/// All addresses at which `len` bytes can be mapped with these options,
/// ascending: tried one by one.
fn starts_that_fit(space: &AddrSpace, len: u64, options: &MapOptions) -> Vec<u64> {
    let bytes = u128::from(len).next_multiple_of(PAGE.into());
    let (low, window) = options.window.unwrap_or((0, u64::MAX));
    let window_end = u128::from(low) + u128::from(window);
    let space_end = u128::from(space.start()) + u128::from(space.size());
    let fits = |addr: &u64| {
        let end = u128::from(*addr) + bytes;
        let aligned = addr.is_multiple_of(options.align.max(1));
        let inside = *addr >= low && end <= window_end.min(space_end);
        aligned && inside && space.regions_in(*addr, len).next().is_none()
    };
    let pages = (0..space.size() / PAGE).map(|page| space.start() + page * PAGE);
    pages.filter(fits).collect()
}

#[test]
fn lowest_and_highest_are_the_best_of_all_starts() {
    for start in (0..9).map(|pages| pages * PAGE) {
        let mut space = AddrSpace::new(start, 12 * PAGE, PAGE).unwrap();
        for page in [2, 5, 6, 10] {
            space
                .map_at(start + page * PAGE, PAGE, DATA, |_| ())
                .unwrap();
        }
        let windows = [
            None,
            Some((0, 0)),
            Some((0, u64::MAX)),
            Some((start, 6 * PAGE)),
            Some((start + 1, 8 * PAGE)),
            Some((start + 3 * PAGE - 1, 5 * PAGE + 2)),
            Some((PAGE, 3 * PAGE)),
            Some((start + 9 * PAGE, u64::MAX)),
        ];
        for align in [
            0,
            1,
            PAGE,
            2 * PAGE,
            4 * PAGE,
            8 * PAGE,
            16 * PAGE,
            1 << 40,
            1 << 63,
        ] {
            for window in windows {
                let options = MapOptions {
                    window,
                    align,
                    ..MapOptions::default()
                };
                for len in [
                    1,
                    PAGE,
                    PAGE + 1,
                    3 * PAGE,
                    12 * PAGE,
                    12 * PAGE + 1,
                    u64::MAX,
                ] {
                    is_exact(&space, len, options);
                }
            }
        }
    }
}

/// Holds one placement of each kind against all starts that fit.
fn is_exact(space: &AddrSpace, len: u64, options: MapOptions) {
    let starts = starts_that_fit(space, len, &options);
    let context = format!("start {:#x} len {len:#x} {options:x?}", space.start());
    let ends = [
        (Placement::Lowest, starts.first()),
        (Placement::Highest, starts.last()),
    ];
    for (placement, best) in ends {
        let options = MapOptions {
            placement: Some(placement),
            ..options
        };
        let best = best.copied().ok_or(SpaceError::NoFreeRange);
        assert_eq!(
            space.find_free(len, &options),
            best,
            "{context} {placement:?}"
        );
        for mapping in [DATA, Mapping::file(Prot::READ, 0, 3, 0)] {
            let mut copy = space.clone();
            assert_eq!(
                copy.map_any_with(len, mapping, &options),
                best,
                "{context} {mapping:?}"
            );
            copy.check();
        }
    }
    for seed in 0..4 {
        let options = MapOptions {
            placement: Some(Placement::Random(seed)),
            ..options
        };
        let drawn = space.find_free(len, &options);
        let one_of_them = drawn.map_or(starts.is_empty(), |addr| starts.contains(&addr));
        assert!(
            one_of_them,
            "{context} seed {seed}: {drawn:x?}, expected one of {starts:x?}"
        );
    }
}

/// Draws 200 times as many placements of `len` pages as there are starts, and
/// holds how often each was drawn, and their mean, against a uniform
/// distribution: both within four standard deviations.
fn is_uniform(space: &mut AddrSpace, len: u64, options: MapOptions) {
    let starts = starts_that_fit(space, len * PAGE, &options);
    is_uniform_over(&starts, space, len, options);
}

/// [`is_uniform`] over these starts.
fn is_uniform_over(starts: &[u64], space: &mut AddrSpace, len: u64, options: MapOptions) {
    let mut drawn = vec![0.0_f64; starts.len()];
    let draws = 200 * starts.len();
    space.set_placement(Placement::Random(17));
    for _ in 0..draws {
        let addr = space.map_any_with(len * PAGE, DATA, &options).unwrap();
        space.unmap(addr, len * PAGE, |_| ()).unwrap();
        drawn[starts.binary_search(&addr).expect("a start that fits")] += 1.0;
    }
    let freedom = starts.len() as f64 - 1.0;
    let chi_square: f64 = drawn
        .iter()
        .map(|count| (count - 200.0).powi(2) / 200.0)
        .sum();
    let deviation = (2.0 * freedom).sqrt();
    assert!(
        (chi_square - freedom).abs() <= 4.0 * deviation,
        "chi-square {chi_square} of {freedom}"
    );

    let weighted = drawn
        .iter()
        .enumerate()
        .map(|(index, count)| index as f64 * count);
    let mean = weighted.sum::<f64>() / draws as f64;
    let count = starts.len() as f64;
    let deviation = ((count * count - 1.0) / 12.0 / draws as f64).sqrt();
    assert!(
        (mean - freedom / 2.0).abs() <= 4.0 * deviation,
        "mean {mean} of 0..={freedom}"
    );
}

#[test]
fn uniform_in_an_empty_space() {
    is_uniform(&mut space(1000, |_| false), 1, MapOptions::default());
}

#[test]
fn uniform_among_fragments() {
    let taken = |page: u64| page.wrapping_mul(0x9e37_79b9) >> 7 & 3 == 0;
    for len in [1, 2, 3] {
        is_uniform(&mut space(400, taken), len, MapOptions::default());
    }
}

#[test]
fn uniform_where_nearly_nothing_is_free() {
    // 25 starts of 999: sixteen tries find none for two placements of three.
    let taken =
        |page: u64| !((100..110).contains(&page) || (500..503).contains(&page) || page >= 985);
    is_uniform(&mut space(1000, taken), 2, MapOptions::default());
    // 5 of 5000: nearly every placement counts.
    let taken = |page: u64| page % 1000 != 7;
    is_uniform(&mut space(5000, taken), 1, MapOptions::default());
}

#[test]
fn uniform_in_a_window_and_aligned() {
    let window = Some((0x1_2345, 300 * PAGE));
    for taken in [
        |page: u64| page.is_multiple_of(5),
        |page: u64| !page.is_multiple_of(64),
    ] {
        let options = MapOptions {
            window,
            align: 4 * PAGE,
            ..MapOptions::default()
        };
        is_uniform(&mut space(500, taken), 1, options);
    }
}

#[test]
fn uniform_with_guards_and_a_reserved_range() {
    let guards = [
        Guard::below(3 * PAGE),
        Guard {
            below: 1,
            above: PAGE + 1,
        },
    ];
    let mut space = space(400, |_| false);
    let mut model = ReferenceSpace::new(0, 400 * PAGE, PAGE).unwrap();
    for (number, guard) in (1..).zip(guards) {
        space.set_guard(number, guard).unwrap();
        model.set_guard(number, guard);
    }
    space.reserve(200 * PAGE, 2 * PAGE).unwrap();
    model.reserve(200 * PAGE, 2 * PAGE).unwrap();
    for page in (0..370_u64).filter(|page| page.wrapping_mul(0x9e37_79b9) >> 7 & 15 == 0) {
        let mapping = DATA.with_guard((page % 3) as u8);
        let mapped = model.map_fixed_noreplace(page * PAGE, 3 * PAGE, mapping);
        let same = space.map_fixed_noreplace(page * PAGE, 3 * PAGE, mapping);
        assert_eq!(same, mapped);
    }
    for margin in [Guard::default(), Guard::above(PAGE)] {
        let options = MapOptions {
            margin,
            ..MapOptions::default()
        };
        let starts = model.starts_that_fit(2 * PAGE, &options);
        is_uniform_over(&starts, &mut space, 2, options);
    }
}

/// The first 50 addresses of a space that fills up.
fn sequence(placement: Placement) -> Vec<u64> {
    let mut space = space(100, |page| page % 7 == 0);
    space.set_placement(placement);
    (0..50)
        .map(|_| space.map_any(None, PAGE, DATA).unwrap())
        .collect()
}

#[test]
fn one_seed_one_sequence() {
    assert_eq!(
        sequence(Placement::Random(5)),
        sequence(Placement::Random(5))
    );
    assert_ne!(
        sequence(Placement::Random(5)),
        sequence(Placement::Random(6))
    );
}

#[test]
fn setting_the_placement_restarts_the_sequence() {
    let mut space = space(1000, |_| false);
    let mut draw = |restart| {
        if restart {
            space.set_placement(Placement::Random(9));
        }
        let addr = space.map_any(None, PAGE, DATA).unwrap();
        space.unmap(addr, PAGE, |_| ()).unwrap();
        addr
    };
    let (first, second) = (draw(true), draw(false));
    assert_ne!(first, second);
    assert_eq!((draw(true), draw(false)), (first, second));
}

#[test]
fn only_a_placement_that_maps_uses_a_draw_up() {
    let mut space = space(1000, |_| false);
    space.set_placement(Placement::Random(9));
    let next = space.find_free(PAGE, &MapOptions::default());
    assert_eq!(space.find_free(PAGE, &MapOptions::default()), next);
    assert_eq!(
        space.map_any(None, 1001 * PAGE, DATA),
        Err(SpaceError::NoFreeRange)
    );
    let nowhere = MapOptions {
        window: Some((0, 0)),
        ..MapOptions::default()
    };
    assert_eq!(
        space.map_any_with(PAGE, DATA, &nowhere),
        Err(SpaceError::NoFreeRange)
    );
    let own = MapOptions {
        placement: Some(Placement::Random(1)),
        ..MapOptions::default()
    };
    let once = space.map_any_with(PAGE, DATA, &own).unwrap();
    space.unmap(once, PAGE, |_| ()).unwrap();
    assert_eq!(
        space.map_any_with(PAGE, DATA, &own),
        Ok(once),
        "the seed of a call serves that call"
    );
    space.unmap(once, PAGE, |_| ()).unwrap();
    assert_eq!(space.map_any(None, PAGE, DATA), next);
}

#[test]
fn a_full_space_has_no_start() {
    let mut space = space(64, |_| true);
    space.set_placement(Placement::Random(3));
    assert_eq!(
        space.map_any(None, PAGE, DATA),
        Err(SpaceError::NoFreeRange)
    );
    space.unmap(63 * PAGE, PAGE, |_| ()).unwrap();
    assert_eq!(
        space.map_any(None, PAGE, DATA),
        Ok(63 * PAGE),
        "the only page, found by counting"
    );
}
