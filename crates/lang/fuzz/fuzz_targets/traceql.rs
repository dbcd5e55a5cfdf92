//! `cargo +nightly fuzz run traceql` in `crates/lang`: see `bodies::traceql`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|text: &str| bodies::traceql(text));
