//! `cargo +nightly fuzz run remote_write_v2` in `crates/receive`: see `bodies::remote_write_v2`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::remote_write_v2(bytes));
