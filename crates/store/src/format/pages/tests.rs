#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::reader::{ChunkReader, Length};
use signalbox_testkit::mutate;

use super::*;

fn rows() -> RecordBatch {
    let text = |row: i64| (row % 3 != 0).then(|| format!("row {}", row % 50));
    let texts: ArrayRef = Arc::new((0..1000).map(text).collect::<StringArray>());
    let numbers: ArrayRef = Arc::new((0..1000).map(|row| (row % 7 != 0).then_some(row)).collect::<Int64Array>());
    let nulls: ArrayRef = Arc::new((0..1000).map(|_| None::<i64>).collect::<Int64Array>());
    RecordBatch::try_from_iter_with_nullable([("texts", texts, true), ("numbers", numbers, true), ("nulls", nulls, true)]).unwrap()
}

fn file(version: WriterVersion, compression: Compression) -> Bytes {
    let properties = WriterProperties::builder().set_writer_version(version).set_compression(compression).set_data_page_row_count_limit(128);
    let properties = properties.set_write_batch_size(128).set_max_row_group_row_count(Some(300)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows().schema(), Some(properties)).unwrap();
    writer.write(&rows()).unwrap();
    writer.close().unwrap();
    bytes.into()
}

/// Hands out pages decompressed, and nothing else.
struct Plain(Bytes);

impl Length for Plain {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

impl ChunkReader for Plain {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, _: u64) -> parquet::errors::Result<Self::T> {
        unreachable!("pages are read by their places")
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        Ok(decompress(&self.0.slice(start as usize..start as usize + length)).unwrap())
    }
}

fn metadata(file: &Bytes, policy: PageIndexPolicy) -> ArrowReaderMetadata {
    ArrowReaderMetadata::load(file, ArrowReaderOptions::new().with_page_index_policy(policy)).unwrap()
}

#[test]
fn pages_of_both_versions_are_read_as_if_not_compressed() {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(3).unwrap());
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let file = file(version, zstd);
        let plain = uncompressed(&metadata(&file, PageIndexPolicy::Required)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(Plain(file), plain).build().unwrap();
        let batches: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
        assert_eq!(arrow::compute::concat_batches(&rows().schema(), &batches).unwrap(), rows());
    }
}

#[test]
fn other_files_are_left_to_the_reader_of_parquet() {
    let zstd = file(WriterVersion::PARQUET_1_0, Compression::ZSTD(ZstdLevel::try_new(3).unwrap()));
    assert!(uncompressed(&metadata(&zstd, PageIndexPolicy::Skip)).is_none());
    let plain = file(WriterVersion::PARQUET_1_0, Compression::UNCOMPRESSED);
    assert!(uncompressed(&metadata(&plain, PageIndexPolicy::Required)).is_none());
}

#[test]
fn hostile_pages_are_refused_or_read() {
    let file = file(WriterVersion::PARQUET_2_0, Compression::ZSTD(ZstdLevel::try_new(3).unwrap()));
    let metadata = metadata(&file, PageIndexPolicy::Required);
    let page = |column: usize| {
        let place = &metadata.metadata().offset_index().unwrap()[0][column].page_locations()[0];
        file.slice(place.offset as usize..place.offset as usize + place.compressed_page_size as usize)
    };
    for column in 0..3 {
        let page = page(column);
        assert!(check_page(&page));
        for end in 0..page.len() {
            check_page(&page[..end]);
        }
        mutate::bytes(&[&page], 2000, |bad| assert!(!bad.is_empty() || !check_page(bad)));
    }
    // Claims 2 GiB of nothing; is deeper than any header; has a length without end.
    assert!(!check_page(&[0x25, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 1]));
    assert!(!check_page(&[0x1c; 64]));
    assert!(!check_page(&[0xff; 64]));
    assert!(!check_page(&[]));
}
