//! `cargo +nightly fuzz run gelf_datagrams` in `crates/receive`: see `bodies::gelf_datagrams`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::gelf_datagrams(bytes));
