//! An open segment of rows: what lies where in it, and readers of chosen rows.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicate, ArrowPredicateFn, ParquetRecordBatchReaderBuilder, RowFilter, RowSelection};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;
use signalbox_model::disk::Disk;
use signalbox_model::{Error, ErrorKind, Result, TraceId, schema};

use super::attributes::IN_MAP_KEY;
use super::cluster::{self, CLUSTERS_KEY};
use super::traces::{FILTER_BLOB, INDEX_BLOB, TracesBuilder};
use super::{GRANULE_ROWS, InMap, Layout, Reading, TraceFilter, TraceIndex, Wanted, columns, schema_of};
use crate::deletion::Deletion;
use crate::format::{OpenSegment, Segment, pages};
use crate::read::metrics::cache::{Key, PageCache, Pin};
use crate::read::rows::plan::PageTable;
use crate::read::rows::reader::{NotedFile, RowReader};
use crate::scan::Batches;

/// Rows of a batch that a reader hands out.
pub(super) const BATCH_ROWS: usize = columns::PAGE_ROWS;

/// Of a reading of so many rows pages may be kept, if that is a quarter of the segment or less: up to the start of the range of any
/// segment, up to its end of large ones. What scans read would push out of the cache what is looked up.
const KEPT_ROWS: Range<u64> = if cfg!(test) { 4 << 10..4 << 10 } else { 64 << 10..512 << 10 };

/// What the list of pages takes in memory for one, about.
const PAGE_BYTES: usize = 64;

/// A segment of logs or spans, shared by all readers. Footers and indexes lie in the cache of the store.
#[derive(Debug)]
pub(crate) struct RowSegment {
    record: Segment,
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    pub(super) cache: Arc<PageCache>,
    /// Shared by all handles on the file.
    damaged: Arc<AtomicBool>,
    deletions: Arc<[Arc<Deletion>]>,
    /// The filter of its traces once it was read, shared by all handles: who looks for a trace asks all segments.
    filter: Arc<OnceLock<(TraceFilter, Pin)>>,
}

/// The open file of a segment of rows.
#[derive(Debug)]
pub(crate) struct OpenRows {
    /// Its metadata says that nothing is compressed, unless the reader of Parquet has to decompress: read it by [`OpenRows::file`].
    pub(crate) segment: OpenSegment,
    is_plain: bool,
    /// First row of each row group, and the number of rows of the file.
    pub(crate) starts: Vec<u64>,
    /// Its columns.
    pub(crate) layout: Layout,
    /// The attributes that lie in its map.
    pub(crate) in_map: InMap,
    /// Where its clusters end; empty if it has none.
    pub(super) clusters: Vec<u64>,
    page_table: OnceLock<PageTable>,
}

impl RowSegment {
    /// A segment of the catalog. Cheap: the file is opened when it is first read, and verified as it is read.
    pub(crate) fn open(disk: &Arc<dyn Disk>, dir: &Path, record: &Segment, cache: &Arc<PageCache>) -> Arc<Self> {
        let (disk, cache) = (Arc::clone(disk), Arc::clone(cache));
        Arc::new(Self { record: record.clone(), disk, dir: dir.to_owned(), cache, damaged: Arc::default(), deletions: Arc::default(), filter: Arc::default() })
    }

    /// The same segment with what is deleted of it.
    pub(crate) fn without(&self, deletions: Arc<[Arc<Deletion>]>) -> Arc<Self> {
        let (disk, cache, damaged) = (Arc::clone(&self.disk), Arc::clone(&self.cache), Arc::clone(&self.damaged));
        Arc::new(Self { record: self.record.clone(), disk, dir: self.dir.clone(), cache, damaged, deletions, filter: Arc::clone(&self.filter) })
    }

    /// What is deleted of it as this handle sees it, oldest first.
    pub(crate) fn deletions(&self) -> &[Arc<Deletion>] {
        &self.deletions
    }

    /// Whether no other handle reads the file.
    pub(crate) fn is_last(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1 && Arc::strong_count(&self.damaged) == 1
    }

