//! `cargo +nightly fuzz run loki_json` in `crates/receive`: see `bodies::loki_json`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::loki_json(bytes));
