//! The columns of spans that metrics are made of.

use std::ops::Range;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array as _, FixedSizeBinaryArray, MapArray, RecordBatch, StringArray};
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Result, SpanId, TraceId};

/// The columns that [`Spans`] needs.
pub(super) const COLUMNS: [&str; 12] = [
    schema::TIMESTAMP,
    traces::DURATION_NS,
    schema::SEQUENCE,
    schema::TRACE_ID,
    schema::SPAN_ID,
    traces::PARENT_SPAN_ID,
    schema::SERVICE,
    traces::NAME,
    traces::KIND,
    traces::STATUS_CODE,
    schema::RESOURCE,
    schema::ATTRIBUTES,
];

/// Status code of a span that failed.
pub(super) const ERROR: i32 = 2;

/// Spans as columns.
#[derive(Debug)]
pub(super) struct Spans<'a> {
    start_ns: &'a [i64],
    duration_ns: &'a [i64],
    /// Arrival numbers.
    pub(super) numbers: &'a [u64],
    trace_ids: &'a FixedSizeBinaryArray,
    span_ids: &'a FixedSizeBinaryArray,
    parents: &'a FixedSizeBinaryArray,
    pub(super) services: Texts<'a>,
    pub(super) names: Texts<'a>,
    pub(super) kinds: &'a [i32],
    pub(super) statuses: &'a [i32],
    pub(super) resources: Texts<'a>,
    attributes: &'a MapArray,
    keys: &'a StringArray,
    values: &'a StringArray,
}

/// Lengths of texts: a bit each, one for all that are longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lengths(u64);

impl Lengths {
    /// Of texts.
    pub(super) fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        Self(texts.into_iter().fold(0, |lengths, text| lengths | 1 << text.len().min(63)))
    }

    fn has(self, length: usize) -> bool {
        self.0 & (1 << length.min(63)) != 0
    }
}

/// A column of text in a dictionary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts<'a> {
    pub(super) codes: &'a [u32],
    values: &'a StringArray,
}

impl<'a> Texts<'a> {
    /// The text of a code.
    pub(super) fn text(&self, code: u32) -> &'a str {
        if (code as usize) < self.values.len() { self.values.value(code as usize) } else { "" }
    }

    /// How many codes there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

impl<'a> Spans<'a> {
    /// # Errors
    /// `Internal` if the rows are no spans.
    pub(super) fn of(rows: &'a RecordBatch) -> Result<Self> {
        let missing = |name: &str| Error::internal(format!("cannot make metrics of spans: there is no column {name}, or it is of another type"));
        let column = |name: &str| rows.column_by_name(name).ok_or_else(|| missing(name));
        let ids = |name: &str| column(name)?.as_fixed_size_binary_opt().ok_or_else(|| missing(name));
        let texts = |name: &str| {
            let dictionary = column(name)?.as_dictionary_opt::<UInt32Type>().ok_or_else(|| missing(name))?;
            let values = dictionary.values().as_string_opt::<i32>().ok_or_else(|| missing(name))?;
            Ok::<_, Error>(Texts { codes: dictionary.keys().values(), values })
        };
        let integers = |name: &str| Ok::<_, Error>(&column(name)?.as_primitive_opt::<Int32Type>().ok_or_else(|| missing(name))?.values()[..]);
        let attributes = column(schema::ATTRIBUTES)?.as_map_opt().ok_or_else(|| missing(schema::ATTRIBUTES))?;
        Ok(Self {
            start_ns: column(schema::TIMESTAMP)?.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(|| missing(schema::TIMESTAMP))?.values(),
            duration_ns: column(traces::DURATION_NS)?.as_primitive_opt::<Int64Type>().ok_or_else(|| missing(traces::DURATION_NS))?.values(),
            numbers: column(schema::SEQUENCE)?.as_primitive_opt::<UInt64Type>().ok_or_else(|| missing(schema::SEQUENCE))?.values(),
            trace_ids: ids(schema::TRACE_ID)?,
            span_ids: ids(schema::SPAN_ID)?,
            parents: ids(traces::PARENT_SPAN_ID)?,
            services: texts(schema::SERVICE)?,
            names: texts(traces::NAME)?,
            kinds: integers(traces::KIND)?,
            statuses: integers(traces::STATUS_CODE)?,
            resources: texts(schema::RESOURCE)?,
            attributes,
            keys: attributes.keys().as_string_opt().ok_or_else(|| missing(schema::ATTRIBUTES))?,
            values: attributes.values().as_string_opt().ok_or_else(|| missing(schema::ATTRIBUTES))?,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// A negative duration, of clocks that were wrong, is none.
    pub(super) fn duration_ns(&self, row: usize) -> u64 {
        self.duration_ns[row].max(0).cast_unsigned()
    }

    pub(super) fn start_ns(&self, row: usize) -> i64 {
        self.start_ns[row]
    }

    pub(super) fn end_ns(&self, row: usize) -> i64 {
        self.start_ns[row].saturating_add(self.duration_ns[row].max(0))
    }

    pub(super) fn trace_id(&self, row: usize) -> Option<TraceId> {
        TraceId::from_slice(self.trace_ids.value(row))
    }

    pub(super) fn span_id(&self, row: usize) -> Option<SpanId> {
        SpanId::from_slice(self.span_ids.value(row))
    }

    /// Trace and span.
    pub(super) fn own_key(&self, row: usize) -> [u8; 24] {
        key(self.trace_ids.value(row), self.span_ids.value(row))
    }

    /// Trace and parent; `None` for a root.
    pub(super) fn parent_key(&self, row: usize) -> Option<[u8; 24]> {
        self.parents.is_valid(row).then(|| key(self.trace_ids.value(row), self.parents.value(row)))
    }

    /// The attributes of a span whose keys have one of some lengths: key, then text. Most are told by their length to be none
    /// that is asked for.
    pub(super) fn attributes(&self, row: usize, lengths: Lengths) -> impl Iterator<Item = (&'a str, &'a str)> {
        let offsets = self.attributes.value_offsets();
        let range: Range<usize> = offsets[row] as usize..offsets[row + 1] as usize;
        let (keys, values, ends) = (self.keys, self.values, self.keys.value_offsets());
        let is_wanted = move |at: &usize| lengths.has((ends[*at + 1] - ends[*at]) as usize);
        range.filter(is_wanted).map(move |at| (keys.value(at), if values.is_valid(at) { values.value(at) } else { "" }))
    }
}

fn key(trace_id: &[u8], span_id: &[u8]) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(trace_id);
    key[16..].copy_from_slice(span_id);
    key
}
