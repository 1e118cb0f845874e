//! stub
#![no_std]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;
mod addr_space;
mod btree;
mod key;
mod range_map;
mod run;
mod simd;
mod sorted_vec;
mod store;
pub use addr_space::{
    AddrSpace, HolePolicy, MapOptions, Mapping, OffsetRule, Page, PageMapping, Placement, Prot,
    Region, Regions, SpaceError,
};
pub use btree::{BTreeStore, Entries as BTreeEntries};
pub use key::Key;
pub use range_map::{IntoEntries, RangeMap};
pub use sorted_vec::{Entries as SortedVecEntries, SortedVecStore};
pub use store::{AllocError, GapQuery, Gaps, Order, RangeStore, Segment};
