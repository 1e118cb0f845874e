//! Stores that are broken on purpose: that `check` notices, for its tests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;

use crate::store::RangeStore;

/// What breaks a store, and a part of the message that must come of it.
pub(crate) type Break<S> = (&'static str, fn(&mut S));

/// Entries of four keys, six apart.
pub(crate) fn comb<S: RangeStore<u16, u8>>(entries: u16) -> S {
    let mut store = S::EMPTY;
    for i in 0..entries {
        store.insert(10 * i..10 * i + 4, 1);
    }
    store.check();
    store
}

/// Each of these is noticed, in a store of its own.
pub(crate) fn expect_each_refused<S: RangeStore<u16, u8>>(entries: u16, breaks: &[Break<S>]) {
    for (message, spoil) in breaks {
        let mut broken = comb(entries);
        spoil(&mut broken);
        expect_refused(message, || broken.check());
    }
}

/// Runs a check that must panic with this in its message.
pub(crate) fn expect_refused(message: &str, check: impl FnOnce()) {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err(message);
    let said = match panic.downcast_ref::<String>() {
        Some(said) => said.as_str(),
        None => panic.downcast_ref::<&str>().expect("a text"),
    };
    assert!(said.contains(message), "{said}, not {message}");
}
