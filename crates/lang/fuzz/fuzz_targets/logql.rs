//! `cargo +nightly fuzz run logql` in `crates/lang`: see `bodies::logql`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|text: &str| bodies::logql(text));
