//! Random operations through the C interface, in lockstep with the reference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    reference::lockstep::fuzz(reference::lockstep::capi_ops, data);
});
