//! The metrics of the world: a counter with exemplars, a gauge, a native histogram, a name that needs quotes.

use signalbox_model::histogram::Span;
use signalbox_model::{Batch, Exemplar, Histogram, HistogramSample, Labels, MetricBatch, MetricKind, MetricMetadata, SeriesEntry, SeriesKey, SpanId, TraceId};

use crate::world::T0;

const STEP_MS: i64 = 15_000;

fn series(batch: &mut MetricBatch, pairs: &[(&str, &str)]) -> u32 {
    let labels = Labels::from_pairs(pairs.iter().copied());
    batch.series.push(SeriesEntry::New { key: SeriesKey(labels.series_id().0), labels });
    batch.series.len() as u32 - 1
}

pub(crate) fn batch() -> Batch {
    let t0_ms = T0 / 1_000_000;
    let mut batch = MetricBatch::default();
    let up_cart = series(&mut batch, &[("__name__", "up"), ("job", "cart"), ("instance", "cart-1:80")]);
    let up_shop = series(&mut batch, &[("__name__", "up"), ("job", "shop"), ("instance", "shop-1:80")]);
    let requests = series(&mut batch, &[("__name__", "requests_total"), ("job", "shop"), ("http.method", "GET")]);
    let latency = series(&mut batch, &[("__name__", "latency_seconds"), ("job", "shop")]);
    for step in 0..5 {
        let ts_ms = t0_ms + step * STEP_MS;
        batch.samples.push(up_cart, ts_ms, 1.0);
        batch.samples.push(up_shop, ts_ms, if step == 2 { 0.0 } else { 1.0 });
        batch.samples.push(requests, ts_ms, step as f64 * 3.5);
        batch.histograms.push(HistogramSample {
            series: latency,
            ts_ms,
            start_ms: 0,
            is_delta: false,
            histogram: Histogram {
                schema: 1,
                zero_threshold: 0.001,
                zero_count: 1.0,
                count: (step + 3) as f64,
                sum: 1.25 * (step + 1) as f64,
                positive_spans: vec![Span { offset: 0, length: 2 }],
                positive_buckets: vec![2.0, step as f64],
                ..Histogram::default()
            },
        });
    }
    batch.exemplars.push(Exemplar {
        series: requests,
        ts_ms: t0_ms + 20_500,
        value: 0.25,
        trace_id: TraceId::from_hex("5b8efff798038103d269b633813fc60c"),
        span_id: SpanId::from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]),
        labels: Labels::from_pairs([("user", "ada")]),
    });
    let family = |name: &str, kind, help: &str, unit: &str| MetricMetadata { name: name.into(), kind, help: help.into(), unit: unit.into() };
    batch.metadata = vec![
        family("requests_total", MetricKind::Counter, "Requests \"answered\".", ""),
        family("latency_seconds", MetricKind::Histogram, "How long a request took.", "seconds"),
        family("up", MetricKind::Gauge, "", ""),
    ];
    Batch::Metrics(batch)
}
