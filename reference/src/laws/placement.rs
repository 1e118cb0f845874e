//! Placements: L5, and that `allocate` is `find_gap` and `insert`.

use gaptree::{GapQuery, Order, RangeStore};

use super::cases::{Entry, comb, comb_key, comb_len, key, keys, store};
use super::state::{expect, expect_lawful};
use crate::Position;

pub(super) fn all<K: Position, S: RangeStore<K, char>>() {
    the_lowest_and_the_highest_gap_that_fits::<K, S>();
    windows_limit_the_whole_placement::<K, S>();
    alignment_and_phase_are_exact::<K, S>();
    unsatisfiable_queries_find_nothing::<K, S>();
    allocate_is_find_gap_and_insert::<K, S>();
    allocate_coalesces_with_both_neighbours::<K, S>();
    longest_gap_is_the_lowest_of_the_longest::<K, S>();
    every_gap_of_many_is_found::<K, S>();
}

/// Free inside 0..60: 5..10, 20..30, 40..45, 55..60.
const BEFORE: [Entry; 4] = [(0..5, 'a'), (10..20, 'b'), (30..40, 'a'), (45..55, 'b')];

/// A query of small numbers inside a small window.
fn query<K: Position>(len: u8, window: std::ops::Range<u8>, order: Order) -> GapQuery<K> {
    GapQuery::new(K::length(u128::from(len)))
        .within(keys(window))
        .order(order)
}

fn the_lowest_and_the_highest_gap_that_fits<K: Position, S: RangeStore<K, char>>() {
    let s: S = store(&BEFORE);
    let cases = [
        (1, Some(5), Some(59)),
        (5, Some(5), Some(55)),
        (6, Some(20), Some(24)),
        (10, Some(20), Some(20)),
        (11, None, None),
    ];
    for (len, lowest, highest) in cases {
        let found = |order| s.find_gap(&query(len, 0..60, order));
        assert_eq!(found(Order::Lowest), lowest.map(key), "lowest of {len}");
        assert_eq!(found(Order::Highest), highest.map(key), "highest of {len}");
    }
}

fn windows_limit_the_whole_placement<K: Position, S: RangeStore<K, char>>() {
    let s: S = store(&BEFORE);
    let cases = [
        (3, 7..60, Some(7), Some(57)),
        (3, 8..60, Some(20), Some(57)),
        (3, 0..58, Some(5), Some(55)),
        (3, 0..57, Some(5), Some(42)),
        (3, 22..25, Some(22), Some(22)),
        (4, 22..25, None, None),
        (3, 10..20, None, None),
        (3, 28..42, None, None),
    ];
    for (len, window, lowest, highest) in cases {
        let found = |order| s.find_gap(&query(len, window.clone(), order));
        assert_eq!(
            found(Order::Lowest),
            lowest.map(key),
            "lowest of {len} in {window:?}"
        );
        assert_eq!(
            found(Order::Highest),
            highest.map(key),
            "highest of {len} in {window:?}"
        );
    }
}

fn alignment_and_phase_are_exact<K: Position, S: RangeStore<K, char>>() {
    let s: S = store(&BEFORE);
    // A gap that is just long enough after alignment is found: 8 is in 5..10.
    let cases = [
        (2, 8, 0, Some(8), Some(56)),
        (3, 8, 0, Some(24), Some(56)),
        (6, 8, 0, Some(24), Some(24)),
        (7, 8, 0, None, None),
        (1, 16, 9, Some(9), Some(57)),
        (5, 4, 1, Some(5), Some(25)),
        (2, 32, 31, None, None),
        (1, 32, 29, Some(29), Some(29)),
        (1, 2, 1, Some(5), Some(59)),
    ];
    for (len, align, phase, lowest, highest) in cases {
        let found = |order| {
            let (align, phase) = (K::length(align), K::length(phase));
            s.find_gap(&query(len, 0..60, order).aligned(align).phase(phase))
        };
        let what = format!("{len} keys, {phase} modulo {align}");
        assert_eq!(found(Order::Lowest), lowest.map(key), "lowest, {what}");
        assert_eq!(found(Order::Highest), highest.map(key), "highest, {what}");
    }
}

