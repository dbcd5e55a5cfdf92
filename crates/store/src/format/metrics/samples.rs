//! Writes a segment of samples, series by series.

use parquet::basic::Compression;
use parquet::data_type::{DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use signalbox_model::{Error, Labels, Result, Table, TimeRange, schema};

use super::Target;
use super::columns::{GROUP_ROWS, Properties, RunColumn, encode};
use super::decimal::{Decimals, Divisor};
use super::index::{BLOB, IndexBuilder};
use crate::format::{Segment, SegmentWriter};

/// Samples that are decimals or doubles together.
const CHUNK_SAMPLES: usize = 480;
/// With fewer samples a base takes more room than it saves.
const REBASE_SAMPLES_MIN: usize = 4;
/// Beyond this the mantissas start from where they are, so that no sum with a base ever overflows.
const PATH_MAX: i64 = 1 << 60;
/// Text of labels in one row group at most.
const DICTIONARY_BYTES_MAX: usize = 64 << 20;

/// A segment of samples in the making.
pub(crate) struct SamplesWriter {
    file: SegmentWriter,
    properties: Properties,
    index: IndexBuilder,
    group: Group,
    decimals: Decimals,
}

/// The row group that is being filled.
#[derive(Debug, Default)]
struct Group {
    names: RunColumn,
    labels: RunColumn,
    times: Vec<i64>,
    mantissas: Vec<i64>,
    mantissa_levels: Vec<i16>,
    bases: RunColumn,
    divisors: RunColumn,
    doubles: Vec<f64>,
    double_levels: Vec<i16>,
    starts: RunColumn,
    path: Path,
}

/// How the mantissas of the group go on: each series is moved by a base, so that the first of its mantissas follows the last
/// one of the series before it. A column of differences would have a large one there otherwise, and with it 64 long ones.
#[derive(Debug, Default)]
struct Path {
    /// The last mantissa as written.
    last: i64,
    /// Base and divisor of the run that may go on.
    open: Option<(i64, Divisor)>,
}

impl Path {
    /// The base for mantissas under a divisor, and whether it is that of the rows before them.
    fn base(&mut self, mantissas: &[i64], divisor: Divisor) -> (i64, bool) {
        if let Some((base, _)) = self.open.filter(|(_, open)| *open == divisor) {
            return (base, true);
        }
        let first = mantissas.first().copied().unwrap_or(0);
        let step = mantissas.get(1).map_or(0, |second| second - first);
        let base = match first - self.last - step {
            _ if mantissas.len() < REBASE_SAMPLES_MIN || self.last.abs() > PATH_MAX => 0,
            base if base.abs() <= step.abs().saturating_mul(4) => 0,
            base => base,
        };
        self.open = Some((base, divisor));
        (base, false)
    }
}

impl SamplesWriter {
    pub(crate) fn create(target: &mut Target<'_>) -> Result<Self> {
        let segment = (target.record)(Table::Samples)?;
        let zstd_level = super::zstd_level(segment.level);
        let sorting = (0..3).map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false }).collect();
        let properties = WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).set_sorting_columns(Some(sorting)).build();
        let file = SegmentWriter::create_columns(target.disk, target.dir, segment, &schema::samples(), properties)?;
        let properties = Properties::new(zstd_level).map_err(encode_error)?;
        Ok(Self { file, properties, index: IndexBuilder::default(), group: Group::default(), decimals: Decimals::default() })
    }

    /// Appends the samples of a series: in order of time, series in their order. `json` is
    /// the text of the labels; `start_ms` may be empty.
    pub(crate) fn push(&mut self, labels: &Labels, json: &str, ts_ms: &[i64], values: &[f64], start_ms: &[i64]) -> Result<()> {
        if ts_ms.is_empty() {
            return Ok(());
        }
        self.index.push(labels, ts_ms, start_ms.iter().any(|start| *start != 0))?;
        if ts_ms.len() + self.group.times.len() > GROUP_ROWS || self.group.labels.dictionary_bytes() > DICTIONARY_BYTES_MAX {
            self.close_group()?;
        }
        let mut done = 0;
        while done < ts_ms.len() {
            let until = ts_ms.len().min(done + GROUP_ROWS);
            let starts = if start_ms.is_empty() { &[][..] } else { &start_ms[done..until] };
            self.group.push(labels.metric_name(), json, &ts_ms[done..until], starts);
            values[done..until].chunks(CHUNK_SAMPLES).for_each(|chunk| self.group.push_values(chunk, &mut self.decimals));
            done = until;
            if done < ts_ms.len() {
                self.close_group()?;
            }
        }
        Ok(())
    }

    fn close_group(&mut self) -> Result<()> {
        if self.group.times.is_empty() {
            return Ok(());
        }
        let group = std::mem::take(&mut self.group);
        let rows = group.times.len() as u64;
        let columns = group.encode(&self.file, &self.properties).map_err(encode_error)?;
        self.file.write_row_group(rows, columns)
    }

    /// Completes the segment; `None` if no sample was appended, and then there is no file.
    pub(crate) fn finish(mut self) -> Result<Option<Segment>> {
        let Some((first_ms, last_ms)) = self.index.range_ms() else {
            self.file.abandon();
            return Ok(None);
        };
        if let Err(error) = self.complete() {
            self.file.abandon();
            return Err(error);
        }
        self.file.finish(TimeRange::from_ms(first_ms, last_ms)).map(Some)
    }

    fn complete(&mut self) -> Result<()> {
        self.close_group()?;
        let index = std::mem::take(&mut self.index).encode()?;
        self.file.embed(BLOB, &index)
    }

    /// Gives up and removes the file.
    pub(crate) fn abandon(self) {
        self.file.abandon();
    }
}

