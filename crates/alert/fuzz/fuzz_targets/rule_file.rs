//! `cargo +nightly fuzz run rule_file`: no text makes the loader panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signalbox_alert::rule_file;

fuzz_target!(|text: &str| {
    let _either = rule_file::parse("fuzz.yaml", text);
});
