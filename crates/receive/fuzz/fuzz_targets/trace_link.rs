//! `cargo +nightly fuzz run trace_link` in `crates/receive`: see `bodies::trace_link`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::trace_link(bytes));
