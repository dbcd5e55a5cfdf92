//! `cargo +nightly fuzz run kubernetes` in `crates/scrape`: see `found::kubernetes`.
#![no_main]

#[path = "../found.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod found;

libfuzzer_sys::fuzz_target!(|text: &str| found::kubernetes(text));
