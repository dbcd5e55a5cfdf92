//! Columns of samples as Parquet column chunks.
//!
//! Names, labels, bases, divisors and starts are constant over long runs of rows, so their chunks are put together here from runs:
//! a dictionary page, and data pages of run lengths. The crate's own writer would hash every row. Timestamps, mantissas and
//! doubles go through the crate's encoders.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::{ColumnCloseResult, get_column_writer, get_typed_column_writer};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// An encoded column chunk.
pub(crate) type Chunk = (Bytes, ColumnCloseResult);

/// Rows of one page of values, and the unit in which readers decode them. A page of this size holds a dozen series of a day;
/// one of 128 Ki rows is 1 % smaller and costs a point read twice the time.
pub(crate) const PAGE_ROWS: usize = 32 << 10;
/// Rows of a row group at most, and so of the one page of timestamps in it: only in a page that large does the compressor
/// see that the series of one target share their times.
pub(crate) const GROUP_ROWS: usize = 1 << 20;

/// How a column is written by the crate.
#[derive(Debug, Clone)]
pub(crate) struct Properties {
    pub(crate) times: WriterPropertiesPtr,
    pub(crate) mantissas: WriterPropertiesPtr,
    pub(crate) doubles: WriterPropertiesPtr,
    pub(crate) zstd_level: i32,
}

impl Properties {
    pub(crate) fn new(zstd_level: i32) -> Result<Self> {
        let column = |encoding: Encoding, page_rows: usize, statistics: EnabledStatistics| -> Result<WriterPropertiesPtr> {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(zstd_level)?))
                .set_dictionary_enabled(false)
                .set_encoding(encoding)
                .set_statistics_enabled(statistics)
                .set_data_page_row_count_limit(page_rows)
                .set_data_page_size_limit(usize::MAX)
                .set_write_batch_size(PAGE_ROWS.min(page_rows));
            Ok(Arc::new(properties.build()))
        };
        Ok(Self {
            times: column(Encoding::DELTA_BINARY_PACKED, GROUP_ROWS, EnabledStatistics::Page)?,
            // The least and greatest mantissa say nothing without base and divisor.
            mantissas: column(Encoding::DELTA_BINARY_PACKED, PAGE_ROWS, EnabledStatistics::None)?,
            // Which pages have none at all.
            doubles: column(Encoding::BYTE_STREAM_SPLIT, PAGE_ROWS, EnabledStatistics::Page)?,
            zstd_level,
        })
    }
}

/// Encodes a column with the crate's writer. `defined` has one level a row, for columns that may be null.
pub(crate) fn encode<T: DataType>(column: ColumnDescPtr, properties: &WriterPropertiesPtr, values: &[T::T], defined: Option<&[i16]>) -> Result<Chunk> {
    let mut bytes = TrackedWrite::new(Vec::new());
    let pages = Box::new(SerializedPageWriter::new(&mut bytes));
    let mut writer = get_typed_column_writer::<T>(get_column_writer(column, Arc::clone(properties), pages));
    writer.write_batch(values, defined, None)?;
    let close = writer.close()?;
    Ok((bytes.into_inner()?.into(), close))
}

/// A column as runs of equal values.
#[derive(Debug, Default)]
pub(crate) struct RunColumn {
    /// Code in the dictionary (`None` is null) and number of rows.
    runs: Vec<(Option<u32>, u32)>,
    /// Entries in PLAIN encoding.
    dictionary: Vec<u8>,
    entries: u32,
    codes: HashMap<Box<[u8]>, u32>,
    /// Texts by code, for statistics.
    texts: Vec<Box<[u8]>>,
    rows: usize,
}

impl RunColumn {
    /// Appends rows that are null.
    pub(crate) fn push_null(&mut self, rows: usize) {
        self.push_code(None, rows);
    }

    /// Appends rows of a text.
    pub(crate) fn push_text(&mut self, text: &str, rows: usize) {
        let code = self.code(text.as_bytes(), |dictionary, texts| {
            dictionary.extend_from_slice(&(text.len() as u32).to_le_bytes());
            dictionary.extend_from_slice(text.as_bytes());
            texts.push(text.as_bytes().into());
        });
        self.push_code(Some(code), rows);
    }

