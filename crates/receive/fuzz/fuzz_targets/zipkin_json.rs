//! `cargo +nightly fuzz run zipkin_json` in `crates/receive`: see `bodies::zipkin_json`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::zipkin_json(bytes));
