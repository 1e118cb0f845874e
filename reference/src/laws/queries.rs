//! Asking without changing: L2 and L4.

use gaptree::{RangeStore, Segment};

use super::cases::{comb, comb_key, comb_len, key, keys, store};
use super::state::expect_lawful;
use crate::Position;

pub(super) fn all<K: Position, S: RangeStore<K, char>>() {
    get_finds_the_entry_around_a_key::<K, S>();
    segments_reach_to_both_neighbours::<K, S>();
    overlapping_entries_are_whole::<K, S>();
    gaps_are_clipped_to_the_window::<K, S>();
    both_ends_of_an_iterator_meet_in_the_middle::<K, S>();
    iterators_of_many_entries_meet_anywhere::<K, S>();
}

fn get_finds_the_entry_around_a_key<K: Position, S: RangeStore<K, char>>() {
    let s: S = store(&[(10..20, 'a'), (20..21, 'b')]);
    for inside in [10, 15, 19] {
        assert_eq!(s.get(key(inside)), Some((keys(10..20), &'a')));
    }
    assert_eq!(s.get(key(20)), Some((keys(20..21), &'b')));
    for outside in [9, 21, 0, 100] {
        assert_eq!(s.get(key(outside)), None);
    }
}

fn segments_reach_to_both_neighbours<K: Position, S: RangeStore<K, char>>() {
    let s: S = store(&[(10..20, 'a'), (30..40, 'b')]);
    assert_eq!(s.segment_at(key(10)), Segment::Entry(keys(10..20), &'a'));
    for inside in [20, 25, 29] {
        assert_eq!(s.segment_at(key(inside)), Segment::Gap(keys(20..30)));
    }
    assert_eq!(s.segment_at(key(9)), Segment::Gap(K::MIN..key(10)));
    assert_eq!(s.segment_at(K::MIN), Segment::Gap(K::MIN..key(10)));
    assert_eq!(s.segment_at(key(40)), Segment::Gap(key(40)..K::MAX));
    assert_eq!(s.segment_at(K::MAX), Segment::Gap(key(40)..K::MAX));
    assert_eq!(S::EMPTY.segment_at(key(3)), Segment::Gap(K::MIN..K::MAX));
}

fn overlapping_entries_are_whole<K: Position, S: RangeStore<K, char>>() {
    let s: S = store(&[(0..10, 'a'), (20..30, 'b'), (30..40, 'c')]);
    let starts = |range| {
        s.overlapping(keys(range))
            .map(|(range, _)| range)
            .collect::<Vec<_>>()
    };
    assert_eq!(starts(5..25), [keys(0..10), keys(20..30)]);
    assert_eq!(starts(10..20), []);
    assert_eq!(starts(9..21), [keys(0..10), keys(20..30)]);
    assert_eq!(starts(30..31), [keys(30..40)]);
    assert_eq!(starts(29..31), [keys(20..30), keys(30..40)]);
    assert_eq!(starts(40..90), []);
    assert!(s.overlaps(keys(0..1)) && s.overlaps(keys(9..10)) && !s.overlaps(keys(10..20)));
}

fn gaps_are_clipped_to_the_window<K: Position, S: RangeStore<K, char>>() {
    let s: S = store(&[(5..10, 'a'), (15..20, 'b'), (20..22, 'c')]);
    let gaps = |range| s.gaps(keys(range)).collect::<Vec<_>>();
    assert_eq!(gaps(0..25), [keys(0..5), keys(10..15), keys(22..25)]);
    assert_eq!(gaps(7..12), [keys(10..12)]);
    assert_eq!(gaps(12..14), [keys(12..14)]);
    assert_eq!(gaps(6..9), []);
    assert_eq!(gaps(15..22), []);
    let everything: Vec<_> = S::EMPTY.gaps(K::MIN..K::MAX).collect();
    assert_eq!(everything, [K::MIN..K::MAX]);
}

/// Takes `front` items from the front, then the rest from the back, and
/// expects every item once and both ends exhausted for good.
#[track_caller]
fn expect_to_meet<T: PartialEq + std::fmt::Debug>(
    items: impl DoubleEndedIterator<Item = T> + Clone,
    front: usize,
) {
    let all: Vec<T> = items.clone().collect();
    let mut rest = items;
    let mut taken: Vec<T> = rest.by_ref().take(front).collect();
    let copy: Vec<T> = rest.clone().collect();
    assert_eq!(copy, all[taken.len()..], "a clone of the rest");
    let mut shorter = rest.clone();
    let last = shorter.next_back();
    let mut folded = Vec::new();
    // By `fold`, which engines may do in their own way.
    shorter.for_each(|item| folded.push(item));
    folded.extend(last);
    assert_eq!(folded, all[taken.len()..], "the rest, folded");
    let mut from_back: Vec<T> = std::iter::from_fn(|| rest.next_back()).collect();
    for _ in 0..2 {
        assert_eq!(rest.next(), None, "exhausted");
        assert_eq!(rest.next_back(), None, "exhausted");
    }
    from_back.reverse();
    taken.extend(from_back);
    assert_eq!(taken, all, "{front} from the front, the rest from the back");
}

fn both_ends_of_an_iterator_meet_in_the_middle<K: Position, S: RangeStore<K, char>>() {
    let s: S = store(&[(5..10, 'a'), (15..20, 'b'), (20..22, 'c'), (30..40, 'a')]);
    for front in 0..6 {
        expect_to_meet(s.iter(), front);
        expect_to_meet(s.overlapping(keys(7..35)), front);
        expect_to_meet(s.gaps(K::MIN..K::MAX), front);
        expect_to_meet(s.gaps(keys(7..35)), front);
        expect_to_meet(s.gaps(keys(11..13)), front);
        expect_to_meet(S::EMPTY.iter(), front);
    }
}

fn iterators_of_many_entries_meet_anywhere<K: Position, S: RangeStore<K, char>>() {
    let s: S = comb(120);
    let count = comb_len::<K>(120);
    expect_lawful(&s);
    for front in (0..120).step_by(7) {
        expect_to_meet(s.iter(), front);
        let window = comb_key::<K>(17)..comb_key(2 * count - 20);
        expect_to_meet(s.overlapping(window.clone()), front);
        expect_to_meet(s.gaps(window), front);
    }
}
