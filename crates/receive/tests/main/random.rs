//! Random messages of OTLP and remote write, by seed.

use signalbox_proto::otlp::collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest};
use signalbox_proto::otlp::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value};
use signalbox_proto::otlp::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use signalbox_proto::otlp::metrics::v1 as otlp;
use signalbox_proto::otlp::resource::v1::Resource;
use signalbox_proto::otlp::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use signalbox_proto::{remote_write_v1 as v1, remote_write_v2 as v2};

use crate::support::{NOW_MS, NOW_NS};

/// SplitMix64: small, seeded, the same everywhere.
pub(crate) struct Random {
    state: u64,
    /// Whether doubles are finite: the generated types cannot write others as JSON.
    pub(crate) is_finite: bool,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, is_finite: false }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn text(&mut self) -> String {
        const WORDS: [&str; 12] =
            ["", "a", "service.name", "http.route", "größe", "line\nfeed", "\"quoted\\\"", "\u{0}\u{1f}", "字符", "x_y", "total", "long value with spaces"];
        WORDS[self.below(WORDS.len())].to_owned()
    }

    pub(crate) fn key(&mut self) -> String {
        const KEYS: [&str; 8] = ["a", "b.c", "http.request.method", "service.name", "größe", "0day", "x_y", "k8s.pod.name"];
        KEYS[self.below(KEYS.len())].to_owned()
    }

    pub(crate) fn double(&mut self) -> f64 {
        match self.below(8) {
            0 => 0.0,
            1 if !self.is_finite => f64::INFINITY,
            2 => -1.5,
            3 => 1e300,
            4 => f64::MIN_POSITIVE,
            _ => (self.below(2_000_000) as f64 - 1_000_000.0) / 128.0,
        }
    }

    pub(crate) fn time(&mut self) -> u64 {
        NOW_NS as u64 - self.next() % 1_000_000_000_000
    }

    fn list<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    fn id(&mut self, bytes: usize) -> Vec<u8> {
        if self.chance(30) { Vec::new() } else { (0..bytes).map(|_| self.below(255) as u8 + 1).collect() }
    }

    fn valid_id(&mut self, bytes: usize) -> Vec<u8> {
        (0..bytes).map(|_| self.below(255) as u8 + 1).collect()
    }
}

pub(crate) fn value(random: &mut Random, depth: usize) -> AnyValue {
    let kinds = if depth == 0 { 6 } else { 8 };
    let value = match random.below(kinds) {
        0 => None,
        1 => Some(Value::BoolValue(random.chance(50))),
        2 => Some(Value::IntValue(random.next() as i64)),
        3 => Some(Value::DoubleValue(if random.chance(10) && !random.is_finite { f64::NAN } else { random.double() })),
        4 => Some(Value::BytesValue(random.list(5, |random| random.next() as u8))),
        5 => Some(Value::StringValue(random.text())),
        6 => Some(Value::ArrayValue(ArrayValue { values: random.list(3, |random| value(random, depth - 1)) })),
        _ => Some(Value::KvlistValue(KeyValueList { values: attributes(random, 3, depth - 1) })),
    };
    AnyValue { value }
}

/// Keys differ, as OTLP demands.
pub(crate) fn attributes(random: &mut Random, most: usize, depth: usize) -> Vec<KeyValue> {
    let mut all: Vec<KeyValue> =
        random.list(most, |random| KeyValue { key: random.key(), value: random.chance(95).then(|| value(random, depth)), ..KeyValue::default() });
    all.sort_by(|left, right| left.key.cmp(&right.key));
    all.dedup_by(|left, right| left.key == right.key);
    all
}

fn resource(random: &mut Random) -> Option<Resource> {
    random.chance(90).then(|| Resource { attributes: attributes(random, 5, 2), dropped_attributes_count: random.below(3) as u32, ..Resource::default() })
}

fn scope(random: &mut Random) -> Option<InstrumentationScope> {
    random.chance(90).then(|| InstrumentationScope {
        name: random.text(),
        version: random.text(),
        attributes: attributes(random, 2, 1),
        dropped_attributes_count: random.below(3) as u32,
    })
}

pub(crate) fn random_logs(random: &mut Random, most: usize) -> ExportLogsServiceRequest {
    let record = |random: &mut Random| LogRecord {
        time_unix_nano: if random.chance(20) { 0 } else { random.time() },
        observed_time_unix_nano: if random.chance(20) { 0 } else { random.time() },
        severity_number: random.below(25) as i32,
        severity_text: random.text(),
        body: random.chance(90).then(|| value(random, 3)),
        attributes: attributes(random, 6, 3),
        dropped_attributes_count: random.below(3) as u32,
        flags: random.next() as u32,
        trace_id: random.id(16),
        span_id: random.id(8),
        event_name: random.text(),
    };
    let scope_logs = |random: &mut Random| ScopeLogs { scope: scope(random), log_records: random.list(most, record), schema_url: random.text() };
    ExportLogsServiceRequest {
        resource_logs: random.list(most, |random| ResourceLogs {
            resource: resource(random),
            scope_logs: random.list(3, scope_logs),
            schema_url: random.text(),
        }),
    }
}

