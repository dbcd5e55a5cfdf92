//! Reading rows of a table: the columnar road that SQL, log queries and trace search take.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use signalbox_model::{Phrase, Result, Table, TextFilter, TimeRange, TraceId};

use crate::federation::{self, Mark};
use crate::format::rows::{RowSegment, Wanted};
use crate::read::rows::plan::{self, Piece};
use crate::write::head::rows::chunk::Chunk;

/// What to read. Everything here only narrows what is read: a part may still return rows outside, the caller filters.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    /// Rows with a timestamp in this range.
    pub range: TimeRange,
    /// Columns by index in the schema of the table, ascending; that of logs is `schema::stored_logs`. `None` reads all that
    /// came in: all but the pattern of logs.
    pub projection: Option<Vec<usize>>,
    /// Only these attributes of rows, by key; empty means all. Each of them is also a column of its own, named `attributes.<key>`,
    /// behind those of the projection and in this order: who needs nothing else of the attributes leaves the map out of the
    /// projection, and reads only narrow columns. Such a column is, in each batch, an integer, a double or a bool where all
    /// values of the part are of that type, else text, as a dictionary or plain; null in rows that lack the attribute.
    pub attributes: Vec<String>,
    /// Whether the columns of these attributes keep types everywhere: where values of several types may meet, each text begins
    /// with the letter of its type, as in `model::attributes`, and the field has the metadata [`LETTERED`].
    pub typed: bool,
    /// Attributes of rows by the names that a language has for them, see [`LabelColumn`]: columns behind those of the attributes, in
    /// this order. Which keys go by a name is found part by part, so that a name of one key reads one narrow column.
    pub labels: Vec<LabelColumn>,
    /// Only rows of this trace.
    pub trace_id: Option<TraceId>,
    /// Only rows of one of these traces, ascending; empty means all. They are looked up one by one: for more than some ten thousand
    /// a scan is better.
    pub traces: Arc<[TraceId]>,
    /// Only rows of one of these services; empty means all.
    pub services: Vec<String>,
    /// Only rows whose text fits.
    pub text: TextFilter,
    /// Only spans within these bounds.
    pub spans: SpanBounds,
    /// Only rows that carry one of the values of each.
    pub carried: Vec<Carried>,
    /// Only these rows.
    pub chosen: Option<Chosen>,
    /// How segments are divided into parts.
    pub division: Division,
}

/// How segments are divided into parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Division {
    /// Into parts of similar times, for who wants the newest or the oldest rows and stops when it has them.
    #[default]
    ByTime,
    /// Each is one part, for who reads all rows: each column is opened once.
    BySegment,
    /// Into parts of whole row groups, for who reads all rows with several threads: a column is opened for each row group anyway.
    ByGroup,
}

/// Values of which a row carries at least one, wherever that is: as its trace, in its text, in its events and links, or in the
/// resource or scope that it shares with others.
#[derive(Clone)]
pub struct Carried {
    /// A trace.
    pub trace_id: Option<TraceId>,
    /// Text of the row, as [`ScanRequest::text`] has it: one of these.
    pub phrases: Vec<Phrase>,
    /// Whether such text of events and links counts too: their names, values of their attributes, identifiers as lower-case
    /// hexadecimal digits.
    pub in_items: bool,
    /// Whether rows with a resource or a scope carry one of the values: the name of the column, and its text. `None` if neither
    /// counts.
    pub is_shared: Option<SharedTest>,
}

/// What says whether the text of a column, by the name of the column, carries a value.
pub type SharedTest = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace_id, phrases, in_items) = (&self.trace_id, &self.phrases, &self.in_items);
        f.debug_struct("Carried").field("trace_id", trace_id).field("phrases", phrases).field("in_items", in_items).finish_non_exhaustive()
    }
}

impl Carried {
    /// Values of either.
    #[must_use]
    pub fn or(self, other: Self) -> Option<Self> {
        // One trace can be asked for.
        let trace_id = match (self.trace_id, other.trace_id) {
            (Some(left), Some(right)) if left != right => return None,
            (left, right) => left.or(right),
        };
        let is_shared = match (self.is_shared, other.is_shared) {
            (Some(left), Some(right)) => Some(Arc::new(move |column: &str, text: &str| left(column, text) || right(column, text)) as SharedTest),
            (left, right) => left.or(right),
        };
        Some(Self { trace_id, phrases: [self.phrases, other.phrases].concat(), in_items: self.in_items || other.in_items, is_shared })
    }
}

