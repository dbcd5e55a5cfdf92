//! Sends a data set for measuring, as fast as the server takes it, and says what it sent as one line of JSON:
//!
//! `cargo run --release -p signalbox-demo --example load -- --url http://127.0.0.1:4400/api/v1/write --steps 2400`, or
//! `… --set L1 --url http://127.0.0.1:4400/v1/logs --records 5000000`; `--format json` makes lines of JSON of the records. `--set T1
//! --traces 250000` sends traces to `/v1/traces`, `--events 4` with up to so many events a span, and links.
//! `--url -` writes the requests of L1 or T1 to standard output instead, for whoever wants to know what was sent.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to whoever runs it")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use signalbox_demo::load::logs::{self, Logs};
use signalbox_demo::load::metrics::{Metrics, STEP_SECONDS, Variant};
use signalbox_demo::load::traces::{self, Span, Traces};
use tokio::sync::mpsc;

/// Where and what.
struct Arguments {
    url: String,
    set: Set,
    /// Whether records and spans are lines of JSON instead of OTLP.
    is_json: bool,
    records: u64,
    traces: u64,
    /// Events of a span at most.
    events: u64,
    /// Seconds that the records and traces cover.
    range: u64,
    steps: u64,
    /// Instant of the first step, in seconds since the Unix epoch.
    start: u64,
    /// Steps that are made and not sent.
    skip: u64,
    batch: usize,
    connections: usize,
    variant: Variant,
}

/// The data sets.
#[derive(Clone, Copy)]
enum Set {
    /// M1.
    Samples,
    /// L1.
    Records,
    /// T1.
    Spans,
}

/// What one connection did.
#[derive(Default)]
struct Done {
    requests: u64,
    retries: u64,
    wire_bytes: u64,
}

const RETRIES_MAX: u64 = 600;
const PAUSE: Duration = Duration::from_millis(100);

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments {
        url: String::new(),
        set: Set::Samples,
        is_json: false,
        records: 5_000_000,
        traces: 250_000,
        events: 0,
        range: 7200,
        steps: 2400,
        start: 1_795_392_000,
        skip: 0,
        batch: 5000,
        connections: 2,
        variant: Variant::default(),
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or(format!("{name} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{name} {value}: {error}"));
        let name = name.as_str();
        match name {
            "--url" => arguments.url.clone_from(&value),
            "--set" => arguments.set = [Set::Samples, Set::Records, Set::Spans][one_of(name, &value, &["M1", "L1", "T1"])?],
            "--format" => arguments.is_json = one_of(name, &value, &["otlp", "json"])? == 1,
            "--records" => arguments.records = number()?.max(1),
            "--traces" => arguments.traces = number()?.max(1),
            "--events" => arguments.events = number()?,
            "--range" => arguments.range = number()?,
            "--steps" => arguments.steps = number()?,
            "--start" => arguments.start = number()?,
            "--skip" => arguments.skip = number()?,
            "--batch" => arguments.batch = number()?.max(1) as usize,
            "--connections" => arguments.connections = number()?.max(1) as usize,
            "--seed" => arguments.variant.seed = number()?,
            "--clusters" => arguments.variant.clusters = number()?.max(1),
            "--churn" => arguments.variant.churn = number()?.min(20),
            _ => {
                return Err(format!(
                    "{name} is not known: --url --set --format --records --traces --events --range --steps --start --skip --batch --connections --seed --clusters --churn"
                ));
            }
        }
    }
    if arguments.url.is_empty() { Err("--url is missing: where the data set goes".to_owned()) } else { Ok(arguments) }
}

/// Which of some words it is.
fn one_of(name: &str, value: &str, words: &[&str]) -> Result<usize, String> {
    words.iter().position(|word| *word == value).ok_or_else(|| format!("{name} {value}: want one of {}", words.join(", ")))
}

/// How requests are sent.
#[derive(Clone, Copy)]
enum Wire {
    RemoteWrite,
    Protobuf,
    Json,
}

