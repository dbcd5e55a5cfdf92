//! Any bytes as the index of a segment of metrics: an index or an error, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signalbox_store::format::{check_series_index, seal_series_index};

fuzz_target!(|data: &[u8]| {
    let Some((rows, rest)) = data.split_first() else { return };
    let _series_or_error = check_series_index(rest, u64::from(*rows));
    // Behind a checksum that holds, so that the fuzzer gets to what lies there.
    let _series_or_error = check_series_index(&seal_series_index(rest), u64::from(*rows));
});
