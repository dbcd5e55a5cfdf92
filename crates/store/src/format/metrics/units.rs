//! Decoding: the units in which rows of a segment are decoded and cached.

use std::sync::Arc;

use parking_lot::Mutex;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use signalbox_model::{Error, Exemplar, Result, Table, schema};

use super::blocks::Blocks;
use super::columns::PAGE_ROWS;
use super::exemplars::exemplars_of;
use super::histograms::histograms_of;
use super::index::Index;
use super::weights::Weights;
use super::{decimal, rebuild, runs};
use crate::format::{OpenSegment, Window};
use crate::snapshot::HistogramPoint;

/// Rows of a unit of histograms or exemplars, and of their pages.
pub(crate) const POINT_ROWS: usize = 4096;
/// Rows of a unit of values, and of their pages.
pub(crate) const VALUE_ROWS: usize = PAGE_ROWS;

const TIMES: usize = 2;
const MANTISSAS: usize = 3;
const BASES: usize = 4;
const DIVISORS: usize = 5;
const DOUBLES: usize = 6;
const STARTS: usize = 7;
/// Row groups whose scales are kept.
const SCALES_KEPT: usize = 4;

/// How the mantissas of a run of rows become values.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// The row behind the run.
    end: usize,
    base: i64,
    /// `None` if the values of these rows are no decimals.
    divisor: Option<f64>,
}

/// The scales of row groups that were read last: each unit of a group needs some of them, and they are read all at once.
type Scales = [Mutex<Option<(usize, Arc<Vec<Scale>>)>>; SCALES_KEPT];

/// Where columns are decoded before they become values: used again, so that a scan of everything touches little memory.
#[derive(Debug, Default)]
pub(crate) struct Room {
    levels: Vec<i16>,
    mantissas: Vec<i64>,
    double_levels: Vec<i16>,
    doubles: Vec<f64>,
    decimals: Vec<f64>,
}

/// The times of those series of a row group whose times lie there: other series share them.
#[derive(Debug, Default)]
pub(crate) struct LeaderTimes {
    /// Runs of rows: the first one, and where its time lies in `times`.
    runs: Vec<(usize, usize)>,
    pub(crate) times: Arc<Vec<i64>>,
}

impl LeaderTimes {
    /// Where the times of rows lie, from one on and `rows` at most.
    pub(crate) fn place(&self, row: usize, rows: usize) -> Option<std::ops::Range<usize>> {
        let run = self.runs.partition_point(|(first, _)| *first <= row).checked_sub(1)?;
        let end = self.runs.get(run + 1).map_or(self.times.len(), |(_, at)| *at);
        let from = row - self.runs[run].0 + self.runs[run].1;
        Some(from..end.min(from.saturating_add(rows))).filter(|place| !place.is_empty())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.times.len() * size_of::<i64>() + self.runs.len() * size_of::<(usize, usize)>() + 128
    }
}

/// An open segment that knows where its row groups begin.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) segment: OpenSegment,
    /// First row of each row group, and the number of rows of the file.
    starts: Vec<u64>,
    scales: Scales,
}

impl Opened {
    pub(crate) fn new(segment: OpenSegment) -> Self {
        let mut starts = vec![0];
        for group in segment.metadata.metadata().row_groups() {
            starts.push(starts[starts.len() - 1] + group.num_rows().max(0) as u64);
        }
        Self { segment, starts, scales: Scales::default() }
    }

