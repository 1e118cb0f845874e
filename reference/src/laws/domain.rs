//! The edges of the key type: nothing overflows, wraps or panics there.

use gaptree::{GapQuery, Order, RangeStore, Segment};

use super::cases::key;
use super::state::expect_lawful;
use crate::Position;

pub(super) fn all<K: Position, S: RangeStore<K, char>>() {
    an_entry_can_be_the_whole_domain::<K, S>();
    entries_at_both_ends_of_the_domain::<K, S>();
    placements_at_both_ends_of_the_domain::<K, S>();
    large_alignments::<K, S>();
    order_goes_through_zero::<K, S>();
}

/// The key at this distance below the largest.
fn below_max<K: Position>(distance: u128) -> K {
    K::at(K::MAX.position() - distance).expect("a key")
}

/// The key at this distance above the smallest.
fn above_min<K: Position>(distance: u128) -> K {
    K::at(distance).expect("a key")
}

fn an_entry_can_be_the_whole_domain<K: Position, S: RangeStore<K, char>>() {
    let mut s = S::EMPTY;
    s.insert(K::MIN..K::MAX, 'a');
    expect_lawful(&s);
    assert_eq!(s.len(), 1);
    assert_eq!(s.get(K::MIN), Some((K::MIN..K::MAX, &'a')));
    assert_eq!(s.get(below_max(1)), Some((K::MIN..K::MAX, &'a')));
    assert_eq!(
        s.get(K::MAX),
        None,
        "a half-open range does not contain the largest key"
    );
    assert_eq!(s.segment_at(K::MAX), Segment::Gap(K::MAX..K::MAX));
    assert_eq!(s.longest_gap(K::MIN..K::MAX), None);
    for order in [Order::Lowest, Order::Highest] {
        assert_eq!(s.find_gap(&GapQuery::new(K::ONE).order(order)), None);
    }
    s.update(key(5)..key(6), |_, value| *value = 'b');
    assert_eq!(s.len(), 3);
    expect_lawful(&s);
    let mut pieces = Vec::new();
    s.remove_with(K::MIN..K::MAX, |piece, value| pieces.push((piece, value)));
    let expected = [
        (K::MIN..key(5), 'a'),
        (key(5)..key(6), 'b'),
        (key(6)..K::MAX, 'a'),
    ];
    assert_eq!(pieces, expected);
    assert!(s.is_empty());
    expect_lawful(&s);
}

fn entries_at_both_ends_of_the_domain<K: Position, S: RangeStore<K, char>>() {
    let mut s = S::EMPTY;
    s.insert(K::MIN..above_min(1), 'a');
    s.insert(below_max(1)..K::MAX, 'a');
    expect_lawful(&s);
    assert_eq!(
        s.segment_at(above_min(1)),
        Segment::Gap(above_min(1)..below_max(1))
    );
    assert_eq!(
        s.gaps(K::MIN..K::MAX).collect::<Vec<_>>(),
        [above_min(1)..below_max(1)]
    );
    assert_eq!(
        s.longest_gap(K::MIN..K::MAX),
        Some(above_min(1)..below_max(1))
    );
    assert!(s.overlaps(below_max(1)..K::MAX) && s.overlaps(K::MIN..K::MAX));
    assert!(!s.overlaps(K::MAX..K::MAX) && !s.overlaps(K::MAX..K::MIN));
    s.insert(K::MAX..K::MAX, 'b');
    s.insert(K::MAX..K::MIN, 'b');
    s.remove(K::MAX..K::MIN);
    assert_eq!(s.len(), 2);
    s.insert(above_min(1)..below_max(1), 'a');
    assert_eq!(s.iter().collect::<Vec<_>>(), [(K::MIN..K::MAX, &'a')]);
    s.remove(above_min(1)..K::MAX);
    assert_eq!(s.iter().collect::<Vec<_>>(), [(K::MIN..above_min(1), &'a')]);
    expect_lawful(&s);
}

fn placements_at_both_ends_of_the_domain<K: Position, S: RangeStore<K, char>>() {
    let mut s = S::EMPTY;
    let one = GapQuery::new(K::ONE);
    let everything = GapQuery::new(K::length(K::MAX.position()));
    assert_eq!(s.find_gap(&everything), Some(K::MIN));
    assert_eq!(
        s.find_gap(&everything.clone().order(Order::Highest)),
        Some(K::MIN)
    );
    assert_eq!(s.allocate(&one, 'a'), Some(K::MIN));
    assert_eq!(
        s.allocate(&one.clone().order(Order::Highest), 'a'),
        Some(below_max(1))
    );
    assert_eq!(s.find_gap(&everything), None);
    expect_lawful(&s);
    let rest = GapQuery::new(K::length(K::MAX.position() - 2));
    assert_eq!(s.find_gap(&rest), Some(above_min(1)));
    assert_eq!(
        s.allocate(&rest.order(Order::Highest), 'a'),
        Some(above_min(1))
    );
    assert_eq!(s.iter().collect::<Vec<_>>(), [(K::MIN..K::MAX, &'a')]);
    expect_lawful(&s);
}

fn large_alignments<K: Position, S: RangeStore<K, char>>() {
    // The largest power of two that is a length, so a multiple of it is a key:
    // the smallest key of a signed type, zero of an unsigned one.
    let align = 1_u128 << (K::wide(K::length(u128::MAX)) >> 1).ilog2();
    let align = align << 1;
    let aligned = GapQuery::<K>::new(K::ONE).aligned(K::length(align));
    let mut s = S::EMPTY;
    let expected = |query: &GapQuery<K>, free_from: u128| {
        let phase = K::wide(query.phase);
        let residue = |position: u128| (position % align + align - K::ZERO % align) % align;
        let lowest = free_from + (phase + align - residue(free_from)) % align;
        (lowest < K::MAX.position()).then(|| above_min::<K>(lowest))
    };
    assert_eq!(s.find_gap(&aligned), expected(&aligned, 0));
    let phased = aligned.clone().phase(K::length(align - 1));
    assert_eq!(s.find_gap(&phased), expected(&phased, 0));
    s.insert(K::MIN..above_min(1), 'a');
    assert_eq!(s.find_gap(&aligned), expected(&aligned, 1));
    assert_eq!(s.find_gap(&phased), expected(&phased, 1));
    expect_lawful(&s);
}

fn order_goes_through_zero<K: Position, S: RangeStore<K, char>>() {
    // For signed keys these lie on both sides of zero.
    let mut s = S::EMPTY;
    for number in [60_u8, 20, 40, 30, 31, 50, 10] {
        s.insert(key(number)..key(number + 1), char::from(b'a' + number % 3));
    }
    let starts: Vec<K> = s.iter().map(|(range, _)| range.start).collect();
    assert_eq!(starts, [10, 20, 30, 31, 40, 50, 60].map(key));
    expect_lawful(&s);
}