    /// Appends rows of a text that is not in the dictionary yet, without looking it up and without statistics.
    pub(crate) fn push_new_text(&mut self, text: &str, rows: usize) {
        let code = self.entries;
        self.entries += 1;
        self.dictionary.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.dictionary.extend_from_slice(text.as_bytes());
        self.push_code(Some(code), rows);
    }

    /// Appends rows of a number, as the little-endian bytes of its physical type.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8], rows: usize) {
        let code = self.code(bytes, |dictionary, _| dictionary.extend_from_slice(bytes));
        self.push_code(Some(code), rows);
    }

    /// Appends rows of a number that is most likely not in the dictionary yet, without looking it up.
    pub(crate) fn push_new_bytes(&mut self, bytes: &[u8], rows: usize) {
        let code = self.entries;
        self.entries += 1;
        self.dictionary.extend_from_slice(bytes);
        self.push_code(Some(code), rows);
    }

    /// Appends rows of the number that the last rows have, if these are not null.
    pub(crate) fn push_again(&mut self, bytes: &[u8], rows: usize) {
        match self.runs.last() {
            Some((Some(code), _)) => self.push_code(Some(*code), rows),
            _ => self.push_bytes(bytes, rows),
        }
    }

    /// Bytes of the dictionary so far.
    pub(crate) fn dictionary_bytes(&self) -> usize {
        self.dictionary.len()
    }

    fn code(&mut self, bytes: &[u8], add: impl FnOnce(&mut Vec<u8>, &mut Vec<Box<[u8]>>)) -> u32 {
        if let Some(code) = self.codes.get(bytes) {
            return *code;
        }
        let code = self.entries;
        self.entries += 1;
        self.codes.insert(bytes.into(), code);
        add(&mut self.dictionary, &mut self.texts);
        code
    }

    fn push_code(&mut self, code: Option<u32>, rows: usize) {
        self.rows += rows;
        match self.runs.last_mut().filter(|last| last.0 == code) {
            Some(last) => last.1 += rows as u32,
            None => self.runs.push((code, rows as u32)),
        }
    }

    /// The column chunk; the column is empty again.
    pub(crate) fn finish(&mut self, column: &ColumnDescPtr, zstd_level: i32, statistics: EnabledStatistics) -> Result<Chunk> {
        let done = std::mem::take(self);
        done.encode(column, zstd_level, statistics != EnabledStatistics::None)
    }

    fn encode(self, column: &ColumnDescPtr, zstd_level: i32, with_statistics: bool) -> Result<Chunk> {
        let mut bytes = TrackedWrite::new(Vec::new());
        let mut writer = SerializedPageWriter::new(&mut bytes);
        let mut total = Totals::default();
        let is_nullable = column.max_def_level() > 0;
        let entries = self.entries;
        let dictionary = |buf: Bytes| Page::DictionaryPage { buf, num_values: entries, encoding: Encoding::PLAIN, is_sorted: false };
        total.add(&mut writer, &self.dictionary, zstd_level, dictionary)?;
        let data_offset = total.compressed;
        let width = (u32::BITS - entries.saturating_sub(1).leading_zeros()).max(1) as u8;
        let mut offsets = OffsetIndexBuilder::new();
        let mut index = ColumnIndexBuilder::new(column.physical_type());
        for page in Pages::new(&self.runs) {
            let rows: usize = page.iter().map(|(_, rows)| *rows as usize).sum();
            let body = encode_page(&page, width, is_nullable);
            let data = |buf: Bytes| Page::DataPage {
                buf,
                num_values: rows as u32,
                encoding: Encoding::RLE_DICTIONARY,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            };
            let (offset, size) = total.add(&mut writer, &body, zstd_level, data)?;
            offsets.append_row_count(rows as i64);
            offsets.append_offset_and_size(offset as i64, size as i32);
            if with_statistics {
                let texts = || page.iter().filter_map(|(code, _)| self.texts.get((*code)? as usize));
                let bound = |text: Option<&Box<[u8]>>| text.map(|text| text.to_vec()).unwrap_or_default();
                index.append(false, bound(texts().min()), bound(texts().max()), 0);
            }
        }
        writer.close()?;
        let mut metadata = ColumnChunkMetaData::builder(Arc::clone(column))
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(zstd_level)?))
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
            .set_total_compressed_size(total.compressed as i64)
            .set_total_uncompressed_size(total.uncompressed as i64)
            .set_num_values(self.rows as i64)
            .set_dictionary_page_offset(Some(0))
            .set_data_page_offset(data_offset as i64);
        if with_statistics {
            let bound = |text: Option<&Box<[u8]>>| text.map(|text| ByteArray::from(text.to_vec()));
            metadata = metadata.set_statistics(Statistics::byte_array(bound(self.texts.iter().min()), bound(self.texts.iter().max()), None, Some(0), false));
        }
        let close = ColumnCloseResult {
            bytes_written: total.compressed as u64,
            rows_written: self.rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: if with_statistics { Some(index.build()?) } else { None },
            offset_index: Some(offsets.build()),
        };
        Ok((bytes.into_inner()?.into(), close))
    }
}

