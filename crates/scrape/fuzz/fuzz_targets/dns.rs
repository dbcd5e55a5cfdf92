//! `cargo +nightly fuzz run dns` in `crates/scrape`: see `found::dns`.
#![no_main]

#[path = "../found.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod found;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| found::dns(bytes));
