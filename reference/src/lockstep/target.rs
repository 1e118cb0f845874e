//! What a libFuzzer target does with an input, besides running its body.

use std::env;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::bodies::Body;
use super::driver::Compare;

/// The variable of the environment that makes a target compare the whole state
/// only after so many operations, as [`Compare::Rarely`] says.
pub const RARELY: &str = "GAPTREE_COMPARE_RARELY";

/// What a line of a target's output begins with; the number of operations
/// since the target was started follows.
pub const OPERATIONS: &str = "operations: ";

/// How many operations there are between two such lines, at least.
const STEP: u64 = 1000;

/// Runs a body on an input; says on standard output how far it came.
#[inline]
pub fn fuzz(body: Body, data: &[u8]) {
    static COMPARE: OnceLock<Compare> = OnceLock::new();
    static OPERATIONS_DONE: AtomicU64 = AtomicU64::new(0);
    let compare = *COMPARE.get_or_init(chosen);
    let done = body(data, compare);
    let before = OPERATIONS_DONE.fetch_add(done, Ordering::Relaxed);
    if before / STEP < (before + done) / STEP {
        // It does not matter to the input whether anybody reads this.
        let _ = writeln!(io::stdout(), "{OPERATIONS}{}", before + done);
    }
}

fn chosen() -> Compare {
    let count = env::var(RARELY).ok().and_then(|count| count.parse().ok());
    count.map_or(Compare::Always, Compare::Rarely)
}