/// What spans are looked for by, besides time, trace, service and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanBounds {
    /// How long they take, in nanoseconds.
    pub duration_ns: RangeInclusive<i64>,
    /// Their status is one of these; empty means any.
    pub status_codes: Vec<i32>,
    /// Their kind is one of these; empty means any.
    pub kinds: Vec<i32>,
    /// Their name is one of these; empty means any.
    pub names: Vec<String>,
}

impl Default for SpanBounds {
    /// Any span.
    fn default() -> Self {
        Self { duration_ns: i64::MIN..=i64::MAX, status_codes: Vec::new(), kinds: Vec::new(), names: Vec::new() }
    }
}

impl SpanBounds {
    /// Whether some durations are outside.
    pub(crate) fn has_durations(&self) -> bool {
        self.duration_ns != (i64::MIN..=i64::MAX)
    }
}

/// Key in the metadata of a field whose texts begin with the letters of their types.
pub const LETTERED: &str = "signalbox.lettered";

/// A column of the first attribute of each row that goes by a name. Its own name is `labels.<name>`, its type one of those of
/// the columns of attributes; null in rows without such an attribute.
#[derive(Debug, Clone)]
pub struct LabelColumn {
    /// The name.
    pub name: String,
    /// Whether an attribute with a key goes by a name: the key, then the name.
    pub is_named: fn(&str, &str) -> bool,
}

impl LabelColumn {
    /// What the names of such columns begin with.
    pub const PREFIX: &'static str = "labels.";

    /// The name of the column.
    pub fn column(&self) -> String {
        format!("{}{}", Self::PREFIX, self.name)
    }

    /// Whether an attribute with this key goes by the name.
    pub(crate) fn takes(&self, key: &str) -> bool {
        (self.is_named)(key, &self.name)
    }
}

/// Rows that an earlier scan of the same snapshot showed, to be read again with other columns.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Time and arrival of each row, ascending.
    rows: Arc<[(i64, u64)]>,
    /// A bit for each arrival, by its hash, among sixteen times as many: of rows that are looked at hardly any is searched.
    arrivals: Arc<[u64]>,
}

impl Chosen {
    /// Rows by the nanoseconds of their time and their arrival sequence, in any order.
    pub fn new(mut rows: Vec<(i64, u64)>) -> Self {
        rows.sort_unstable();
        let mut arrivals = vec![0; (rows.len() / 4).next_power_of_two().max(8)];
        for (_, sequence) in &rows {
            let (word, bit) = Self::place(*sequence, arrivals.len());
            arrivals[word] |= bit;
        }
        Self { rows: rows.into(), arrivals: arrivals.into() }
    }

    /// The word and the bit of an arrival among words, a power of two of them.
    fn place(sequence: u64, words: usize) -> (usize, u64) {
        let hash = (sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
        (hash >> 6 & (words - 1), 1 << (hash & 63))
    }

    /// Bounds of the times of the rows; `None` without rows.
    pub fn range(&self) -> Option<TimeRange> {
        Some(TimeRange::from_ns(self.rows.first()?.0, self.rows.last()?.0))
    }

    /// Whether there is a row of a time in the range.
    pub fn overlaps(&self, range: &TimeRange) -> bool {
        let after = self.rows.partition_point(|(time_ns, _)| *time_ns < range.start_ns);
        self.rows.get(after).is_some_and(|(time_ns, _)| *time_ns <= range.end_ns)
    }

    /// Whether this is one of the rows.
    #[inline]
    pub fn contains(&self, time_ns: i64, sequence: u64) -> bool {
        let (word, bit) = Self::place(sequence, self.arrivals.len());
        self.arrivals[word] & bit != 0 && self.rows.binary_search(&(time_ns, sequence)).is_ok()
    }
}

impl ScanRequest {
    /// All columns of all rows in a range.
    pub fn all(range: TimeRange) -> Self {
        let (attributes, labels, services, carried) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (text, spans, division) = (TextFilter::default(), SpanBounds::default(), Division::ByTime);
        let (projection, typed, trace_id, traces, chosen) = (None, false, None, Arc::default(), None);
        Self { range, projection, attributes, typed, labels, trace_id, traces, services, text, spans, carried, chosen, division }
    }
}

impl ScanRequest {
    /// The only traces, ascending; none means all.
    pub(crate) fn of_traces(&self) -> &[TraceId] {
        self.trace_id.as_ref().map_or(&self.traces, std::slice::from_ref)
    }

