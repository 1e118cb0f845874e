//! What operations report, and what holds when the code they report to
//! panics: L7.

use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use gaptree::RangeStore;

use super::cases::{Entry, comb, comb_key, comb_len, key, keys, store};
use super::state::{expect, expect_lawful};
use crate::Position;

pub(super) fn all<K: Position, S: RangeStore<K, char>>() {
    pieces_are_clipped_and_ascending::<K, S>();
    a_panicking_sink_keeps_what_was_not_reported::<K, S>();
    a_panicking_closure_keeps_the_piece_it_panicked_in::<K, S>();
    a_panic_among_many_pieces_keeps_the_rest::<K, S>();
    a_sink_that_stops_keeps_the_piece_it_refused::<K, S>();
    a_closure_that_stops_keeps_the_piece_it_refused::<K, S>();
}

/// Four entries, three of them adjacent.
const BEFORE: [Entry; 4] = [(0..10, 'a'), (10..20, 'b'), (20..30, 'a'), (40..50, 'c')];

/// Ranges that cut none, one or both of the outer entries.
const RANGES: [Range<u8>; 10] = [
    0..50,
    5..45,
    3..7,
    10..20,
    10..41,
    0..10,
    29..60,
    5..15,
    10..13,
    30..45,
];

/// What is left of [`BEFORE`] when the part of `range` below `end` is removed,
/// and the pieces that are removed.
fn removed(range: &Range<u8>, end: u8) -> (Vec<Entry>, Vec<Entry>) {
    let (mut left, mut taken) = (Vec::new(), Vec::new());
    let cut = range.start..end.min(range.end);
    for (entry, value) in BEFORE {
        let piece = entry.start.max(cut.start)..entry.end.min(cut.end);
        if piece.is_empty() {
            left.push((entry, value));
            continue;
        }
        let rest = [entry.start..piece.start, piece.end..entry.end];
        left.extend(
            rest.into_iter()
                .filter(|rest| !rest.is_empty())
                .map(|rest| (rest, value)),
        );
        taken.push((piece, value));
    }
    (left, taken)
}

/// Adds an entry that shares no key with the others, none of which is equal.
fn with(mut entries: Vec<Entry>, entry: Entry) -> Vec<Entry> {
    entries.push(entry);
    entries.sort_by_key(|(range, _)| range.start);
    entries
}

/// Runs `call`, which ends in a panic that the hook does not hear of.
fn expect_panic(call: impl FnOnce()) {
    let result = catch_unwind(AssertUnwindSafe(call));
    let payload = result.expect_err("the panic goes through");
    if !payload.is::<Stop>() {
        resume_unwind(payload);
    }
}

struct Stop;

fn stop() -> ! {
    resume_unwind(Box::new(Stop))
}

fn pieces_are_clipped_and_ascending<K: Position, S: RangeStore<K, char>>() {
    for range in RANGES {
        let (left, taken) = removed(&range, u8::MAX);
        let taken: Vec<(Range<K>, char)> = taken
            .into_iter()
            .map(|(piece, value)| (keys(piece), value))
            .collect();
        for fallible in [false, true] {
            let mut pieces = Vec::new();
            let mut s: S = store(&BEFORE);
            if fallible {
                let sink = |piece, value| pieces.push((piece, value));
                s.try_remove_with(keys(range.clone()), sink)
                    .expect("memory");
            } else {
                s.remove_with(keys(range.clone()), |piece, value| {
                    pieces.push((piece, value))
                });
            }
            assert_eq!(pieces, taken, "remove_with {range:?}");
            expect(&s, &left);

            pieces.clear();
            let mut s: S = store(&BEFORE);
            let sink = |piece, value| pieces.push((piece, value));
            if fallible {
                s.try_insert_with(keys(range.clone()), 'z', sink)
                    .expect("memory");
            } else {
                s.insert_with(keys(range.clone()), 'z', sink);
            }
            assert_eq!(pieces, taken, "insert_with {range:?}");
            expect(&s, &with(left.clone(), (range.clone(), 'z')));
        }
    }
}

fn a_panicking_sink_keeps_what_was_not_reported<K: Position, S: RangeStore<K, char>>() {
    for range in RANGES {
        let (_, taken) = removed(&range, u8::MAX);
        for (last, (piece, _)) in taken.iter().enumerate() {
            let (left, reported) = removed(&range, piece.end);
            assert_eq!(reported.len(), last + 1);
            let sink = |pieces: &mut usize| {
                if *pieces == last {
                    stop();
                }
                *pieces += 1;
            };
            let mut pieces = 0;
            let mut s: S = store(&BEFORE);
            expect_panic(|| s.remove_with(keys(range.clone()), |_, _| sink(&mut pieces)));
            expect(&s, &left);
            // The new value is not inserted, whatever neighbour it would join.
            for value in ['a', 'b', 'c', 'z'] {
                let mut pieces = 0;
                let mut s: S = store(&BEFORE);
                expect_panic(|| {
                    s.insert_with(keys(range.clone()), value, |_, _| sink(&mut pieces))
                });
                expect(&s, &left);
            }
        }
    }
}

