//! Exports: the same rows as answers have, all of them, read no faster than they are taken.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use signalbox_lang::logql::{self, Expr};
use signalbox_lang::search;
use signalbox_lang::traceql::parse_query;
use signalbox_model::builder::{LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::{Batch, ErrorKind, Result, SpanId, Tenant, TimeRange, TraceId};
use signalbox_query::export::{Export, ExportRequest, ParquetRows};
use signalbox_query::logql::{Direction, LogRequest, MetricRequest, MetricValue};
use signalbox_query::search::{Meaning, SearchRequest, translate};
use signalbox_query::sql::SqlLimits;
use signalbox_query::traceql::MetricsRequest;
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;

use crate::world::{SECOND, T0, World, worlds};

const RANGE: TimeRange = TimeRange { start_ns: T0, end_ns: T0 + 1_000 * SECOND };

fn lines(query: &str, fields: &[&str]) -> ExportRequest {
    let Expr::Logs(expr) = logql::parse(query).unwrap() else { panic!("{query}") };
    ExportRequest::Lines(expr, RANGE, fields.iter().map(|name| (*name).to_owned()).collect())
}

fn records(query: &str, fields: &[&str]) -> ExportRequest {
    let filter = translate(&search::parse(query).unwrap(), &Meaning::for_people(T0)).unwrap();
    ExportRequest::Records(filter, RANGE, fields.iter().map(|name| (*name).to_owned()).collect())
}

async fn all(mut export: Export) -> Result<RecordBatch> {
    let mut batches = Vec::new();
    while let Some(rows) = export.next().await {
        batches.push(rows?);
    }
    Ok(concat_batches(&export.schema, &batches).unwrap())
}

async fn export(world: &World, request: ExportRequest) -> RecordBatch {
    all(world.engine.export(&world.tenant, request, "").await.unwrap()).await.unwrap()
}

fn text(rows: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = rows.column_by_name(name).unwrap().as_string::<i32>();
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn map(rows: &RecordBatch, name: &str, row: usize) -> Vec<(String, String)> {
    let entries = rows.column_by_name(name).unwrap().as_map().value(row);
    let texts = |column: usize| entries.column(column).as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect::<Vec<_>>();
    texts(0).into_iter().zip(texts(1)).collect()
}

fn times(rows: &RecordBatch) -> Vec<i64> {
    rows.column_by_name("timestamp").unwrap().as_primitive::<TimestampNanosecondType>().values().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_those_of_log_queries() {
    for query in [
        "{service_name=~\".+\"}",
        "{service_name=\"cart\"} |= \"timeout\"",
        "{service_name=\"shop\"} | http_status_code=\"500\" | line_format \"{{.user}}: {{__line__}}\" | label_format who=user",
        "{service_name=\"cart\"} | pattern \"request <number> done\" | number > 100",
        "{service_name=\"nobody\"}",
    ] {
        let Expr::Logs(expr) = logql::parse(query).unwrap() else { panic!("{query}") };
        for (place, world) in worlds().await {
            let request = LogRequest { expr: expr.clone(), range: RANGE, limit: 1_000, direction: Direction::Forward };
            let mut want: Vec<_> = world.engine.logs(&world.tenant, request).await.unwrap().entries;
            let whole = export(&world, lines(query, &[])).await;
            let narrow = export(&world, lines(query, &["line", "timestamp"])).await;
            let found = times(&whole);
            assert_eq!((found.len(), times(&narrow)), (want.len(), found.clone()), "{place}: {query}");
            want.sort_by_key(|entry| found.iter().position(|time| *time == entry.record.timestamp_ns));
            for (row, entry) in want.into_iter().enumerate() {
                assert_eq!(text(&whole, "line", row), Some(entry.line.clone()), "{place}: {query}");
                assert_eq!(text(&narrow, "line", row), Some(entry.line), "{place}: {query}");
                assert_eq!(text(&whole, "trace_id", row), entry.record.trace_id.map(|id| id.to_string()));
                assert_eq!(text(&whole, "level", row), Some(entry.record.level()));
                let mut labels = [entry.stream.to_vec(), entry.metadata, entry.parsed].concat();
                labels.sort();
                assert_eq!(map(&whole, "labels", row), labels, "{place}: {query}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_those_of_searches() {
    for query in ["", "timeout", "service:cart level:error", "user:user-123 OR user-7", "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a", "nothing_like_this"] {
        let filter = translate(&search::parse(query).unwrap(), &Meaning::for_people(T0)).unwrap();
        for (place, world) in worlds().await {
            let request = SearchRequest::newest(filter.clone(), RANGE, 1_000);
            let mut want = world.engine.search(&world.tenant, request, query).await.unwrap().records;
            let whole = export(&world, records(query, &[])).await;
            let found = times(&whole);
            assert_eq!(found.len(), want.len(), "{place}: {query}");
            want.sort_by_key(|record| found.iter().position(|time| *time == record.timestamp_ns));
            for (row, record) in want.into_iter().enumerate() {
                assert_eq!(text(&whole, "body", row), record.line, "{place}: {query}");
                assert_eq!(text(&whole, "span_id", row), record.span_id.map(|id| id.to_string()));
                let texts = |attributes: &[(String, signalbox_model::attributes::AttributeValue)]| -> Vec<(String, String)> {
                    attributes.iter().map(|(key, value)| (key.clone(), value.to_text())).collect()
                };
                assert_eq!(map(&whole, "attributes", row), texts(&record.attributes), "{place}: {query}");
                assert_eq!(map(&whole, "resource", row), texts(&record.resource.attributes), "{place}: {query}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_columns() {
    for (place, world) in worlds().await {
        let rows = export(&world, records("user:user-20", &["user", "severity_number", "service", "scope.name", "observed_timestamp", "nothing"])).await;
        assert_eq!((rows.num_rows(), text(&rows, "user", 0).as_deref()), (1, Some("user-20")), "{place}");
        assert_eq!((text(&rows, "severity_number", 0).as_deref(), text(&rows, "scope.name", 0).as_deref()), (Some("17"), Some("lib")));
        assert_eq!((text(&rows, "service", 0), text(&rows, "nothing", 0)), (None, None));
        let rows = export(&world, lines("{user=\"user-21\"} | logfmt", &["user", "service_name", "labels.service", "replicas"])).await;
        assert_eq!(text(&rows, "service_name", 0).as_deref(), Some("cart"), "{place}");
        assert_eq!(
            (text(&rows, "user", 0).as_deref(), text(&rows, "labels.service", 0), text(&rows, "replicas", 0).as_deref()),
            (Some("user-21"), None, Some("3"))
        );
        let twice = world.engine.export(&world.tenant, records("", &["user", "user"]), "").await;
        assert_eq!(twice.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

/// So many records of one service in two segments, with settings that answer next to nothing.
async fn large(rows: i64) -> (Engine, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns(T0 + 3_600 * SECOND));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, clock.clone()).await.unwrap();
    for half in 0..2 {
        for first in (half * rows / 2..(half + 1) * rows / 2).step_by(1_000) {
            let mut builder = LogBuilder::default();
            builder.set_resource("{\"service.name\":\"bulk\"}", "bulk");
            builder.set_scope("{}");
            for number in first..first + 1_000 {
                builder.attributes().append_int("number", number);
                builder.close_row(&LogRow { timestamp_ns: T0 + number, body: Some("one of many"), ..LogRow::default() });
            }
            store.append(&Tenant::default(), vec![Batch::Logs(builder.finish())]).await.unwrap();
        }
        store.flush().await.unwrap();
    }
    let settings = Settings { results_max: 10, rows_max: 10, concurrent_max: 1, partitions: 1, ..Settings::default() };
    (Engine::new(store, clock, settings), dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_come_in_small_batches_no_faster_than_they_are_taken() {
    const ROWS: usize = 60_000;
    let (engine, _dir) = large(ROWS as i64).await;
    let tenant = Tenant::default();
    for request in [lines("{service_name=\"bulk\"}", &[]), records("many", &["number", "timestamp"]), ExportRequest::Sql("SELECT * FROM logs".to_owned())] {
        let mut export = engine.export(&tenant, request, "").await.unwrap();
        let mut found = times(&export.next().await.unwrap().unwrap());
        assert!(found.len() < ROWS / 2, "{}", found.len());
        // Most is not read yet: the only place to run in is taken, until somebody takes the rows.
        let other = engine.sql(&tenant, "SELECT 1", SqlLimits { timeout: Some(Duration::from_millis(30)), ..SqlLimits::default() });
        assert_eq!(other.await.unwrap_err().kind(), ErrorKind::Timeout);
        while let Some(rows) = export.next().await {
            let rows = rows.unwrap();
            assert!(rows.num_rows() < ROWS / 2);
            found.extend(times(&rows));
        }
        found.sort_unstable();
        assert_eq!(found, (0..ROWS as i64).map(|number| T0 + number).collect::<Vec<_>>());
    }
    // Who goes away gives the place back.
    let mut export = engine.export(&tenant, lines("{service_name=\"bulk\"}", &[]), "").await.unwrap();
    export.next().await.unwrap().unwrap();
    drop(export);
    assert!(engine.sql(&tenant, "SELECT 1", SqlLimits::default()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_is_read_back_as_it_was() {
    for (place, world) in worlds().await {
        for request in [lines("{service_name=~\".+\"}", &[]), records("nothing_like_this", &[]), ExportRequest::Sql("SELECT * FROM spans".to_owned())] {
            let mut export = world.engine.export(&world.tenant, request, "").await.unwrap();
            let (mut writer, mut batches, mut bytes) = (ParquetRows::new(&export.schema).unwrap(), Vec::new(), Vec::new());
            while let Some(rows) = export.next().await {
                batches.push(rows.unwrap());
                bytes.extend(writer.rows(batches.last().unwrap()).unwrap());
            }
            bytes.extend(writer.finish().unwrap());
            let path = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(path.path(), bytes).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path.path()).unwrap()).unwrap();
            let schema = reader.schema().clone();
            let read: Vec<RecordBatch> = reader.build().unwrap().map(|rows| rows.unwrap()).collect();
            let (want, read) = (concat_batches(&export.schema, &batches).unwrap(), concat_batches(&schema, &read).unwrap());
            assert_eq!(read.columns(), want.columns(), "{place}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_those_that_a_search_tells() {
    for (place, world) in worlds().await {
        for query in ["{}", "{ status = error } | select(.http.status_code)", "{ name = \"GET /cart\" } | by(resource.service.name) | count() > 0"] {
            let query = parse_query(query).unwrap();
            let request = signalbox_query::traceql::SearchRequest {
                query: query.clone(),
                range: RANGE,
                trace_duration_min_ns: None,
                trace_duration_max_ns: None,
                limit: 1_000,
                spans_per_set: 0,
            };
            let mut want = Vec::new();
            for trace in world.engine.traceql_search(&world.tenant, request).await.unwrap().traces {
                for span in trace.sets.into_iter().flat_map(|set| set.spans) {
                    want.push((
                        trace.trace_id.to_string(),
                        span.span_id.map(|id| id.to_string()),
                        span.start_ns,
                        span.duration_ns,
                        Some(span.name.to_string()),
                    ));
                }
            }
            let rows = export(&world, ExportRequest::Spans(Box::new(query.clone()), RANGE)).await;
            let (starts, durations) = (times(&rows), rows.column_by_name("duration_ns").unwrap().as_primitive::<Int64Type>().values().to_vec());
            let row = |row: usize| (text(&rows, "trace_id", row).unwrap(), text(&rows, "span_id", row), starts[row], durations[row], text(&rows, "name", row));
            let mut found: Vec<_> = (0..rows.num_rows()).map(row).collect();
            found.sort();
            want.sort();
            assert_eq!(found, want, "{place}: {query}");
            assert!(!found.is_empty());
        }
        let rows = export(&world, ExportRequest::Spans(Box::new(parse_query("{ .http.status_code = 500 } | by(resource.service.name)").unwrap()), RANGE)).await;
        assert_eq!(map(&rows, "attributes", 0)[0], (".http.status_code".to_owned(), "500".to_owned()), "{place}");
        assert_eq!(map(&rows, "set", 0).len(), 1);
        let series = ExportRequest::Spans(Box::new(parse_query("{} | rate()").unwrap()), RANGE);
        assert_eq!(world.engine.export(&world.tenant, series, "").await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_very_many_traces_is_told_once() {
    // More than are looked at in one window; every fiftieth begins long before it ends, in the window of another.
    const TRACES: u64 = 45_000;
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns(T0 + 3_600 * SECOND));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, clock.clone()).await.unwrap();
    for first in (0..TRACES).step_by(5_000) {
        let mut builder = SpanBuilder::default();
        builder.set_resource("{\"service.name\":\"bulk\"}", "bulk");
        builder.set_scope("{}");
        for number in first..first + 5_000 {
            let id = TraceId::from_slice(&u128::from(number + 1).to_be_bytes()).unwrap();
            for span in 0..1 + u64::from(number % 50 == 0) {
                // Many begin at one instant.
                let start_ns = T0 + (number / 7) as i64 * 1_000 - span as i64 * 3_000_000;
                builder.close_row(&SpanRow {
                    trace_id: id,
                    span_id: SpanId::from_slice(&(number * 2 + span + 1).to_be_bytes()).unwrap(),
                    parent_span_id: None,
                    start_ns,
                    end_ns: start_ns + 5,
                    name: "step",
                    kind: 1,
                    status_code: 0,
                    status_message: "",
                    trace_state: "",
                    flags: 0,
                    dropped_attributes_count: 0,
                    dropped_events_count: 0,
                    dropped_links_count: 0,
                });
            }
        }
        store.append(&Tenant::default(), vec![Batch::Traces(builder.finish())]).await.unwrap();
    }
    store.flush().await.unwrap();
    let engine = Engine::new(store, clock, Settings { partitions: 1, ..Settings::default() });
    let request = ExportRequest::Spans(Box::new(parse_query("{ name = \"step\" }").unwrap()), TimeRange::ALL);
    let rows = all(engine.export(&Tenant::default(), request, "").await.unwrap()).await.unwrap();
    let mut found: Vec<String> = (0..rows.num_rows()).map(|row| text(&rows, "span_id", row).unwrap()).collect();
    found.sort();
    found.dedup();
    assert_eq!((rows.num_rows(), found.len() as u64), (found.len(), TRACES + TRACES / 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn series_have_as_many_steps_as_there_are() {
    const STEP_NS: i64 = SECOND / 20;
    for (place, world) in worlds().await {
        let Expr::Metric(expr) = logql::parse("sum by (service_name) (count_over_time({service_name=~\".+\"}[10s]))").unwrap() else { panic!() };
        let request = MetricRequest { expr, start_ns: T0, end_ns: T0 + 200 * SECOND, step_ns: STEP_NS };
        let MetricValue::Matrix(series) = world.engine.logql(&world.tenant, request.clone()).await.unwrap().value else { panic!() };
        let mut want: Vec<_> = series.iter().flat_map(|series| series.points.iter().map(|(at, value)| (*at, series.labels.clone(), value.to_bits()))).collect();
        let rows = export(&world, ExportRequest::Metric(request.clone())).await;
        let (at, values) = (times(&rows), rows.column_by_name("value").unwrap().as_primitive::<Float64Type>().values().to_vec());
        let mut found: Vec<_> = (0..rows.num_rows()).map(|row| (at[row], map(&rows, "labels", row), values[row].to_bits())).collect();
        want.sort();
        found.sort();
        assert!(found.len() > 4_001, "{place}: {}", found.len());
        assert_eq!(found, want, "{place}");
        let wrong = ExportRequest::Metric(MetricRequest { step_ns: 0, ..request });
        assert_eq!(world.engine.export(&world.tenant, wrong, "").await.unwrap_err().kind(), ErrorKind::Invalid);

        let query = parse_query("{} | count_over_time() by (resource.service.name)").unwrap();
        let request = MetricsRequest { query, start_ns: T0, end_ns: T0 + 1_000 * SECOND, step_ns: 100 * SECOND, exemplars_max: 0 };
        let answer = world.engine.traceql_metrics(&world.tenant, request.clone()).await.unwrap();
        let rows = export(&world, ExportRequest::SpanSeries(Box::new(request))).await;
        assert_eq!(rows.num_rows(), answer.series.iter().map(|series| series.points.len()).sum::<usize>(), "{place}");
        assert_eq!(map(&rows, "labels", 0)[0].0, "resource.service.name");
    }
}
