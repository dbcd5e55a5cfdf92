//! `cargo +nightly fuzz run streaming` in `crates/api`: see `bodies::streaming`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;
#[path = "../doors.rs"]
mod doors;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (runtime, router) = &*doors::DOORS;
    let _any_status = runtime.block_on(bodies::streaming(router, bytes));
});
