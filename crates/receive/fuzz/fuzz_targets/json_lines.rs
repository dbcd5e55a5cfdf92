//! `cargo +nightly fuzz run json_lines` in `crates/receive`: see `bodies::json_lines`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::json_lines(bytes));
