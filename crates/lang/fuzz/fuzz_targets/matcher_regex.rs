//! `cargo +nightly fuzz run matcher_regex` in `crates/lang`: see `bodies::matcher_regex`.
#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "a target runs one body")]
mod bodies;

libfuzzer_sys::fuzz_target!(|text: &str| bodies::matcher_regex(text));