fn unsatisfiable_queries_find_nothing<K: Position, S: RangeStore<K, char>>() {
    for mut s in [S::EMPTY, store(&BEFORE)] {
        let before = s.clone();
        let of = |len: u128| GapQuery::<K>::new(K::length(len));
        let queries = [
            of(0),
            of(u128::MAX).within(key(0)..key(60)),
            of(61).within(key(0)..key(60)),
            of(1).aligned(K::length(0)),
            of(1).aligned(K::length(3)),
            of(1).aligned(K::length(12)),
            of(1).aligned(K::length(u128::MAX)),
            of(1).phase(K::length(1)),
            of(1).aligned(K::length(8)).phase(K::length(8)),
            of(1).aligned(K::length(8)).phase(K::length(u128::MAX)),
            of(1).within(key(60)..key(60)),
            of(1).within(key(60)..key(10)),
            of(1).within(K::MAX..K::MAX),
            of(1).within(K::MAX..K::MIN),
        ];
        for query in queries {
            for order in [Order::Lowest, Order::Highest] {
                let query = query.clone().order(order);
                assert_eq!(s.find_gap(&query), None, "{query:?}");
                assert_eq!(s.allocate(&query, 'z'), None, "{query:?}");
                assert_eq!(s.try_allocate(&query, 'z'), Ok(None), "{query:?}");
            }
        }
        assert!(
            s.iter().eq(before.iter()),
            "a query that fails changes nothing"
        );
        s.check();
    }
}

fn allocate_is_find_gap_and_insert<K: Position, S: RangeStore<K, char>>() {
    for (len, align) in (1..=11).flat_map(|len| [(len, 1), (len, 4), (len, 8)]) {
        for order in [Order::Lowest, Order::Highest] {
            for value in ['a', 'b', 'c'] {
                let query = query::<K>(len, 0..60, order).aligned(K::length(align));
                let mut expected: S = store(&BEFORE);
                let found = expected.find_gap(&query);
                if let Some(start) = found {
                    let end = K::at_most(start.position() + u128::from(len));
                    expected.insert(start..end, value);
                }
                let mut s: S = store(&BEFORE);
                assert_eq!(s.allocate(&query, value), found, "{query:?}");
                assert!(s.iter().eq(expected.iter()), "{query:?}");
                expect_lawful(&s);
            }
        }
    }
}

fn allocate_coalesces_with_both_neighbours<K: Position, S: RangeStore<K, char>>() {
    let mut s: S = store(&[(0..10, 'a'), (15..20, 'a')]);
    assert_eq!(
        s.allocate(&query(5, 0..60, Order::Lowest), 'a'),
        Some(key(10))
    );
    expect(&s, &[(0..20, 'a')]);
    assert_eq!(
        s.allocate(&query(5, 0..60, Order::Lowest), 'a'),
        Some(key(20))
    );
    expect(&s, &[(0..25, 'a')]);
    assert_eq!(
        s.allocate(&query(5, 0..40, Order::Highest), 'b'),
        Some(key(35))
    );
    assert_eq!(
        s.allocate(&query(5, 0..40, Order::Highest), 'b'),
        Some(key(30))
    );
    expect(&s, &[(0..25, 'a'), (30..40, 'b')]);
}

fn longest_gap_is_the_lowest_of_the_longest<K: Position, S: RangeStore<K, char>>() {
    let s: S = store(&BEFORE);
    assert_eq!(s.longest_gap(keys(0..60)), Some(keys(20..30)));
    assert_eq!(
        s.longest_gap(keys(0..25)),
        Some(keys(5..10)),
        "5..10 and 20..25 are equal"
    );
    assert_eq!(s.longest_gap(keys(0..26)), Some(keys(20..26)));
    assert_eq!(s.longest_gap(keys(26..60)), Some(keys(40..45)));
    assert_eq!(s.longest_gap(keys(10..20)), None);
    assert_eq!(s.longest_gap(keys(8..20)), Some(keys(8..10)));
    assert_eq!(S::EMPTY.longest_gap(K::MIN..K::MAX), Some(K::MIN..K::MAX));
    assert_eq!(S::EMPTY.longest_gap(K::MAX..K::MAX), None);
}

fn every_gap_of_many_is_found<K: Position, S: RangeStore<K, char>>() {
    let count = comb_len::<K>(300);
    let inside = comb_key::<K>(0)..comb_key(2 * count - 1);
    let full: S = comb(300);
    for n in 0..count - 1 {
        // One gap of two keys among gaps of one; then it is filled again.
        let mut s = full.clone();
        let hole = comb_key::<K>(2 * n + 1);
        s.insert(hole..comb_key(2 * n + 2), 'c');
        s.remove(comb_key(2 * n)..hole);
        let wanted = (n > 0).then(|| comb_key::<K>(2 * n - 1));
        for order in [Order::Lowest, Order::Highest] {
            let query = GapQuery::new(K::length(2))
                .within(inside.clone())
                .order(order);
            assert_eq!(s.find_gap(&query), wanted, "gap {n}, {order:?}");
            let mut filled = s.clone();
            assert_eq!(filled.allocate(&query, 'd'), wanted, "gap {n}, {order:?}");
            assert_eq!(
                filled.find_gap(&query),
                None,
                "gap {n} is filled, {order:?}"
            );
            filled.check();
        }
        let longest = s.longest_gap(inside.clone()).map(|gap| gap.start);
        assert_eq!(longest, wanted.or(Some(comb_key(0))), "gap {n}");
    }
}
