//! stub
mod error;
mod mapping;
mod page;
pub use error::SpaceError;
pub use mapping::{HolePolicy, MapOptions, Mapping, OffsetRule, Placement, Prot, Region};
pub use page::Page;