    /// Whether it holds rows that are deleted.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the file is damaged; `Unavailable` if the disk fails.
    pub(crate) fn has_deleted_rows(&self) -> Result<bool> {
        if self.deletions.is_empty() {
            return Ok(false);
        }
        let column = schema::index(&*schema_of(self.record.table)?, schema::SEQUENCE);
        for rows in self.without(Arc::default()).read_all(Wanted::Rows { projection: Some(&[column]), attributes: &[], is_typed: false, labels: &[] })? {
            let rows = rows?;
            let numbers = rows.column(0).as_primitive_opt::<UInt64Type>().ok_or_else(|| Error::internal("arrival numbers are of another type"))?;
            if numbers.values().iter().any(|number| is_deleted(&self.deletions, *number)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The highest arrival number of its rows, if the statistics say it. Opens the file.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the file is damaged; `Unavailable` if the disk fails.
    pub(crate) fn last_number(&self) -> Result<Option<u64>> {
        let opened = self.opened()?;
        let metadata = opened.segment.metadata.metadata();
        let Some(column) = columns::column_of(metadata.file_metadata().schema_descr(), schema::SEQUENCE) else { return Ok(None) };
        let last = |group: &RowGroupMetaData| match group.column(column).statistics() {
            Some(Statistics::Int64(numbers)) => numbers.max_opt().map(|last| last.cast_unsigned()),
            _ => None,
        };
        Ok(metadata.row_groups().iter().map(last).collect::<Option<Vec<u64>>>().and_then(|last| last.into_iter().max()))
    }

    /// The record of the catalog.
    pub(crate) fn record(&self) -> &Segment {
        &self.record
    }

    /// Whether a read has found the file damaged: whoever maintains the catalog quarantines it.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Opens the file and reads all of it against its checksums.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the file is damaged; `Unavailable` if the disk fails.
    pub(crate) fn verify(&self) -> Result<()> {
        self.note(self.load_opened().and_then(|opened| opened.segment.verify()))
    }

    /// The open file.
    pub(crate) fn opened(&self) -> Result<Arc<OpenRows>> {
        let load = || {
            let opened = self.load_opened()?;
            let pages = (self.record.rows / columns::PAGE_ROWS as u64) as usize + opened.starts.len();
            let bytes = opened.segment.metadata.metadata().memory_size() + 4096 + PAGE_BYTES * pages;
            Ok((opened, bytes))
        };
        self.note(self.cache.get(Key::Opened { segment: self.key() }, load))
    }

    /// Reads the filter of traces, so that who looks for one need not; false if there is no room for more of them.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the file is damaged; `Unavailable` if the disk fails.
    pub(crate) fn read_trace_filter(&self) -> Result<bool> {
        if self.filter.get().is_some() {
            return Ok(true);
        }
        // Nobody may ever ask for the file: it should not push out of the cache what is asked for.
        let filter = self.load_opened().and_then(|opened| self.filter_of(&opened));
        let filter = self.note(filter)?;
        let Some(pin) = self.cache.pin(filter.bytes()) else { return Ok(false) };
        self.filter.get_or_init(|| (filter, pin));
        Ok(true)
    }

    fn may_have_trace(&self, trace: &TraceId) -> Result<bool> {
        if let Some((filter, _)) = self.filter.get() {
            return Ok(filter.may_have(trace.as_bytes()));
        }
        let key = Key::TraceFilter { segment: self.key() };
        if let Some(filter) = self.cache.find::<TraceFilter>(&key) {
            return Ok(filter.may_have(trace.as_bytes()));
        }
        let filter = self.note(self.opened().and_then(|opened| self.filter_of(&opened)))?;
        let may_have = filter.may_have(trace.as_bytes());
        let bytes = filter.bytes() + 64;
        if let Some(pin) = self.cache.pin(bytes) {
            self.filter.get_or_init(|| (filter, pin));
        } else {
            self.cache.insert(key, &Arc::new(filter), bytes);
        }
        Ok(may_have)
    }

    fn filter_of(&self, opened: &OpenRows) -> Result<TraceFilter> {
        self.traces_of(opened, FILTER_BLOB, TraceFilter::decode, |(filter, _)| filter)
    }

    /// Rows that may be of a trace: ranges, ascending. Cheap for almost all segments that do not have it.
    pub(crate) fn rows_of_trace(&self, trace: &TraceId) -> Result<Vec<Range<u64>>> {
        if !self.may_have_trace(trace)? {
            return Ok(Vec::new());
        }
        let decode = |bytes: &[u8]| TraceIndex::decode(bytes, self.record.rows);
        let load = || self.traces_of(self.opened()?.as_ref(), INDEX_BLOB, decode, |(_, index)| index).map(|index| (index.bytes() + 128, index));
        let index = self.cache.get(Key::TraceIndex { segment: self.key() }, || load().map(|(bytes, index)| (index, bytes)));
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for granule in self.note(index)?.granules(trace.as_bytes()) {
            let from = u64::from(*granule) * GRANULE_ROWS;
            let to = (from + GRANULE_ROWS).min(self.record.rows);
            match ranges.last_mut().filter(|last| last.end == from) {
                Some(last) => last.end = to,
                None => ranges.push(from..to),
            }
        }
        Ok(ranges)
    }

    /// Reads all rows in their order.
    pub(crate) fn read_all(self: &Arc<Self>, wanted: Wanted<'_>) -> Result<Batches> {
        let (all, opened) = (0..self.record.rows, self.opened()?);
        self.read_file(&opened, std::slice::from_ref(&all), wanted, Vec::new(), &|columns| opened.file(columns))
    }

    /// Reads ranges of rows, ascending; of these the rows that are not deleted and that all predicates keep. Pages of few rows are
    /// kept when they are read again.
    pub(crate) fn read(self: &Arc<Self>, rows: &[Range<u64>], wanted: Wanted<'_>, predicates: Vec<Box<dyn ArrowPredicate>>) -> Result<Batches> {
        let count = rows.iter().map(|range| range.end - range.start).sum();
        self.read_of(count, rows, wanted, predicates)
    }

    /// As [`Self::read`], of `all` rows that are read in several parts.
    pub(crate) fn read_of(self: &Arc<Self>, all: u64, rows: &[Range<u64>], wanted: Wanted<'_>, predicates: Vec<Box<dyn ArrowPredicate>>) -> Result<Batches> {
        let opened = self.opened()?;
        let is_narrow = all <= KEPT_ROWS.start.max((self.record.rows / 4).min(KEPT_ROWS.end));
        let file = |columns| opened.file(columns);
        let keep = |columns| opened.file(columns).keep(Arc::clone(&self.cache), self.key());
        self.read_file(&opened, rows, wanted, predicates, if is_narrow { &keep } else { &file })
    }

    fn read_file(
        self: &Arc<Self>,
        opened: &OpenRows,
        rows: &[Range<u64>],
        wanted: Wanted<'_>,
        predicates: Vec<Box<dyn ArrowPredicate>>,
        open: &dyn Fn(usize) -> NotedFile,
    ) -> Result<Batches> {
        let (groups, selection) = opened.select(rows);
        let mut reading = Reading::new(&opened.layout, &opened.in_map, wanted)?;
        let parquet = opened.segment.metadata.parquet_schema();
        let projection = ProjectionMask::roots(parquet, reading.roots.iter().copied());
        let leaves = (0..parquet.num_columns()).filter(|leaf| projection.leaf_included(*leaf)).count();
        let file = open(leaves + predicates.len());
        let failure = file.failure();
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, opened.segment.metadata.clone())
            .with_row_groups(groups)
            .with_row_selection(selection)
            .with_projection(projection)
            .with_batch_size(BATCH_ROWS);
        let predicates: Vec<_> = self.mask(parquet).into_iter().chain(predicates).collect();
        if !predicates.is_empty() {
            builder = builder.with_row_filter(RowFilter::new(predicates));
        }
        let mut reader = RowReader::new(Arc::clone(self), failure);
        let batches = builder.build().map_err(|error| reader.error(&error))?;
        let batches = reader.over(batches);
        let segment = Arc::clone(self);
        Ok(Box::new(batches.map(move |rows| rows.and_then(|rows| segment.note(reading.make(&rows))))))
    }

    /// Keeps what is not deleted; `None` if nothing is.
    fn mask(&self, parquet: &SchemaDescriptor) -> Option<Box<dyn ArrowPredicate>> {
        let column = columns::column_of(parquet, schema::SEQUENCE).filter(|_| !self.deletions.is_empty())?;
        let deletions = Arc::clone(&self.deletions);
        let keep = move |rows: RecordBatch| {
            let numbers =
                rows.column(0).as_primitive_opt::<UInt64Type>().ok_or_else(|| ArrowError::SchemaError("arrival numbers are of another type".into()))?;
            Ok(numbers.values().iter().map(|number| Some(!is_deleted(&deletions, *number))).collect())
        };
        Some(Box::new(ArrowPredicateFn::new(ProjectionMask::leaves(parquet, [column]), keep)))
    }

    /// Marks the segment if the error says that it is damaged.
    pub(crate) fn note<T>(&self, result: Result<T>) -> Result<T> {
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Corrupt) {
            self.damaged.store(true, Ordering::Relaxed);
        }
        result
    }

    fn load_opened(&self) -> Result<OpenRows> {
        let corrupt = |what: String| Error::corrupt(format!("cannot open segment {}: {what}", self.record.url));
        let mut segment = OpenSegment::open(self.disk.as_ref(), &self.dir, &self.record)?;
        let mut starts = vec![0];
        for group in segment.metadata.metadata().row_groups() {
            starts.push(starts[starts.len() - 1] + group.num_rows().max(0) as u64);
        }
        let rows = starts[starts.len() - 1];
        if rows != self.record.rows {
            return Err(corrupt(format!("it has {rows} rows, want {}", self.record.rows)));
        }
        let layout = Layout::of(segment.metadata.schema(), self.record.table)?;
        let layout = layout.ok_or_else(|| corrupt(format!("its columns are not those of {}", self.record.table.as_str())))?;
        let in_map = InMap::of_json(segment.entry(IN_MAP_KEY));
        let clusters = cluster::ends_of(segment.entry(CLUSTERS_KEY), rows).ok_or_else(|| corrupt("its clusters are no ranges of rows".into()))?;
        let plain = pages::uncompressed(&segment.metadata);
        let is_plain = plain.is_some();
        segment.metadata = plain.unwrap_or(segment.metadata);
        Ok(OpenRows { segment, is_plain, starts, layout, in_map, clusters, page_table: OnceLock::new() })
    }

    /// An embedded blob; made again from the columns if it is damaged.
    fn traces_of<T>(
        &self,
        opened: &OpenRows,
        name: &str,
        decode: impl FnOnce(&[u8]) -> Result<T>,
        choose: impl FnOnce((TraceFilter, TraceIndex)) -> T,
    ) -> Result<T> {
        let stored = opened.segment.blob(name).and_then(|blob| match blob {
            Some(blob) => decode(&blob),
            None => Err(Error::corrupt("cannot read the traces of a segment: there are none")),
        });
        match stored {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!(%error, segment = %self.record.url, "cannot read {name} of {}, making it again from the columns", self.record.url);
                opened.collect_traces(&self.record.url).map(choose)
            }
            stored => stored,
        }
    }

