//! Payloads of real clients and the rows they become. `BLESS=1` rewrites the rows; read the difference before you commit it.
//!
//! `*-python-sdk.in`: OpenTelemetry SDK for Python over HTTP. `*-prometheus.in`: Debian's Prometheus 2.42 remote-writing its
//! own metrics. `*-generated.in`: made by [`generate`] with the generated types, for what these clients do not send.

use std::path::{Path, PathBuf};

use prost::Message as _;
use signalbox_model::Signal;
use signalbox_proto::{remote_write_v1 as v1, remote_write_v2 as v2};
use signalbox_receive::door::Decoded;
use signalbox_receive::otlp::{self, Format, Translation};
use signalbox_receive::remote_write::{self, Version};

use crate::random::{Random, random_logs, random_metrics, random_spans};
use crate::rows::lines;
use crate::support::{NOW_MS, context};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Decodes a file by its place and name.
fn decode(path: &Path) -> signalbox_model::Result<Decoded> {
    let bytes = std::fs::read(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    if path.parent().unwrap().ends_with("remote_write") {
        let plain = snap::raw::Decoder::new().decompress_vec(&bytes).unwrap();
        let version = if name.starts_with("v1") { Version::V1 } else { Version::V2 };
        return remote_write::decode(version, &plain, &context());
    }
    let signal = Signal::ALL.into_iter().find(|signal| name.starts_with(signal.as_str())).unwrap();
    let format = if name.contains("json") { Format::Json } else { Format::Protobuf };
    otlp::decode(signal, format, &bytes, &context(), &Translation::default())
}

fn render(decoded: &Decoded) -> String {
    let mut out: String = lines(&decoded.batches).into_iter().map(|line| line + "\n").collect();
    for rejected in &decoded.rejected {
        out.push_str(&format!("{rejected:?}\n"));
    }
    out
}

#[test]
fn payloads_become_the_rows_written_beside_them() {
    let bless = std::env::var_os("BLESS").is_some();
    if bless {
        generate();
    }
    let mut cases = 0;
    for protocol in ["otlp", "remote_write"] {
        for file in std::fs::read_dir(folder().join(protocol)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "in") {
                continue;
            }
            let got = render(&decode(&path).unwrap());
            let golden = path.with_extension("out");
            if bless {
                std::fs::write(&golden, &got).unwrap();
            }
            let want = std::fs::read_to_string(&golden).unwrap_or_default();
            assert!(got == want, "{} differs:\n{got}", golden.display());
            assert!(!got.is_empty(), "{} has no rows", path.display());
            cases += 1;
        }
    }
    assert!(cases >= 8, "{cases} cases");
}

/// Every strict prefix of a payload is refused or understood in part; nothing panics and no row is invented.
#[test]
fn truncated_payloads_are_refused_or_shorter() {
    let full = |path: &Path| std::fs::read(path).unwrap();
    for name in ["logs-python-sdk.in", "traces-python-sdk.in", "metrics-python-sdk.in"] {
        let path = folder().join("otlp").join(name);
        let bytes = full(&path);
        let whole = lines(&decode(&path).unwrap().batches).len();
        let signal = Signal::ALL.into_iter().find(|signal| name.starts_with(signal.as_str())).unwrap();
        for end in 0..bytes.len() {
            if let Ok(decoded) = otlp::decode(signal, Format::Protobuf, &bytes[..end], &context(), &Translation::default()) {
                assert!(lines(&decoded.batches).len() < whole, "{name} cut at {end}");
            }
        }
    }
}

/// Writes the payloads that are made rather than captured.
fn generate() {
    let mut random = Random::new(7);
    let otlp = folder().join("otlp");
    std::fs::write(otlp.join("logs-generated.in"), random_logs(&mut random, 6).encode_to_vec()).unwrap();
    std::fs::write(otlp.join("traces-generated.in"), random_spans(&mut random, 6).encode_to_vec()).unwrap();
    std::fs::write(otlp.join("metrics-generated.in"), random_metrics(&mut random, 8).encode_to_vec()).unwrap();
    let json = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeMetrics":[{"scope":{"name":"lib"},"metrics":[
      {"name":"orders","unit":"1","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asInt":"3","timeUnixNano":"1700000000000000000","attributes":[{"key":"paid","value":{"boolValue":true}}]}]}},
      {"name":"load","gauge":{"dataPoints":[{"asDouble":0.5,"timeUnixNano":1700000000000000000},{"asDouble":"NaN","timeUnixNano":"1700000001000000000","later":{"x":[1]}}]}}]}]}]}"#;
    std::fs::write(otlp.join("metrics-json-generated.in"), json).unwrap();
    let snappy = |plain: Vec<u8>| snap::raw::Encoder::new().compress_vec(&plain).unwrap();
    let remote_write = folder().join("remote_write");
    std::fs::write(remote_write.join("v2-generated.in"), snappy(v2_request().encode_to_vec())).unwrap();
    let partial = v1::WriteRequest {
        timeseries: [[("__name__", "good"), ("a", "b")], [("a", "b"), ("a", "c")]]
            .into_iter()
            .map(|labels| v1::TimeSeries {
                labels: labels.into_iter().map(|(name, value)| v1::Label { name: name.into(), value: value.into() }).collect(),
                samples: vec![v1::Sample { value: 1.0, timestamp: NOW_MS }],
                ..v1::TimeSeries::default()
            })
            .collect(),
        metadata: vec![],
    };
    std::fs::write(remote_write.join("v1-partial-generated.in"), snappy(partial.encode_to_vec())).unwrap();
}

fn v2_request() -> v2::Request {
    let symbols = ["", "__name__", "rpc_total", "method", "get", "Calls", "rpc_seconds", "seconds", "trace_id", "0123456789abcdef0123456789abcdef"];
    let counter = v2::TimeSeries {
        labels_refs: vec![1, 2, 3, 4],
        samples: vec![v2::Sample { value: 5.0, timestamp: NOW_MS, start_timestamp: NOW_MS - 100 }],
        exemplars: vec![v2::Exemplar { labels_refs: vec![8, 9], value: 1.0, timestamp: NOW_MS }],
        metadata: Some(v2::Metadata { r#type: 1, help_ref: 5, unit_ref: 0 }),
        ..v2::TimeSeries::default()
    };
    let native = v2::TimeSeries {
        labels_refs: vec![1, 6],
        histograms: vec![v2::Histogram {
            count: Some(v2::histogram::Count::Int(3)),
            sum: 2.5,
            schema: 3,
            zero_threshold: 1e-9,
            positive_spans: vec![v2::BucketSpan { offset: 2, length: 2 }],
            positive_deltas: vec![1, 1],
            timestamp: NOW_MS,
            ..v2::Histogram::default()
        }],
        metadata: Some(v2::Metadata { r#type: 3, help_ref: 0, unit_ref: 7 }),
        ..v2::TimeSeries::default()
    };
    v2::Request { symbols: symbols.map(String::from).to_vec(), timeseries: vec![counter, native] }
}
