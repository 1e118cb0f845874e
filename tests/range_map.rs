//! `RangeMap`: every kind of key up to both ends of its domain, and the traits
//! that it shares with `BTreeMap`.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gaptree::{BTreeStore, GapQuery, Order, RangeMap, RangeStore, Segment, SortedVecStore};

/// The same law for every primitive integer, at the ends of its domain.
macro_rules! whole_domain {
    ($($key:ident)*) => {
        $(#[test]
        fn $key() {
            whole_domain_of::<BTreeStore<$key, char>>();
            whole_domain_of::<SortedVecStore<$key, char>>();

            fn whole_domain_of<S: RangeStore<$key, char>>() {
                const MIN: $key = $key::MIN;
                const MAX: $key = $key::MAX;
                let all = MAX.abs_diff(MIN);
                let mut map = RangeMap::<$key, char, S>::with_engine();
                assert_eq!(map.segment_at(MAX), Segment::Gap(MIN..MAX));
                assert_eq!(map.longest_gap(MIN..MAX), Some(MIN..MAX));
                assert_eq!(map.allocate(&GapQuery::new(all), 'a'), Some(MIN));
                assert_eq!(map.get_key_value(MAX - 1), Some((MIN..MAX, &'a')));
                assert_eq!(map.get(MAX), None, "no range contains the largest key");
                assert_eq!(map.segment_at(MAX), Segment::Gap(MAX..MAX));

                map.remove(MIN + 1..MAX - 1);
                let (low, high) = (MIN..MIN + 1, MAX - 1..MAX);
                assert!(map.iter().eq([(low.clone(), &'a'), (high.clone(), &'a')]));
                assert!(map.gaps(MIN..MAX).eq([MIN + 1..MAX - 1]));
                assert_eq!(map.segment_at(MIN + 1), Segment::Gap(MIN + 1..MAX - 1));
                assert!(map.overlapping(MAX - 1..MAX).eq([(high.clone(), &'a')]));
                assert!(map.overlaps(MIN..MIN + 1) && !map.overlaps(MIN + 1..MAX - 1));

                let highest = |len| GapQuery::new(len).order(Order::Highest);
                assert_eq!(map.find_gap(&GapQuery::new(all - 2)), Some(MIN + 1));
                assert_eq!(map.find_gap(&highest(all - 2)), Some(MIN + 1));
                assert_eq!(map.find_gap(&GapQuery::new(all - 1)), None);
                assert_eq!(map.find_gap(&highest(1)), Some(MAX - 2));
                assert_eq!(map.find_gap(&GapQuery::new(all).within(MIN..MAX)), None);
                assert_eq!(map.find_gap(&highest(1).aligned(64)), Some(MAX / 64 * 64));
                assert_eq!(map.find_gap(&GapQuery::new(1).aligned(64)), Some(MIN + 64));

                for (start, end) in [(MIN, MIN), (MAX, MAX), (MAX, MIN), (5, 5), (7, 3)] {
                    let empty = start..end;
                    map.insert(empty.clone(), 'b');
                    map.remove(empty.clone());
                    map.update(empty.clone(), |_, _| -> () { panic!("a piece of {empty:?}") });
                    assert!(!map.overlaps(empty.clone()) && map.gaps(empty.clone()).next().is_none());
                    assert_eq!(map.overlapping(empty.clone()).count(), 0, "{empty:?}");
                    assert_eq!(map.longest_gap(empty), None);
                }
                map.update(MIN..MAX, |_, value| *value = 'c');
                map.insert(MIN + 1..MAX - 1, 'c');
                assert!(map.iter().eq([(MIN..MAX, &'c')]));
                map.check();
            }
        })*
    };
}

mod domain_of {
    use super::*;

    whole_domain!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);
}

/// Steele, Lea and Flood's generator, for tests that must repeat.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u16) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u8::try_from((z ^ (z >> 31)) % u64::from(bound)).unwrap()
    }
}

/// A map of 255 keys, as many as ranges over 256 can contain, and the same as an
/// array; `key` gives the map's key for a place in the array.
struct Lockstep<S, F> {
    map: RangeMap<i16, u8, S>,
    array: [Option<u8>; 255],
    key: F,
}

/// What an operation makes of a value; different ones can become equal.
fn changed(old: u8, value: u8) -> u8 {
    old.min(value)
}

impl<S: RangeStore<i16, u8>, F: Fn(usize) -> i16> Lockstep<S, F> {
    /// Keys and values of a part of the array.
    fn pairs(&self, places: Range<usize>) -> Vec<(i16, u8)> {
        let values = places.filter_map(|place| Some((place, self.array[place]?)));
        values
            .map(|(place, value)| ((self.key)(place), value))
            .collect()
    }

