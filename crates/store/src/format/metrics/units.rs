//! Decoding: the units in which rows of a segment are decoded and cached.

use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::serialized_reader::SerializedPageReader;
use signalbox_model::{Error, Exemplar, Result};

use super::columns::PAGE_ROWS;
use super::exemplars::exemplars_of;
use super::histograms::histograms_of;
use super::weights::Weights;
use super::{decimal, rebuild};
use crate::format::OpenSegment;
use crate::snapshot::HistogramPoint;

/// Rows of a unit of histograms or exemplars, and of their pages.
pub(crate) const POINT_ROWS: usize = 4096;
/// Rows of a unit of values, and of their pages.
pub(crate) const VALUE_ROWS: usize = PAGE_ROWS;

const TIMES: usize = 2;
const MANTISSAS: usize = 3;
const EXPONENTS: usize = 4;
const DOUBLES: usize = 5;
const STARTS: usize = 6;

/// An open segment that knows where its row groups begin.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) segment: OpenSegment,
    /// First row of each row group, and the number of rows of the file.
    starts: Vec<u64>,
}

impl Opened {
    pub(crate) fn new(segment: OpenSegment) -> Self {
        let mut starts = vec![0];
        for group in segment.metadata.metadata().row_groups() {
            starts.push(starts[starts.len() - 1] + group.num_rows().max(0) as u64);
        }
        Self { segment, starts }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.starts[self.starts.len() - 1]
    }

    /// The row group of a row, the place of the row in it, and the rows of the group.
    pub(crate) fn place(&self, row: u64) -> Option<(usize, usize, usize)> {
        let group = self.starts.partition_point(|start| *start <= row).checked_sub(1)?;
        let end = *self.starts.get(group + 1)?;
        Some((group, (row - self.starts[group]) as usize, (end - self.starts[group]) as usize))
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.segment.metadata.metadata().memory_size() + 4096
    }

    /// Which rows take how many bytes.
    pub(crate) fn weights(&self) -> Weights {
        Weights::of(self.segment.metadata.metadata())
    }

    /// All times of a row group.
    pub(crate) fn times(&self, group: usize) -> Result<Vec<i64>> {
        let rows = self.starts[group + 1] - self.starts[group];
        let mut times = Vec::new();
        self.read::<Int64Type>((group, TIMES), 0..rows as usize, None, &mut times)?;
        Ok(times)
    }

    /// The values of a unit of rows of a row group.
    pub(crate) fn values(&self, group: usize, unit: usize) -> Result<Vec<f64>> {
        let rows = self.unit(group, unit, VALUE_ROWS);
        let corrupt = || Error::corrupt("cannot read values: mantissa, exponent and value do not fit together");
        let (mut levels, mut mantissas, mut exponents, mut doubles) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        self.read::<Int64Type>((group, MANTISSAS), rows.clone(), Some(&mut levels), &mut mantissas)?;
        if !mantissas.is_empty() {
            let mut ignored = Vec::with_capacity(rows.len());
            self.read::<Int32Type>((group, EXPONENTS), rows.clone(), Some(&mut ignored), &mut exponents)?;
        }
        if mantissas.len() != rows.len() {
            let mut ignored = Vec::with_capacity(rows.len());
            self.read::<DoubleType>((group, DOUBLES), rows.clone(), Some(&mut ignored), &mut doubles)?;
        }
        if exponents.len() != mantissas.len() || mantissas.len() + doubles.len() != rows.len() {
            return Err(corrupt());
        }
        let mut decimals = Vec::with_capacity(rows.len());
        let mut at = 0;
        // Exponents hold for long runs, so the division by one power is a loop without branches.
        for same in exponents.chunk_by(|left, right| left == right) {
            decimal::extend(&mut decimals, &mantissas[at..at + same.len()], same[0]).ok_or_else(corrupt)?;
            at += same.len();
        }
        if doubles.is_empty() {
            return Ok(decimals);
        }
        let (mut decimals, mut doubles) = (decimals.into_iter(), doubles.into_iter());
        let value = |level: &i16| if *level > 0 { decimals.next() } else { doubles.next() };
        levels.iter().map(value).collect::<Option<Vec<f64>>>().ok_or_else(corrupt)
    }

