//! `cargo +nightly fuzz run relabel` in `crates/scrape`: see `found::relabel`.
#![no_main]

#[path = "../found.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod found;

libfuzzer_sys::fuzz_target!(|text: &str| found::relabel(text));