fn a_panicking_closure_keeps_the_piece_it_panicked_in<K: Position, S: RangeStore<K, char>>() {
    for range in RANGES {
        let (_, taken) = removed(&range, u8::MAX);
        for last in 0..taken.len() {
            let mut expected: S = store(&BEFORE);
            for (piece, _) in &taken[..last] {
                expected.insert(keys(piece.clone()), 'z');
            }
            let mut s: S = store(&BEFORE);
            let mut pieces = 0;
            expect_panic(|| {
                s.update(keys(range.clone()), |_, value| {
                    *value = 'z';
                    if pieces == last {
                        stop();
                    }
                    pieces += 1;
                });
            });
            assert!(
                s.iter().eq(expected.iter()),
                "update {range:?} up to piece {last}"
            );
            expect_lawful(&s);
        }
    }
}

fn a_panic_among_many_pieces_keeps_the_rest<K: Position, S: RangeStore<K, char>>() {
    let count = comb_len::<K>(100);
    let all = K::MIN..K::MAX;
    let full: S = comb(100);
    for last in (0..count).step_by(9) {
        let sink = |pieces: &mut u32| {
            if *pieces == last {
                stop();
            }
            *pieces += 1;
        };
        let left: Vec<_> = full.iter().skip(last as usize + 1).collect();
        let mut pieces = 0;
        let mut s = full.clone();
        expect_panic(|| s.remove_with(all.clone(), |_, _| sink(&mut pieces)));
        assert_eq!(
            s.iter().collect::<Vec<_>>(),
            left,
            "removing, up to piece {last}"
        );
        expect_lawful(&s);

        let mut pieces = 0;
        let mut s = full.clone();
        expect_panic(|| s.insert_with(all.clone(), 'z', |_, _| sink(&mut pieces)));
        assert_eq!(
            s.iter().collect::<Vec<_>>(),
            left,
            "inserting, up to piece {last}"
        );
        expect_lawful(&s);

        let mut pieces = 0;
        let mut s = full.clone();
        expect_panic(|| {
            s.update(all.clone(), |_, value| {
                *value = 'z';
                sink(&mut pieces);
            });
        });
        let changed = s.iter().take_while(|(_, value)| **value == 'z').count();
        assert_eq!(changed, last as usize, "updating, up to piece {last}");
        assert!(s.iter().skip(changed).eq(full.iter().skip(changed)));
        expect_lawful(&s);
        // The store goes on working.
        s.insert(comb_key(0)..key(9), 'y');
        expect_lawful(&s);
    }
}

/// A sink that says its piece's number when that is `last`.
fn refuse<P>(pieces: &mut Vec<P>, piece: P, last: usize) -> Result<(), usize> {
    pieces.push(piece);
    if pieces.len() > last {
        return Err(last);
    }
    Ok(())
}

fn a_sink_that_stops_keeps_the_piece_it_refused<K: Position, S: RangeStore<K, char>>() {
    for range in RANGES {
        let (_, taken) = removed(&range, u8::MAX);
        let all: Vec<(Range<K>, char)> = taken
            .iter()
            .map(|(piece, value)| (keys(piece.clone()), *value))
            .collect();
        for (last, (refused, _)) in taken.iter().enumerate() {
            let (left, _) = removed(&range, refused.start);
            let mut pieces = Vec::new();
            let mut s: S = store(&BEFORE);
            let said = s.remove_with(keys(range.clone()), |piece, value| {
                refuse(&mut pieces, (piece, value), last)
            });
            assert_eq!(said, Err(last), "remove_with {range:?}");
            assert_eq!(pieces, all[..=last], "remove_with {range:?}");
            expect(&s, &left);
            // The new value is not inserted, whatever neighbour it would join.
            for value in ['a', 'b', 'c', 'z'] {
                let mut pieces = Vec::new();
                let mut s: S = store(&BEFORE);
                let said = s.insert_with(keys(range.clone()), value, |piece, value| {
                    refuse(&mut pieces, (piece, value), last)
                });
                assert_eq!(said, Err(last), "insert_with {range:?} {value}");
                assert_eq!(pieces, all[..=last], "insert_with {range:?} {value}");
                expect(&s, &left);
            }
        }
        // A sink that could stop, and does not.
        let (left, _) = removed(&range, u8::MAX);
        let mut s: S = store(&BEFORE);
        let said = s.remove_with(keys(range.clone()), |_, _| ControlFlow::<()>::Continue(()));
        assert_eq!(said, ControlFlow::Continue(()));
        expect(&s, &left);
        let mut s: S = store(&BEFORE);
        let said = s.insert_with(keys(range.clone()), 'z', |_, _| Ok::<(), ()>(()));
        assert_eq!(said, Ok(()));
        expect(&s, &with(left, (range, 'z')));
    }
}

fn a_closure_that_stops_keeps_the_piece_it_refused<K: Position, S: RangeStore<K, char>>() {
    for range in RANGES {
        let (_, taken) = removed(&range, u8::MAX);
        // All pieces become one value, which one of the neighbours may have.
        for value in ['a', 'c', 'z'] {
            for last in 0..taken.len() {
                let mut expected: S = store(&BEFORE);
                for (piece, _) in &taken[..last] {
                    expected.insert(keys(piece.clone()), value);
                }
                let mut pieces = Vec::new();
                let mut s: S = store(&BEFORE);
                let said = s.update(keys(range.clone()), |piece, old| {
                    *old = value;
                    refuse(&mut pieces, piece, last)
                });
                assert_eq!(said, Err(last));
                assert_eq!(pieces.len(), last + 1, "update {range:?}");
                assert!(
                    s.iter().eq(expected.iter()),
                    "update {range:?} to {value}, up to piece {last}"
                );
                expect_lawful(&s);
            }
        }
    }
}
