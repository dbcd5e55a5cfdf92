//! `cargo +nightly fuzz run targets` in `crates/scrape`: see `found::targets`.
#![no_main]

#[path = "../found.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod found;

libfuzzer_sys::fuzz_target!(|text: &str| found::targets(text));
