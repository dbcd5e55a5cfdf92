//! Sends a data set for measuring, as fast as the server takes it, and says what it sent as one line of JSON:
//!
//! `cargo run --release -p signalbox-demo --example load -- --url http://127.0.0.1:4400/api/v1/write --steps 2400`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to whoever runs it")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use signalbox_demo::load::metrics::{Metrics, STEP_SECONDS, Variant};
use tokio::sync::mpsc;

/// Where and what.
struct Arguments {
    url: String,
    steps: u64,
    /// Instant of the first step, in seconds since the Unix epoch.
    start: u64,
    /// Steps that are made and not sent.
    skip: u64,
    batch: usize,
    connections: usize,
    variant: Variant,
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
    let mut arguments = Arguments { url: String::new(), steps: 2400, start: 1_795_392_000, skip: 0, batch: 5000, connections: 2, variant: Variant::default() };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or(format!("{name} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{name} {value}: {error}"));
        match name.as_str() {
            "--url" => arguments.url = value.clone(),
            "--steps" => arguments.steps = number()?,
            "--start" => arguments.start = number()?,
            "--skip" => arguments.skip = number()?,
            "--batch" => arguments.batch = number()?.max(1) as usize,
            "--connections" => arguments.connections = number()?.max(1) as usize,
            "--seed" => arguments.variant.seed = number()?,
            "--clusters" => arguments.variant.clusters = number()?.max(1),
            "--churn" => arguments.variant.churn = number()?.min(20),
            _ => return Err(format!("{name} is not known: --url --steps --start --skip --batch --connections --seed --clusters --churn")),
        }
    }
    if arguments.url.is_empty() { Err("--url is missing: where remote write is taken".to_owned()) } else { Ok(arguments) }
}

/// One connection: what it is given goes out in that order.
async fn connection(client: reqwest::Client, url: Arc<str>, mut requests: mpsc::Receiver<Vec<u8>>) -> Result<Done, String> {
    let mut done = Done::default();
    let mut encoder = snap::raw::Encoder::new();
    while let Some(request) = requests.recv().await {
        let body = bytes::Bytes::from(encoder.compress_vec(&request).map_err(|error| error.to_string())?);
        done.wire_bytes += body.len() as u64;
        loop {
            let post = client.post(&*url).header("content-type", "application/x-protobuf").header("content-encoding", "snappy");
            let answer = post.header("x-prometheus-remote-write-version", "0.1.0").body(body.clone()).send().await;
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

async fn send(arguments: &Arguments) -> Result<(u64, usize, Done), String> {
    // The client wants one even where no TLS is spoken. Nobody else has installed another.
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "a TLS provider is there already")?;
    let client = reqwest::Client::builder().build().map_err(|error| error.to_string())?;
    let url = Arc::<str>::from(arguments.url.as_str());
    let (mut ways, mut connections) = (Vec::new(), Vec::new());
    for _ in 0..arguments.connections {
        let (way, requests) = mpsc::channel(2);
        ways.push(way);
        connections.push(tokio::spawn(connection(client.clone(), Arc::clone(&url), requests)));
    }
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
    drop(ways);
    let mut all = Done::default();
    for connection in connections {
        let done = connection.await.map_err(|error| error.to_string())??;
        all = Done { requests: all.requests + done.requests, retries: all.retries + done.retries, wire_bytes: all.wire_bytes + done.wire_bytes };
    }
    Ok((samples, count, all))
}

#[tokio::main]
async fn main() -> ExitCode {
    let sent = match arguments() {
        Ok(arguments) => send(&arguments).await,
        Err(why) => Err(why),
    };
    match sent {
        Ok((samples, series, Done { requests, retries, wire_bytes })) => {
            println!("{{\"samples\":{samples},\"series\":{series},\"requests\":{requests},\"retries\":{retries},\"wire_bytes\":{wire_bytes}}}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("cannot send: {why}");
            ExitCode::FAILURE
        }
    }
}
