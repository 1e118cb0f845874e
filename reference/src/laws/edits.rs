//! Inserting, removing, clearing and copying: L1, L2, L3.

use gaptree::RangeStore;

use super::cases::{Entry, comb, comb_key, comb_len, key, keys, store};
use super::state::{expect, expect_lawful};
use crate::Position;

pub(super) fn all<K: Position, S: RangeStore<K, char>>() {
    a_new_store_is_empty::<K, S>();
    insert_overwrites::<K, S>();
    insert_splits_and_trims::<K, S>();
    insert_coalesces_on_both_sides::<K, S>();
    insert_coalesces_across_everything::<K, S>();
    remove_splits_and_trims::<K, S>();
    empty_and_inverted_ranges_do_nothing::<K, S>();
    clear_empties::<K, S>();
    clones_are_independent::<K, S>();
    entries_build_what_inserting_them_makes::<K, S>();
    built_entries_can_be_edited::<K, S>();
    many_entries_come_and_go::<K, S>();
}

fn a_new_store_is_empty<K: Position, S: RangeStore<K, char>>() {
    expect::<K, S>(&S::EMPTY, &[]);
}

fn insert_overwrites<K: Position, S: RangeStore<K, char>>() {
    let mut s: S = store(&[(10..20, 'a')]);
    s.insert(keys(10..20), 'b');
    expect(&s, &[(10..20, 'b')]);
    s.insert(keys(5..25), 'c');
    expect(&s, &[(5..25, 'c')]);
    let several = [(0..5, 'a'), (10..15, 'b'), (15..16, 'a'), (20..25, 'c')];
    let mut s: S = store(&several);
    s.insert(keys(10..20), 'd');
    expect(&s, &[(0..5, 'a'), (10..20, 'd'), (20..25, 'c')]);
    s.insert(keys(0..25), 'b');
    expect(&s, &[(0..25, 'b')]);
}

fn insert_splits_and_trims<K: Position, S: RangeStore<K, char>>() {
    let one = [(10..20, 'a')];
    let cases: [(_, &[_]); 6] = [
        (13..17, &[(10..13, 'a'), (13..17, 'b'), (17..20, 'a')]),
        (10..13, &[(10..13, 'b'), (13..20, 'a')]),
        (17..20, &[(10..17, 'a'), (17..20, 'b')]),
        (5..15, &[(5..15, 'b'), (15..20, 'a')]),
        (15..25, &[(10..15, 'a'), (15..25, 'b')]),
        (20..22, &[(10..20, 'a'), (20..22, 'b')]),
    ];
    for (range, entries) in cases {
        let mut s: S = store(&one);
        s.insert(keys(range), 'b');
        expect(&s, entries);
    }
    let mut s: S = store(&[(0..5, 'a'), (10..15, 'b'), (20..25, 'c')]);
    s.insert(keys(3..22), 'd');
    expect(&s, &[(0..3, 'a'), (3..22, 'd'), (22..25, 'c')]);
}

fn insert_coalesces_on_both_sides<K: Position, S: RangeStore<K, char>>() {
    let two = [(0..5, 'a'), (10..15, 'a')];
    let cases: [(_, &[_]); 6] = [
        (5..7, &[(0..7, 'a'), (10..15, 'a')]),
        (7..10, &[(0..5, 'a'), (7..15, 'a')]),
        (5..10, &[(0..15, 'a')]),
        (3..12, &[(0..15, 'a')]),
        (1..4, &[(0..5, 'a'), (10..15, 'a')]),
        (15..16, &[(0..5, 'a'), (10..16, 'a')]),
    ];
    for (range, entries) in cases {
        let mut s: S = store(&two);
        s.insert(keys(range), 'a');
        expect(&s, entries);
    }
    let mut s: S = store(&[(0..5, 'a'), (5..10, 'b'), (10..15, 'a')]);
    s.insert(keys(5..10), 'a');
    expect(&s, &[(0..15, 'a')]);
}

fn insert_coalesces_across_everything<K: Position, S: RangeStore<K, char>>() {
    let mut s: S = comb(200);
    let end = comb_key::<K>(2 * comb_len::<K>(200) - 1);
    s.insert(comb_key(1)..end, 'a');
    let (range, _) = s.first().expect("the entry that all became");
    assert_eq!(range, comb_key(0)..end);
    assert_eq!(s.len(), 1);
    expect_lawful(&s);
}

fn remove_splits_and_trims<K: Position, S: RangeStore<K, char>>() {
    let two = [(0..10, 'a'), (10..20, 'b')];
    let cases: [(_, &[_]); 8] = [
        (3..7, &[(0..3, 'a'), (7..10, 'a'), (10..20, 'b')]),
        (0..5, &[(5..10, 'a'), (10..20, 'b')]),
        (15..30, &[(0..10, 'a'), (10..15, 'b')]),
        (5..15, &[(0..5, 'a'), (15..20, 'b')]),
        (0..10, &[(10..20, 'b')]),
        (0..20, &[]),
        (20..40, &[(0..10, 'a'), (10..20, 'b')]),
        (9..11, &[(0..9, 'a'), (11..20, 'b')]),
    ];
    for (range, entries) in cases {
        let mut s: S = store(&two);
        s.remove(keys(range));
        expect(&s, entries);
    }
    let mut s: S = store(&[(5..10, 'a')]);
    s.remove(keys(0..20));
    expect(&s, &[]);
}

