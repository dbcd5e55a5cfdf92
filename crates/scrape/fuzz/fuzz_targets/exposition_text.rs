//! `cargo +nightly fuzz run exposition_text` in `crates/scrape`: see `bodies::exposition_text`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::exposition_text(bytes));
