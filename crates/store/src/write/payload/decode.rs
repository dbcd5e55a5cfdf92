//! Decodes payloads. The bytes passed a checksum, and are still not trusted: counts are checked against what is there before
//! anything is allocated, and whatever does not fit is `Corrupt`, never a panic.

use signalbox_model::histogram::{ResetHint, Span};
use signalbox_model::{
    Batch, Error, Exemplar, Histogram, HistogramSample, Labels, LogBatch, MetricBatch, MetricMetadata, Result, SampleColumns, Signal, SpanBatch, SpanId,
    TraceId, schema,
};

use super::bytes::{Cursor, corrupt, unzigzag};
use super::definitions::{Bound, Learnt};
use super::metrics::{ANONYMOUS, COLUMN_DELTAS, COLUMN_PLAIN, COUNTS_ARE_VARINTS, DEFINITION, FORM_BITS, IS_INTEGER, KINDS, REFERENCE, RESET_HINT_SHIFT};
use super::{VERSION, rows, signal_of};
use crate::write::wal::Frame;

/// Largest block of definitions before compression.
const DEFINITIONS_BYTES_MAX: usize = 256 * 1024 * 1024;
/// LZ4 cannot shrink further than this.
const LZ4_RATIO_MAX: usize = 255;
/// Fewest bytes of each item, so that counts can be checked.
const SAMPLE_BYTES_MIN: usize = 8;
const HISTOGRAM_BYTES_MIN: usize = 42;
const EXEMPLAR_BYTES_MIN: usize = 13;
const METADATA_BYTES_MIN: usize = 4;

/// Turns frames into batches again. Frames MUST come in order of sequence, the consumed ones too.
#[derive(Debug, Default)]
pub struct Decoder {
    learnt: Learnt,
}

/// The rows of a frame.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The rows; the table of series of a batch of metrics is empty, see `series`.
    pub batch: Batch,
    /// The series that a batch of metrics refers to.
    pub series: Vec<DecodedSeries>,
    /// Samples and exemplars left out because every frame that defined their series is lost.
    pub unresolved_rows: u64,
}

/// A series of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodedSeries {
    /// Known by a number when it was written.
    Bound(Bound),
    /// Written out.
    Anonymous(Labels),
}

impl DecodedSeries {
    /// The labels.
    pub fn labels(&self) -> &Labels {
        match self {
            Self::Bound(Bound { labels, .. }) | Self::Anonymous(labels) => labels,
        }
    }
}

impl Decoder {
    /// The rows of a frame; `None` if the frame is consumed, then only its definitions are learnt.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if the bytes are not a payload of the kind; [`signalbox_model::ErrorKind::Internal`]
    /// for custom kinds, which have no rows.
    pub fn decode(&mut self, frame: &Frame) -> Result<Option<Decoded>> {
        self.learnt.enter(frame.file);
        let signal = signal_of(frame.kind).ok_or_else(|| Error::internal("cannot decode a custom WAL frame: it holds no rows"))?;
        let batch = match signal {
            Signal::Metrics => return self.metrics(frame),
            _ if frame.is_consumed => return Ok(None),
            Signal::Logs => Batch::Logs(LogBatch::new(rows::decode(&frame.payload, schema::logs())?)?),
            Signal::Traces => Batch::Traces(SpanBatch::new(rows::decode(&frame.payload, schema::spans())?)?),
        };
        Ok(Some(Decoded { batch, series: Vec::new(), unresolved_rows: 0 }))
    }

    fn metrics(&mut self, frame: &Frame) -> Result<Option<Decoded>> {
        let mut cursor = Cursor(&frame.payload);
        if cursor.byte()? != VERSION {
            return Err(corrupt("its version is unknown"));
        }
        let series = self.series(frame, &mut cursor)?;
        if frame.is_consumed {
            return Ok(None);
        }
        let mut batch = MetricBatch { samples: samples(&mut cursor, series.len())?, ..MetricBatch::default() };
        let in_table = |index: u32| if (index as usize) < series.len() { Ok(index) } else { Err(corrupt("a row refers to no series")) };
        for _ in 0..cursor.count(HISTOGRAM_BYTES_MIN)? {
            let index = in_table(cursor.u32()?)?;
            batch.histograms.push(histogram(&mut cursor, index)?);
        }
        for _ in 0..cursor.count(EXEMPLAR_BYTES_MIN)? {
            let index = in_table(cursor.u32()?)?;
            batch.exemplars.push(exemplar(&mut cursor, index)?);
        }
        for _ in 0..cursor.count(METADATA_BYTES_MIN)? {
            batch.metadata.push(metadata(&mut cursor)?);
        }
        cursor.end()?;
        let (series, unresolved_rows) = resolve(&mut batch, series);
        Ok(Some(Decoded { batch: Batch::Metrics(batch), series, unresolved_rows }))
    }

