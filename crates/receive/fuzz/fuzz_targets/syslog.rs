//! `cargo +nightly fuzz run syslog` in `crates/receive`: see `bodies::syslog`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::syslog(bytes));
