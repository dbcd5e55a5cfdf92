//! `cargo +nightly fuzz run promql` in `crates/lang`: see `bodies::promql`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|text: &str| bodies::promql(text));