pub(crate) fn random_spans(random: &mut Random, most: usize) -> ExportTraceServiceRequest {
    let event = |random: &mut Random| span::Event {
        time_unix_nano: random.time(),
        name: random.text(),
        attributes: attributes(random, 3, 2),
        dropped_attributes_count: random.below(3) as u32,
    };
    let link = |random: &mut Random| span::Link {
        trace_id: random.valid_id(16),
        span_id: random.valid_id(8),
        trace_state: random.text(),
        attributes: attributes(random, 3, 2),
        dropped_attributes_count: random.below(3) as u32,
        flags: random.next() as u32,
    };
    let span = |random: &mut Random| Span {
        trace_id: random.valid_id(16),
        span_id: random.valid_id(8),
        trace_state: random.text(),
        parent_span_id: random.id(8),
        flags: random.next() as u32,
        name: random.text(),
        kind: random.below(6) as i32,
        start_time_unix_nano: random.time(),
        end_time_unix_nano: random.time(),
        attributes: attributes(random, 6, 3),
        dropped_attributes_count: random.below(3) as u32,
        events: random.list(3, event),
        dropped_events_count: random.below(3) as u32,
        links: random.list(3, link),
        dropped_links_count: random.below(3) as u32,
        status: random.chance(50).then(|| Status { message: random.text(), code: random.below(3) as i32 }),
    };
    let scope_spans = |random: &mut Random| ScopeSpans { scope: scope(random), spans: random.list(most, span), schema_url: random.text() };
    ExportTraceServiceRequest {
        resource_spans: random.list(most, |random| ResourceSpans {
            resource: resource(random),
            scope_spans: random.list(3, scope_spans),
            schema_url: random.text(),
        }),
    }
}

fn exemplar(random: &mut Random) -> otlp::Exemplar {
    let value =
        if random.chance(50) { otlp::exemplar::Value::AsDouble(random.double()) } else { otlp::exemplar::Value::AsInt(random.below(1000) as i64 - 500) };
    otlp::Exemplar {
        filtered_attributes: attributes(random, 2, 1),
        time_unix_nano: random.time(),
        span_id: random.id(8),
        trace_id: random.id(16),
        value: Some(value),
    }
}

fn number_point(random: &mut Random) -> otlp::NumberDataPoint {
    use otlp::number_data_point::Value;
    otlp::NumberDataPoint {
        attributes: attributes(random, 4, 1),
        start_time_unix_nano: if random.chance(30) { 0 } else { random.time() - 2_000_000_000_000 },
        time_unix_nano: random.time(),
        exemplars: random.list(2, exemplar),
        flags: u32::from(random.chance(10)),
        value: Some(if random.chance(50) { Value::AsDouble(random.double()) } else { Value::AsInt(random.below(100_000) as i64 - 50_000) }),
    }
}

fn histogram_point(random: &mut Random) -> otlp::HistogramDataPoint {
    let bounds: Vec<f64> = random.list(5, |random| random.below(50) as f64 + 0.25);
    let mut bounds: Vec<f64> = bounds;
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let counts: Vec<u64> = (0..=bounds.len()).map(|_| random.below(100) as u64).collect();
    otlp::HistogramDataPoint {
        attributes: attributes(random, 4, 1),
        start_time_unix_nano: random.time() - 2_000_000_000_000,
        time_unix_nano: random.time(),
        count: counts.iter().sum(),
        sum: random.chance(80).then(|| random.double()),
        bucket_counts: counts,
        explicit_bounds: bounds,
        exemplars: random.list(2, exemplar),
        flags: u32::from(random.chance(10)),
        min: Some(1.0),
        max: None,
    }
}

fn exponential_point(random: &mut Random) -> otlp::ExponentialHistogramDataPoint {
    use otlp::exponential_histogram_data_point::Buckets;
    let side = |random: &mut Random| {
        random.chance(80).then(|| Buckets { offset: random.below(200) as i32 - 100, bucket_counts: random.list(8, |random| random.below(4) as u64) })
    };
    let (positive, negative) = (side(random), side(random));
    let zero_count = random.below(5) as u64;
    let count = positive.iter().chain(&negative).flat_map(|side| &side.bucket_counts).sum::<u64>() + zero_count;
    otlp::ExponentialHistogramDataPoint {
        attributes: attributes(random, 4, 1),
        start_time_unix_nano: random.time() - 2_000_000_000_000,
        time_unix_nano: random.time(),
        count,
        sum: Some(random.double()),
        scale: random.below(16) as i32 - 4,
        zero_count,
        positive,
        negative,
        flags: u32::from(random.chance(10)),
        exemplars: random.list(2, exemplar),
        min: None,
        max: Some(2.0),
        zero_threshold: if random.chance(50) { 0.0 } else { 0.001 },
    }
}