impl Group {
    fn push(&mut self, name: &str, labels: &str, ts_ms: &[i64], start_ms: &[i64]) {
        self.names.push_text(name, ts_ms.len());
        // One run a series and row group, so it cannot be there yet.
        self.labels.push_new_text(labels, ts_ms.len());
        self.times.extend_from_slice(ts_ms);
        self.path.open = None;
        if start_ms.is_empty() {
            self.starts.push_null(ts_ms.len());
        }
        for same in start_ms.chunk_by(|left, right| left == right) {
            match same[0] {
                0 => self.starts.push_null(same.len()),
                start => self.starts.push_bytes(&start.to_le_bytes(), same.len()),
            }
        }
    }

    /// Values as decimals of one divisor, with a rest or without one, or as doubles.
    fn push_values(&mut self, values: &[f64], decimals: &mut Decimals) {
        let rows = values.len();
        if !decimals.find(values, self.path.open.map(|(_, divisor)| divisor)) {
            self.doubles.extend_from_slice(values);
            self.mantissa_levels.resize(self.mantissa_levels.len() + rows, 0);
            self.double_levels.resize(self.double_levels.len() + rows, 1);
            self.bases.push_null(rows);
            self.divisors.push_null(rows);
            self.path.open = None;
            return;
        }
        let before = self.mantissas.len();
        self.mantissas.extend(decimals.mantissas.iter().flatten());
        let (base, is_open) = self.path.base(&self.mantissas[before..], decimals.divisor);
        self.mantissas[before..].iter_mut().for_each(|mantissa| *mantissa -= base);
        self.path.last = self.mantissas.last().copied().unwrap_or(0);
        let are_all = self.mantissas.len() - before == rows;
        let (base, divisor) = (base.to_le_bytes(), decimals.divisor.value().to_le_bytes());
        if are_all && is_open {
            self.bases.push_again(&base, rows);
            self.divisors.push_again(&divisor, rows);
        } else if are_all {
            self.bases.push_new_bytes(&base, rows);
            self.divisors.push_bytes(&divisor, rows);
        } else {
            for same in decimals.mantissas.chunk_by(|left, right| left.is_some() == right.is_some()) {
                if same[0].is_some() {
                    self.bases.push_bytes(&base, same.len());
                    self.divisors.push_bytes(&divisor, same.len());
                } else {
                    self.bases.push_null(same.len());
                    self.divisors.push_null(same.len());
                }
            }
        }
        self.push_levels(values, decimals, are_all);
    }

    fn push_levels(&mut self, values: &[f64], decimals: &Decimals, are_all: bool) {
        if are_all {
            self.mantissa_levels.resize(self.mantissa_levels.len() + values.len(), 1);
        } else {
            self.mantissa_levels.extend(decimals.mantissas.iter().map(|mantissa| i16::from(mantissa.is_some())));
        }
        if !decimals.rests.is_empty() {
            self.doubles.extend_from_slice(&decimals.rests);
            self.double_levels.resize(self.double_levels.len() + values.len(), 1);
        } else if are_all {
            self.double_levels.resize(self.double_levels.len() + values.len(), 0);
        } else {
            let specials = decimals.mantissas.iter().zip(values).filter(|(mantissa, _)| mantissa.is_none());
            self.doubles.extend(specials.map(|(_, value)| *value));
            self.double_levels.extend(decimals.mantissas.iter().map(|mantissa| i16::from(mantissa.is_none())));
        }
    }

    fn encode(mut self, file: &SegmentWriter, properties: &Properties) -> Result<Vec<super::columns::Chunk>, ParquetError> {
        let column = |at: usize| file.column(at).ok_or_else(|| ParquetError::General("no such column".into()));
        let level = properties.zstd_level;
        Ok(vec![
            self.names.finish(&column(0)?, level, EnabledStatistics::Page)?,
            self.labels.finish(&column(1)?, level, EnabledStatistics::None)?,
            encode::<Int64Type>(column(2)?, &properties.times, &self.times, None)?,
            encode::<Int64Type>(column(3)?, &properties.mantissas, &self.mantissas, Some(&self.mantissa_levels))?,
            self.bases.finish(&column(4)?, level, EnabledStatistics::None)?,
            self.divisors.finish(&column(5)?, level, EnabledStatistics::None)?,
            encode::<DoubleType>(column(6)?, &properties.doubles, &self.doubles, Some(&self.double_levels))?,
            self.starts.finish(&column(7)?, level, EnabledStatistics::None)?,
        ])
    }
}

fn encode_error(error: ParquetError) -> Error {
    Error::internal("cannot encode samples").with_source(error)
}
