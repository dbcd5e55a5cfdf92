//! `cargo +nightly fuzz run jaeger_protobuf` in `crates/receive`: see `bodies::jaeger_protobuf`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::jaeger_protobuf(bytes));
