//! Any bytes as the filter or the index of traces of a segment: one of them or an error, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signalbox_store::format::{check_trace_filter, check_trace_index};

fuzz_target!(|data: &[u8]| {
    let Some((granules, rest)) = data.split_first() else { return };
    let _bytes_or_error = check_trace_filter(rest);
    let _traces_or_error = check_trace_index(rest, u64::from(*granules) * 1024);
    // Behind a good start, so that the fuzzer gets to what lies there.
    let _bytes_or_error = check_trace_filter(&[b"SBXTRF\0\x01".as_slice(), rest].concat());
    let _traces_or_error = check_trace_index(&[b"SBXTRI\0\x01".as_slice(), rest].concat(), u64::from(*granules) * 1024);
});
