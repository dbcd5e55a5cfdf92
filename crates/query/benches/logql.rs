//! LogQL over logs in segments: what a question costs, from the pages to the answer.
//!
//! `cargo bench -p signalbox-query --bench logql [-- folder [query …]]`: over the store of a folder that no server has open, or
//! over 200,000 records made here. Time passes for others too on a busy machine, so the time of processors stands beside.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench reports to whoever runs it")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use signalbox_lang::logql::{Expr, parse};
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Batch, Tenant, TimeRange, TraceId};
use signalbox_query::logql::{Direction, LogRequest, MetricRequest, MetricValue};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_telemetry::SystemClock;

const SECOND: i64 = 1_000_000_000;
/// When the data set of the benches over HTTP begins, and how long it lasts.
const START_NS: i64 = 1_795_456_800 * SECOND;
const RANGE_NS: i64 = 7_203 * SECOND;
const RECORDS: u64 = 200_000;
const BATCH: u64 = 2_000;
/// Times that each query is asked.
const ROUNDS: usize = 7;
const ALL: &str = r#"{service_name=~".+"}"#;

/// Pseudo-random, from the number of a record.
fn mixed(number: u64, salt: u64) -> u64 {
    let mixed = (number ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 29).wrapping_mul(0x94d0_49bb_1331_11eb) >> 16
}

fn trace(number: u64) -> TraceId {
    TraceId::from_slice(&(u128::from(mixed(number, 1)) << 64 | u128::from(mixed(number, 2)) | 1).to_be_bytes()).unwrap()
}

