//! What both versions have in common: the table of series of a request, the rules for labels, exemplars, metadata.

use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Exemplar, KnownSeries, Labels, MetricBatch, MetricKind, SpanId, TraceId};

use crate::door::{Decoded, Rejections};
use crate::series::RequestSeries;

/// Why a row or a series is not taken: a reason for the counter and a sentence for the sender.
pub(super) type Fault = (&'static str, String);

/// The batch of a request in the making.
pub(super) struct Writer<'c> {
    pub(super) series: RequestSeries<'c>,
    pub(super) batch: MetricBatch,
    pub(super) rejections: Rejections,
}

impl<'c> Writer<'c> {
    pub(super) fn new(known: &'c dyn KnownSeries) -> Self {
        Self { series: RequestSeries::new(known), batch: MetricBatch::default(), rejections: Rejections::default() }
    }

    pub(super) fn finish(mut self) -> Decoded {
        self.batch.series = self.series.finish();
        let is_empty = self.batch.series.is_empty() && self.batch.metadata.is_empty();
        Decoded {
            batches: if is_empty { Vec::new() } else { vec![signalbox_model::Batch::Metrics(self.batch)] },
            rejected: self.rejections.finish(),
            points: None,
        }
    }
}

/// Makes labels of pairs as they are on the wire.
///
/// Names that Prometheus' older data model does not have are accepted: both specifications ask senders for them, 2.0
/// allows any UTF-8, and a receiver gains nothing from losing such a series.
pub(super) fn labels(pairs: &[(&str, &str)]) -> Result<Labels, Fault> {
    for (name, value) in pairs {
        if name.is_empty() {
            return Err(("invalid_labels", "a label has an empty name".into()));
        }
        if value.is_empty() {
            return Err(("invalid_labels", format!("label {name:?} has an empty value")));
        }
    }
    for pair in pairs.windows(2) {
        if let [(left, _), (right, _)] = pair
            && left >= right
        {
            let what = if left == right { "is repeated" } else { "is out of order" };
            return Err(("invalid_labels", format!("label {right:?} {what}")));
        }
    }
    if !pairs.iter().any(|(name, _)| *name == METRIC_NAME) {
        return Err(("invalid_labels", "the series has no metric name".into()));
    }
    // A label has two lengths of mostly one byte each.
    let bytes = pairs.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    Ok(Labels::from_sorted(pairs.iter().copied(), &mut Vec::with_capacity(bytes)))
}

/// An exemplar from its labels. `trace_id` and `span_id` become identifiers if they are ones.
pub(super) fn exemplar(series: u32, ts_ms: i64, value: f64, pairs: &[(&str, &str)]) -> Exemplar {
    let find = |wanted: &str| pairs.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    let trace_id = find("trace_id").filter(|text| text.len() == 2 * TraceId::LEN).and_then(TraceId::from_hex);
    let span_id = find("span_id").filter(|text| text.len() == 2 * SpanId::LEN).and_then(SpanId::from_hex);
    let is_label = |name: &str| !(name == "trace_id" && trace_id.is_some() || name == "span_id" && span_id.is_some() || name.is_empty());
    Exemplar { series, ts_ms, value, trace_id, span_id, labels: Labels::from_pairs(pairs.iter().filter(|(name, _)| is_label(name)).copied()) }
}

/// The kind behind the number that both versions use.
pub(super) fn metric_kind(number: i32) -> MetricKind {
    match number {
        1 => MetricKind::Counter,
        2 => MetricKind::Gauge,
        3 => MetricKind::Histogram,
        4 => MetricKind::GaugeHistogram,
        5 => MetricKind::Summary,
        6 => MetricKind::Info,
        7 => MetricKind::StateSet,
        _ => MetricKind::Unknown,
    }
}
