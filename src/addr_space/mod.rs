//! [`AddrSpace`]: the bookkeeping of mmap, munmap and mprotect.
//!
//! Bytes outside, pages inside: [`geometry`] turns addresses and lengths into
//! pages and back, and no other file does; the store below keeps pages and
//! knows nothing of bytes. [`placement`] turns a call without a fixed address
//! into a question to the store. [`space`] is the type, [`calls`] has what
//! changes it, [`regions`] what only looks, [`views`] the iterators.

mod calls;
mod error;
mod geometry;
mod guards;
mod limits;
mod mapping;
mod page;
mod placement;
mod regions;
mod relocate;
mod rules;
mod space;
mod views;

pub use error::SpaceError;
pub use mapping::{
    Guard, HintRule, HolePolicy, MapOptions, Mapping, OffsetRule, PageMapping, Placement, Prot,
    Region,
};
pub use page::Page;
pub use space::AddrSpace;
pub use views::{Pieces, Regions, Segments, SpaceSegment};
