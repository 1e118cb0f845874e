//! All short sequences of operations on six keys and two values, depth first
//! with shared prefixes, against the reference.

use std::ops::Range;

use gaptree::{GapQuery, Order, RangeStore};

use crate::ReferenceStore;

const KEYS: u8 = 6;

#[derive(Clone, Debug)]
enum Op {
    Insert(Range<u8>, u8),
    Remove(Range<u8>),
    /// Turns each value into the other.
    Flip(Range<u8>),
    Allocate(GapQuery<u8>, u8),
}

/// Every operation on the six keys.
fn operations() -> Vec<Op> {
    let mut ops = Vec::new();
    for start in 0..KEYS {
        for end in start + 1..=KEYS {
            ops.extend([0, 1].map(|value| Op::Insert(start..end, value)));
            ops.push(Op::Remove(start..end));
            ops.push(Op::Flip(start..end));
        }
    }
    for len in 1..KEYS {
        for order in [Order::Lowest, Order::Highest] {
            let query = GapQuery::new(len).within(0..KEYS).order(order);
            ops.extend([0, 1].map(|value| Op::Allocate(query.clone(), value)));
        }
    }
    ops
}

/// What an operation reports: pieces, and the start of a placement.
#[derive(PartialEq, Debug, Default)]
struct Answer {
    pieces: Vec<(Range<u8>, u8)>,
    start: Option<u8>,
}

fn apply(store: &mut impl RangeStore<u8, u8>, op: &Op) -> Answer {
    let mut answer = Answer::default();
    let pieces = &mut answer.pieces;
    match op {
        Op::Insert(range, value) => {
            store.insert_with(range.clone(), *value, |piece, old| {
                pieces.push((piece, old))
            });
        }
        Op::Remove(range) => {
            store.remove_with(range.clone(), |piece, old| pieces.push((piece, old)));
        }
        Op::Flip(range) => store.update(range.clone(), |piece, value| {
            pieces.push((piece, *value));
            *value = 1 - *value;
        }),
        Op::Allocate(query, value) => answer.start = store.allocate(query, *value),
    }
    answer
}

/// Applies every operation after the ones that made `subject` and `oracle`;
/// counts the sequences.
fn explore<S: RangeStore<u8, u8>>(
    ops: &[Op],
    depth: usize,
    prefix: &mut Vec<Op>,
    subject: &S,
    oracle: &ReferenceStore<u8, u8>,
) -> u64 {
    let mut sequences = 0;
    for op in ops {
        let (mut subject, mut oracle) = (subject.clone(), oracle.clone());
        let expected = apply(&mut oracle, op);
        let got = apply(&mut subject, op);
        prefix.push(op.clone());
        assert_eq!(got, expected, "what the last operation reports: {prefix:?}");
        let equal = subject.iter().eq(oracle.iter()) && subject.len() == oracle.len();
        assert!(
            equal,
            "after {prefix:?}: expected {:?}, got {:?}",
            oracle.iter().collect::<Vec<_>>(),
            subject.iter().collect::<Vec<_>>()
        );
        subject.check();
        sequences += 1;
        if prefix.len() < depth {
            sequences += explore(ops, depth, prefix, &subject, &oracle);
        }
        prefix.pop();
    }
    sequences
}

/// Applies every sequence of up to `depth` operations to an engine and counts
/// them.
///
/// # Panics
/// Engine and reference disagree; the message has the sequence.
#[must_use]
pub fn all_sequences<S: RangeStore<u8, u8>>(depth: usize) -> u64 {
    let ops = operations();
    let sequences = explore(
        &ops,
        depth,
        &mut Vec::new(),
        &S::EMPTY,
        &ReferenceStore::EMPTY,
    );
    let count = ops.len() as u64;
    let lengths = 1..=u32::try_from(depth).unwrap_or(u32::MAX);
    assert_eq!(sequences, lengths.map(|length| count.pow(length)).sum());
    sequences
}
