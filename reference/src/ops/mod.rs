//! The operation vocabulary: every public operation of stores and spaces, as
//! data that is decoded from bytes and printed as one readable line.
//!
//! Decoding is by hand, one byte for the operation and then its arguments, so
//! that a corpus is dense and survives changes. Every byte string is a sequence
//! of operations; one that is cut off at the end is left out. Keys and addresses
//! are few and close together, so that most operations meet others; some lie at
//! the edges of the domain.

mod call;
mod input;
mod sample;
mod space;
mod store;

pub use call::{Call, Walk};
pub use input::Input;
pub use sample::{Sample, Serial, Shared};
pub use space::{FieldChange, SpaceOp, SpaceShape};
pub use store::{Change, Scatter, StoreOp};