impl Wire {
    fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::RemoteWrite => &[("content-type", "application/x-protobuf"), ("content-encoding", "snappy"), ("x-prometheus-remote-write-version", "0.1.0")],
            Self::Protobuf => &[("content-type", "application/x-protobuf")],
            Self::Json => &[("content-type", "application/json")],
        }
    }
}

/// One connection: what it is given goes out in that order.
async fn connection(client: reqwest::Client, url: Arc<str>, wire: Wire, mut requests: mpsc::Receiver<Vec<u8>>) -> Result<Done, String> {
    let mut done = Done::default();
    let mut encoder = snap::raw::Encoder::new();
    while let Some(request) = requests.recv().await {
        let body = match wire {
            Wire::RemoteWrite => encoder.compress_vec(&request).map_err(|error| error.to_string())?,
            Wire::Protobuf | Wire::Json => request,
        };
        let body = bytes::Bytes::from(body);
        done.wire_bytes += body.len() as u64;
        loop {
            let post = wire.headers().iter().fold(client.post(&*url), |post, (name, value)| post.header(*name, *value));
            let answer = post.body(body.clone()).send().await;
            let why = match answer {
                Ok(answer) if answer.status().is_success() => break,
                Ok(answer) if answer.status().is_client_error() && answer.status() != 429 => {
                    return Err(format!("{}: {}", answer.status(), answer.text().await.unwrap_or_default()));
                }
                Ok(answer) => answer.status().to_string(),
                Err(error) => error.to_string(),
            };
            done.retries += 1;
            if done.retries > RETRIES_MAX {
                return Err(why);
            }
            tokio::time::sleep(PAUSE).await;
        }
        done.requests += 1;
    }
    Ok(done)
}

async fn send_samples(arguments: &Arguments, ways: &[mpsc::Sender<Vec<u8>>]) -> String {
    let mut metrics = Metrics::new(arguments.variant.clone());
    let (count, mut samples) = (metrics.len(), 0);
    'steps: for _ in 0..arguments.skip + arguments.steps {
        let step = metrics.advance();
        if step < arguments.skip {
            continue;
        }
        let at_ms = (arguments.start + STEP_SECONDS * step) * 1000;
        for (number, first) in (0..count).step_by(arguments.batch).enumerate() {
            let range = first..count.min(first + arguments.batch);
            samples += range.len() as u64;
            // The same series always take the same way, so that they stay in order.
            if ways[number % ways.len()].send(metrics.request(range, at_ms)).await.is_err() {
                break 'steps;
            }
        }
    }
    format!("\"samples\":{samples},\"series\":{count}")
}

/// The requests of the records or spans, one behind the other.
fn write_requests(arguments: &Arguments) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if matches!(arguments.set, Set::Spans) {
        for spans in batches_of_spans(arguments) {
            out.write_all(&request_of_spans(arguments, &spans))?;
        }
        return out.flush();
    }
    let set = Logs::new(arguments.variant.seed, arguments.records, arguments.start, arguments.range);
    for first in (0..set.len()).step_by(arguments.batch) {
        out.write_all(&request_of(arguments, &set, first))?;
    }
    out.flush()
}

/// Whole traces, as many spans as a request has or some more.
fn batches_of_spans(arguments: &Arguments) -> impl Iterator<Item = Vec<Span>> {
    let set = Traces::new(arguments.variant.seed, arguments.traces, arguments.start, arguments.range).with_events(arguments.events);
    let (mut number, batch) = (0, arguments.batch);
    std::iter::from_fn(move || {
        let mut spans = Vec::new();
        while number < set.len() && spans.len() < batch {
            spans.extend(set.trace(number));
            number += 1;
        }
        (!spans.is_empty()).then_some(spans)
    })
}

fn request_of_spans(arguments: &Arguments, spans: &[Span]) -> Vec<u8> {
    if !arguments.is_json {
        return traces::otlp(spans);
    }
    let mut lines = String::with_capacity(spans.len() * 800);
    spans.iter().for_each(|span| traces::json(&mut lines, span));
    lines.into_bytes()
}

