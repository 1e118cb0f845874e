//! The models: what a store and an address space mean, in code so simple that
//! it is obviously right.
//!
//! They share no representation and no arithmetic with the engines: a model
//! takes traits and plain data from the library, never an algorithm. This is
//! the independent part of the oracle. The rest of the crate drives the library
//! and compares its answers with a model's.
//!
//! | file | what |
//! |---|---|
//! | `store.rs` | a map from start to end and value, and linear scans |
//! | `space.rs` | one slot a page, and loops over pages |
//! | `placing.rs` | which of those pages placement may use, and which are shut |
//! | `position.rs` | keys as distances from the smallest key |

mod placing;
mod position;
mod space;
mod store;

pub use position::Position;
pub use space::ReferenceSpace;
pub use store::ReferenceStore;
