//! Answers in Prometheus' JSON.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::header::CONTENT_TYPE;
use signalbox_model::attributes::write_json_string;
use signalbox_model::{Histogram, Labels};
use signalbox_query::promql::{MatrixSeries, Point, PromqlAnswer, Value, VectorSample};

use super::number::{write_plain, write_short_time, write_time, write_value};

/// Bytes of an answer that are rendered before they are sent.
const CHUNK_BYTES: usize = 64 << 10;
/// Warnings that an answer carries, and infos: as many as Prometheus' answers do.
const ANNOTATIONS_MAX: usize = 10;
const CUT_WARNING: &str = "results truncated due to limit";

/// `{"status":"success","data":…}` with data that is JSON already.
pub(super) fn success(data: &str) -> Response {
    success_with(data, false)
}

/// As [`success`], with a warning if results were cut off.
pub(super) fn success_with(data: &str, is_cut: bool) -> Response {
    let warnings = if is_cut { vec![CUT_WARNING.to_owned()] } else { Vec::new() };
    let mut body = format!("{{\"status\":\"success\",\"data\":{data}");
    body.push_str(&tail(&warnings, &[]));
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// What follows the data of an answer: of each kind of annotation the first ones, and how many are left out.
fn tail(warnings: &[String], infos: &[String]) -> String {
    let mut tail = String::new();
    for (name, kind, texts) in [("warnings", "warning", warnings), ("infos", "info", infos)] {
        if !texts.is_empty() {
            let (shown, omitted) = texts.split_at(texts.len().min(ANNOTATIONS_MAX));
            let rest = (!omitted.is_empty()).then(|| format!("{} more {kind} annotations omitted", omitted.len()));
            tail.push_str(",\"");
            tail.push_str(name);
            tail.push_str("\":");
            write_texts(&mut tail, shown.iter().chain(&rest).map(String::as_str));
        }
    }
    tail.push('}');
    tail
}

/// A list of texts.
pub(super) fn write_texts<'a>(out: &mut String, texts: impl Iterator<Item = &'a str>) {
    out.push('[');
    for (position, text) in texts.enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_json_string(out, text);
    }
    out.push(']');
}

/// Labels as an object.
pub(super) fn write_labels(out: &mut String, labels: &Labels) {
    out.push('{');
    for (position, (name, value)) in labels.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_json_string(out, name);
        out.push(':');
        write_json_string(out, value);
    }
    out.push('}');
}

/// A number in quotes.
pub(super) fn write_quoted(out: &mut String, value: f64) {
    out.push('"');
    write_value(out, value);
    out.push('"');
}