/// Bytes of the pages of a chunk, headers included.
#[derive(Debug, Default)]
struct Totals {
    compressed: usize,
    uncompressed: usize,
}

impl Totals {
    /// Writes a page; gives its offset and size.
    fn add(&mut self, writer: &mut dyn PageWriter, body: &[u8], zstd_level: i32, page: impl FnOnce(Bytes) -> Page) -> Result<(usize, usize)> {
        let compressed = zstd::bulk::compress(body, zstd_level).map_err(ParquetError::from)?;
        let spec = writer.write_page(CompressedPage::new(page(compressed.into()), body.len()))?;
        let offset = self.compressed;
        self.compressed += spec.compressed_size;
        self.uncompressed += spec.uncompressed_size;
        Ok((offset, spec.compressed_size))
    }
}

/// Cuts runs into pages.
struct Pages<'a> {
    runs: &'a [(Option<u32>, u32)],
    taken: u32,
}

impl<'a> Pages<'a> {
    fn new(runs: &'a [(Option<u32>, u32)]) -> Self {
        Self { runs, taken: 0 }
    }
}

impl Iterator for Pages<'_> {
    type Item = Vec<(Option<u32>, u32)>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut page, mut room) = (Vec::new(), PAGE_ROWS as u32);
        while let (Some((code, rows)), true) = (self.runs.first(), room > 0) {
            let rows = (rows - self.taken).min(room);
            page.push((*code, rows));
            room -= rows;
            self.taken += rows;
            if self.taken == self.runs[0].1 {
                (self.runs, self.taken) = (&self.runs[1..], 0);
            }
        }
        (!page.is_empty()).then_some(page)
    }
}

/// A data page (version 1): definition levels if the column may be null, bit width, runs of codes.
fn encode_page(runs: &[(Option<u32>, u32)], width: u8, is_nullable: bool) -> Vec<u8> {
    let mut page = Vec::new();
    if is_nullable {
        let mut levels: Vec<(u32, u32)> = Vec::new();
        for (code, rows) in runs {
            let level = u32::from(code.is_some());
            match levels.last_mut().filter(|last| last.0 == level) {
                Some(last) => last.1 += rows,
                None => levels.push((level, *rows)),
            }
        }
        let mut encoded = Vec::new();
        levels.iter().for_each(|(level, rows)| write_run(&mut encoded, *level, *rows, 1));
        page.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
        page.extend_from_slice(&encoded);
    }
    page.push(width);
    for (code, rows) in runs {
        if let Some(code) = code {
            write_run(&mut page, *code, *rows, width);
        }
    }
    page
}

/// One run of Parquet's RLE hybrid: length shifted by one, value in whole bytes.
fn write_run(out: &mut Vec<u8>, value: u32, rows: u32, width: u8) {
    super::varint::write(out, u64::from(rows) << 1);
    out.extend_from_slice(&value.to_le_bytes()[..usize::from(width.div_ceil(8))]);
}
