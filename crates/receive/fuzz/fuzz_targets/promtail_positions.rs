//! `cargo +nightly fuzz run promtail_positions` in `crates/receive`: see `bodies::promtail_positions`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::promtail_positions(bytes));
