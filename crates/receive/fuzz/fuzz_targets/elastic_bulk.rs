//! `cargo +nightly fuzz run elastic_bulk` in `crates/receive`: see `bodies::elastic_bulk`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::elastic_bulk(bytes));
