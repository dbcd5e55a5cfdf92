//! Logs and spans through the store on a real disk: appended, flushed, compacted, and read back whole and narrow.
//!
//! `cargo bench -p signalbox-store --bench rows -- [rows in thousands] [flushes]`; the directory is `TMPDIR`'s.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench reports to whoever runs it")]

mod load;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::record_batch::RecordBatch;
use signalbox_model::{Batch, LogBatch, Phrase, SpanBatch, Table, Tenant, TextFilter, TimeRange, schema};
use signalbox_store::disk::RealDisk;
use signalbox_store::{ScanRequest, Settings, Store};
use signalbox_testkit::ManualClock;

use load::{FIRST_NS, Random, trace};

/// Rows of a request, about.
const REQUEST_ROWS: u64 = 2000;
/// Rows come in over so long.
const SPREAD: Duration = Duration::from_secs(2 * 60 * 60);

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (rows, flushes) = (numbers.first().map_or(1000, |thousands| *thousands) * 1000, numbers.get(1).copied().unwrap_or(4));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for table in [Table::Logs, Table::Spans] {
        runtime.block_on(run(table, rows, flushes));
    }
}

async fn run(table: Table, rows: u64, flushes: u64) {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { flush_interval_seconds: u64::MAX / 4, flush_wal_bytes: u64::MAX / 4, flush_row_bytes: u64::MAX / 4, ..Settings::default() };
    let clock = ManualClock::at_ns(FIRST_NS);
    let store = Store::open(settings, dir.path(), Arc::new(RealDisk::new(dir.path())), Arc::new(clock.clone())).await.unwrap();
    let nanos_each = SPREAD.as_nanos() as i64 / rows as i64;
    let (mut random, mut appending, mut flushing, mut written) = (Random(88_172_645_463_325_252), Duration::ZERO, Duration::ZERO, 0u64);
    while written < rows {
        let mut requests = Vec::new();
        let until = written + rows / flushes;
        while written < until.min(rows) {
            let batch = match table {
                Table::Logs => load::logs(&mut random, written, REQUEST_ROWS, nanos_each),
                _ => load::spans(&mut random, written / 20, REQUEST_ROWS / 20, nanos_each * 20),
            };
            written += batch.num_rows() as u64;
            requests.push(match table {
                Table::Logs => Batch::Logs(LogBatch::new(batch).unwrap()),
                _ => Batch::Traces(SpanBatch::new(batch).unwrap()),
            });
        }
        let start = Instant::now();
        let tenant = Tenant::default();
        let results = futures::future::join_all(requests.into_iter().map(|batch| store.append(&tenant, vec![batch]))).await;
        results.into_iter().for_each(Result::unwrap);
        appending += start.elapsed();
        let start = Instant::now();
        store.flush().await.unwrap();
        flushing += start.elapsed();
    }
    let each = |time: Duration| time.as_nanos() as f64 / written as f64;
    println!("{}: {written} rows, append {:.0} ns/row, flush {:.0} ns/row", table.as_str(), each(appending), each(flushing));
    report(&store, table, dir.path(), written);
    // The window in which segments of level 0 are gathered is over.
    clock.advance(SPREAD);
    let start = Instant::now();
    store.maintain().await.unwrap();
    println!("  maintain {:.0} ns/row", each(start.elapsed()));
    report(&store, table, dir.path(), written);
    store.close().await.unwrap();
}

