//! `cargo +nightly fuzz run otlp_metrics` in `crates/receive`: see `bodies::otlp_metrics`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::otlp_metrics(bytes));
