//! The oracle of gaptree: models so simple that they are obviously right, the
//! operation vocabulary, the lockstep drivers, the law suite and the trace format.
//!
//! It depends on the library for the trait and plain data only, never for an
//! algorithm. Fuzz targets, property tests and regressions all call the bodies
//! in [`lockstep`].

#[cfg(feature = "capi")]
mod c_space;
pub mod canary;
pub mod closure;
pub mod kernel;
pub mod laws;
pub mod lockstep;
pub mod ops;
mod position;
pub mod sequences;
mod space;
mod store;
pub mod trace;

pub use position::Position;
pub use space::ReferenceSpace;
pub use store::ReferenceStore;
