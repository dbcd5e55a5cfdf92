//! `cargo +nightly fuzz run config`: no text makes the reader of configurations panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signalbox_app::Config;

fuzz_target!(|text: &str| {
    let _either = Config::parse(text, |name| Some(name.to_owned()));
});