/// The answer to a query: at most `limit` series, and statistics that are JSON already.
pub(super) fn answer(answer: PromqlAnswer, limit: Option<usize>, stats: Option<String>) -> Response {
    let PromqlAnswer { mut value, mut warnings, infos, .. } = answer;
    if cut(&mut value, limit) {
        // First, so that it is not among those left out.
        warnings.insert(0, CUT_WARNING.to_owned());
    }
    let mut end = String::new();
    if let Some(stats) = stats {
        end.push_str(",\"stats\":");
        end.push_str(&stats);
    }
    end.push('}');
    end.push_str(&tail(&warnings, &infos));
    let mut chunks = Chunks::new(value, end);
    let first = chunks.next().unwrap_or_default();
    let body = match chunks.next() {
        None => Body::from(first),
        Some(second) => Body::from_stream(stream::iter([first, second].into_iter().chain(chunks).map(Ok::<_, std::convert::Infallible>))),
    };
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

fn cut(value: &mut Value, limit: Option<usize>) -> bool {
    let limit = limit.unwrap_or(usize::MAX);
    let count = match value {
        Value::Vector(samples) => samples.len(),
        Value::Matrix(series) => series.len(),
        Value::Scalar(..) | Value::Text(..) => 0,
    };
    match value {
        Value::Vector(samples) => samples.truncate(limit),
        Value::Matrix(series) => series.truncate(limit),
        Value::Scalar(..) | Value::Text(..) => {}
    }
    count > limit
}

/// Renders an answer piece by piece, so that it is not in memory twice.
struct Chunks {
    items: Items,
    start: String,
    end: Option<String>,
    is_first: bool,
}

enum Items {
    None,
    Vector(std::vec::IntoIter<VectorSample>),
    Matrix(std::vec::IntoIter<MatrixSeries>),
}

impl Chunks {
    fn new(value: Value, end: String) -> Self {
        let mut start = String::from("{\"status\":\"success\",\"data\":{\"resultType\":\"");
        let mut close = "]";
        let items = match value {
            Value::Scalar(ts_ms, value) => {
                start.push_str("scalar\",\"result\":[");
                write_short_time(&mut start, ts_ms);
                start.push_str(",\"");
                write_plain(&mut start, value);
                close = "\"]";
                Items::None
            }
            Value::Text(ts_ms, text) => {
                start.push_str("string\",\"result\":[");
                write_short_time(&mut start, ts_ms);
                start.push(',');
                write_json_string(&mut start, &text);
                Items::None
            }
            Value::Vector(samples) => {
                start.push_str("vector\",\"result\":[");
                Items::Vector(samples.into_iter())
            }
            Value::Matrix(series) => {
                start.push_str("matrix\",\"result\":[");
                Items::Matrix(series.into_iter())
            }
        };
        Self { items, start, end: Some(format!("{close}{end}")), is_first: true }
    }

    /// Appends the next series; `false` if there is none.
    fn write_next(&mut self, out: &mut String) -> bool {
        let mark = out.len();
        if !self.is_first {
            out.push(',');
        }
        let is_written = match &mut self.items {
            Items::None => false,
            Items::Vector(samples) => samples.next().map(|sample| write_sample(out, &sample)).is_some(),
            Items::Matrix(series) => series.next().map(|series| write_series(out, &series)).is_some(),
        };
        if is_written {
            self.is_first = false;
        } else {
            out.truncate(mark);
        }
        is_written
    }
}

impl Iterator for Chunks {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut out = std::mem::take(&mut self.start);
        while out.len() < CHUNK_BYTES {
            if !self.write_next(&mut out) {
                out.push_str(&self.end.take().unwrap_or_default());
                break;
            }
        }
        (!out.is_empty()).then_some(out)
    }
}

fn write_sample(out: &mut String, sample: &VectorSample) {
    out.push_str("{\"metric\":");
    write_labels(out, &sample.labels);
    match &sample.point {
        Point::Float(value) => {
            out.push_str(",\"value\":");
            write_float_point(out, sample.ts_ms, *value);
        }
        Point::Histogram(histogram) => {
            out.push_str(",\"histogram\":");
            write_histogram_point(out, sample.ts_ms, histogram);
        }
    }
    out.push('}');
}

fn write_series(out: &mut String, series: &MatrixSeries) {
    out.push_str("{\"metric\":");
    write_labels(out, &series.labels);
    if !series.floats.is_empty() {
        out.push_str(",\"values\":[");
        for (position, (ts_ms, value)) in series.floats.iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            write_float_point(out, *ts_ms, *value);
        }
        out.push(']');
    }
    if !series.histograms.is_empty() {
        out.push_str(",\"histograms\":[");
        for (position, (ts_ms, histogram)) in series.histograms.iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            write_histogram_point(out, *ts_ms, histogram);
        }
        out.push(']');
    }
    out.push('}');
}

fn write_float_point(out: &mut String, ts_ms: i64, value: f64) {
    out.push('[');
    write_time(out, ts_ms);
    out.push(',');
    write_quoted(out, value);
    out.push(']');
}

fn write_histogram_point(out: &mut String, ts_ms: i64, histogram: &Arc<Histogram>) {
    out.push('[');
    write_time(out, ts_ms);
    out.push(',');
    write_histogram(out, histogram);
    out.push(']');
}