    /// Whether the columns are those that this version writes. Checksums hold for files of any version.
    pub(crate) fn is_of_this_version(&self, table: Table) -> bool {
        let columns = self.segment.metadata.metadata().file_metadata().schema_descr().columns();
        table != Table::Samples || columns.iter().map(|column| column.name()).eq(schema::samples().fields().iter().map(|field| field.name().as_str()))
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

    /// The file, for one reader.
    pub(crate) fn blocks(&self) -> Arc<Blocks> {
        Arc::new(Blocks::new(self.segment.file.clone()))
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
    pub(crate) fn times(&self, blocks: &Arc<Blocks>, group: usize, times: &mut Vec<i64>) -> Result<()> {
        let rows = 0..(self.starts[group + 1] - self.starts[group]) as usize;
        self.read::<Int64Type>(blocks, (group, TIMES), std::slice::from_ref(&rows), None, times)
    }

    /// The times of a row group that series share.
    pub(crate) fn leader_times(&self, blocks: &Arc<Blocks>, group: usize, index: &Index) -> Result<LeaderTimes> {
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        for rows in index.leaders(self.starts[group]..self.starts[group + 1]) {
            let rows = (rows.start - self.starts[group]) as usize..(rows.end - self.starts[group]) as usize;
            match runs.last_mut().filter(|last| last.end == rows.start) {
                Some(last) => last.end = rows.end,
                None => runs.push(rows),
            }
        }
        let (mut found, mut times, mut at) = (LeaderTimes::default(), Vec::new(), 0);
        for run in &runs {
            found.runs.push((run.start, at));
            at += run.len();
        }
        self.read::<Int64Type>(blocks, (group, TIMES), &runs, None, &mut times)?;
        found.times = Arc::new(times);
        Ok(found)
    }

    /// The values of a unit of rows of a row group.
    pub(crate) fn values(&self, blocks: &Arc<Blocks>, group: usize, unit: usize, room: &mut Room, values: &mut Vec<f64>) -> Result<()> {
        let rows = self.unit(group, unit, VALUE_ROWS);
        let Room { levels, mantissas, double_levels, doubles, decimals } = room;
        self.read::<Int64Type>(blocks, (group, MANTISSAS), std::slice::from_ref(&rows), Some(levels), mantissas)?;
        double_levels.clear();
        doubles.clear();
        if mantissas.len() != rows.len() || self.may_have_doubles(group, unit) {
            self.read::<DoubleType>(blocks, (group, DOUBLES), std::slice::from_ref(&rows), Some(double_levels), doubles)?;
        }
        let corrupt = || Error::corrupt("cannot read values: mantissa, base, divisor and value do not fit together");
        values.clear();
        values.reserve_exact(rows.len());
        let (scales, mut from) = (self.scales(group)?, rows.start);
        let mut left = mantissas.as_slice();
        for scale in &scales[scales.partition_point(|scale| scale.end <= from)..] {
            let to = scale.end.min(rows.end);
            if let Some(divisor) = scale.divisor {
                let (run, behind) = left.split_at_checked(to - from).ok_or_else(corrupt)?;
                decimal::extend(values, run, scale.base, divisor).ok_or_else(corrupt)?;
                left = behind;
            }
            from = to;
            if from == rows.end {
                break;
            }
        }
        if from != rows.end || !left.is_empty() {
            return Err(corrupt());
        }
        if doubles.is_empty() && values.len() == rows.len() {
            return Ok(());
        }
        std::mem::swap(values, decimals);
        join((levels, decimals), (double_levels, doubles), values).ok_or_else(corrupt)
    }

    /// Whether the values of rows are decimals for certain: no special number is among them, and so no staleness marker.
    pub(crate) fn are_decimals(&self, rows: std::ops::Range<u64>) -> bool {
        let mut row = rows.start;
        while row < rows.end {
            let Some((group, in_group, group_rows)) = self.place(row) else { return false };
            if self.may_have_doubles(group, in_group / VALUE_ROWS) {
                return false;
            }
            row += (VALUE_ROWS - in_group % VALUE_ROWS).min(group_rows - in_group) as u64;
        }
        true
    }

    /// Whether a page of doubles has any, as far as the page index says.
    fn may_have_doubles(&self, group: usize, unit: usize) -> bool {
        let index = self.segment.metadata.metadata().column_index().and_then(|index| index.get(group)?.get(DOUBLES));
        match index {
            Some(ColumnIndexMetaData::DOUBLE(index)) if (unit as u64) < index.num_pages() => !index.is_null_page(unit),
            _ => true,
        }
    }

    /// The scales of all rows of a row group.
    fn scales(&self, group: usize) -> Result<Arc<Vec<Scale>>> {
        let place = &self.scales[group % SCALES_KEPT];
        if let Some((_, scales)) = place.lock().as_ref().filter(|(kept, _)| *kept == group) {
            return Ok(Arc::clone(scales));
        }
        let corrupt = || Error::corrupt("cannot read values: base and divisor do not fit together");
        let (bases, divisors) = (self.runs(group, BASES)?, self.runs(group, DIVISORS)?);
        let (mut scales, mut end, mut bases) = (Vec::with_capacity(bases.len()), 0, bases.into_iter());
        let mut base = (None, 0);
        for (divisor, mut rows) in divisors {
            while rows > 0 {
                if base.1 == 0 {
                    base = bases.next().ok_or_else(corrupt)?;
                }
                if base.0.is_some() != divisor.is_some() {
                    return Err(corrupt());
                }
                let taken = rows.min(base.1);
                (rows, base.1, end) = (rows - taken, base.1 - taken, end + taken as usize);
                scales.push(Scale { end, base: base.0.map_or(0, i64::from_le_bytes), divisor: divisor.map(f64::from_le_bytes) });
            }
        }
        if end as u64 != self.starts[group + 1] - self.starts[group] || base.1 != 0 || bases.next().is_some() {
            return Err(corrupt());
        }
        let scales = Arc::new(scales);
        *place.lock() = Some((group, Arc::clone(&scales)));
        Ok(scales)
    }

    fn runs(&self, group: usize, column: usize) -> Result<Vec<runs::BytesRun>> {
        let row_group = self.segment.metadata.metadata().row_group(group);
        let chunk = row_group.columns().get(column).ok_or_else(|| Error::corrupt("cannot read a segment: it lacks a column"))?;
        let read = || {
            let rows = row_group.num_rows().max(0) as usize;
            // As a whole: its pages are small, and checksums are of blocks that hold many of them.
            let (offset, bytes) = chunk.byte_range();
            let chunk_bytes = Window::read(&self.segment.file, offset, bytes).map_err(|error| ParquetError::External(Box::new(error)))?;
            let mut pages = SerializedPageReader::new(Arc::new(chunk_bytes), chunk, rows, None)?;
            runs::read(&mut pages)
        };
        read().map_err(read_error)
    }

    /// The starts of a unit of rows of a row group, 0 where none is known.
    pub(crate) fn start_times(&self, blocks: &Arc<Blocks>, group: usize, unit: usize, room: &mut Room, starts: &mut Vec<i64>) -> Result<()> {
        let rows = self.unit(group, unit, VALUE_ROWS);
        let (levels, known) = (&mut room.levels, &mut room.mantissas);
        self.read::<Int64Type>(blocks, (group, STARTS), &[rows], Some(levels), known)?;
        let mut known = known.iter().copied();
        starts.clear();
        starts.extend(levels.iter().map(|level| if *level > 0 { known.next().unwrap_or(0) } else { 0 }));
        Ok(())
    }

    /// The histograms of a unit of rows of a row group.
    pub(crate) fn histograms(&self, group: usize, unit: usize, points: &mut Vec<HistogramPoint>) -> Result<()> {
        for rows in self.batches(group, unit)? {
            points.extend(histograms_of(&rows.map_err(|error| Error::corrupt("cannot read histograms").with_source(error))?)?);
        }
        Ok(())
    }

    /// The exemplars of a unit of rows of a row group.
    pub(crate) fn exemplars(&self, group: usize, unit: usize, exemplars: &mut Vec<Exemplar>) -> Result<()> {
        for rows in self.batches(group, unit)? {
            exemplars.extend(exemplars_of(&rows.map_err(|error| Error::corrupt("cannot read exemplars").with_source(error))?)?);
        }
        Ok(())
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

    /// Decodes runs of rows of a column of a row group, in order: what is not null, and one level a row for columns that may
    /// be null.
    fn read<T: DataType>(
        &self,
        blocks: &Arc<Blocks>,
        (group, column): (usize, usize),
        runs: &[std::ops::Range<usize>],
        mut levels: Option<&mut Vec<i16>>,
        values: &mut Vec<T::T>,
    ) -> Result<()> {
        let rows = runs.iter().map(ExactSizeIterator::len).sum();
        values.clear();
        values.reserve_exact(rows);
        if let Some(levels) = levels.as_mut() {
            levels.clear();
            levels.reserve_exact(rows);
        }
        let metadata = self.segment.metadata.metadata();
        let row_group = metadata.row_group(group);
        let pages = metadata.offset_index().and_then(|index| Some(index.get(group)?.get(column)?.page_locations().clone()));
        let chunk = row_group.columns().get(column).ok_or_else(|| Error::corrupt("cannot read a segment: it lacks a column"))?;
        let read = || -> Result<bool, ParquetError> {
            let pages = SerializedPageReader::new(Arc::clone(blocks), chunk, row_group.num_rows() as usize, pages)?;
            let mut reader = ColumnReaderImpl::<T>::new(chunk.column_descr_ptr(), Box::new(pages));
            let mut at = 0;
            for run in runs {
                let skipped = reader.skip_records(run.start - at)?;
                let (read, _, _) = reader.read_records(run.len(), levels.as_deref_mut(), None, values)?;
                at += skipped + read;
                if at != run.end {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match read() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::corrupt("cannot read a segment: a column ends early")),
            Err(error) => Err(read_error(error)),
        }
    }
}

/// Decimals and doubles of rows that have the one or the other, or both: then the double is what the decimal lacks.
fn join((levels, decimals): (&[i16], &[f64]), (double_levels, doubles): (&[i16], &[f64]), values: &mut Vec<f64>) -> Option<()> {
    let (mut decimals, mut doubles) = (decimals.iter(), doubles.iter());
    values.clear();
    values.reserve_exact(levels.len());
    for (level, double_level) in levels.iter().zip(double_levels) {
        values.push(match (*level > 0, *double_level > 0) {
            (true, true) => decimals.next()? + doubles.next()?,
            (true, false) => *decimals.next()?,
            (false, true) => *doubles.next()?,
            (false, false) => return None,
        });
    }
    (values.len() == levels.len()).then_some(())
}

fn read_error(error: ParquetError) -> Error {
    crate::format::file::read_error("of metrics", error)
}
