//! Encodes metric batches. The columns are encoded by the request's own thread, the table of series by the committer.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use signalbox_model::histogram::{ResetHint, Span};
use signalbox_model::{
    Error, Exemplar, Histogram, HistogramSample, Labels, MetricBatch, MetricKind, MetricMetadata, Result, SampleColumns, SeriesEntry, SeriesRef, Tenant,
};

use super::bytes::{put_bytes, put_float, put_signed, put_varint, zigzag};
use super::definitions::Definitions;
use super::{SeriesLabels, VERSION};
use crate::write::wal::{LatePayload, Place};

/// How a series of the table is given: the low bits of its code.
pub(super) const REFERENCE: u64 = 0;
pub(super) const DEFINITION: u64 = 1;
pub(super) const ANONYMOUS: u64 = 2;
pub(super) const FORM_BITS: u32 = 2;

/// How a column is written.
pub(super) const COLUMN_PLAIN: u8 = 0;
pub(super) const COLUMN_DELTAS: u8 = 1;

/// Bits of the flags of a histogram.
pub(super) const IS_INTEGER: u8 = 1;
pub(super) const RESET_HINT_SHIFT: u8 = 1;
pub(super) const COUNTS_ARE_VARINTS: u8 = 8;

/// Largest float below which every whole number is exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Guess of the bytes of a definition, for the queue's account.
const DEFINITION_BYTES: usize = 64;
/// Definitions shorter than this are not worth compressing.
const COMPRESS_BYTES_MIN: usize = 256;

enum Series {
    Known(SeriesRef),
    New(Labels),
}

/// A metric batch on its way to the log.
pub(super) struct MetricPayload {
    tenant: Tenant,
    series: Vec<Series>,
    columns: Vec<u8>,
    labels: Arc<dyn SeriesLabels>,
    definitions: Arc<Mutex<Definitions>>,
}

impl fmt::Debug for MetricPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricPayload").field("series", &self.series.len()).field("column_bytes", &self.columns.len()).finish_non_exhaustive()
    }
}

impl MetricPayload {
    pub(super) fn new(tenant: &Tenant, batch: &MetricBatch, labels: &Arc<dyn SeriesLabels>, definitions: &Arc<Mutex<Definitions>>) -> Result<Self> {
        if !batch.deltas.is_empty() || batch.histograms.iter().any(|sample| sample.is_delta) {
            return Err(Error::internal("cannot encode deltas: they are accumulated before the store"));
        }
        let mut columns = Vec::with_capacity(batch.samples.len() * 10 + 64);
        put_samples(&mut columns, &batch.samples)?;
        put_varint(&mut columns, batch.histograms.len() as u64);
        batch.histograms.iter().for_each(|sample| put_histogram(&mut columns, sample));
        put_varint(&mut columns, batch.exemplars.len() as u64);
        batch.exemplars.iter().for_each(|exemplar| put_exemplar(&mut columns, exemplar));
        put_varint(&mut columns, batch.metadata.len() as u64);
        batch.metadata.iter().for_each(|metadata| put_metadata(&mut columns, metadata));
        let series = batch.series.iter().map(|entry| match entry {
            SeriesEntry::Known(series) => Series::Known(*series),
            SeriesEntry::New { labels, .. } => Series::New(labels.clone()),
        });
        let (series, labels, definitions) = (series.collect(), Arc::clone(labels), Arc::clone(definitions));
        Ok(Self { tenant: tenant.clone(), series, columns, labels, definitions })
    }
}

impl LatePayload for MetricPayload {
    fn len_estimate(&self) -> usize {
        self.columns.len() + self.series.len() * DEFINITION_BYTES
    }

    fn write(&mut self, place: Place, out: &mut Vec<u8>) -> Result<()> {
        let mut definitions = self.definitions.lock();
        definitions.enter(place);
        let mut tenant = definitions.of(&self.tenant);
        out.push(VERSION);
        put_varint(out, self.series.len() as u64);
        let (mut blocks, mut expected) = (Vec::new(), 0i64);
        for entry in &self.series {
            match entry {
                Series::New(labels) => {
                    put_varint(out, ANONYMOUS);
                    put_bytes(&mut blocks, labels.as_bytes());
                }
                Series::Known(series) => {
                    let distance = zigzag(i64::from(series.0) - expected) << FORM_BITS;
                    expected = i64::from(series.0) + 1;
                    if !tenant.is_due(*series) {
                        put_varint(out, distance | REFERENCE);
                        continue;
                    }
                    let unknown = || Error::internal(format!("cannot write series {} to the WAL: the head does not know it", series.0));
                    put_bytes(&mut blocks, self.labels.labels(*series).ok_or_else(unknown)?.as_bytes());
                    tenant.note(*series);
                    put_varint(out, distance | DEFINITION);
                }
            }
        }
        put_compressed(out, &blocks);
        out.extend_from_slice(&self.columns);
        Ok(())
    }
}