    /// The starts of a unit of rows of a row group, 0 where none is known.
    pub(crate) fn start_times(&self, group: usize, unit: usize) -> Result<Vec<i64>> {
        let rows = self.unit(group, unit, VALUE_ROWS);
        let (mut levels, mut known) = (Vec::new(), Vec::new());
        self.read::<Int64Type>((group, STARTS), rows, Some(&mut levels), &mut known)?;
        let mut known = known.into_iter();
        Ok(levels.iter().map(|level| if *level > 0 { known.next().unwrap_or(0) } else { 0 }).collect())
    }

    /// The histograms of a unit of rows of a row group.
    pub(crate) fn histograms(&self, group: usize, unit: usize) -> Result<Vec<HistogramPoint>> {
        let mut points = Vec::new();
        for rows in self.batches(group, unit)? {
            points.extend(histograms_of(&rows.map_err(|error| Error::corrupt("cannot read histograms").with_source(error))?)?);
        }
        Ok(points)
    }

    /// The exemplars of a unit of rows of a row group.
    pub(crate) fn exemplars(&self, group: usize, unit: usize) -> Result<Vec<Exemplar>> {
        let mut exemplars = Vec::new();
        for rows in self.batches(group, unit)? {
            exemplars.extend(exemplars_of(&rows.map_err(|error| Error::corrupt("cannot read exemplars").with_source(error))?)?);
        }
        Ok(exemplars)
    }

    /// Reads everything there is to know of the series from the columns, for an index that is damaged.
    pub(crate) fn rebuild_index(&self) -> Result<super::Index> {
        rebuild::index_of(&self.segment)
    }

    fn unit(&self, group: usize, unit: usize, unit_rows: usize) -> std::ops::Range<usize> {
        let rows = (self.starts[group + 1] - self.starts[group]) as usize;
        (unit * unit_rows).min(rows)..((unit + 1) * unit_rows).min(rows)
    }

    fn batches(&self, group: usize, unit: usize) -> Result<parquet::arrow::arrow_reader::ParquetRecordBatchReader> {
        let rows = self.unit(group, unit, POINT_ROWS);
        let selection = RowSelection::from(vec![RowSelector::skip(rows.start), RowSelector::select(rows.len())]);
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.segment.file.clone(), self.segment.metadata.clone())
            .with_row_groups(vec![group])
            .with_row_selection(selection)
            .with_batch_size(POINT_ROWS)
            .build()
            .map_err(read_error)
    }

    /// Decodes rows of a column of a row group: what is not null, and one level a row for columns that may be null.
    fn read<T: DataType>(
        &self,
        (group, column): (usize, usize),
        rows: std::ops::Range<usize>,
        mut levels: Option<&mut Vec<i16>>,
        values: &mut Vec<T::T>,
    ) -> Result<()> {
        values.reserve_exact(rows.len());
        if let Some(levels) = levels.as_mut() {
            levels.reserve_exact(rows.len());
        }
        let metadata = self.segment.metadata.metadata();
        let row_group = metadata.row_group(group);
        let pages = metadata.offset_index().and_then(|index| Some(index.get(group)?.get(column)?.page_locations().clone()));
        let chunk = row_group.columns().get(column).ok_or_else(|| Error::corrupt("cannot read a segment: it lacks a column"))?;
        let read = || -> Result<usize, ParquetError> {
            let pages = SerializedPageReader::new(self.segment.file.clone().into(), chunk, row_group.num_rows() as usize, pages)?;
            let mut reader = ColumnReaderImpl::<T>::new(chunk.column_descr_ptr(), Box::new(pages));
            let skipped = reader.skip_records(rows.start)?;
            let (read, _, _) = reader.read_records(rows.len(), levels, None, values)?;
            Ok(skipped + read)
        };
        match read() {
            Ok(read) if read == rows.end => Ok(()),
            Ok(_) => Err(Error::corrupt("cannot read a segment: a column ends early")),
            Err(error) => Err(read_error(error)),
        }
    }
}

fn read_error(error: ParquetError) -> Error {
    crate::format::file::read_error("of metrics", error)
}
