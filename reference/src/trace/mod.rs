//! Recorded memory system calls of real programs, and the kernel's answers.
//!
//! A recording is up to four text files, each plain or compressed as `.xz`:
//!
//! | file | content |
//! |---|---|
//! | `X.trace` | header, the mappings at the start, every call with its result |
//! | `X.maps` | the kernel's listing after the last call |
//! | `X.ckpt.maps` | more listings, after earlier calls |
//! | `X.faults` | page faults: look-ups of addresses, each after a number of calls |
//!
//! Numbers are lower-case hexadecimal, `#` starts a comment. [`Recording`]
//! reads them, [`Recording::replay`] holds the library's
//! [`Mm`](gaptree::linux::Mm) to them. `tests/traces/README.md` describes the format line by line.

mod faults;
mod header;
mod listing;
mod op;
mod process;
mod recording;
mod replay;
mod source;

pub use faults::{Access, Fault};
pub use header::{Init, PAGE_SIZE, Trace};
pub use listing::{Difference, Listing, Object, Row, coalesce};
pub use op::{Call, Errno, Op};
pub use process::{Kept, Results};
pub use recording::{Recording, find};
pub use replay::{Disagreement, Exceptions, Report};
pub use source::TraceError;
