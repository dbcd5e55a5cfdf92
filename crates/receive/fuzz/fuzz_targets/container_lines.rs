//! `cargo +nightly fuzz run container_lines` in `crates/receive`: see `bodies::container_lines`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::container_lines(bytes));