/// `{"count":"…","sum":"…","buckets":[[boundaries, "lower", "upper", "count"],…]}`; empty buckets are left out.
fn write_histogram(out: &mut String, histogram: &Histogram) {
    out.push_str("{\"count\":");
    write_quoted(out, histogram.count);
    out.push_str(",\"sum\":");
    write_quoted(out, histogram.sum);
    let buckets = histogram.buckets();
    let mut filled = buckets.iter().filter(|bucket| bucket.count != 0.0).peekable();
    if filled.peek().is_some() {
        out.push_str(",\"buckets\":[");
        while let Some(bucket) = filled.next() {
            out.push('[');
            out.push(match (bucket.includes_lower, bucket.includes_upper) {
                (false, true) => '0',
                (true, false) => '1',
                (false, false) => '2',
                (true, true) => '3',
            });
            for value in [bucket.lower, bucket.upper, bucket.count] {
                out.push(',');
                write_quoted(out, value);
            }
            out.push(']');
            if filled.peek().is_some() {
                out.push(',');
            }
        }
        out.push(']');
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Value) -> String {
        Chunks::new(value, "}}".into()).collect()
    }

    #[test]
    fn annotations_beyond_ten_are_counted() {
        let texts = |count: usize| (0..count).map(|number| format!("{number}")).collect::<Vec<_>>();
        assert_eq!(tail(&texts(1), &texts(0)), r#","warnings":["0"]}"#);
        let ten = r#"["0","1","2","3","4","5","6","7","8","9"]"#;
        assert_eq!(tail(&texts(0), &texts(10)), format!(r#","infos":{ten}}}"#));
        let more = |rest: &str| format!(r#"{},"{rest}"]"#, ten.trim_end_matches(']'));
        let want = format!(r#","warnings":{},"infos":{}}}"#, more("1 more warning annotations omitted"), more("13 more info annotations omitted"));
        assert_eq!(tail(&texts(11), &texts(23)), want);
    }

    #[test]
    fn writes_scalars_and_texts() {
        assert_eq!(text(Value::Scalar(1_500, f64::INFINITY)), r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"+Inf"]}}"#);
        assert_eq!(text(Value::Text(1_000, "a\"b".into())), r#"{"status":"success","data":{"resultType":"string","result":[1,"a\"b"]}}"#);
        assert_eq!(text(Value::Vector(Vec::new())), r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#);
    }

    #[test]
    fn large_answers_come_in_pieces_that_fit() {
        let floats: Vec<(i64, f64)> = (0..1_000).map(|step| (step * 15_000, step as f64 / 7.0)).collect();
        let series = |number: usize| MatrixSeries { labels: Labels::from_pairs([("n", number.to_string())]), floats: floats.clone(), histograms: Vec::new() };
        let pieces: Vec<String> = Chunks::new(Value::Matrix((0..50).map(series).collect()), "}}".into()).collect();
        assert!(pieces.len() > 10, "{}", pieces.len());
        let json: serde_json::Value = serde_json::from_str(&pieces.concat()).unwrap();
        let result = json["data"]["result"].as_array().unwrap();
        assert_eq!(result.len(), 50);
        assert_eq!(result[49]["metric"]["n"], "49");
        assert_eq!(result[49]["values"][999][1].as_str().unwrap().parse(), Ok(999.0 / 7.0));
    }

    #[test]
    fn writes_histograms_as_prometheus_does() {
        use signalbox_model::histogram::Span;

        let histogram = Histogram {
            schema: 1,
            zero_threshold: 0.001,
            zero_count: 2.0,
            count: 12.5,
            sum: 42.1,
            positive_spans: vec![Span { offset: 0, length: 3 }],
            positive_buckets: vec![5.0, 0.0, 7.5],
            negative_spans: vec![Span { offset: 0, length: 1 }],
            negative_buckets: vec![1.0],
            ..Histogram::default()
        };
        let sample = VectorSample { labels: Labels::empty(), ts_ms: 0, point: Point::Histogram(Arc::new(histogram)) };
        let want = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[0,{"count":"12.5","sum":"42.1","buckets":[[1,"-1","-0.7071067811865475","1"],[3,"-0.001","0.001","2"],[0,"0.7071067811865475","1","5"],[0,"1.414213562373095","2","7.5"]]}]}]}}"#;
        assert_eq!(text(Value::Vector(vec![sample])), want);
    }
}
