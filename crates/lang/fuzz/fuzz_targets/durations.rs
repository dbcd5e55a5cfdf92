//! `cargo +nightly fuzz run durations` in `crates/lang`: see `bodies::durations`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|text: &str| bodies::durations(text));