async fn send_spans(arguments: &Arguments, ways: &[mpsc::Sender<Vec<u8>>]) -> String {
    let (mut count, mut errors, mut slow, mut of_user) = (0, 0, 0, 0);
    for (number, spans) in batches_of_spans(arguments).enumerate() {
        count += spans.len();
        errors += spans.iter().filter(|span| span.is_error()).count();
        slow += spans.iter().filter(|span| span.service() == "checkout" && span.duration_ns() > 100_000_000).count();
        of_user += spans.iter().filter(|span| span.has("user.id", "1000")).count();
        if ways[number % ways.len()].send(request_of_spans(arguments, &spans)).await.is_err() {
            break;
        }
    }
    let needle = Traces::new(arguments.variant.seed, arguments.traces, arguments.start, arguments.range).needle();
    format!("\"spans\":{count},\"traces\":{},\"errors\":{errors},\"slow_checkout\":{slow},\"user_1000\":{of_user},\"needle\":\"{needle}\"", arguments.traces)
}

fn request_of(arguments: &Arguments, set: &Logs, first: u64) -> Vec<u8> {
    let records: Vec<logs::Record> = (first..set.len().min(first + arguments.batch as u64)).map(|number| set.record(number)).collect();
    if !arguments.is_json {
        return logs::otlp(&records);
    }
    let mut lines = String::with_capacity(records.len() * 600);
    records.iter().for_each(|record| logs::json(&mut lines, record));
    lines.into_bytes()
}

async fn send_records(arguments: &Arguments, ways: &[mpsc::Sender<Vec<u8>>]) -> String {
    let set = Logs::new(arguments.variant.seed, arguments.records, arguments.start, arguments.range);
    let needle = set.needle();
    for (number, first) in (0..set.len()).step_by(arguments.batch).enumerate() {
        if ways[number % ways.len()].send(request_of(arguments, &set, first)).await.is_err() {
            break;
        }
    }
    format!("\"records\":{},\"needle\":\"{needle}\"", set.len())
}

async fn send(arguments: &Arguments) -> Result<(String, Done), String> {
    // The client wants one even where no TLS is spoken. Nobody else has installed another.
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "a TLS provider is there already")?;
    let client = reqwest::Client::builder().build().map_err(|error| error.to_string())?;
    let url = Arc::<str>::from(arguments.url.as_str());
    let wire = match (arguments.set, arguments.is_json) {
        (Set::Samples, _) => Wire::RemoteWrite,
        (Set::Records | Set::Spans, false) => Wire::Protobuf,
        (Set::Records | Set::Spans, true) => Wire::Json,
    };
    let (mut ways, mut connections) = (Vec::new(), Vec::new());
    for _ in 0..arguments.connections {
        let (way, requests) = mpsc::channel(2);
        ways.push(way);
        connections.push(tokio::spawn(connection(client.clone(), Arc::clone(&url), wire, requests)));
    }
    let sent = match arguments.set {
        Set::Samples => send_samples(arguments, &ways).await,
        Set::Records => send_records(arguments, &ways).await,
        Set::Spans => send_spans(arguments, &ways).await,
    };
    drop(ways);
    let mut all = Done::default();
    for connection in connections {
        let done = connection.await.map_err(|error| error.to_string())??;
        all = Done { requests: all.requests + done.requests, retries: all.retries + done.retries, wire_bytes: all.wire_bytes + done.wire_bytes };
    }
    Ok((sent, all))
}

#[tokio::main]
async fn main() -> ExitCode {
    let sent = match arguments() {
        Ok(arguments) if arguments.url == "-" => {
            return if write_requests(&arguments).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Ok(arguments) => send(&arguments).await,
        Err(why) => Err(why),
    };
    match sent {
        Ok((sent, Done { requests, retries, wire_bytes })) => {
            println!("{{{sent},\"requests\":{requests},\"retries\":{retries},\"wire_bytes\":{wire_bytes}}}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("cannot send: {why}");
            ExitCode::FAILURE
        }
    }
}
