//! Lockstep: a subject and its oracle side by side, every answer compared,
//! and the whole state as often as [`Compare`] says. Also the bodies that fuzz
//! targets, property tests and the replay of the corpus share. They are
//! `inline` so that only programs that call one compile its many engines.

#[cfg(feature = "capi")]
mod capi;
mod map;
mod space;
mod store;
mod target;

use std::fmt::{Debug, Display, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use gaptree::{BTreeStore, Page, PageMapping, RangeStore, SortedVecStore};

use crate::Position;
use crate::ops::{Input, Sample, SpaceOp, SpaceShape, StoreOp};
use map::MapLockstep;
use space::SpaceLockstep;
use store::StoreLockstep;
pub use target::{OPERATIONS, RARELY, fuzz};

/// Where subject and oracle disagree.
#[derive(Debug)]
struct Mismatch {
    /// Which answer.
    what: &'static str,
    expected: String,
    got: String,
}

/// When the whole state is compared and checked. Answers, reported pieces and
/// placements are compared after every operation in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compare {
    /// After every operation: what tests and short runs do.
    Always,
    /// After that many operations, or more where the state is large, and after
    /// the last one: for long inputs, where a wrong state has time to give
    /// wrong answers.
    Rarely(usize),
}

impl Compare {
    /// Whether the state is to be compared now that its last comparison is
    /// `since` operations ago; to compare costs about as much as `cost` of them.
    fn is_due(self, since: usize, cost: usize) -> bool {
        match self {
            Self::Always => true,
            Self::Rarely(count) => since >= count.max(cost),
        }
    }
}

/// The body of a target: runs the operations of an input in lockstep, on each
/// of its engines, and says how many there were, each engine counted.
pub type Body = fn(&[u8], Compare) -> u64;

/// Compares one answer.
fn same<T: PartialEq + Debug>(what: &'static str, expected: T, got: T) -> Result<(), Mismatch> {
    if expected == got {
        return Ok(());
    }
    Err(Mismatch {
        what,
        expected: format!("{expected:?}"),
        got: format!("{got:?}"),
    })
}

/// What a panicking sink throws. It is thrown without calling the panic hook.
struct Stop;

/// Runs `call`, in which a sink may throw [`Stop`]; whether it did.
fn stopped(call: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(()) => false,
        Err(payload) if payload.is::<Stop>() => true,
        Err(payload) => resume_unwind(payload),
    }
}

/// A subject and its oracle.
trait Lockstep {
    /// What is applied to both.
    type Op: Display;

    /// Applies an operation to both and compares the answers.
    fn apply(&mut self, op: &Self::Op) -> Result<(), Mismatch>;

    /// Checks the subject and compares its whole state with the oracle's.
    fn compare(&self) -> Result<(), Mismatch>;

    /// About how many operations cost as much as comparing the whole state.
    fn cost(&self) -> usize;

    /// What is being tested, for the message.
    fn name(&self) -> String;

    /// Applies all operations and says how many there were.
    ///
    /// # Panics
    /// Subject and oracle disagree or the subject panics; the message has the
    /// operation's index, both answers and all operations so far.
    fn run(&mut self, ops: &[Self::Op], compare: Compare) -> u64 {
        let mut since = 0;
        for (index, op) in ops.iter().enumerate() {
            let mut step = || {
                self.apply(op)?;
                since += 1;
                if compare.is_due(since, self.cost()) || index + 1 == ops.len() {
                    since = 0;
                    self.compare()?;
                }
                Ok(())
            };
            let difference = match catch_unwind(AssertUnwindSafe(&mut step)) {
                Ok(Ok(())) => continue,
                Ok(Err(Mismatch {
                    what,
                    expected,
                    got,
                })) => {
                    format!("{what}:\n  expected {expected}\n  got      {got}")
                }
                Err(payload) => format!("it panicked: {}", panic_text(&*payload)),
            };
            let mut history = String::new();
            for (index, op) in ops[..=index].iter().enumerate() {
                writeln!(history, "  {index}: {op}").expect("writing to a string");
            }
            panic!(
                "{} disagrees at operation {index}, {op}: {difference}\noperations:\n{history}",
                self.name()
            );
        }
        ops.len() as u64
    }
}

/// The text of a panic.
fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<String>() {
        return text;
    }
    payload
        .downcast_ref::<&str>()
        .copied()
        .unwrap_or("without a text")
}

