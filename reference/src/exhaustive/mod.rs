//! Small scope, complete: everything that can happen on a few keys.
//!
//! | file | what |
//! |---|---|
//! | `states.rs` | every state that can be reached, and every operation in it |
//! | `sequences.rs` | every short sequence of operations |

mod sequences;
mod states;

pub use sequences::all_sequences;
pub use states::{Explored, MAX_KEYS, Physical, all_states};
