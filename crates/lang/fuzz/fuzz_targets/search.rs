//! `cargo +nightly fuzz run search` in `crates/lang`: see `bodies::search`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|text: &str| bodies::search(text));
