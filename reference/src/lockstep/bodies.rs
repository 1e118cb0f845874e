//! The bodies that fuzz targets, property tests and the replay of the corpus
//! share. They are `inline` so that only programs that call one compile its many
//! engines.

use gaptree::{BTreeStore, Page, PageMapping, RangeStore, SortedVecStore};

#[cfg(feature = "capi")]
use super::capi::CapiLockstep;
use super::driver::{Compare, Lockstep};
use super::map::MapLockstep;
use super::space::SpaceLockstep;
use super::store::StoreLockstep;
use crate::Position;
use crate::ops::{Input, Sample, Serial, Shared, SpaceOp, SpaceShape, StoreOp};

/// The body of a target: runs the operations of an input in lockstep, on each
/// of its engines, and says how many there were, each engine counted.
pub type Body = fn(&[u8], Compare) -> u64;

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

/// The body of the store target. The first byte chooses the type of key, the
/// rest is a sequence of operations that several engines run: with one type all
/// of them, with each other type those that are compiled differently for it.
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
pub fn run_space<T: Sample, S: RangeStore<Page, PageMapping<T>>>(
    shape: &SpaceShape,
    ops: &[SpaceOp],
    compare: Compare,
) -> u64 {
    SpaceLockstep::<T, S>::new(shape).run(ops, compare)
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
    run_space::<Serial, SortedVecStore<_, _>>(&shape, &ops, compare)
        + run_space::<Shared, BTreeStore<_, _, 4, 4>>(&shape, &ops, compare)
        + run_space::<(), BTreeStore<_, _>>(&shape, &ops, compare)
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
    CapiLockstep::new(&shape, linear & 1 == 1).run(&ops, compare)
}
