//! Rows as a Parquet file that is written while it is sent.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use signalbox_model::{Error, Result};

/// Bytes that a row group holds in memory before it is sent, about. Readers like large ones; many exports run at a time.
const GROUP_BYTES: usize = 16 << 20;

/// Writes a Parquet file piece by piece.
#[derive(Debug)]
pub struct ParquetRows {
    writer: ArrowWriter<Vec<u8>>,
}

impl ParquetRows {
    /// # Errors
    /// `Invalid` for a column of a type that Parquet has not.
    pub fn new(schema: &SchemaRef) -> Result<Self> {
        // Pages have no index: it would have to be held until the end.
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_created_by("signalbox".to_owned())
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), SchemaRef::clone(schema), Some(properties));
        let writer = writer.map_err(|error| Error::invalid(format!("cannot write these columns as Parquet: {error}")).with_source(error))?;
        Ok(Self { writer })
    }

    /// Takes rows; answers what is to be sent, mostly nothing: a row group is sent as a whole.
    ///
    /// # Errors
    /// `Internal` for rows that cannot be written.
    pub fn rows(&mut self, rows: &RecordBatch) -> Result<Vec<u8>> {
        self.writer.write(rows).map_err(broken)?;
        if self.writer.memory_size() >= GROUP_BYTES {
            self.writer.flush().map_err(broken)?;
        }
        Ok(std::mem::take(self.writer.inner_mut()))
    }

    /// The last rows and the footer.
    ///
    /// # Errors
    /// `Internal` for rows that cannot be written.
    pub fn finish(self) -> Result<Vec<u8>> {
        self.writer.into_inner().map_err(broken)
    }
}

fn broken(error: ParquetError) -> Error {
    Error::internal("cannot write Parquet").with_source(error)
}