    pub(super) fn key(&self) -> u64 {
        u64::from(self.record.id.epoch) << 32 | u64::from(self.record.id.number)
    }
}

fn is_deleted(deletions: &[Arc<Deletion>], number: u64) -> bool {
    deletions.iter().filter_map(|deletion| deletion.numbers()).any(|numbers| numbers.contains(number))
}

impl OpenRows {
    /// Its pages, listed when first asked for.
    pub(crate) fn page_table(&self, list: fn(&Self) -> PageTable) -> &PageTable {
        self.page_table.get_or_init(|| list(self))
    }

    /// The file for the reader of Parquet, which reads so many columns.
    pub(super) fn file(&self, columns: usize) -> NotedFile {
        let file = self.segment.file.clone();
        if self.is_plain { NotedFile::plain(file, columns) } else { NotedFile::new(file, columns) }
    }

    /// The row groups that have rows of the ranges, and the rows of these groups to read.
    fn select(&self, rows: &[Range<u64>]) -> (Vec<usize>, RowSelection) {
        let (mut groups, mut selected, mut before) = (Vec::new(), Vec::new(), 0u64);
        for (group, bounds) in self.starts.windows(2).enumerate() {
            let first = rows.partition_point(|range| range.end <= bounds[0]);
            let inside = rows[first..].iter().take_while(|range| range.start < bounds[1]);
            let shift = |row: u64| (row.clamp(bounds[0], bounds[1]) - bounds[0] + before) as usize;
            let count = selected.len();
            selected.extend(inside.map(|range| shift(range.start)..shift(range.end)).filter(|range| !range.is_empty()));
            if selected.len() > count {
                groups.push(group);
                before += bounds[1] - bounds[0];
            }
        }
        (groups, RowSelection::from_consecutive_ranges(selected.into_iter(), before as usize))
    }

    fn collect_traces(&self, url: &str) -> Result<(TraceFilter, TraceIndex)> {
        let corrupt = || Error::corrupt(format!("cannot read the traces of {url}"));
        let parquet = self.segment.metadata.parquet_schema();
        let column = columns::column_of(parquet, schema::TRACE_ID).ok_or_else(corrupt)?;
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file(1), self.segment.metadata.clone())
            .with_projection(ProjectionMask::leaves(parquet, [column]))
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| corrupt().with_source(error))?;
        let mut traces = TracesBuilder::default();
        for rows in batches {
            let rows = rows.map_err(|error| corrupt().with_source(error))?;
            let ids = rows.columns().first().and_then(|column| arrow::array::AsArray::as_fixed_size_binary_opt(column.as_ref()));
            traces.push(ids.ok_or_else(corrupt)?)?;
        }
        Ok(traces.finish())
    }
}
