//! `cargo +nightly fuzz run influx_query` in `crates/receive`: see `bodies::influx_query`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::influx_query(bytes));
