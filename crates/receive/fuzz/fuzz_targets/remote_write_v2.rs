//! Any bytes: understood or refused, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signalbox_model::TimeRange;
use signalbox_model::series::NoKnownSeries;
use signalbox_receive::Context;
use signalbox_receive::remote_write::{Version, decode};

fuzz_target!(|bytes: &[u8]| {
    let context = Context { now_ns: 1_700_000_000_000_000_000, known: &NoKnownSeries, accepted_time: TimeRange::ALL, attribute_depth_max: 32 };
    let _ = decode(Version::V2, bytes, &context);
});