fn report(store: &Store, table: Table, dir: &Path, rows: u64) {
    let (bytes, files) = files_of(dir);
    println!("  {:.1} bytes/row in {files} segments", bytes as f64 / rows as f64);
    let (all, spread_ns) = (ScanRequest::all(TimeRange::ALL), SPREAD.as_nanos() as i64);
    let schema = if table == Table::Logs { schema::logs() } else { schema::spans() };
    let few = [schema::TIMESTAMP, schema::SEQUENCE, schema::SERVICE].map(|name| schema::index(&schema, name)).to_vec();
    let requests = [
        ("all", all.clone()),
        ("three columns", ScanRequest { projection: Some(few), ..all.clone() }),
        ("one service of 20", ScanRequest { services: vec!["checkout".into()], ..all.clone() }),
        ("one minute of 120", ScanRequest::all(TimeRange::from_ns(FIRST_NS + spread_ns / 2, FIRST_NS + spread_ns / 2 + spread_ns / 120))),
        ("one trace", ScanRequest { trace_id: Some(trace(rows / 50)), ..all.clone() }),
        ("no such trace", ScanRequest { trace_id: Some(trace(u64::MAX / 3)), ..all.clone() }),
    ];
    for (what, request) in requests {
        for round in ["first", "again"] {
            let (start, mut found) = (Instant::now(), 0);
            for part in store.snapshot(Tenant::default()).scan(table, &request).unwrap() {
                found += part.read().unwrap().map(|rows| rows.unwrap().num_rows()).sum::<usize>();
            }
            let time = start.elapsed();
            println!("  {what}, {round}: {found} rows in {time:.2?}, {:.0} ns/row", time.as_nanos() as f64 / found.max(1) as f64);
        }
    }
    if table == Table::Logs {
        report_text(store);
    }
    let start = Instant::now();
    let mut parts = store.snapshot(Tenant::default()).scan(table, &all).unwrap();
    parts.sort_by_key(|part| std::cmp::Reverse(part.range.end_ns));
    let newest: Vec<RecordBatch> = parts.into_iter().next().map(|part| part.read().unwrap().map(Result::unwrap).collect()).unwrap_or_default();
    println!("  newest part: {} rows in {:.2?}", newest.iter().map(RecordBatch::num_rows).sum::<usize>(), start.elapsed());
}

/// Looks for text: identifiers that some row has, words, and what is nowhere.
fn report_text(store: &Store) {
    let body = schema::index(&schema::logs(), schema::logs::BODY);
    let read = |text: TextFilter| {
        let request = ScanRequest { projection: Some(vec![body]), text, ..ScanRequest::all(TimeRange::ALL) };
        let (start, mut bodies) = (Instant::now(), Vec::new());
        for part in store.snapshot(Tenant::default()).scan(Table::Logs, &request).unwrap() {
            for rows in part.read().unwrap().map(Result::unwrap) {
                bodies.extend(rows.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
            }
        }
        (bodies, start.elapsed())
    };
    let (bodies, _) = read(TextFilter::default());
    let behind = |mark: &str| {
        let of = |body: &String| body.split_once(mark)?.1.split([' ', ',']).next().map(str::to_owned);
        bodies.iter().filter_map(of).nth(100).unwrap_or_default()
    };
    let phrases = [
        ("a request", Phrase::anywhere(behind("completed id="))),
        ("an address", Phrase::anywhere(behind("logged in from "))),
        ("an order, its number alone", Phrase::anywhere(behind("ORD-"))),
        ("an order, as a word", Phrase::whole(behind("ORD-"))),
        ("a session", Phrase::anywhere(behind("session "))),
        ("a word of some lines", Phrase::anywhere("deadlock")),
        ("a word of all lines", Phrase::anywhere("a")),
        ("a word that is nowhere", Phrase::anywhere("segfault")),
        ("an identifier that is nowhere", Phrase::anywhere("550e8400-e29b-41d4-a716-446655440000")),
    ];
    for (what, phrase) in phrases {
        for round in ["first", "again"] {
            let (found, time) = read(TextFilter { clauses: vec![vec![phrase.clone()]] });
            let fit = found.iter().filter(|body| body.contains(&phrase.text)).count();
            println!("  text, {what}, {round}: {} rows read for {fit} in {time:.2?}", found.len());
        }
    }
}

/// Bytes and number of the Parquet files below a directory.
fn files_of(dir: &Path) -> (u64, u64) {
    let (mut bytes, mut files) = (0, 0);
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let (metadata, path) = (entry.metadata().unwrap(), entry.path());
        if metadata.is_dir() {
            let (more_bytes, more_files) = files_of(&path);
            (bytes, files) = (bytes + more_bytes, files + more_files);
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            (bytes, files) = (bytes + metadata.len(), files + 1);
        }
    }
    (bytes, files)
}
