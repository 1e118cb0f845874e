//! The oracle of gaptree: models so simple that they are obviously right, the
//! operation vocabulary, the lockstep drivers, the law suite and the trace format.
//!
//! The models are the independent part: they take the trait and plain data from
//! the library, never an algorithm. The other modules drive the library. Fuzz
//! targets, property tests and regressions all call the bodies in [`lockstep`].

pub mod canary;
pub mod exhaustive;
pub mod host;
pub mod kernel;
pub mod laws;
pub mod lockstep;
mod model;
pub mod ops;
pub mod trace;

pub use model::{Position, ReferenceSpace, ReferenceStore};