    /// The table of series; `None` for those whose definitions are lost.
    fn series(&mut self, frame: &Frame, cursor: &mut Cursor<'_>) -> Result<Vec<Option<DecodedSeries>>> {
        let count = cursor.count(1)?;
        let mut codes = Vec::with_capacity(count);
        for _ in 0..count {
            codes.push(cursor.varint()?);
        }
        let blocks = compressed(cursor)?;
        let (mut blocks, mut expected) = (Cursor(&blocks), 0i64);
        let mut learnt = self.learnt.of(&frame.tenant);
        let mut series = Vec::with_capacity(count);
        for code in codes {
            let form = code & ((1 << FORM_BITS) - 1);
            if form == ANONYMOUS {
                series.push(Some(DecodedSeries::Anonymous(Labels::from_bytes(blocks.bytes()?)?)));
                continue;
            }
            let number = u32::try_from(expected.wrapping_add(unzigzag(code >> FORM_BITS))).map_err(|_| corrupt("a series has an impossible number"))?;
            expected = i64::from(number) + 1;
            series.push(match form {
                REFERENCE => learnt.get(number).cloned().map(DecodedSeries::Bound),
                DEFINITION => Some(DecodedSeries::Bound(learnt.define(number, blocks.bytes()?)?)),
                _ => return Err(corrupt("a series is given in an unknown form")),
            });
        }
        blocks.end()?;
        Ok(series)
    }
}

/// The inverse of the encoder's `put_compressed`.
fn compressed(cursor: &mut Cursor<'_>) -> Result<Vec<u8>> {
    let raw_len = usize::try_from(cursor.varint()?).map_err(|_| corrupt("it claims to be larger than it can be"))?;
    let stored = cursor.bytes()?;
    if stored.is_empty() { Ok(cursor.take(raw_len)?.to_vec()) } else { decompress(stored, raw_len, DEFINITIONS_BYTES_MAX) }
}

/// LZ4 with the length it must have.
pub(super) fn decompress(stored: &[u8], raw_len: usize, raw_len_max: usize) -> Result<Vec<u8>> {
    if raw_len > raw_len_max || raw_len > stored.len().saturating_mul(LZ4_RATIO_MAX) {
        return Err(corrupt("it claims to be larger than it can be"));
    }
    let raw = lz4_flex::block::decompress(stored, raw_len).map_err(|error| corrupt("its LZ4 block is broken").with_source(error))?;
    if raw.len() == raw_len { Ok(raw) } else { Err(corrupt("its LZ4 block has another length than it claims")) }
}

fn samples(cursor: &mut Cursor<'_>, series: usize) -> Result<SampleColumns> {
    let len = cursor.count(SAMPLE_BYTES_MIN)?;
    let mut columns = SampleColumns::default();
    if len == 0 {
        return Ok(columns);
    }
    let beyond = || corrupt("a sample refers to no series");
    columns.series = match is_deltas(cursor)? {
        false => (0..len).map(|index| u32::try_from(index).map_err(|_| beyond())).collect::<Result<_>>()?,
        true => deltas(cursor, len, 1)?.into_iter().map(|index| u32::try_from(index).map_err(|_| beyond())).collect::<Result<_>>()?,
    };
    if columns.series.iter().any(|index| *index as usize >= series) {
        return Err(beyond());
    }
    columns.ts_ms = match is_deltas(cursor)? {
        false => vec![cursor.signed()?; len],
        true => deltas(cursor, len, 0)?,
    };
    columns.value.reserve_exact(len);
    for _ in 0..len {
        columns.value.push(cursor.float()?);
    }
    if is_deltas(cursor)? {
        columns.start_ms = deltas(cursor, len, 0)?;
    }
    Ok(columns)
}

fn is_deltas(cursor: &mut Cursor<'_>) -> Result<bool> {
    match cursor.byte()? {
        COLUMN_PLAIN => Ok(false),
        COLUMN_DELTAS => Ok(true),
        _ => Err(corrupt("a column is written in an unknown way")),
    }
}

fn deltas(cursor: &mut Cursor<'_>, len: usize, step: i64) -> Result<Vec<i64>> {
    let (mut values, mut expected) = (Vec::with_capacity(len), 0i64);
    for _ in 0..len {
        let value = expected.wrapping_add(cursor.signed()?);
        values.push(value);
        expected = value.wrapping_add(step);
    }
    Ok(values)
}

