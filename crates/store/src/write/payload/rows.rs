//! Log and span batches: their columns in the order of the schema, compressed with LZ4 if that pays.
//!
//! Not Arrow IPC: its reader panics on malformed streams, and its schema message is larger than a small batch. The schema is a
//! constant of the version, so only lengths and buffers are written.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray as _, DictionaryArray, FixedSizeBinaryArray, ListArray, MapArray, StringArray, StructArray, UInt32Array, make_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Fields, SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use signalbox_model::{Error, ErrorKind, Result};

use super::VERSION;
use super::bytes::{Cursor, corrupt, put_varint};
use super::decode::decompress;
use crate::write::wal::PAYLOAD_BYTES_MAX;

const PLAIN: u8 = 0;
const LZ4: u8 = 1;
/// Version, codec, two zeros, length before compression.
const PREFIX_BYTES: usize = 8;

/// The payload of a batch.
pub(super) fn encode(rows: &RecordBatch) -> Result<Bytes> {
    let mut body = Vec::with_capacity(rows.num_rows() * 64);
    put_varint(&mut body, rows.num_rows() as u64);
    for column in rows.columns() {
        put_array(&mut body, column.as_ref())?;
    }
    let raw_len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    if body.len() > PAYLOAD_BYTES_MAX - PREFIX_BYTES {
        let message = format!("cannot append {} bytes of rows at once: want at most {PAYLOAD_BYTES_MAX}", body.len());
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let compressed = lz4_flex::block::compress(&body);
    // Below a tenth saved, decompressing costs more than the disk.
    let (codec, stored) = if compressed.len() < body.len() / 10 * 9 { (LZ4, &compressed) } else { (PLAIN, &body) };
    let mut payload = Vec::with_capacity(PREFIX_BYTES + stored.len());
    payload.extend_from_slice(&[VERSION, codec, 0, 0]);
    payload.extend_from_slice(&raw_len.to_le_bytes());
    payload.extend_from_slice(stored);
    Ok(payload.into())
}

/// The batch of a payload, with exactly this schema.
pub(super) fn decode(payload: &[u8], schema: SchemaRef) -> Result<RecordBatch> {
    let mut cursor = Cursor(payload);
    let prefix = cursor.take(PREFIX_BYTES)?;
    let (version, codec) = (prefix[0], prefix[1]);
    let raw_len = u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]) as usize;
    if version != VERSION || prefix[2..4] != [0, 0] {
        return Err(corrupt("its version is unknown"));
    }
    let decompressed;
    let body = match codec {
        PLAIN if cursor.0.len() == raw_len => cursor.0,
        LZ4 => {
            decompressed = decompress(cursor.0, raw_len, PAYLOAD_BYTES_MAX)?;
            &decompressed
        }
        _ => return Err(corrupt("its codec or length is unknown")),
    };
    let mut cursor = Cursor(body);
    let rows = cursor.count(1)?;
    let columns = schema.fields().iter().map(|field| array(&mut cursor, field.data_type(), rows)).collect::<Result<_>>()?;
    cursor.end()?;
    RecordBatch::try_new(schema, columns).map_err(broken)
}

/// Nulls, then what the type needs; the length is known from outside.
fn put_array(out: &mut Vec<u8>, array: &dyn Array) -> Result<()> {
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => out.push(0),
        Some(nulls) => {
            out.push(1);
            out.extend_from_slice(&nulls.inner().sliced()[..array.len().div_ceil(8)]);
        }
    }
    match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            put_lengths(out, texts.offsets());
            out.extend_from_slice(&texts.values()[as_range(texts.offsets())]);
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_any().downcast_ref::<DictionaryArray<UInt32Type>>().ok_or_else(|| unknown(array.data_type()))?;
            put_varint(out, dictionary.values().len() as u64);
            put_array(out, dictionary.values().as_ref())?;
            dictionary.keys().values().iter().for_each(|key| put_varint(out, u64::from(*key)));
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            put_children(out, lists.offsets(), lists.values())?;
        }
        DataType::Map(..) => {
            let maps = array.as_map();
            put_children(out, maps.offsets(), maps.entries())?;
        }
        DataType::Struct(_) => {
            for column in array.as_struct().columns() {
                put_array(out, column.as_ref())?;
            }
        }
        DataType::FixedSizeBinary(width) => {
            let width = usize::try_from(*width).map_err(|_| unknown(array.data_type()))?;
            put_fixed(out, &array.to_data(), width);
        }
        other => put_fixed(out, &array.to_data(), other.primitive_width().ok_or_else(|| unknown(other))?),
    }
    Ok(())
}

fn put_fixed(out: &mut Vec<u8>, data: &ArrayData, width: usize) {
    out.extend_from_slice(&data.buffers()[0].as_slice()[data.offset() * width..(data.offset() + data.len()) * width]);
}

fn put_lengths(out: &mut Vec<u8>, offsets: &OffsetBuffer<i32>) {
    offsets.lengths().for_each(|length| put_varint(out, length as u64));
}

