//! Lockstep: a subject and its oracle side by side, every answer compared,
//! then the whole state. Also the bodies that fuzz targets, property tests and
//! the replay of the corpus share. They are `inline` so that only programs that
//! call one compile its many engines.

#[cfg(feature = "capi")]
mod capi;
mod map;
mod space;
mod store;

use std::fmt::{Debug, Display, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use gaptree::{BTreeStore, Page, PageMapping, RangeStore, SortedVecStore};

use crate::Position;
use crate::ops::{Input, Sample, SpaceOp, SpaceShape, StoreOp};
use map::MapLockstep;
use space::SpaceLockstep;
use store::StoreLockstep;

/// Where subject and oracle disagree.
#[derive(Debug)]
struct Mismatch {
    /// Which answer.
    what: &'static str,
    expected: String,
    got: String,
}

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

    /// Applies an operation to both and compares everything.
    fn apply(&mut self, op: &Self::Op) -> Result<(), Mismatch>;

    /// What is being tested, for the message.
    fn name(&self) -> String;

    /// Applies all operations.
    ///
    /// # Panics
    /// Subject and oracle disagree or the subject panics; the message has the
    /// operation's index, both answers and all operations so far.
    fn run(&mut self, ops: &[Self::Op]) {
        for (index, op) in ops.iter().enumerate() {
            let difference = match catch_unwind(AssertUnwindSafe(|| self.apply(op))) {
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

/// Runs operations on one engine.
///
/// # Panics
/// Engine and reference disagree.
pub fn run_store<K, V, S>(ops: &[StoreOp<K>])
where
    K: Position,
    V: Sample,
    S: RangeStore<K, V>,
{
    StoreLockstep::<K, V, S>::new().run(ops);
}

/// Runs operations on some engines: the sorted vector, the tree, and the tree
/// with nodes of a few entries.
macro_rules! run_on {
    (@engine $key:ty, $value:ty, sorted_vec) => { SortedVecStore<$key, $value> };
    (@engine $key:ty, $value:ty, tree) => { BTreeStore<$key, $value> };
    (@engine $key:ty, $value:ty, $capacity:literal) => {
        BTreeStore<$key, $value, $capacity, $capacity>
    };
    ($input:expr, $key:ty, $value:ty: $($engine:tt)*) => {{
        let ops = StoreOp::<$key>::decode_all($input);
        $(run_store::<$key, $value, run_on!(@engine $key, $value, $engine)>(&ops);)*
    }};
}

/// The body of the store target: the first byte chooses the type of key, the
/// rest is a sequence of operations that several engines run: all of them for
/// one type, for the others those that are compiled differently for it.
///
/// # Panics
/// An engine and the reference disagree.
#[inline]
pub fn store_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(kind) = input.byte() else { return };
    match kind % 5 {
        0 => run_on!(&mut input, Page, u8: sorted_vec 3 4 tree),
        1 => run_on!(&mut input, u64, Box<u8>: sorted_vec 4 tree),
        2 => run_on!(&mut input, i64, u8: 3 tree),
        3 => run_on!(&mut input, u8, u8: sorted_vec 4),
        _ => run_on!(&mut input, i128, u8: sorted_vec 3),
    }
}

/// The body of the map target: as [`store_ops`], through the map.
///
/// # Panics
/// A map and the reference disagree.
#[inline]
pub fn map_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(kind) = input.byte() else { return };
    if kind % 2 == 0 {
        let ops = StoreOp::<u32>::decode_all(&mut input);
        MapLockstep::<u32, u8, SortedVecStore<u32, u8>>::new().run(&ops);
    } else {
        let ops = StoreOp::<i64>::decode_all(&mut input);
        MapLockstep::<i64, Box<u8>, BTreeStore<i64, Box<u8>, 3, 3>>::new().run(&ops);
    }
}

/// Runs operations on a space of one engine.
///
/// # Panics
/// Space and reference disagree.
pub fn run_space<S: RangeStore<Page, PageMapping>>(shape: &SpaceShape, ops: &[SpaceOp]) {
    SpaceLockstep::<S>::new(shape).run(ops);
}

/// The body of the space target: two bytes choose the bounds, the rest is a
/// sequence of operations that a space on each engine runs.
///
/// # Panics
/// A space and the reference disagree.
#[inline]
pub fn space_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(shape) = SpaceShape::decode(&mut input) else {
        return;
    };
    let decode = || SpaceOp::decode(&shape, &mut input);
    let ops: Vec<SpaceOp> = std::iter::from_fn(decode).collect();
    run_space::<SortedVecStore<Page, PageMapping>>(&shape, &ops);
    run_space::<BTreeStore<Page, PageMapping, 3, 3>>(&shape, &ops);
    run_space::<BTreeStore<Page, PageMapping>>(&shape, &ops);
}

/// The body of the target of the C interface: as [`space_ops`], in C's terms;
/// the third byte chooses what offsets mean.
///
/// # Panics
/// The interface and the reference disagree.
#[cfg(feature = "capi")]
pub fn capi_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let Some((shape, linear)) = SpaceShape::decode(&mut input).zip(input.byte()) else {
        return;
    };
    let decode = || SpaceOp::decode(&shape, &mut input);
    let ops: Vec<SpaceOp> = std::iter::from_fn(decode).collect();
    capi::CapiLockstep::new(&shape, linear & 1 == 1).run(&ops);
}
