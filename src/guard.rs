//! [`ScopeGuard`]: makes things right when a scope is left, also by a panic.

use core::mem;
use core::ops::{Deref, DerefMut};

/// Runs `on_exit` on the borrowed target when the guard is dropped.
///
/// User code can panic in the middle of an edit. Whatever must be true
/// afterwards is the job of such a guard; where it is needed only after a
/// panic, the guard is [defused](Self::defuse) at the end of the scope.
pub(crate) struct ScopeGuard<'a, T, F: FnMut(&mut T)> {
    target: &'a mut T,
    on_exit: F,
}

impl<'a, T, F: FnMut(&mut T)> ScopeGuard<'a, T, F> {
    /// `on_exit` may borrow, but must own nothing that has to be dropped.
    #[inline]
    pub(crate) fn new(target: &'a mut T, on_exit: F) -> Self {
        const { assert!(!mem::needs_drop::<F>()) };
        Self { target, on_exit }
    }

    /// All went well: nothing is to be done.
    #[inline]
    pub(crate) fn defuse(self) {
        mem::forget(self);
    }
}

impl<T, F: FnMut(&mut T)> Deref for ScopeGuard<'_, T, F> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.target
    }
}

impl<T, F: FnMut(&mut T)> DerefMut for ScopeGuard<'_, T, F> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.target
    }
}

impl<T, F: FnMut(&mut T)> Drop for ScopeGuard<'_, T, F> {
    #[inline]
    fn drop(&mut self) {
        (self.on_exit)(self.target);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::ScopeGuard;

    #[test]
    fn it_runs_at_the_end_and_after_a_panic_but_not_when_defused() {
        let mut runs = 0;
        drop(ScopeGuard::new(&mut runs, |runs| *runs += 1));
        assert_eq!(runs, 1);
        ScopeGuard::new(&mut runs, |runs| *runs += 1).defuse();
        assert_eq!(runs, 1);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let _guard = ScopeGuard::new(&mut runs, |runs| *runs += 1);
            panic!("user code");
        }));
        assert!(panic.is_err());
        assert_eq!(runs, 2);
    }
}
