//! [`Flow`]: whether a call goes on after user code has run.

use core::ops::ControlFlow;

/// What a sink or closure returns: whether the call that runs it goes on.
///
/// | type | goes on | stops |
/// |---|---|---|
/// | `()` | always | |
/// | `Result<(), E>` | `Ok(())` | `Err(E)` |
/// | [`ControlFlow<B>`] | `Continue(())` | `Break(B)` |
///
/// The call returns what it was told last. If it was told to stop, what was
/// reported before has happened; the piece of that report and all behind it are
/// as before. An update edits as it goes. A removal or insertion goes over the pieces
/// once to ask, each with a clone of its value, and then removes what was agreed to and
/// drops it. Memory is obtained before the first report all the same.
///
/// A closure that only panics needs a type: `|_| -> () { unreachable!() }`.
///
/// ```
/// use gaptree::RangeMap;
///
/// let mut map = RangeMap::from([(0..2, "a"), (2..4, "b"), (4..6, "c")]);
/// let refused = map.remove_with(1..6, |range, value| match value {
///     "b" => Err(range),
///     _ => Ok(()),
/// });
/// assert_eq!(refused, Err(2..4));
/// assert_eq!(map, RangeMap::from([(0..1, "a"), (2..4, "b"), (4..6, "c")]));
/// ```
#[diagnostic::on_unimplemented(
    message = "a sink or closure returns `()`, `Result<(), E>` or `ControlFlow<B>`, not `{Self}`",
    label = "its closure returns `{Self}`",
    note = "end the closure with `;`, or give one that only panics a type: `|_| -> () {{ … }}`"
)]
pub trait Flow: sealed::Sealed + Sized {
    /// Goes on.
    const GO_ON: Self;

    /// Whether a value of this type can stop a call.
    const CAN_STOP: bool;

    /// Whether this one does.
    fn stops(&self) -> bool;
}

impl Flow for () {
    const GO_ON: Self = ();
    const CAN_STOP: bool = false;

    #[inline]
    fn stops(&self) -> bool {
        false
    }
}

impl<E> Flow for Result<(), E> {
    const GO_ON: Self = Ok(());
    const CAN_STOP: bool = true;

    #[inline]
    fn stops(&self) -> bool {
        self.is_err()
    }
}

impl<B> Flow for ControlFlow<B> {
    const GO_ON: Self = Self::Continue(());
    const CAN_STOP: bool = true;

    #[inline]
    fn stops(&self) -> bool {
        self.is_break()
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for () {}
    impl<E> Sealed for Result<(), E> {}
    impl<B> Sealed for core::ops::ControlFlow<B> {}
}