fn batch(numbers: std::ops::Range<u64>) -> Batch {
    let mut builder = LogBuilder::default();
    for number in numbers {
        let service = format!("service-{}", mixed(number, 3) % 20);
        builder.set_resource(&format!(r#"{{"service.name":"{service}","k8s.pod.name":"{service}-{}"}}"#, mixed(number, 4) % 5), &service);
        let (status, milliseconds) = (200 + 100 * (mixed(number, 5) % 4) as i64, mixed(number, 6) % 2_000);
        builder.attributes().append_int("http.response.status_code", status);
        builder.attributes().append_string("http.route", if mixed(number, 7).is_multiple_of(4) { "/api/v1/orders" } else { "/api/v1/items" });
        builder.attributes().append_double("http.server.request.duration_ms", milliseconds as f64);
        let address = mixed(number, 8);
        builder.attributes().append_string("client.address", &format!("10.{}.{}.{}", address % 50, address / 64 % 256, address >> 20 & 255));
        let body = match mixed(number, 9) % 4_000 {
            0 => format!("checksum mismatch in block {:x}", mixed(number, 10)),
            1..100 => format!("timeout after {milliseconds} ms while waiting for the ledger"),
            kind if kind % 3 == 0 => format!("order ORD-{:08} was shipped to customer {}", mixed(number, 11) % 100_000_000, mixed(number, 12) % 90_000),
            _ => format!("GET /api/v1/items/{} answered {status} in {milliseconds} ms", mixed(number, 13) % 10_000),
        };
        let is_error = mixed(number, 14).is_multiple_of(20);
        builder.close_row(&LogRow {
            timestamp_ns: START_NS + (number as i64) * (RANGE_NS / RECORDS as i64),
            severity_number: if is_error { 17 } else { 9 },
            severity_text: if is_error { "ERROR" } else { "INFO" },
            body: Some(&body),
            trace_id: mixed(number, 15).is_multiple_of(2).then(|| trace(number / 20)),
            ..LogRow::default()
        });
    }
    Batch::Logs(builder.finish())
}

/// Name, query, distance of the instants or none, limit of records.
fn queries() -> Vec<(&'static str, String, i64, usize)> {
    let needle = std::env::var("NEEDLE").unwrap_or_else(|_| trace(RECORDS / 40).to_string());
    let (whole, minute) = (0, 60 * SECOND);
    vec![
        ("trace id", format!(r#"{ALL} | trace_id="{needle}""#), 0, 100),
        ("trace id selected", format!(r#"{{trace_id="{needle}"}}"#), 0, 100),
        ("trace id in line", format!(r#"{ALL} |= "{needle}""#), 0, 100),
        ("attribute", format!(r#"{ALL} | client_address="10.12.139.11""#), 0, 100),
        ("rare word count", format!(r#"sum(count_over_time({ALL} |= "checksum mismatch" [7203s]))"#), whole, 0),
        ("rare word rows", format!(r#"{ALL} |= "checksum mismatch""#), 0, 200),
        ("word per minute", format!(r#"sum(count_over_time({ALL} |= "timeout" [1m]))"#), minute, 0),
        ("substring", format!(r#"sum(count_over_time({ALL} |= "ORD-0012" [7203s]))"#), whole, 0),
        ("regex rare", format!(r#"sum(count_over_time({ALL} |~ "checksum (mismatch|error)" [7203s]))"#), whole, 0),
        ("regex", format!(r#"sum(count_over_time({ALL} |~ "(?i)time.?out" [7203s]))"#), whole, 0),
        ("by service and level", format!("sum by (service_name, severity_text) (count_over_time({ALL} [7203s]))"), whole, 0),
        ("newest 100", r#"{service_name="checkout"} | severity_text="ERROR""#.into(), 0, 100),
        ("status per minute", format!(r#"sum by (service_name) (count_over_time({ALL} | http_response_status_code="500" [1m]))"#), minute, 0),
        (
            "quantile",
            format!(r#"quantile_over_time(0.99, {ALL} | http_route="/api/v1/orders" | unwrap http_server_request_duration_ms [7203s]) by (service_name)"#),
            whole,
            0,
        ),
        ("top 10", format!(r#"topk(10, sum by (client_address) (count_over_time({ALL} | client_address!="" [7203s])))"#), whole, 0),
        ("all per minute", format!("sum(count_over_time({ALL} [1m]))"), minute, 0),
    ]
}

/// Milliseconds of processors so far; 0 where the system does not say.
fn processor_ms() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Behind the name stand the state and ten others, then user and system time.
    let times = fields.get(11..13).unwrap_or_default().iter().filter_map(|field| field.parse::<u64>().ok());
    10 * times.sum::<u64>()
}

/// What was answered, in short.
async fn ask(engine: &Engine, query: &str, step_ns: i64, limit: usize) -> String {
    let (tenant, end_ns) = (Tenant::default(), START_NS + RANGE_NS);
    match parse(query).unwrap() {
        Expr::Logs(expr) => {
            let request = LogRequest { expr, range: TimeRange::from_ns(START_NS, end_ns), limit, direction: Direction::Backward };
            let answer = engine.logs(&tenant, request).await.unwrap();
            format!("{} records of {} rows", answer.entries.len(), answer.rows_read)
        }
        Expr::Metric(expr) => {
            let start_ns = if step_ns == 0 { end_ns } else { START_NS };
            let answer = engine.logql(&tenant, MetricRequest { expr, start_ns, end_ns, step_ns }).await.unwrap();
            let (MetricValue::Vector(series) | MetricValue::Matrix(series)) = answer.value else { return String::new() };
            let sum: f64 = series.iter().flat_map(|one| &one.points).map(|(_, value)| value).sum();
            format!("{} series, sum {sum}, of {} rows", series.len(), answer.rows_read)
        }
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let own = tempfile::tempdir().unwrap();
    let dir = arguments.first().map_or_else(|| own.path().to_owned(), PathBuf::from);
    let engine = runtime.block_on(async {
        let disk = Arc::new(signalbox_store::disk::RealDisk::new(&dir));
        let store = Store::open(signalbox_store::Settings::default(), &dir, disk, Arc::new(SystemClock)).await.unwrap();
        if arguments.is_empty() {
            for first in (0..RECORDS).step_by(BATCH as usize) {
                store.append(&Tenant::default(), vec![batch(first..first + BATCH)]).await.unwrap();
            }
            store.flush().await.unwrap();
        }
        Engine::new(store, Arc::new(SystemClock), Settings::default())
    });
    for (name, query, step_ns, limit) in queries() {
        if arguments.len() > 1 && !arguments[1..].iter().any(|wanted| name == wanted) {
            continue;
        }
        let (mut milliseconds, mut answer, processors) = (Vec::new(), String::new(), processor_ms());
        for _ in 0..ROUNDS {
            let start = Instant::now();
            answer = runtime.block_on(ask(&engine, &query, step_ns, limit));
            milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let each = (processor_ms() - processors) as f64 / ROUNDS as f64;
        let first = milliseconds[0];
        milliseconds.sort_by(f64::total_cmp);
        let (best, median) = (milliseconds[0], milliseconds[ROUNDS / 2]);
        println!("{name}: best {best:.1} ms, median {median:.1} ms, first {first:.1} ms, processors {each:.0} ms; {answer}");
    }
}