    /// Inserts, removes or updates on both sides and compares what is reported.
    fn edit(&mut self, operation: u8, places: Range<usize>, value: u8, context: &str) {
        let expected = self.pairs(places.clone());
        let mut reported = Vec::new();
        let mut report = |piece: Range<i16>, old| reported.extend(piece.map(|key| (key, old)));
        let range = (self.key)(places.start)..(self.key)(places.end);
        let slots = &mut self.array[places];
        match operation {
            0 => {
                slots.fill(Some(value));
                self.map.insert_with(range, value, report);
            }
            1 => {
                slots.fill(None);
                self.map.remove_with(range, report);
            }
            _ => {
                let old = slots.iter_mut().flatten();
                old.for_each(|old| *old = changed(*old, value));
                self.map.update(range, |piece, old| {
                    report(piece, *old);
                    *old = changed(*old, value);
                });
            }
        }
        assert_eq!(reported, expected, "{context}: reported");
    }

    /// Changes all values but this one, which goes.
    fn retain(&mut self, value: u8, context: &str) {
        let expected = self.pairs(0..255);
        let mut asked = Vec::new();
        for slot in &mut self.array {
            *slot = slot
                .filter(|old| *old != value)
                .map(|old| changed(old, value));
        }
        self.map.retain(|piece, old| {
            asked.extend(piece.clone().map(|key| (key, *old)));
            let keep = *old != value;
            *old = changed(*old, value);
            keep
        });
        assert_eq!(asked, expected, "{context}: asked about");
    }

    fn run(&mut self, seed: u64) {
        let mut random = Random(seed);
        for step in 0..400 {
            let mut below = |bound| random.below(bound);
            let (operation, value) = (below(4), below(3));
            let ends = [below(256), below(256)].map(usize::from);
            let places = ends[0].min(ends[1])..ends[0].max(ends[1]);
            let context = format!("seed {seed}, operation {step}: {operation} {places:?} {value}");
            match operation {
                3 => self.retain(value, &context),
                _ => self.edit(operation, places, value, &context),
            }
            self.map.check();
            let entries = self.map.iter();
            let pairs = entries.flat_map(|(range, value)| range.map(move |key| (key, *value)));
            assert!(
                pairs.eq(self.pairs(0..255)),
                "{context}: {:?}, expected {:?}",
                self.map,
                self.array
            );
        }
    }
}

/// Twenty runs on this engine, with keys from `first` on.
fn agrees_with_an_array<S: RangeStore<i16, u8>>(first: i16) {
    for seed in 0..20 {
        let map = RangeMap::<i16, u8, S>::with_engine();
        let key = |place| first + i16::try_from(place).unwrap();
        Lockstep {
            map,
            array: [None; 255],
            key,
        }
        .run(seed);
    }
}

#[test]
fn every_operation_agrees_with_an_array() {
    agrees_with_an_array::<BTreeStore<i16, u8>>(i16::MIN);
    agrees_with_an_array::<BTreeStore<i16, u8, 4, 3>>(-128);
    agrees_with_an_array::<SortedVecStore<i16, u8>>(i16::MAX - 255);
}

fn sample() -> RangeMap<i32, &'static str> {
    RangeMap::from([(0..5, "a"), (7..9, "b"), (9..12, "c")])
}

#[test]
fn debug_shows_ranges_and_values() {
    assert_eq!(
        format!("{:?}", sample()),
        r#"{0..5: "a", 7..9: "b", 9..12: "c"}"#
    );
    assert_eq!(format!("{:?}", RangeMap::<u8, u8>::new()), "{}");
}

#[test]
fn equality_and_hash_compare_ranges_and_values() {
    let mut same = RangeMap::new();
    same.extend([
        (9..20, "c"),
        (7..9, "b"),
        (0..3, "a"),
        (3..5, "a"),
        (12..20, "x"),
    ]);
    same.remove(12..20);
    assert_eq!(same, sample());
    let mut longer = sample();
    longer.insert(12..13, "c");
    let mut other = sample();
    other.insert(7..9, "x");
    assert_ne!(longer, sample());
    assert_ne!(other, sample());
    let hash =
        |map: &RangeMap<i32, &str>| BuildHasherDefault::<DefaultHasher>::default().hash_one(map);
    assert_eq!(hash(&same), hash(&sample()));
    assert_ne!(hash(&longer), hash(&sample()));
    assert_ne!(hash(&other), hash(&sample()));
    let set = HashSet::from([sample(), same, longer, other, RangeMap::new()]);
    assert_eq!(set.len(), 4);
}

#[test]
fn later_ranges_overwrite_earlier_ones() {
    let map: RangeMap<u8, u8> = [(0..9, 1), (3..6, 2), (5..7, 1)].into_iter().collect();
    assert!(map.iter().eq([(0..3, &1), (3..5, &2), (5..9, &1)]));
}

