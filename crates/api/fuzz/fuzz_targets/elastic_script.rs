//! `cargo +nightly fuzz run elastic_script` in `crates/api`: see `bodies::elastic_script`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;
#[path = "../doors.rs"]
mod doors;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (runtime, router) = &*doors::DOORS;
    let _any_status = runtime.block_on(bodies::elastic_script(router, text));
});
