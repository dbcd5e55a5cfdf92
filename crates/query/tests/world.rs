//! A small world: 300 log records of three services, 20 traces, a few series.

use std::sync::Arc;

use signalbox_model::builder::{EventRow, LinkRow, LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::{Batch, LogBatch, MetricBatch, SeriesEntry, SeriesKey, SpanBatch, SpanId, Tenant, TraceId};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;

/// When the world begins: 2023-11-14T22:13:20Z.
pub(crate) const T0: i64 = 1_700_000_000_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;

pub(crate) const CART: &str = r#"{"service.name":"cart","k8s.pod.name":"cart-1","replicas":3}"#;
pub(crate) const SHOP: &str = r#"{"service.name":"shop","k8s.pod.name":"shop-1","$schema_url":"https://x/1"}"#;
pub(crate) const SCOPE: &str = r#"{"$name":"lib","$version":"1.2","language":"rust"}"#;

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) tenant: Tenant,
    pub(crate) dir: Arc<tempfile::TempDir>,
}

/// The same world three times: in the head, in segments, and half and half.
pub(crate) async fn worlds() -> Vec<(&'static str, World)> {
    vec![("head", world(Flush::Never).await), ("segments", world(Flush::AtTheEnd).await), ("both", world(Flush::Halfway).await)]
}

/// The records of the world in many parts of one store, fewer than are merged, which is asked with one thread and with several.
pub(crate) async fn threaded_worlds() -> Vec<World> {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let clock = Arc::new(ManualClock::at_ns(T0 + 3_600 * SECOND));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, clock.clone()).await.unwrap();
    let tenant = Tenant::default();
    for part in 0..30 {
        store.append(&tenant, vec![logs(10 * part..10 * part + 10)]).await.unwrap();
        // The last ones stay in the head.
        if part % 2 == 1 && part < 20 {
            store.flush().await.unwrap();
        }
    }
    let engine = |partitions| Engine::new(store.clone(), clock.clone(), Settings { partitions, ..Settings::default() });
    [1, 2, 5].map(|partitions| World { engine: engine(partitions), tenant: tenant.clone(), dir: Arc::clone(&dir) }).into()
}

#[derive(Clone, Copy, PartialEq)]
enum Flush {
    Never,
    Halfway,
    AtTheEnd,
}

/// The world in the head, of which only one question is answered at a time.
pub(crate) async fn world_for_one() -> World {
    world_with(Flush::Never, Settings { concurrent_max: 1, ..settings() }).await
}

fn settings() -> Settings {
    Settings { partitions: 2, ..Settings::default() }
}

async fn world(flush: Flush) -> World {
    world_with(flush, settings()).await
}

async fn world_with(flush: Flush, settings: Settings) -> World {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns(T0 + 3_600 * SECOND));
    let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
    let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, clock.clone()).await.unwrap();
    let tenant = Tenant::default();
    for (position, batches) in
        [vec![logs(0..150), traces(1..11), metrics(0..30)], vec![logs(150..300), traces(11..21), metrics(30..60)]].into_iter().enumerate()
    {
        store.append(&tenant, batches).await.unwrap();
        if flush == Flush::AtTheEnd && position == 1 || flush == Flush::Halfway && position == 0 {
            store.flush().await.unwrap();
        }
    }
    World { engine: Engine::new(store, clock, settings), tenant, dir: Arc::new(dir) }
}

pub(crate) fn trace_id(number: u8) -> TraceId {
    TraceId::from_slice(&[number; 16]).unwrap()
}

pub(crate) fn span_id(number: u8) -> SpanId {
    SpanId::from_slice(&[number; 8]).unwrap()
}

