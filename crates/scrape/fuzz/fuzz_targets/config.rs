//! `cargo +nightly fuzz run config` in `crates/scrape`: see `found::config`.
#![no_main]

#[path = "../found.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod found;

libfuzzer_sys::fuzz_target!(|text: &str| found::config(text));
