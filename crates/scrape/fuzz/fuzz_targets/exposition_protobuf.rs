//! `cargo +nightly fuzz run exposition_protobuf` in `crates/scrape`: see `bodies::exposition_protobuf`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::exposition_protobuf(bytes));