/// What no sink is called for.
fn never() {
    unreachable!("no key, no piece");
}

fn empty_and_inverted_ranges_do_nothing<K: Position, S: RangeStore<K, char>>() {
    let two = [(0..10, 'a'), (20..30, 'b')];
    let ends = [
        (5, 5),
        (0, 0),
        (10, 10),
        (15, 15),
        (7, 3),
        (25, 5),
        (30, 0),
        (20, 10),
    ];
    for (start, end) in ends {
        let mut s: S = store(&two);
        let range = keys(start..end);
        s.insert(range.clone(), 'c');
        s.insert_with(range.clone(), 'c', |_, _| never());
        s.remove(range.clone());
        s.remove_with(range.clone(), |_, _| never());
        s.update(range.clone(), |_, _| never());
        assert!(!s.overlaps(range.clone()));
        assert_eq!(s.overlapping(range.clone()).next(), None);
        assert_eq!(s.overlapping(range.clone()).next_back(), None);
        assert_eq!(s.gaps(range.clone()).next(), None);
        assert_eq!(s.gaps(range.clone()).next_back(), None);
        assert_eq!(s.longest_gap(range), None);
        expect(&s, &two);
    }
}

fn clear_empties<K: Position, S: RangeStore<K, char>>() {
    let mut s: S = comb(100);
    s.clear();
    expect(&s, &[]);
    s.insert(keys(1..2), 'a');
    expect(&s, &[(1..2, 'a')]);
}

fn clones_are_independent<K: Position, S: RangeStore<K, char>>() {
    let two = [(0..10, 'a'), (20..30, 'b')];
    let mut s: S = store(&two);
    let copies = [s.clone(), s.try_clone().expect("memory")];
    s.remove(keys(5..25));
    for mut copy in copies {
        expect(&copy, &two);
        copy.insert(keys(10..20), 'c');
        expect(&copy, &[(0..10, 'a'), (10..20, 'c'), (20..30, 'b')]);
    }
    expect(&s, &[(0..5, 'a'), (25..30, 'b')]);
    let large: S = comb(200);
    let copy = large.clone();
    drop(large);
    expect_lawful(&copy);
    assert_eq!(copy.len() as u64, u64::from(comb_len::<K>(200)));
}

/// In order as long as they are, overlapping, touching, empty, inverted.
fn entries_build_what_inserting_them_makes<K: Position, S: RangeStore<K, char>>() {
    let mut entries: Vec<Entry> = Vec::new();
    let mut compare = |more: &[Entry]| {
        entries.extend_from_slice(more);
        let given = entries.iter();
        let given = given.map(|(range, value)| (keys(range.clone()), *value));
        let built = S::try_from_entries(given).expect("memory");
        expect_lawful(&built);
        let inserted: S = store(&entries);
        assert!(built.iter().eq(inserted.iter()), "{entries:?}");
    };
    compare(&[]);
    compare(&[(7..7, 'z')]);
    for n in 0..30_u8 {
        let value = char::from(b'a' + n / 2 % 3);
        // Touching the one before, in every third case.
        compare(&[(3 * n..3 * n + 2 + u8::from(n % 3 == 0), value)]);
    }
    #[expect(clippy::reversed_empty_ranges, reason = "the case")]
    compare(&[(95..94, 'z'), (96..96, 'z')]);
    compare(&[(91..92, 'a'), (10..11, 'a')]);
    compare(&[(92..94, 'a'), (0..60, 'b'), (93..95, 'c')]);
}

fn built_entries_can_be_edited<K: Position, S: RangeStore<K, char>>() {
    let values = ['a', 'b'].into_iter().cycle();
    let entries = || (0..40).map(|n| keys(2 * n..2 * n + 2)).zip(values.clone());
    for n in 0..40 {
        let mut s = S::try_from_entries(entries()).expect("memory");
        s.insert(keys(2 * n + 1..2 * n + 2), 'c');
        expect_lawful(&s);
        s.remove(keys(2 * n..2 * n + 1));
        expect_lawful(&s);
        assert_eq!(s.len(), 40);
    }
}

fn many_entries_come_and_go<K: Position, S: RangeStore<K, char>>() {
    let count = comb_len::<K>(1000);
    let mut s: S = comb(1000);
    assert_eq!(s.len() as u64, u64::from(count));
    expect_lawful(&s);
    // Every third one, from the top, then all but the edges, then those.
    for n in (0..count).rev().step_by(3) {
        s.remove(comb_key(2 * n)..comb_key(2 * n + 1));
        s.check();
    }
    assert_eq!(s.len() as u64, u64::from(count - count.div_ceil(3)));
    expect_lawful(&s);
    s.remove(comb_key(3)..comb_key(2 * count - 6));
    assert_eq!(s.get(comb_key(4)), None);
    expect_lawful(&s);
    s.remove(key::<K>(0)..K::MAX);
    s.remove(K::MIN..key(0));
    expect(&s, &[]);
}
