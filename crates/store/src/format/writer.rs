//! Writes one segment: Parquet through a buffered, checksumming file, made durable before anybody hears of it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter, add_encoded_arrow_schema_to_metadata};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnDescPtr;
use signalbox_model::disk::{Disk, DiskFile, OpenMode, write_all_at};
use signalbox_model::{Error, Result, TimeRange};
use xxhash_rust::xxh3::Xxh3;

use super::Segment;

/// Bytes under one checksum. Small enough that a point read of one page does not verify much beside it, large enough that
/// the checksums of a file of 256 MiB are 16 KiB.
pub(crate) const BLOCK_BYTES: usize = 64 << 10;
/// Key of the record in the key-value metadata of the file.
pub(crate) const RECORD_KEY: &str = "signalbox.segment";
/// Key of the places of the embedded blobs: a JSON object from name to offset and length.
pub(crate) const BLOBS_KEY: &str = "signalbox.blobs";
/// Bytes collected before a write to the disk.
const WRITE_BYTES: usize = 1 << 20;

/// Writes one segment. A segment that is dropped unfinished leaves an orphan, which [`SegmentWriter::abandon`] removes and
/// else the next start.
pub(crate) struct SegmentWriter {
    file: ParquetFile,
    disk: Arc<dyn Disk>,
    dir: std::path::PathBuf,
    segment: Segment,
    blobs: BTreeMap<String, (u64, u64)>,
    written: u64,
}

impl SegmentWriter {
    /// Starts the file of `segment` (`rows`, `range`, `bytes`, `body_bytes` and `checksum` are filled in at the end), in the
    /// data directory `dir`.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) fn create(disk: &Arc<dyn Disk>, dir: &Path, segment: Segment, schema: SchemaRef, properties: WriterProperties) -> Result<Self> {
        let sink = SegmentSink::create(disk, dir, &segment)?;
        let options = ArrowWriterOptions::new().with_properties(properties);
        let arrow = ArrowWriter::try_new_with_options(sink, schema, options).map_err(|error| write_error(&segment, error))?;
        Ok(Self { file: ParquetFile::Batches(arrow), disk: Arc::clone(disk), dir: dir.to_owned(), segment, blobs: BTreeMap::new(), written: 0 })
    }

    /// As [`SegmentWriter::create`], for whoever encodes columns itself and uses [`SegmentWriter::write_row_group`].
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) fn create_columns(disk: &Arc<dyn Disk>, dir: &Path, segment: Segment, schema: &SchemaRef, mut properties: WriterProperties) -> Result<Self> {
        let sink = SegmentSink::create(disk, dir, &segment)?;
        let failed = |error: ParquetError| write_error(&segment, error);
        let columns = ArrowSchemaConverter::new().convert(schema).map_err(failed)?;
        add_encoded_arrow_schema_to_metadata(schema, &mut properties);
        let columns = SerializedFileWriter::new(sink, columns.root_schema_ptr(), Arc::new(properties)).map_err(failed)?;
        Ok(Self { file: ParquetFile::Columns(columns), disk: Arc::clone(disk), dir: dir.to_owned(), segment, blobs: BTreeMap::new(), written: 0 })
    }

    /// The description of a column, for a writer by columns.
    pub(crate) fn column(&self, at: usize) -> Option<ColumnDescPtr> {
        match &self.file {
            ParquetFile::Columns(columns) => Some(columns.schema_descr().column(at)),
            ParquetFile::Batches(_) => None,
        }
    }

    /// Appends encoded columns as one row group of so many rows.
    ///
    /// # Errors
    /// Of the disk; `Internal` if this is not a writer by columns.
    pub(crate) fn write_row_group(&mut self, rows: u64, columns: Vec<(Bytes, ColumnCloseResult)>) -> Result<()> {
        let failed = |error: ParquetError| write_error(&self.segment, error);
        let ParquetFile::Columns(file) = &mut self.file else {
            return Err(Error::internal("cannot write columns: the segment is written in batches"));
        };
        let mut group = file.next_row_group().map_err(failed)?;
        for (bytes, close) in columns {
            group.append_column(&bytes, close).map_err(failed)?;
        }
        group.close().map_err(failed)?;
        self.written += rows;
        Ok(())
    }

    /// Appends rows, in the order of the table.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.written += rows.num_rows() as u64;
        match &mut self.file {
            ParquetFile::Batches(arrow) => arrow.write(rows).map_err(|error| write_error(&self.segment, error)),
            ParquetFile::Columns(_) => Err(Error::internal("cannot write a batch: the segment is written by columns")),
        }
    }

    /// Closes the row group.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) fn close_row_group(&mut self) -> Result<()> {
        match &mut self.file {
            ParquetFile::Batches(arrow) => arrow.flush().map_err(|error| write_error(&self.segment, error)),
            ParquetFile::Columns(_) => Ok(()),
        }
    }

    /// Embeds an index under a name; closes the row group. Other readers of Parquet skip it.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) fn embed(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.close_row_group()?;
        let offset = self.file.bytes_written() as u64;
        self.file.write_all(bytes).map_err(|error| write_error(&self.segment, error.into()))?;
        self.blobs.insert(name.to_owned(), (offset, bytes.len() as u64));
        Ok(())
    }

    /// Adds an entry to the key-value metadata.
    pub(crate) fn annotate(&mut self, key: &str, value: String) {
        self.file.append_key_value_metadata(KeyValue { key: key.into(), value: Some(value) });
    }

    /// Completes the file and makes it and its name durable. `range` bounds the timestamps.
    ///
    /// # Errors
    /// Of the disk; the file is then removed.
    pub(crate) fn finish(mut self, range: TimeRange) -> Result<Segment> {
        match self.complete(range) {
            Ok(()) => Ok(self.segment),
            Err(error) => {
                self.abandon();
                Err(error)
            }
        }
    }

    fn complete(&mut self, range: TimeRange) -> Result<()> {
        self.close_row_group()?;
        let mut segment = self.segment.clone();
        segment.range = range;
        segment.rows = self.written;
        let io_error = |error: io::Error| write_error(&segment, error.into());
        self.file.sync().map_err(io_error)?;
        segment.body_bytes = self.file.bytes_written() as u64;
        let sums = self.file.inner_mut().end_body();
        self.file.write_all(&sums).map_err(|error| write_error(&segment, error.into()))?;
        let entry = |key: &str, value: String| KeyValue { key: key.into(), value: Some(value) };
        self.file.append_key_value_metadata(entry(RECORD_KEY, segment.to_manifest()));
        let blobs = serde_json::to_string(&self.blobs).expect("names and numbers always have a JSON form");
        self.file.append_key_value_metadata(entry(BLOBS_KEY, blobs));
        self.file.finish().map_err(|error| write_error(&segment, error))?;
        let sink = self.file.inner_mut();
        let failed = |error: io::Error| Error::unavailable(format!("cannot make segment {} durable", segment.url)).with_source(error);
        sink.drain().map_err(failed)?;
        sink.file.sync_data().map_err(failed)?;
        let path = segment.path(&self.dir);
        self.disk.sync_dir(path.parent().unwrap_or(&self.dir)).map_err(failed)?;
        (segment.bytes, segment.checksum) = (sink.position, sink.tail.digest());
        self.segment = segment;
        Ok(())
    }

    /// Gives up and removes the file.
    pub(crate) fn abandon(self) {
        if let Err(error) = self.disk.remove(&self.segment.path(&self.dir)) {
            tracing::warn!(%error, segment = %self.segment.url, "cannot remove unfinished segment {}, the next start will", self.segment.url);
        }
    }
}

