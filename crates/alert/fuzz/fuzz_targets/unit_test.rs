//! `cargo +nightly fuzz run unit_test`: no text makes the reader of unit tests of rules panic or take more than its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signalbox_alert::unit_test;

fuzz_target!(|text: &str| {
    let _either = unit_test::read(text);
});
