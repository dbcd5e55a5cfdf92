//! Any bytes as a payload: rows or an error, never a panic.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use signalbox_model::{Signal, Tenant};
use signalbox_store::write::payload::Decoder;
use signalbox_store::write::wal::{Frame, FrameKind};

fuzz_target!(|data: &[u8]| {
    let Some((signal, payload)) = data.split_first() else { return };
    let kind = FrameKind::Signal(Signal::ALL[usize::from(*signal) % Signal::ALL.len()]);
    let frame = Frame { sequence: 1, tenant: Tenant::default(), kind, payload: Bytes::copy_from_slice(payload), file: 1, is_consumed: false };
    let _rows_or_error = Decoder::default().decode(&frame);
});
