//! stub
#![no_std]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;
mod addr_space;
mod key;
mod run;
mod simd;
mod sorted_vec;
mod store;
pub use addr_space::{
    HolePolicy, MapOptions, Mapping, OffsetRule, Page, Placement, Prot, Region, SpaceError,
};
pub use key::Key;
pub use sorted_vec::SortedVecStore;
pub use store::{AllocError, GapQuery, Gaps, Order, RangeStore, Segment};
