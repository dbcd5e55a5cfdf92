//! `cargo +nightly fuzz run splunk_events` in `crates/receive`: see `bodies::splunk_events`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::splunk_events(bytes));
