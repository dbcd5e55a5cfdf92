//! `cargo +nightly fuzz run series` in `crates/lang`: no text in the notation of series makes the reader panic.
#![no_main]

use signalbox_lang::promql::series;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok((_, rest)) = series::split_labels(text) {
        let _items = series::items(rest);
        let _starts = series::starts(rest);
    }
});
