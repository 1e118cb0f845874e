//! Random operations on an engine with a planted bug: this target must crash.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    reference::lockstep::fuzz(reference::canary::canary_ops, data);
});