fn histogram(cursor: &mut Cursor<'_>, series: u32) -> Result<HistogramSample> {
    let (ts_ms, start_ms, flags, schema) = (cursor.signed()?, cursor.signed()?, cursor.byte()?, cursor.i32()?);
    let reset_hint = match flags >> RESET_HINT_SHIFT & 3 {
        0 => ResetHint::Unknown,
        1 => ResetHint::Reset,
        2 => ResetHint::NotReset,
        _ => ResetHint::Gauge,
    };
    let (zero_threshold, zero_count, count, sum) = (cursor.float()?, cursor.float()?, cursor.float()?, cursor.float()?);
    let are_whole = flags & COUNTS_ARE_VARINTS != 0;
    let (positive_spans, positive_buckets) = (spans(cursor)?, counts(cursor, are_whole)?);
    let (negative_spans, negative_buckets) = (spans(cursor)?, counts(cursor, are_whole)?);
    let custom_values = counts(cursor, false)?;
    for (spans, buckets) in [(&positive_spans, &positive_buckets), (&negative_spans, &negative_buckets)] {
        let spanned: u64 = spans.iter().map(|span: &Span| u64::from(span.length)).sum();
        if spanned != buckets.len() as u64 {
            return Err(corrupt("a histogram has other buckets than its spans say"));
        }
    }
    let is_integer = flags & IS_INTEGER != 0;
    let histogram = Histogram {
        schema,
        zero_threshold,
        zero_count,
        count,
        sum,
        is_integer,
        reset_hint,
        positive_spans,
        positive_buckets,
        negative_spans,
        negative_buckets,
        custom_values,
    };
    Ok(HistogramSample { series, ts_ms, start_ms, is_delta: false, histogram })
}

fn spans(cursor: &mut Cursor<'_>) -> Result<Vec<Span>> {
    let count = cursor.count(2)?;
    (0..count).map(|_| Ok(Span { offset: cursor.i32()?, length: cursor.u32()? })).collect()
}

fn counts(cursor: &mut Cursor<'_>, are_whole: bool) -> Result<Vec<f64>> {
    let count = cursor.count(if are_whole { 1 } else { 8 })?;
    (0..count).map(|_| if are_whole { Ok(cursor.varint()? as f64) } else { cursor.float() }).collect()
}

fn exemplar(cursor: &mut Cursor<'_>, series: u32) -> Result<Exemplar> {
    let (ts_ms, value) = (cursor.signed()?, cursor.float()?);
    let (trace, span) = (cursor.bytes()?, cursor.bytes()?);
    let (trace_id, span_id) = (TraceId::from_slice(trace), SpanId::from_slice(span));
    if trace_id.is_none() && !trace.is_empty() || span_id.is_none() && !span.is_empty() {
        return Err(corrupt("an exemplar has an impossible identifier"));
    }
    Ok(Exemplar { series, ts_ms, value, trace_id, span_id, labels: Labels::from_bytes(cursor.bytes()?)? })
}

fn metadata(cursor: &mut Cursor<'_>) -> Result<MetricMetadata> {
    let name = cursor.text()?;
    let kind = *KINDS.get(usize::from(cursor.byte()?)).ok_or_else(|| corrupt("a metric has an unknown kind"))?;
    Ok(MetricMetadata { name, kind, help: cursor.text()?, unit: cursor.text()? })
}

/// The series without those that are unknown, whose rows the batch loses; says how many rows that were.
fn resolve(batch: &mut MetricBatch, series: Vec<Option<DecodedSeries>>) -> (Vec<DecodedSeries>, u64) {
    let before = batch.samples.len() + batch.histograms.len() + batch.exemplars.len();
    if series.iter().any(Option::is_none) {
        let mut next = 0;
        let number = |series: &Option<DecodedSeries>| {
            series.as_ref().map(|_| {
                next += 1;
                next - 1
            })
        };
        let indices: Vec<Option<u32>> = series.iter().map(number).collect();
        let old = std::mem::take(&mut batch.samples);
        for at in 0..old.len() {
            if let Some(index) = indices[old.series[at] as usize] {
                batch.samples.push_started(index, old.ts_ms[at], old.value[at], old.start_ms.get(at).copied().unwrap_or(0));
            }
        }
        batch.histograms.retain_mut(|sample| renumber(&mut sample.series, &indices));
        batch.exemplars.retain_mut(|exemplar| renumber(&mut exemplar.series, &indices));
    }
    let lost = before - batch.samples.len() - batch.histograms.len() - batch.exemplars.len();
    (series.into_iter().flatten().collect(), lost as u64)
}

/// Puts the index in the shortened table; false if the series is not in it.
fn renumber(series: &mut u32, indices: &[Option<u32>]) -> bool {
    let index = indices[*series as usize];
    *series = index.unwrap_or(*series);
    index.is_some()
}