impl std::fmt::Debug for SegmentWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentWriter").field("segment", &self.segment).field("rows", &self.written).finish_non_exhaustive()
    }
}

fn write_error(segment: &Segment, error: ParquetError) -> Error {
    Error::unavailable(format!("cannot write segment {}", segment.url)).with_source(error)
}

/// The two ways to write Parquet.
enum ParquetFile {
    Batches(ArrowWriter<SegmentSink>),
    Columns(SerializedFileWriter<SegmentSink>),
}

impl ParquetFile {
    fn bytes_written(&self) -> usize {
        match self {
            Self::Batches(arrow) => arrow.bytes_written(),
            Self::Columns(columns) => columns.bytes_written(),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Batches(arrow) => arrow.write_all(bytes),
            Self::Columns(columns) => columns.write_all(bytes),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        match self {
            Self::Batches(arrow) => arrow.sync(),
            Self::Columns(columns) => columns.flush(),
        }
    }

    fn inner_mut(&mut self) -> &mut SegmentSink {
        match self {
            Self::Batches(arrow) => arrow.inner_mut(),
            Self::Columns(columns) => columns.inner_mut(),
        }
    }

    fn append_key_value_metadata(&mut self, entry: KeyValue) {
        match self {
            Self::Batches(arrow) => arrow.append_key_value_metadata(entry),
            Self::Columns(columns) => columns.append_key_value_metadata(entry),
        }
    }

    fn finish(&mut self) -> Result<(), ParquetError> {
        match self {
            Self::Batches(arrow) => arrow.finish().map(drop),
            Self::Columns(columns) => columns.finish().map(drop),
        }
    }
}

/// A file that sums what is written to it.
struct SegmentSink {
    file: Box<dyn DiskFile>,
    buffer: Vec<u8>,
    position: u64,
    drained: u64,
    sums: Vec<u32>,
    block_crc: u32,
    block_len: usize,
    in_tail: bool,
    tail: Xxh3,
}

impl SegmentSink {
    fn create(disk: &Arc<dyn Disk>, dir: &Path, segment: &Segment) -> Result<Self> {
        let path = segment.path(dir);
        let failed = |error: io::Error| Error::unavailable(format!("cannot create segment {}", segment.url)).with_source(error);
        disk.create_dir_all(path.parent().unwrap_or(dir)).map_err(failed)?;
        Ok(Self::new(disk.open(&path, OpenMode::CreateNew).map_err(failed)?))
    }

    fn new(file: Box<dyn DiskFile>) -> Self {
        let buffer = Vec::with_capacity(WRITE_BYTES);
        Self { file, buffer, position: 0, drained: 0, sums: Vec::new(), block_crc: 0, block_len: 0, in_tail: false, tail: Xxh3::new() }
    }

    fn sum(&mut self, mut bytes: &[u8]) {
        if self.in_tail {
            self.tail.update(bytes);
            return;
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block_len));
            self.block_crc = crc32c::crc32c_append(self.block_crc, now);
            self.block_len += now.len();
            if self.block_len == BLOCK_BYTES {
                self.close_block();
            }
            bytes = later;
        }
    }

    fn close_block(&mut self) {
        self.sums.push(self.block_crc);
        (self.block_crc, self.block_len) = (0, 0);
    }

    /// Everything from here on is tail. Gives the checksums of the body.
    fn end_body(&mut self) -> Vec<u8> {
        if self.block_len > 0 {
            self.close_block();
        }
        self.in_tail = true;
        self.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect()
    }

    fn drain(&mut self) -> io::Result<()> {
        write_all_at(self.file.as_ref(), &self.buffer, self.drained)?;
        self.drained += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for SegmentSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > WRITE_BYTES {
            self.drain()?;
        }
        self.sum(bytes);
        self.buffer.extend_from_slice(bytes);
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
