//! The answer as samples: one message, compressed as a whole, so it has to fit into memory.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::BufMut as _;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use parking_lot::Mutex;
use prost::Message as _;
use signalbox_model::histogram::{ResetHint, Span};
use signalbox_model::{Error, Histogram, Owners};
use signalbox_proto::remote_write_v1::{self as wire, BucketSpan, Sample, TimeSeries};
use signalbox_query::promql::{HistogramPoint, RawSeries};
use tokio::sync::OwnedSemaphorePermit;

use super::Refusal;
use super::request::{self, Request};
use crate::ApiState;

/// Bytes of an answer before it is compressed.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// A field of number 1 with a length: `results` of the answer and `timeseries` of a result.
const FIELD_ONE: u8 = 0x0a;

/// The answers to the queries, encoded.
type Results = Vec<Vec<u8>>;

pub(super) async fn answer(state: ApiState, owners: Owners, request: Request, permit: OwnedSemaphorePermit) -> Result<Response, Refusal> {
    let results: Arc<Mutex<Results>> = Arc::new(Mutex::new(vec![Vec::new(); request.selections.len()]));
    let (external, samples_max) = (state.prometheus.external_labels.clone(), state.prometheus.settings.remote_read_samples_max);
    let mut read_of = (0, 0_u64);
    let make = move |series: RawSeries<'_>| {
        if read_of.0 != series.selection {
            read_of = (series.selection, 0);
        }
        read_of.1 += (series.samples.ts_ms.len() + series.samples.histograms.len()) as u64;
        if samples_max > 0 && read_of.1 > samples_max {
            return Err(Error::limit(format!("exceeded sample limit ({samples_max})")));
        }
        let message = TimeSeries {
            labels: request::labels(series.labels, &external),
            samples: series.samples.ts_ms.iter().zip(series.samples.values).map(|(timestamp, value)| Sample { value: *value, timestamp: *timestamp }).collect(),
            exemplars: Vec::new(),
            histograms: series.samples.histograms.iter().map(histogram).collect(),
        };
        Ok((series.selection, message.encode_to_vec()))
    };
    let (taken, mut total) = (Arc::clone(&results), 0);
    let take = move |(selection, series): (usize, Vec<u8>)| {
        total += series.len();
        if total > ANSWER_BYTES_MAX {
            return Err(Error::limit(format!("cannot answer with more than {ANSWER_BYTES_MAX} bytes: ask for streamed chunks or a shorter range")));
        }
        if let Some(result) = taken.lock().get_mut(selection) {
            write_field(result, &series);
        }
        Ok(())
    };
    state.engine.raw_samples(&owners, request.selections, make, take).await?;
    let results = std::mem::take(&mut *results.lock());
    let compressed = tokio::task::spawn_blocking(move || {
        let mut message = Vec::with_capacity(results.iter().map(|result| result.len() + 11).sum());
        results.iter().for_each(|result| write_field(&mut message, result));
        snap::raw::Encoder::new().compress_vec(&message)
    });
    let failed = || Error::internal("cannot compress the answer to a remote read");
    let compressed = compressed.await.map_err(|error| failed().with_source(error))?.map_err(|error| failed().with_source(error))?;
    drop(permit);
    Ok(([(CONTENT_TYPE, "application/x-protobuf"), (CONTENT_ENCODING, "snappy")], compressed).into_response())
}

fn write_field(out: &mut Vec<u8>, message: &[u8]) {
    out.put_u8(FIELD_ONE);
    prost::encoding::encode_varint(message.len() as u64, out);
    out.extend_from_slice(message);
}

fn histogram(point: &HistogramPoint) -> wire::Histogram {
    use wire::histogram::{Count, ZeroCount};

    let histogram: &Histogram = &point.histogram;
    let mut message = wire::Histogram {
        sum: histogram.sum,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        negative_spans: spans(&histogram.negative_spans),
        positive_spans: spans(&histogram.positive_spans),
        reset_hint: match histogram.reset_hint {
            ResetHint::Unknown => 0,
            ResetHint::Reset => 1,
            ResetHint::NotReset => 2,
            ResetHint::Gauge => 3,
        },
        timestamp: point.ts_ms,
        custom_values: histogram.custom_values.clone(),
        ..wire::Histogram::default()
    };
    if histogram.is_integer {
        message.count = Some(Count::Int(histogram.count as u64));
        message.zero_count = Some(ZeroCount::Int(histogram.zero_count as u64));
        message.negative_deltas = differences(&histogram.negative_buckets);
        message.positive_deltas = differences(&histogram.positive_buckets);
    } else {
        message.count = Some(Count::Float(histogram.count));
        message.zero_count = Some(ZeroCount::Float(histogram.zero_count));
        message.negative_counts.clone_from(&histogram.negative_buckets);
        message.positive_counts.clone_from(&histogram.positive_buckets);
    }
    message
}

fn spans(spans: &[Span]) -> Vec<BucketSpan> {
    spans.iter().map(|span| BucketSpan { offset: span.offset, length: span.length }).collect()
}

fn differences(counts: &[f64]) -> Vec<i64> {
    let before = std::iter::once(0).chain(counts.iter().map(|count| *count as i64));
    counts.iter().zip(before).map(|(count, before)| *count as i64 - before).collect()
}
