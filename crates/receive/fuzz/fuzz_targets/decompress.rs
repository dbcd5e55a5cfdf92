//! `cargo +nightly fuzz run decompress` in `crates/receive`: see `bodies::decompress`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::decompress(bytes));
