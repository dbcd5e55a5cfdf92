//! `cargo +nightly fuzz run matchers` in `crates/lang`: see `bodies::matchers`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|text: &str| bodies::matchers(text));