    /// What to read of rows of logs and spans.
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted::Rows { projection: self.projection.as_deref(), attributes: &self.attributes, is_typed: self.typed, labels: &self.labels }
    }
}

/// Batches of one part, in the order of storage.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// One independently readable part of a scan: the head, or one segment. Parts are unordered and do not overlap in rows.
pub struct ScanPart {
    /// Bounds of the timestamps in the part, so that a reader can take the newest or oldest parts first and stop early.
    pub range: TimeRange,
    /// Rows of the part before any filter.
    pub rows: u64,
    place: Option<Place>,
    /// Of several tenants the one that it is of.
    mark: Option<Mark>,
    read: Box<dyn FnOnce() -> Result<Batches> + Send>,
}

/// Where the rows of a part of logs or spans are, for who reads some of them again with other columns.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In the head.
    Chunk(Table, Arc<Chunk>),
    /// In a segment.
    Pieces(Arc<RowSegment>, Arc<[Piece]>),
    /// In a segment, what a request asks for.
    Late(Arc<RowSegment>, Arc<ScanRequest>),
}

impl Place {
    pub(crate) fn table(&self) -> Table {
        match self {
            Self::Chunk(table, _) => *table,
            Self::Pieces(segment, _) | Self::Late(segment, _) => segment.record().table,
        }
    }
}

/// Places of parts that were read.
#[derive(Debug, Clone, Default)]
pub struct Places(Vec<(Option<Mark>, Place)>);

impl Places {
    /// Adds the places of others.
    pub fn add(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    /// The parts of what a request for chosen rows of these places asks for: as [`crate::Snapshot::scan`] of the snapshot that
    /// the parts are of, without looking anywhere else.
    ///
    /// # Errors
    /// Of the disk.
    pub fn scan(self, request: &ScanRequest) -> Result<Vec<ScanPart>> {
        let mut places: BTreeMap<Option<Mark>, Vec<Place>> = BTreeMap::new();
        self.0.into_iter().for_each(|(mark, place)| places.entry(mark).or_default().push(place));
        let mut parts = Vec::new();
        for (mark, places) in places {
            match mark {
                Some(mark) => parts.extend(federation::again(&mark, places, request)?),
                None => parts.extend(plan::again(places, request)?),
            }
        }
        Ok(parts)
    }
}

impl ScanPart {
    pub(crate) fn at(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// As what one of several tenants has: its rows are marked.
    pub(crate) fn of(self, mark: &Mark, table: Table) -> Self {
        let (read, own) = (self.read, mark.clone());
        let read = move || {
            let batches = read()?;
            Ok(Box::new(batches.map(move |rows| own.rows(table, rows?))) as Batches)
        };
        Self { mark: Some(mark.clone()), read: Box::new(read), ..self }
    }

    /// Where its rows are; nowhere if these are samples.
    pub fn places(&self) -> Places {
        Places(self.place.iter().map(|place| (self.mark.clone(), place.clone())).collect())
    }

    /// A part that is read by a closure.
    pub fn new(range: TimeRange, rows: u64, read: impl FnOnce() -> Result<Batches> + Send + 'static) -> Self {
        Self { range, rows, place: None, mark: None, read: Box::new(read) }
    }

    /// Reads the part. Blocks on the disk: call it where blocking is allowed.
    ///
    /// # Errors
    /// Of the disk; [`signalbox_model::ErrorKind::Corrupt`] where a checksum fails.
    pub fn read(self) -> Result<Batches> {
        (self.read)()
    }
}

impl fmt::Debug for ScanPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanPart").field("range", &self.range).field("rows", &self.rows).finish_non_exhaustive()
    }
}
