//! Shows the reader of Parquet a segment whose pages are not compressed.
//!
//! The reader of the crate makes two contexts of zstd for each column of each row group that it reads, one of them to compress.
//! A context takes more than 128 KiB, and asks the processor for its features, which in a virtual machine the hypervisor answers:
//! of a few rows of many columns they were a quarter of the time. So the metadata that the reader gets says that nothing is
//! compressed, and whoever hands it the bytes of a page decompresses them first, with the context of the thread.

mod header;

use std::cell::RefCell;
use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Compression;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use signalbox_model::{Error, Result};
use zstd::bulk::Decompressor;

use header::Header;

thread_local! {
    static CONTEXT: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The metadata of a file as if nothing in it were compressed. `None` if its pages cannot be handed out decompressed: not all are
/// of zstd, or there is no list of their places.
pub(crate) fn uncompressed(metadata: &ArrowReaderMetadata) -> Option<ArrowReaderMetadata> {
    let compressed = metadata.metadata();
    let places = compressed.offset_index()?;
    let is_listed = |(group, row_group): (usize, &RowGroupMetaData)| {
        let is_zstd = row_group.columns().iter().all(|column| matches!(column.compression(), Compression::ZSTD(_)));
        is_zstd && places.get(group).is_some_and(|columns| columns.len() == row_group.num_columns())
    };
    if !compressed.row_groups().iter().enumerate().all(is_listed) {
        return None;
    }
    let mut builder = ParquetMetaData::clone(compressed).into_builder();
    let groups = builder.take_row_groups().into_iter().map(without_compression).collect::<parquet::errors::Result<_>>().ok()?;
    ArrowReaderMetadata::try_new(Arc::new(builder.set_row_groups(groups).build()), ArrowReaderOptions::new()).ok()
}

fn without_compression(group: RowGroupMetaData) -> parquet::errors::Result<RowGroupMetaData> {
    let mut group = group.into_builder();
    let columns = group.take_columns().into_iter().map(|column| column.into_builder().set_compression(Compression::UNCOMPRESSED).build());
    let columns = columns.collect::<parquet::errors::Result<_>>()?;
    group.set_column_metadata(columns).build()
}

/// A page as it lies in a file, header and compressed content, with its content decompressed.
///
/// # Errors
/// `Corrupt` if it is no such page.
pub(crate) fn decompress(page: &Bytes) -> Result<Bytes> {
    let corrupt = || Error::corrupt("cannot decompress a page: it is not what its header says");
    let header = Header::parse(page).ok_or_else(corrupt)?;
    let prefix = header.bytes + header.levels_bytes;
    let (plain, content) = page.split_at_checked(prefix).ok_or_else(corrupt)?;
    if !header.is_compressed {
        return Ok(page.clone());
    }
    let len = header.plain_bytes.checked_sub(header.levels_bytes).ok_or_else(corrupt)?;
    // A block of zstd takes three bytes at least and yields 128 KiB at most.
    if len > content.len().saturating_mul((128 << 10) / 3) {
        return Err(corrupt());
    }
    let mut output = Vec::with_capacity(prefix + len);
    output.extend_from_slice(plain);
    if len > 0 {
        fill(content, &mut output).ok_or_else(corrupt)?;
    }
    if output.len() != prefix + len {
        return Err(corrupt());
    }
    Ok(output.into())
}

/// Decompresses into what a buffer has room for; `None` where that fails.
fn fill(content: &[u8], output: &mut Vec<u8>) -> Option<()> {
    CONTEXT.with_borrow_mut(|context| {
        let context = match context {
            Some(context) => context,
            none => none.insert(Decompressor::new().ok()?),
        };
        let mut cursor = Cursor::new(&mut *output);
        cursor.set_position(cursor.get_ref().len() as u64);
        context.decompress_to_buffer(content, &mut cursor).ok().map(drop)
    })
}

/// For tests and fuzzing: whether any bytes are a page.
pub fn check_page(bytes: &[u8]) -> bool {
    decompress(&Bytes::copy_from_slice(bytes)).is_ok()
}

#[cfg(test)]
mod tests;
