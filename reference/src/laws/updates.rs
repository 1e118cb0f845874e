//! Changing values in place: L3 and L7 of `update`.

use gaptree::RangeStore;

use super::cases::{Entry, comb, comb_key, comb_len, keys, store};
use super::state::{expect, expect_lawful};
use crate::Position;

pub(super) fn all<K: Position, S: RangeStore<K, char>>() {
    update_isolates_the_range::<K, S>();
    update_that_changes_nothing_splits_nothing::<K, S>();
    update_coalesces_at_both_edges::<K, S>();
    update_coalesces_inside::<K, S>();
    update_passes_over_gaps::<K, S>();
    update_keeps_apart_what_it_makes_different::<K, S>();
    update_of_many_pieces::<K, S>();
}

/// What `update` of `range` to `value` calls its closure with and leaves.
#[track_caller]
fn case<K: Position, S: RangeStore<K, char>>(
    before: &[Entry],
    range: std::ops::Range<u8>,
    value: char,
    pieces: &[Entry],
    after: &[Entry],
) {
    for fallible in [false, true] {
        let mut s: S = store(before);
        let mut seen = Vec::new();
        let f = |piece, old: &mut char| {
            seen.push((piece, *old));
            *old = value;
        };
        if fallible {
            s.try_update(keys(range.clone()), f).expect("memory");
        } else {
            s.update(keys(range.clone()), f);
        }
        let pieces: Vec<_> = pieces
            .iter()
            .map(|(piece, old)| (keys::<K>(piece.clone()), *old))
            .collect();
        assert_eq!(seen, pieces, "pieces");
        expect(&s, after);
    }
}

fn update_isolates_the_range<K: Position, S: RangeStore<K, char>>() {
    let one = [(10..20, 'a')];
    let split = [(10..13, 'a'), (13..17, 'b'), (17..20, 'a')];
    case::<K, S>(&one, 13..17, 'b', &[(13..17, 'a')], &split);
    case::<K, S>(
        &one,
        5..15,
        'b',
        &[(10..15, 'a')],
        &[(10..15, 'b'), (15..20, 'a')],
    );
    case::<K, S>(
        &one,
        15..25,
        'b',
        &[(15..20, 'a')],
        &[(10..15, 'a'), (15..20, 'b')],
    );
    case::<K, S>(&one, 0..40, 'b', &[(10..20, 'a')], &[(10..20, 'b')]);
    case::<K, S>(&one, 0..10, 'b', &[], &one);
    case::<K, S>(&one, 20..30, 'b', &[], &one);
}

fn update_that_changes_nothing_splits_nothing<K: Position, S: RangeStore<K, char>>() {
    let three = [(0..10, 'a'), (10..20, 'b'), (25..30, 'a')];
    for range in [3..7, 0..10, 5..15, 0..40, 10..11, 19..26, 9..20] {
        let mut s: S = store(&three);
        s.update(keys(range), |_, _| ());
        expect(&s, &three);
    }
}

fn update_coalesces_at_both_edges<K: Position, S: RangeStore<K, char>>() {
    let three = [(0..10, 'a'), (10..20, 'b'), (20..30, 'a')];
    case::<K, S>(&three, 10..20, 'a', &[(10..20, 'b')], &[(0..30, 'a')]);
    let left = [(0..15, 'a'), (15..20, 'b'), (20..30, 'a')];
    case::<K, S>(&three, 10..15, 'a', &[(10..15, 'b')], &left);
    let right = [(0..10, 'a'), (10..15, 'b'), (15..30, 'a')];
    case::<K, S>(&three, 15..20, 'a', &[(15..20, 'b')], &right);
}

fn update_coalesces_inside<K: Position, S: RangeStore<K, char>>() {
    let four = [(0..10, 'a'), (10..20, 'b'), (20..30, 'c'), (30..40, 'a')];
    let pieces = [(5..10, 'a'), (10..20, 'b'), (20..25, 'c')];
    let after = [(0..5, 'a'), (5..25, 'd'), (25..30, 'c'), (30..40, 'a')];
    case::<K, S>(&four, 5..25, 'd', &pieces, &after);
    let pieces = [(5..10, 'a'), (10..20, 'b'), (20..30, 'c'), (30..35, 'a')];
    case::<K, S>(&four, 5..35, 'a', &pieces, &[(0..40, 'a')]);
    let after = [(0..5, 'a'), (5..20, 'b'), (20..30, 'c'), (30..40, 'a')];
    case::<K, S>(&four, 5..15, 'b', &[(5..10, 'a'), (10..15, 'b')], &after);
}

fn update_passes_over_gaps<K: Position, S: RangeStore<K, char>>() {
    let three = [(0..5, 'a'), (10..15, 'b'), (20..25, 'a')];
    let pieces = [(3..5, 'a'), (10..15, 'b'), (20..22, 'a')];
    let after = [
        (0..3, 'a'),
        (3..5, 'z'),
        (10..15, 'z'),
        (20..22, 'z'),
        (22..25, 'a'),
    ];
    case::<K, S>(&three, 3..22, 'z', &pieces, &after);
}

fn update_keeps_apart_what_it_makes_different<K: Position, S: RangeStore<K, char>>() {
    let mut s: S = store(&[(0..5, 'a'), (5..10, 'b'), (10..15, 'a')]);
    s.update(keys(0..15), |_, value| {
        *value = if *value == 'a' { 'b' } else { 'a' }
    });
    expect(&s, &[(0..5, 'b'), (5..10, 'a'), (10..15, 'b')]);
    // The first piece becomes what the second was; the second is still its own.
    let mut seen = Vec::new();
    s.update(keys(2..8), |piece, value| {
        seen.push((piece, *value));
        *value = if *value == 'b' { 'a' } else { 'c' };
    });
    assert_eq!(seen, [(keys::<K>(2..5), 'b'), (keys(5..8), 'a')]);
    expect(
        &s,
        &[
            (0..2, 'b'),
            (2..5, 'a'),
            (5..8, 'c'),
            (8..10, 'a'),
            (10..15, 'b'),
        ],
    );
}

fn update_of_many_pieces<K: Position, S: RangeStore<K, char>>() {
    let count = comb_len::<K>(500);
    let mut s: S = comb(500);
    // Fill the gaps, so that every key has a neighbour; make everything one.
    for n in 0..count {
        s.insert(comb_key(2 * n + 1)..comb_key(2 * n + 2), 'c');
    }
    let all = comb_key::<K>(0)..comb_key(2 * count);
    assert_eq!(s.len() as u64, u64::from(2 * count));
    let mut pieces = 0;
    s.update(all.clone(), |_, value| {
        pieces += 1;
        *value = 'a';
    });
    assert_eq!(pieces, 2 * count);
    assert_eq!(s.iter().collect::<Vec<_>>(), [(all, &'a')]);
    expect_lawful(&s);
    s.update(comb_key::<K>(3)..comb_key(5), |_, value| *value = 'b');
    assert_eq!(s.len(), 3);
    expect_lawful(&s);
}