/// Length; length as stored, 0 if that is as it is; bytes.
fn put_compressed(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    if bytes.len() >= COMPRESS_BYTES_MIN {
        let compressed = lz4_flex::block::compress(bytes);
        if compressed.len() < bytes.len() {
            put_bytes(out, &compressed);
            return;
        }
    }
    put_varint(out, 0);
    out.extend_from_slice(bytes);
}

fn put_samples(out: &mut Vec<u8>, samples: &SampleColumns) -> Result<()> {
    let len = samples.len();
    if samples.series.len() != len || samples.ts_ms.len() != len || !(samples.start_ms.is_empty() || samples.start_ms.len() == len) {
        return Err(Error::internal("cannot encode samples: their columns have unequal lengths"));
    }
    put_varint(out, len as u64);
    let Some(first) = samples.ts_ms.first() else { return Ok(()) };
    if samples.series.iter().enumerate().all(|(at, series)| *series as usize == at) {
        out.push(COLUMN_PLAIN);
    } else {
        out.push(COLUMN_DELTAS);
        put_deltas(out, samples.series.iter().map(|series| i64::from(*series)), 1);
    }
    if samples.ts_ms.iter().all(|ts| ts == first) {
        out.push(COLUMN_PLAIN);
        put_signed(out, *first);
    } else {
        out.push(COLUMN_DELTAS);
        put_deltas(out, samples.ts_ms.iter().copied(), 0);
    }
    samples.value.iter().for_each(|value| put_float(out, *value));
    if samples.start_ms.is_empty() {
        out.push(COLUMN_PLAIN);
    } else {
        out.push(COLUMN_DELTAS);
        put_deltas(out, samples.start_ms.iter().copied(), 0);
    }
    Ok(())
}

/// Each value as its distance to its predecessor plus `step`.
fn put_deltas(out: &mut Vec<u8>, values: impl Iterator<Item = i64>, step: i64) {
    let mut expected = 0i64;
    for value in values {
        put_signed(out, value.wrapping_sub(expected));
        expected = value.wrapping_add(step);
    }
}

fn put_histogram(out: &mut Vec<u8>, sample: &HistogramSample) {
    let histogram = &sample.histogram;
    put_varint(out, u64::from(sample.series));
    put_signed(out, sample.ts_ms);
    put_signed(out, sample.start_ms);
    let is_whole = |count: &f64| *count >= 0.0 && *count < WHOLE_MAX && count.fract() == 0.0 && !count.is_sign_negative();
    let are_whole = histogram.positive_buckets.iter().chain(&histogram.negative_buckets).all(is_whole);
    let varints = if are_whole { COUNTS_ARE_VARINTS } else { 0 };
    out.push((u8::from(histogram.is_integer) * IS_INTEGER) | (reset_code(histogram.reset_hint) << RESET_HINT_SHIFT) | varints);
    put_signed(out, i64::from(histogram.schema));
    for value in [histogram.zero_threshold, histogram.zero_count, histogram.count, histogram.sum] {
        put_float(out, value);
    }
    put_buckets(out, histogram, are_whole);
    put_varint(out, histogram.custom_values.len() as u64);
    histogram.custom_values.iter().for_each(|bound| put_float(out, *bound));
}

fn put_buckets(out: &mut Vec<u8>, histogram: &Histogram, are_whole: bool) {
    for (spans, buckets) in [(&histogram.positive_spans, &histogram.positive_buckets), (&histogram.negative_spans, &histogram.negative_buckets)] {
        put_varint(out, spans.len() as u64);
        for Span { offset, length } in spans {
            put_signed(out, i64::from(*offset));
            put_varint(out, u64::from(*length));
        }
        put_varint(out, buckets.len() as u64);
        for count in buckets {
            if are_whole {
                put_varint(out, *count as u64);
            } else {
                put_float(out, *count);
            }
        }
    }
}

fn reset_code(hint: ResetHint) -> u8 {
    match hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    }
}

fn put_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    put_varint(out, u64::from(exemplar.series));
    put_signed(out, exemplar.ts_ms);
    put_float(out, exemplar.value);
    put_bytes(out, exemplar.trace_id.as_ref().map_or(&[], |id| id.as_bytes()));
    put_bytes(out, exemplar.span_id.as_ref().map_or(&[], |id| id.as_bytes()));
    put_bytes(out, exemplar.labels.as_bytes());
}

fn put_metadata(out: &mut Vec<u8>, metadata: &MetricMetadata) {
    put_bytes(out, metadata.name.as_bytes());
    out.push(KINDS.iter().position(|kind| *kind == metadata.kind).unwrap_or(0) as u8);
    put_bytes(out, metadata.help.as_bytes());
    put_bytes(out, metadata.unit.as_bytes());
}

/// Kinds of metrics by code; the order is part of the format.
pub(super) const KINDS: [MetricKind; 8] = [
    MetricKind::Unknown,
    MetricKind::Counter,
    MetricKind::Gauge,
    MetricKind::Histogram,
    MetricKind::GaugeHistogram,
    MetricKind::Summary,
    MetricKind::Info,
    MetricKind::StateSet,
];
