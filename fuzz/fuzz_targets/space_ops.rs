//! Random operations on address spaces, in lockstep with the reference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    reference::lockstep::fuzz(reference::lockstep::space_ops, data);
});
