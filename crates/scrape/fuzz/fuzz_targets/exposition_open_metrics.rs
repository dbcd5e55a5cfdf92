//! `cargo +nightly fuzz run exposition_open_metrics` in `crates/scrape`: see `bodies::exposition_open_metrics`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::exposition_open_metrics(bytes));