#[test]
fn iterators_meet_in_the_middle_and_stay_there() {
    fn exhaust<I: DoubleEndedIterator>(mut items: I) -> Vec<I::Item> {
        let mut front = Vec::new();
        let mut back = Vec::new();
        while let Some(item) = items.next() {
            front.push(item);
            back.extend(items.next_back());
        }
        assert!(items.next().is_none() && items.next_back().is_none());
        assert!(items.next().is_none() && items.next_back().is_none());
        front.extend(back.into_iter().rev());
        front
    }
    let map = sample();
    let entries = [(0..5, "a"), (7..9, "b"), (9..12, "c")];
    let borrowed = exhaust(map.iter()).into_iter();
    assert!(
        borrowed
            .map(|(range, value)| (range, *value))
            .eq(entries.clone())
    );
    assert_eq!(exhaust(map.keys()), [0..5, 7..9, 9..12]);
    assert_eq!(exhaust(map.values()), [&"a", &"b", &"c"]);
    assert_eq!(exhaust(map.gaps(-3..20)), [-3..0, 5..7, 12..20]);
    assert_eq!(exhaust(map.overlapping(4..8)), [(0..5, &"a"), (7..9, &"b")]);
    assert_eq!(map.clone().into_iter().len(), 3);
    assert_eq!(map.clone().into_iter().next_back(), Some((9..12, "c")));
    assert_eq!(exhaust(map.into_iter()), entries);
}

#[test]
fn ends_and_lookups() {
    let map = sample();
    assert_eq!(map.first_key_value(), Some((0..5, &"a")));
    assert_eq!(map.last_key_value(), Some((9..12, &"c")));
    assert_eq!(
        (map.get(4), map.get(5), map.get(8)),
        (Some(&"a"), None, Some(&"b"))
    );
    assert!(map.contains_key(9) && !map.contains_key(12));
    assert_eq!((map.len(), map.is_empty()), (3, false));
    let empty = RangeMap::<u8, u8>::default();
    assert_eq!(
        (empty.first_key_value(), empty.last_key_value()),
        (None, None)
    );
}

#[test]
fn values_leave_a_map_uncloned() {
    /// Aborts the test when cloned.
    #[derive(PartialEq, Debug)]
    struct Unclonable(u8);
    impl Clone for Unclonable {
        fn clone(&self) -> Self {
            panic!("{self:?} was cloned")
        }
    }
    let mut map = RangeMap::from([(0..2_u8, Unclonable(1)), (2..4, Unclonable(2))]);
    map.retain(|range, _| range.start > 0);
    let mut replaced = Vec::new();
    map.insert_with(2..4, Unclonable(3), |_, value| replaced.push(value.0));
    assert_eq!(replaced, [2]);
    assert_eq!(map.into_iter().next(), Some((2..4, Unclonable(3))));
}

#[test]
fn a_panic_in_retain_loses_the_entry_it_was_asked_about() {
    let mut map: RangeMap<u32, u32> = (0..200).map(|i| (2 * i..2 * i + 1, i)).collect();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        map.retain(|_, value| {
            assert!(*value != 120, "as planned");
            *value += 1000;
            *value % 2 == 0
        });
    }));
    assert!(outcome.is_err());
    map.check();
    let kept = (0..120)
        .filter(|i| i % 2 == 0)
        .map(|i| (2 * i..2 * i + 1, i + 1000));
    let unseen = (121..200).map(|i| (2 * i..2 * i + 1, i));
    assert!(map.into_iter().eq(kept.chain(unseen)));
}

#[test]
fn a_clone_is_independent() {
    let mut map = sample();
    let copies = [map.clone(), map.try_clone().unwrap()];
    map.clear();
    assert!(map.is_empty());
    assert_eq!(copies, [sample(), sample()]);
}

#[test]
fn try_twins_do_the_same() {
    fn pieces(
        call: impl FnOnce(&mut dyn FnMut(Range<i32>, &'static str)),
    ) -> Vec<(Range<i32>, &'static str)> {
        let mut pieces = Vec::new();
        call(&mut |range, value| pieces.push((range, value)));
        pieces
    }
    let (mut plain, mut fallible) = (sample(), sample());
    plain.insert(3..8, "d");
    fallible.try_insert(3..8, "d").unwrap();
    let replaced = pieces(|sink| plain.insert_with(4..10, "e", sink));
    assert_eq!(replaced, [(4..8, "d"), (8..9, "b"), (9..10, "c")]);
    assert_eq!(
        pieces(|sink| fallible.try_insert_with(4..10, "e", sink).unwrap()),
        replaced
    );
    plain.update(5..6, |_, value| *value = "f");
    fallible.try_update(5..6, |_, value| *value = "f").unwrap();
    let query = GapQuery::new(2).within(0..40);
    assert_eq!(plain.allocate(&query, "g"), Some(12));
    assert_eq!(fallible.try_allocate(&query, "g"), Ok(Some(12)));
    plain.remove(0..1);
    fallible.try_remove(0..1).unwrap();
    let removed = pieces(|sink| plain.remove_with(5..7, sink));
    assert_eq!(removed, [(5..6, "f"), (6..7, "e")]);
    assert_eq!(
        pieces(|sink| fallible.try_remove_with(5..7, sink).unwrap()),
        removed
    );
    assert_eq!(plain, fallible);
}

#[test]
fn a_map_is_sent_and_shared_where_its_values_are() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    static EMPTY: RangeMap<u64, String> = RangeMap::new();
    is_send_and_sync(&EMPTY);
    assert_eq!(EMPTY.get(0), None);
}