fn summary_point(random: &mut Random) -> otlp::SummaryDataPoint {
    otlp::SummaryDataPoint {
        attributes: attributes(random, 4, 1),
        start_time_unix_nano: random.time() - 2_000_000_000_000,
        time_unix_nano: random.time(),
        count: random.below(100) as u64,
        sum: random.double(),
        quantile_values: [0.0, 0.5, 0.9, 1.0]
            .into_iter()
            .take(random.below(5))
            .map(|quantile| otlp::summary_data_point::ValueAtQuantile { quantile, value: random.double() })
            .collect(),
        flags: u32::from(random.chance(10)),
    }
}

fn metric(random: &mut Random) -> otlp::Metric {
    use otlp::metric::Data;
    const NAMES: [&str; 6] = ["requests", "http.server.duration", "cpu_ratio", "a__b", "queue.size_total", "größe.x"];
    const UNITS: [&str; 6] = ["", "1", "s", "By/s", "{item}", "ms"];
    let temporality = 1 + random.below(2) as i32;
    let data = match random.below(5) {
        0 => Data::Gauge(otlp::Gauge { data_points: random.list(4, number_point) }),
        1 => Data::Sum(otlp::Sum { data_points: random.list(4, number_point), aggregation_temporality: temporality, is_monotonic: random.chance(50) }),
        2 => Data::Histogram(otlp::Histogram { data_points: random.list(3, histogram_point), aggregation_temporality: temporality }),
        3 => Data::ExponentialHistogram(otlp::ExponentialHistogram { data_points: random.list(3, exponential_point), aggregation_temporality: temporality }),
        _ => Data::Summary(otlp::Summary { data_points: random.list(3, summary_point) }),
    };
    otlp::Metric {
        name: NAMES[random.below(NAMES.len())].into(),
        description: random.text(),
        unit: UNITS[random.below(UNITS.len())].into(),
        metadata: vec![],
        data: Some(data),
    }
}

pub(crate) fn random_metrics(random: &mut Random, most: usize) -> ExportMetricsServiceRequest {
    let scope_metrics = |random: &mut Random| otlp::ScopeMetrics { scope: scope(random), metrics: random.list(most, metric), schema_url: random.text() };
    ExportMetricsServiceRequest {
        resource_metrics: random.list(3, |random| otlp::ResourceMetrics {
            resource: resource(random),
            scope_metrics: random.list(2, scope_metrics),
            schema_url: random.text(),
        }),
    }
}

fn label_pairs(random: &mut Random) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = random.list(5, |random| (random.key(), random.text() + "x"));
    pairs.push(("__name__".into(), format!("metric_{}", random.below(20))));
    pairs.sort();
    pairs.dedup_by(|left, right| left.0 == right.0);
    pairs
}

pub(crate) fn random_v1(random: &mut Random) -> v1::WriteRequest {
    let labels = |pairs: Vec<(String, String)>| pairs.into_iter().map(|(name, value)| v1::Label { name, value }).collect();
    let sample = |random: &mut Random| v1::Sample { value: random.double(), timestamp: NOW_MS - random.below(1_000_000) as i64 };
    let exemplar =
        |random: &mut Random| v1::Exemplar { labels: labels(label_pairs(random)), value: random.double(), timestamp: NOW_MS - random.below(1_000_000) as i64 };
    v1::WriteRequest {
        timeseries: random.list(20, |random| v1::TimeSeries {
            labels: labels(label_pairs(random)),
            samples: random.list(3, sample),
            exemplars: random.list(2, exemplar),
            histograms: vec![],
        }),
        metadata: random.list(3, |random| v1::MetricMetadata {
            r#type: random.below(9) as i32,
            metric_family_name: random.key(),
            help: random.text(),
            unit: random.text(),
        }),
    }
}

/// The same content as 1.0 has it, without metadata.
pub(crate) fn as_v2(request: &v1::WriteRequest) -> v2::Request {
    let mut symbols = vec![String::new()];
    let mut reference = |text: &str| {
        let at = symbols.iter().position(|symbol| symbol == text).unwrap_or(symbols.len());
        if at == symbols.len() {
            symbols.push(text.to_owned());
        }
        at as u32
    };
    let mut references = |labels: &[v1::Label]| labels.iter().flat_map(|label| [reference(&label.name), reference(&label.value)]).collect::<Vec<u32>>();
    let timeseries = request
        .timeseries
        .iter()
        .filter(|series| !series.samples.is_empty() || !series.exemplars.is_empty())
        .map(|series| v2::TimeSeries {
            labels_refs: references(&series.labels),
            samples: series.samples.iter().map(|sample| v2::Sample { value: sample.value, timestamp: sample.timestamp, start_timestamp: 0 }).collect(),
            exemplars: series
                .exemplars
                .iter()
                .map(|one| v2::Exemplar { labels_refs: references(&one.labels), value: one.value, timestamp: one.timestamp })
                .collect(),
            ..v2::TimeSeries::default()
        })
        .collect();
    v2::Request { symbols, timeseries }
}
