//! Lockstep: a subject and its oracle side by side, every answer compared,
//! and the whole state as often as [`Compare`] says.
//!
//! | file | what |
//! |---|---|
//! | `bodies.rs` | what fuzz targets, property tests and the replay of the corpus run |
//! | `target.rs` | what a fuzz target does besides |
//! | `store.rs`, `map.rs`, `space.rs`, `capi.rs` | a subject each, with its oracle |
//! | `c_space.rs`, `c_mapping.rs` | the C interface as a safe type; its mappings and their data |
//! | `driver.rs` | applying, comparing, and the message of a disagreement |

mod bodies;
#[cfg(feature = "capi")]
mod c_mapping;
#[cfg(feature = "capi")]
mod c_space;
#[cfg(feature = "capi")]
mod capi;
mod driver;
mod map;
mod space;
mod store;
mod target;

#[cfg(feature = "capi")]
pub use bodies::capi_ops;
pub use bodies::{Body, map_ops, run_space, run_store, space_ops, store_ops};
pub use driver::Compare;
pub use target::{OPERATIONS, RARELY, fuzz};
