//! Log and span batches as one Arrow IPC stream each: a schema, the dictionaries, one batch; compressed with LZ4 if that pays.

use std::io;
use std::panic::AssertUnwindSafe;

use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::MetadataVersion;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use signalbox_model::{Error, ErrorKind, Result};

use super::VERSION;
use super::bytes::{Cursor, corrupt};
use super::decode::decompress;
use crate::write::wal::PAYLOAD_BYTES_MAX;

const PLAIN: u8 = 0;
const LZ4: u8 = 1;
/// Version, codec, two zeros, length before compression.
const PREFIX_BYTES: usize = 8;
/// Alignment of the buffers: no type of the schemas needs more, and wider padding is waste in small batches.
const ALIGNMENT: usize = 8;

/// The payload of a batch.
pub(super) fn encode(rows: &RecordBatch) -> Result<Bytes> {
    let stream = write_stream(rows).map_err(|error| Error::internal("cannot write rows as Arrow IPC").with_source(error))?;
    let raw_len = u32::try_from(stream.len()).unwrap_or(u32::MAX);
    if stream.len() > PAYLOAD_BYTES_MAX - PREFIX_BYTES {
        let message = format!("cannot append {} bytes of rows at once: want at most {PAYLOAD_BYTES_MAX}", stream.len());
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let compressed = lz4_flex::block::compress(&stream);
    // Below a tenth saved, decompressing costs more than the disk.
    let (codec, body) = if compressed.len() < stream.len() / 10 * 9 { (LZ4, &compressed) } else { (PLAIN, &stream) };
    let mut payload = Vec::with_capacity(PREFIX_BYTES + body.len());
    payload.extend_from_slice(&[VERSION, codec, 0, 0]);
    payload.extend_from_slice(&raw_len.to_le_bytes());
    payload.extend_from_slice(body);
    Ok(payload.into())
}

/// The batch of a payload, with exactly this schema.
pub(super) fn decode(payload: &Bytes, schema: SchemaRef) -> Result<RecordBatch> {
    let mut cursor = Cursor(payload);
    let prefix = cursor.take(PREFIX_BYTES)?;
    let (version, codec) = (prefix[0], prefix[1]);
    let raw_len = u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]) as usize;
    if version != VERSION {
        return Err(corrupt("its version is unknown"));
    }
    let stream = match codec {
        PLAIN if cursor.0.len() == raw_len => Buffer::from(payload.slice(PREFIX_BYTES..)),
        LZ4 => Buffer::from(decompress(cursor.0, raw_len, PAYLOAD_BYTES_MAX)?),
        _ => return Err(corrupt("its codec or length is unknown")),
    };
    // Arrow checks what it reads and returns errors; should a malformed message still make it panic, that is an error too.
    let read = std::panic::catch_unwind(AssertUnwindSafe(|| read_stream(stream))).map_err(|_| corrupt("its Arrow stream is malformed"))?;
    let rows = read.map_err(|error| corrupt("its Arrow stream is broken").with_source(error))?;
    RecordBatch::try_new(schema, rows.columns().to_vec()).map_err(|error| corrupt("its rows have another schema").with_source(error))
}

fn write_stream(rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &rows.schema(), options)?;
    writer.write(rows)?;
    writer.into_inner()
}

/// Decodes in place: nothing is allocated on the word of a length in the stream.
fn read_stream(mut stream: Buffer) -> Result<RecordBatch, ArrowError> {
    let mut decoder = StreamDecoder::new();
    let (mut rows, mut batches) = (None, 0);
    while !stream.is_empty() {
        let before = stream.len();
        match decoder.decode(&mut stream)? {
            Some(batch) => {
                rows = Some(batch);
                batches += 1;
            }
            None if stream.len() == before => break,
            None => {}
        }
    }
    decoder.finish()?;
    match rows {
        Some(rows) if batches == 1 => Ok(rows),
        _ => Err(ArrowError::from(io::Error::from(io::ErrorKind::InvalidData))),
    }
}