/// Runs operations on one engine and says how many there were.
///
/// # Panics
/// Engine and reference disagree.
pub fn run_store<K, V, S>(ops: &[StoreOp<K>], compare: Compare) -> u64
where
    K: Position,
    V: Sample,
    S: RangeStore<K, V>,
{
    StoreLockstep::<K, V, S>::new().run(ops, compare)
}

/// Runs operations on some engines: the sorted vector, the tree, and the tree
/// with nodes of a few entries.
macro_rules! run_on {
    (@engine $key:ty, $value:ty, sorted_vec) => { SortedVecStore<$key, $value> };
    (@engine $key:ty, $value:ty, tree) => { BTreeStore<$key, $value> };
    (@engine $key:ty, $value:ty, $capacity:literal) => {
        BTreeStore<$key, $value, $capacity, $capacity>
    };
    ($input:expr, $compare:expr, $key:ty, $value:ty: $($engine:tt)*) => {{
        let ops = StoreOp::<$key>::decode_all($input);
        0 $(+ run_store::<$key, $value, run_on!(@engine $key, $value, $engine)>(&ops, $compare))*
    }};
}

/// The body of the store target: the first byte chooses the type of key, the
/// rest is a sequence of operations that several engines run: all of them for
/// one type, for the others those that are compiled differently for it.
///
/// # Panics
/// An engine and the reference disagree.
#[inline]
pub fn store_ops(data: &[u8], compare: Compare) -> u64 {
    let mut input = Input::new(data);
    let Some(kind) = input.byte() else { return 0 };
    match kind % 5 {
        0 => run_on!(&mut input, compare, Page, u8: sorted_vec 3 4 tree),
        1 => run_on!(&mut input, compare, u64, Box<u8>: sorted_vec 4 tree),
        2 => run_on!(&mut input, compare, i64, u8: 3 tree),
        3 => run_on!(&mut input, compare, u8, u8: sorted_vec 4),
        _ => run_on!(&mut input, compare, i128, u8: sorted_vec 3),
    }
}

/// The body of the map target: as [`store_ops`], through the map.
///
/// # Panics
/// A map and the reference disagree.
#[inline]
pub fn map_ops(data: &[u8], compare: Compare) -> u64 {
    let mut input = Input::new(data);
    let Some(kind) = input.byte() else { return 0 };
    if kind % 2 == 0 {
        let ops = StoreOp::<u32>::decode_all(&mut input);
        MapLockstep::<u32, u8, SortedVecStore<u32, u8>>::new().run(&ops, compare)
    } else {
        let ops = StoreOp::<i64>::decode_all(&mut input);
        MapLockstep::<i64, Box<u8>, BTreeStore<i64, Box<u8>, 4, 4>>::new().run(&ops, compare)
    }
}

/// Runs operations on a space of one engine and says how many there were.
///
/// # Panics
/// Space and reference disagree.
pub fn run_space<S: RangeStore<Page, PageMapping>>(
    shape: &SpaceShape,
    ops: &[SpaceOp],
    compare: Compare,
) -> u64 {
    SpaceLockstep::<S>::new(shape).run(ops, compare)
}

/// The body of the space target: two bytes choose the bounds, the rest is a
/// sequence of operations that a space on each engine runs.
///
/// # Panics
/// A space and the reference disagree.
#[inline]
pub fn space_ops(data: &[u8], compare: Compare) -> u64 {
    let mut input = Input::new(data);
    let Some(shape) = SpaceShape::decode(&mut input) else {
        return 0;
    };
    let decode = || SpaceOp::decode(&shape, &mut input);
    let ops: Vec<SpaceOp> = std::iter::from_fn(decode).collect();
    run_space::<SortedVecStore<Page, PageMapping>>(&shape, &ops, compare)
        + run_space::<BTreeStore<Page, PageMapping, 4, 4>>(&shape, &ops, compare)
        + run_space::<BTreeStore<Page, PageMapping>>(&shape, &ops, compare)
}

/// The body of the target of the C interface: as [`space_ops`], in C's terms;
/// the third byte chooses what offsets mean.
///
/// # Panics
/// The interface and the reference disagree.
#[cfg(feature = "capi")]
pub fn capi_ops(data: &[u8], compare: Compare) -> u64 {
    let mut input = Input::new(data);
    let Some((shape, linear)) = SpaceShape::decode(&mut input).zip(input.byte()) else {
        return 0;
    };
    let decode = || SpaceOp::decode(&shape, &mut input);
    let ops: Vec<SpaceOp> = std::iter::from_fn(decode).collect();
    capi::CapiLockstep::new(&shape, linear & 1 == 1).run(&ops, compare)
}
