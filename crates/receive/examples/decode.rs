//! Decodes one request over and over: for profilers that count instructions.
//!
//! `decode {metrics|logs|spans|v1|v2|influx|loki|json_lines} {columns|new|types|nothing} ROUNDS`; subtract `nothing`, which only makes the request.
#![allow(clippy::unwrap_used, reason = "a measurement stops at the first failure")]

#[path = "../benches/requests/mod.rs"]
mod requests;

use std::hint::black_box;

use prost::Message as _;
use signalbox_model::series::NoKnownSeries;
use signalbox_model::{KnownSeries, Signal, TimeRange};
use signalbox_proto::otlp::collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest};
use signalbox_proto::{remote_write_v1, remote_write_v2};
use signalbox_receive::logs::Names;
use signalbox_receive::otlp::{Format, Translation, decode};
use signalbox_receive::remote_write::{self, Version};
use signalbox_receive::{Context, influx, json_lines, loki};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, how, rounds] = &arguments[..] else { panic!("want: decode WHAT HOW ROUNDS") };
    let bytes = match what.as_str() {
        "metrics" => requests::metrics(),
        "logs" => requests::logs(),
        "spans" => requests::spans(),
        "v1" => requests::remote_write_v1(),
        "influx" => requests::influx(),
        "loki" => requests::loki(),
        "json_lines" => requests::json_lines(),
        _ => requests::remote_write_v2(),
    };
    let known: &dyn KnownSeries = if how == "new" { &NoKnownSeries } else { &requests::AllKnown };
    let context = Context { now_ns: requests::NOW_NS, known, accepted_time: TimeRange::ALL, attribute_depth_max: 32, transform: None };
    let (pushes, names) = (loki::Decoder::default(), Names::default());
    for _ in 0..rounds.parse::<u32>().unwrap() {
        match (what.as_str(), how.as_str()) {
            (_, "nothing") => {}
            ("metrics", "types") => drop(black_box(ExportMetricsServiceRequest::decode(&*bytes).unwrap())),
            ("logs", "types") => drop(black_box(ExportLogsServiceRequest::decode(&*bytes).unwrap())),
            ("spans", "types") => drop(black_box(ExportTraceServiceRequest::decode(&*bytes).unwrap())),
            ("v1", "types") => drop(black_box(remote_write_v1::WriteRequest::decode(&*bytes).unwrap())),
            ("influx", _) => drop(black_box(influx::decode(&bytes, &context, &influx::Target::default(), &influx::Translation::default()))),
            ("loki", _) => drop(black_box(pushes.decode(loki::Format::Protobuf, &bytes, &context).unwrap())),
            ("json_lines", _) => drop(black_box(json_lines::decode(&bytes, &context, &names))),
            (_, "types") => drop(black_box(remote_write_v2::Request::decode(&*bytes).unwrap())),
            ("v1", _) => drop(black_box(remote_write::decode(Version::V1, &bytes, &context).unwrap())),
            ("v2", _) => drop(black_box(remote_write::decode(Version::V2, &bytes, &context).unwrap())),
            (signal, _) => {
                let signal = [("metrics", Signal::Metrics), ("logs", Signal::Logs)]
                    .into_iter()
                    .find(|(name, _)| *name == signal)
                    .map_or(Signal::Traces, |found| found.1);
                drop(black_box(decode(signal, Format::Protobuf, &bytes, &context, &Translation::default()).unwrap()));
            }
        }
    }
}
