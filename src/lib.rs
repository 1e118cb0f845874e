//! Ordered maps from ranges to values that find free space fast, and the
//! bookkeeping of an address space on top of them.
//!
//! - [`AddrSpace`] answers mmap, munmap and mprotect inside a range of
//!   addresses, and says what each call replaced. The real memory operations
//!   are the caller's.
//! - [`linux::Mm`] answers them, with `mremap` and `brk`, as Linux does: result, errno,
//!   address and rows, and what a host has to do.
//! - [`RangeMap`] is the collection below it: disjoint half-open ranges of
//!   integer keys with a value each, adjacent equal ones coalesced.
//! - [`RangeStore`] is the contract of what is behind both, with two engines:
//!   [`BTreeStore`], a B+-tree whose nodes know the longest gap below them, so
//!   that placing a range is O(log n), and [`SortedVecStore`], which keeps up
//!   to eight entries without heap memory.
//!
//! ```
//! use gaptree::{AddrSpace, HolePolicy, Mapping, Placement, Prot};
//!
//! // 16 MiB of guest memory from 64 KiB on, in pages of 4 KiB.
//! let mut space = AddrSpace::new(0x1_0000, 0x100_0000, 0x1000)?;
//! let data = Mapping::anonymous(Prot::READ | Prot::WRITE, 0);
//! let stack = space.map_any(None, 0x8000, data)?;
//! assert_eq!(stack, 0x1_0000);
//! space.protect(stack, 0x1000, Prot::NONE, HolePolicy::Skip, |_| ())?;
//! space.set_placement(Placement::Highest);
//! assert_eq!(space.map_any(None, 0x1000, data)?, 0x100_f000);
//! assert_eq!(space.region_count(), 3);
//! # Ok::<(), gaptree::SpaceError>(())
//! ```
//!
//! # Features
//! `std` (default) is what the crate is tested with; without it the crate is
//! `no_std` and needs `alloc`. `capi` adds the functions of the C library
//! (implies `std`), which `cargo xtask capi` builds.

#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod addr_space;
mod alloc_error;
mod ask;
#[cfg(test)]
mod broken;
mod btree;
#[cfg(feature = "capi")]
pub mod capi;
mod flow;
mod guard;
mod key;
pub mod linux;
mod ordinal;
mod query;
mod range_map;
mod relocate;
mod run;
mod simd;
mod sorted_vec;
mod span;
mod store;
mod u62;
mod value;

pub use addr_space::{
    AddrSpace, Guard, HintRule, HolePolicy, MapOptions, Mapping, OffsetRule, Page, PageMapping,
    Pieces, Placement, Prot, Region, Regions, Segments, SpaceError, SpaceSegment,
};
pub use alloc_error::AllocError;
pub use btree::{BTreeStore, Entries as BTreeEntries};
pub use flow::Flow;
pub use key::Key;
pub use query::{GapQuery, Order};
pub use range_map::{IntoEntries, RangeMap};
pub use relocate::{RelocateError, Source};
pub use sorted_vec::{Entries as SortedVecEntries, SortedVecStore};
pub use store::{Gaps, RangeStore, Segment};

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// And so is the cookbook.
#[cfg(doctest)]
#[doc = include_str!("../docs/cookbook.md")]
struct Cookbook;
