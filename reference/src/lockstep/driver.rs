//! A subject and its oracle side by side: operations applied to both, answers
//! compared, and the message where they differ.

use std::fmt::{Debug, Display, Write};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use gaptree::Flow;

use crate::ops::Call;

/// Where subject and oracle disagree.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// Which answer.
    pub(super) what: &'static str,
    pub(super) expected: String,
    pub(super) got: String,
}

/// When the whole state is compared and checked. Answers, reported pieces and
/// placements are compared after every operation in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compare {
    /// After every operation: what tests and short runs do.
    Always,
    /// After that many operations, or more where the state is large, and after
    /// the last one: for long inputs, where a wrong state has time to give
    /// wrong answers.
    Rarely(usize),
}

impl Compare {
    /// Whether the state is to be compared now that its last comparison is
    /// `since` operations ago; to compare costs about as much as `cost` of them.
    fn is_due(self, since: usize, cost: usize) -> bool {
        match self {
            Self::Always => true,
            Self::Rarely(count) => since >= count.max(cost),
        }
    }
}

/// Compares one answer.
pub(super) fn same<T: PartialEq + Debug>(
    what: &'static str,
    expected: T,
    got: T,
) -> Result<(), Mismatch> {
    if expected == got {
        return Ok(());
    }
    Err(Mismatch {
        what,
        expected: format!("{expected:?}"),
        got: format!("{got:?}"),
    })
}

/// What a panicking sink throws. It is thrown without calling the panic hook.
pub(super) struct Stop;

/// Runs `call`, in which a sink may throw [`Stop`]; whether it did.
pub(super) fn stopped(call: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(()) => false,
        Err(payload) if payload.is::<Stop>() => true,
        Err(payload) => resume_unwind(payload),
    }
}

/// What a sink of one type says: where a [`Call`] is to end, it panics, or stops if
/// it can.
pub(super) trait Say: Flow {
    /// At the piece of this index.
    fn at(call: Call, index: usize) -> Self;

    /// Where it stopped.
    fn stopped_at(self) -> Option<usize>;
}

impl Say for () {
    fn at(call: Call, index: usize) {
        if call.stop == Some(index) {
            resume_unwind(Box::new(Stop));
        }
    }

    fn stopped_at(self) -> Option<usize> {
        None
    }
}

impl Say for ControlFlow<usize> {
    fn at(call: Call, index: usize) -> Self {
        if call.stop == Some(index) {
            Self::Break(index)
        } else {
            Self::Continue(())
        }
    }

    fn stopped_at(self) -> Option<usize> {
        self.break_value()
    }
}

/// More pieces than any operation has: it reports without end.
const ENDLESS: usize = 100_000;

/// What a call reported, and what it returned: where its sink stopped it, or why it
/// was refused; nothing if the sink panicked.
pub(super) type Reported<P, E> = (Vec<P>, Option<Result<Option<usize>, E>>);

/// Runs an operation whose sink says `F`.
pub(super) fn collect<P, E, F: Say>(
    call: Call,
    operation: impl FnOnce(&mut dyn FnMut(P) -> F) -> Result<F, E>,
) -> Reported<P, E> {
    let mut pieces = Vec::new();
    let mut result = None;
    stopped(|| {
        let said = operation(&mut |piece| {
            pieces.push(piece);
            assert!(pieces.len() < ENDLESS, "it reports without end");
            F::at(call, pieces.len() - 1)
        });
        result = Some(said.map(F::stopped_at));
    });
    (pieces, result)
}

/// [`collect`]s what an operation reports to a sink of the type that the call asks
/// for.
macro_rules! reported {
    ($call:expr, |$sink:ident| $operation:expr) => {
        if $call.can_stop {
            $crate::lockstep::driver::collect::<_, _, std::ops::ControlFlow<usize>>(
                $call,
                |$sink| $operation,
            )
        } else {
            $crate::lockstep::driver::collect::<_, _, ()>($call, |$sink| $operation)
        }
    };
}
pub(super) use reported;

/// A subject and its oracle.
pub(super) trait Lockstep {
    /// What is applied to both.
    type Op: Display;

    /// Applies an operation to both and compares the answers.
    fn apply(&mut self, op: &Self::Op) -> Result<(), Mismatch>;

    /// Checks the subject and compares its whole state with the oracle's.
    fn compare(&self) -> Result<(), Mismatch>;

    /// About how many operations cost as much as comparing the whole state.
    fn cost(&self) -> usize;

    /// What is being tested, for the message.
    fn name(&self) -> String;

    /// Applies all operations and says how many there were.
    ///
    /// # Panics
    /// Subject and oracle disagree or the subject panics; the message has the
    /// operation's index, both answers and all operations so far.
    fn run(&mut self, ops: &[Self::Op], compare: Compare) -> u64 {
        let mut since = 0;
        for (index, op) in ops.iter().enumerate() {
            let mut step = || {
                self.apply(op)?;
                since += 1;
                if compare.is_due(since, self.cost()) || index + 1 == ops.len() {
                    since = 0;
                    self.compare()?;
                }
                Ok(())
            };
            let difference = match catch_unwind(AssertUnwindSafe(&mut step)) {
                Ok(Ok(())) => continue,
                Ok(Err(Mismatch {
                    what,
                    expected,
                    got,
                })) => {
                    format!("{what}:\n  expected {expected}\n  got      {got}")
                }
                Err(payload) => format!("it panicked: {}", panic_text(&*payload)),
            };
            let mut history = String::new();
            for (index, op) in ops[..=index].iter().enumerate() {
                writeln!(history, "  {index}: {op}").expect("writing to a string");
            }
            panic!(
                "{} disagrees at operation {index}, {op}: {difference}\noperations:\n{history}",
                self.name()
            );
        }
        ops.len() as u64
    }
}

/// The text of a panic.
fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<String>() {
        return text;
    }
    payload
        .downcast_ref::<&str>()
        .copied()
        .unwrap_or("without a text")
}