fn put_children(out: &mut Vec<u8>, offsets: &OffsetBuffer<i32>, children: &dyn Array) -> Result<()> {
    put_lengths(out, offsets);
    let range = as_range(offsets);
    put_array(out, children.slice(range.start, range.len()).as_ref())
}

/// What of the children the offsets cover. Offsets are never negative, and there is always one.
fn as_range(offsets: &OffsetBuffer<i32>) -> std::ops::Range<usize> {
    let at = |offset: Option<&i32>| offset.map_or(0, |offset| usize::try_from(*offset).unwrap_or(0));
    at(offsets.first())..at(offsets.last())
}

/// The inverse of [`put_array`] for a type and a length.
fn array(cursor: &mut Cursor<'_>, data_type: &DataType, len: usize) -> Result<ArrayRef> {
    let nulls = match cursor.byte()? {
        0 => None,
        1 => Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_slice_ref(cursor.take(len.div_ceil(8))?), 0, len))),
        _ => return Err(corrupt("a column has an unknown form")),
    };
    Ok(match data_type {
        DataType::Utf8 => {
            let (offsets, total) = offsets(cursor, len)?;
            let values = Buffer::from_slice_ref(cursor.take(total)?);
            Arc::new(StringArray::try_new(offsets, values, nulls).map_err(broken)?)
        }
        DataType::Dictionary(_, value_type) => {
            let distinct = cursor.count(1)?;
            let values = array(cursor, value_type, distinct)?;
            room(cursor, len)?;
            let keys = (0..len).map(|_| cursor.u32()).collect::<Result<Vec<u32>>>()?;
            let keys = UInt32Array::try_new(keys.into(), nulls).map_err(broken)?;
            Arc::new(DictionaryArray::<UInt32Type>::try_new(keys, values).map_err(broken)?)
        }
        DataType::List(field) => {
            let (offsets, total) = offsets(cursor, len)?;
            let items = array(cursor, field.data_type(), total)?;
            Arc::new(ListArray::try_new(Arc::clone(field), offsets, items, nulls).map_err(broken)?)
        }
        DataType::Map(field, is_sorted) => {
            let (offsets, total) = offsets(cursor, len)?;
            let DataType::Struct(fields) = field.data_type() else { return Err(unknown(data_type)) };
            if cursor.byte()? != 0 {
                return Err(corrupt("an entry of a map is null"));
            }
            let entries = structs(cursor, fields, total, None)?;
            Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, nulls, *is_sorted).map_err(broken)?)
        }
        DataType::Struct(fields) => Arc::new(structs(cursor, fields, len, nulls)?),
        DataType::FixedSizeBinary(width) => {
            let values = fixed(cursor, len, usize::try_from(*width).map_err(|_| unknown(data_type))?)?;
            Arc::new(FixedSizeBinaryArray::try_new(*width, values, nulls).map_err(broken)?)
        }
        other => {
            let values = fixed(cursor, len, other.primitive_width().ok_or_else(|| unknown(other))?)?;
            make_array(ArrayData::builder(other.clone()).len(len).add_buffer(values).nulls(nulls).build().map_err(broken)?)
        }
    })
}

fn structs(cursor: &mut Cursor<'_>, fields: &Fields, len: usize, nulls: Option<NullBuffer>) -> Result<StructArray> {
    let columns = fields.iter().map(|field| array(cursor, field.data_type(), len)).collect::<Result<_>>()?;
    StructArray::try_new(fields.clone(), columns, nulls).map_err(broken)
}

fn fixed(cursor: &mut Cursor<'_>, len: usize, width: usize) -> Result<Buffer> {
    let bytes = len.checked_mul(width).ok_or_else(|| corrupt("it claims more items than it has bytes"))?;
    Ok(Buffer::from_slice_ref(cursor.take(bytes)?))
}

/// Offsets from lengths, and their sum.
fn offsets(cursor: &mut Cursor<'_>, len: usize) -> Result<(OffsetBuffer<i32>, usize)> {
    room(cursor, len)?;
    let (mut offsets, mut end) = (Vec::with_capacity(len + 1), 0i32);
    offsets.push(end);
    for _ in 0..len {
        let length = i32::try_from(cursor.varint()?).ok();
        end = length.and_then(|length| end.checked_add(length)).ok_or_else(|| corrupt("a column is too large"))?;
        offsets.push(end);
    }
    // From 0 upwards by construction.
    Ok((OffsetBuffer::new(ScalarBuffer::from(offsets)), usize::try_from(end).unwrap_or(0)))
}

/// Each of so many items takes at least a byte of what is left.
fn room(cursor: &Cursor<'_>, len: usize) -> Result<()> {
    if len <= cursor.0.len() { Ok(()) } else { Err(corrupt("it claims more items than it has bytes")) }
}

fn unknown(data_type: &DataType) -> Error {
    Error::internal(format!("cannot write a column of type {data_type} to the WAL: no schema of logs or spans has one"))
}

fn broken(error: ArrowError) -> Error {
    corrupt("a column is inconsistent").with_source(error)
}
