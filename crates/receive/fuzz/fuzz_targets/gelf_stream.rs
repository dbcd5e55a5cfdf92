//! `cargo +nightly fuzz run gelf_stream` in `crates/receive`: see `bodies::gelf_stream`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::gelf_stream(bytes));
