//! Fills a directory with a little of everything, as the server would, for looking at the files with other programs:
//!
//! `cargo run -p signalbox-store --example fill -- DIR`, then `SELECT * FROM 'DIR/segments/*/logs/*.parquet'` in DuckDB.
#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::path::PathBuf;
use std::sync::Arc;

use signalbox_model::builder::{LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::{Batch, Labels, MetricBatch, SeriesEntry, SeriesKey, SpanId, Tenant, TraceId};
use signalbox_store::disk::RealDisk;
use signalbox_store::{Settings, Store};
use signalbox_telemetry::SystemClock;

const FIRST_MS: i64 = 1_795_456_800_000;
const ROWS: i64 = 1000;

fn metrics() -> Batch {
    let mut batch = MetricBatch::default();
    for series in 0..10u32 {
        let labels = Labels::from_pairs([("__name__", "temperature"), ("room", &series.to_string())]);
        batch.series.push(SeriesEntry::New { key: SeriesKey(series.into()), labels });
        for row in 0..ROWS {
            batch.samples.push(series, FIRST_MS + row * 15_000, f64::from(series) + row as f64 / 8.0);
        }
    }
    Batch::Metrics(batch)
}

fn logs() -> Batch {
    let mut builder = LogBuilder::default();
    builder.set_resource("{\"service.name\":\"shop\"}", "shop");
    for row in 0..ROWS {
        builder.attributes().append_int("row", row);
        builder.close_row(&LogRow { timestamp_ns: (FIRST_MS + row) * 1_000_000, body: Some(&format!("line {row}")), ..LogRow::default() });
    }
    Batch::Logs(builder.finish())
}

fn spans() -> Batch {
    let mut builder = SpanBuilder::default();
    builder.set_resource("{\"service.name\":\"shop\"}", "shop");
    builder.set_scope("{}");
    for row in 0..ROWS {
        let start_ns = (FIRST_MS + row) * 1_000_000;
        let trace = TraceId::from_slice(&u128::from(row.unsigned_abs() / 5 + 1).to_be_bytes()).expect("16 bytes that are not all 0");
        let span = SpanId::from_slice(&(row.unsigned_abs() + 1).to_be_bytes()).expect("8 bytes that are not all 0");
        builder.close_row(&SpanRow {
            trace_id: trace,
            span_id: span,
            parent_span_id: None,
            start_ns,
            end_ns: start_ns + 1_000,
            name: "GET /cart",
            kind: 2,
            status_code: 0,
            status_message: "",
            trace_state: "",
            flags: 1,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        });
    }
    Batch::Traces(builder.finish())
}

fn main() -> signalbox_model::Result<()> {
    let dir = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "data".into()));
    futures::executor::block_on(async {
        let store = Store::open(Settings::small(), &dir, Arc::new(RealDisk::new(&dir)), Arc::new(SystemClock)).await?;
        store.append(&Tenant::default(), vec![metrics(), logs(), spans()]).await?;
        store.close().await?;
        println!("{} samples, {ROWS} log records and {ROWS} spans in {}", 10 * ROWS, dir.display());
        Ok(())
    })
}