/// One record a second; every third of one service, every fifth an error, every tenth of a trace.
fn logs(range: std::ops::Range<i64>) -> Batch {
    let mut builder = LogBuilder::default();
    for number in range {
        match number % 3 {
            0 => builder.set_resource(CART, "cart"),
            1 => builder.set_resource(SHOP, "shop"),
            _ => builder.set_resource("{}", ""),
        }
        builder.set_scope(SCOPE);
        builder.attributes().append_int("http.status_code", if number % 5 == 0 { 500 } else { 200 });
        builder.attributes().append_string("user", &format!("user-{number}"));
        builder.attributes().append_double("ratio", 0.5);
        let body = if number % 5 == 0 { format!("timeout after {number} ms\nretrying") } else { format!("request {number} done") };
        builder.close_row(&LogRow {
            timestamp_ns: T0 + number * SECOND,
            observed_timestamp_ns: Some(T0 + number * SECOND + 5),
            severity_number: if number % 5 == 0 { 17 } else { 9 },
            severity_text: if number % 5 == 0 { "ERROR" } else { "" },
            body: Some(&body),
            trace_id: (number % 10 == 0).then(|| trace_id((number / 10 + 1) as u8)),
            span_id: (number % 10 == 0).then(|| span_id(1)),
            flags: u32::from(number % 10 == 0),
            dropped_attributes_count: 1,
            ..LogRow::default()
        });
    }
    let batch: LogBatch = builder.finish();
    Batch::Logs(batch)
}

/// Traces of two spans: a server span of the shop and a client span of the cart below it.
fn traces(range: std::ops::Range<u8>) -> Batch {
    let mut builder = SpanBuilder::default();
    for number in range {
        let start_ns = T0 + i64::from(number) * 10 * SECOND;
        let row = SpanRow {
            trace_id: trace_id(number),
            span_id: span_id(1),
            parent_span_id: None,
            start_ns,
            end_ns: start_ns + i64::from(number) * 10_000_000,
            name: "GET /cart",
            kind: 2,
            status_code: 0,
            status_message: "",
            trace_state: "a=b",
            flags: 0x101,
            dropped_attributes_count: 1,
            dropped_events_count: 2,
            dropped_links_count: 3,
        };
        builder.set_resource(SHOP, "shop");
        builder.set_scope(SCOPE);
        builder.attributes().append_string("http.method", "GET");
        builder.attributes().append_int("http.status_code", if number % 4 == 0 { 500 } else { 200 });
        builder.attributes().append_bool("cached", number % 2 == 0);
        builder.attributes().append_bytes("raw", &[0, 255]);
        builder.close_row(&row);
        builder.set_resource(CART, "cart");
        builder.attributes().append_string("db.system", "redis");
        builder.event_attributes().append_int("attempt", 1);
        builder.close_event(&EventRow { timestamp_ns: start_ns + 2_000, name: "retry", dropped_attributes_count: 4 });
        builder.link_attributes().append_string("why", "batch");
        builder.close_link(&LinkRow { trace_id: trace_id(99), span_id: span_id(9), trace_state: "c=d", flags: 1, dropped_attributes_count: 5 });
        builder.close_row(&SpanRow {
            span_id: span_id(2),
            parent_span_id: Some(span_id(1)),
            start_ns: start_ns + 1_000,
            end_ns: start_ns + 5_001_000,
            name: "HGETALL",
            kind: 3,
            status_code: if number % 5 == 0 { 2 } else { 1 },
            status_message: if number % 5 == 0 { "gone" } else { "" },
            trace_state: "",
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
            ..row
        });
    }
    let batch: SpanBatch = builder.finish();
    Batch::Traces(batch)
}

fn metrics(range: std::ops::Range<i64>) -> Batch {
    let mut batch = MetricBatch::default();
    for (index, host) in ["a", "b"].into_iter().enumerate() {
        let labels = signalbox_model::Labels::from_pairs([("__name__", "load"), ("host", host)]);
        batch.series.push(SeriesEntry::New { key: SeriesKey(index as u128 + 1), labels });
        for number in range.clone() {
            batch.samples.push(index as u32, T0 / 1_000_000 + number * 15_000, number as f64 / 4.0 + index as f64);
        }
    }
    Batch::Metrics(batch)
}
