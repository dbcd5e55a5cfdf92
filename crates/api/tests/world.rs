//! A world small enough to read: four log records, one trace, a few series.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::Request;
use signalbox_api::ApiState;
use signalbox_model::builder::{EventRow, LinkRow, LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::{Batch, SpanId, Tenant, TraceId};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_store::disk::RealDisk;
use signalbox_testkit::ManualClock;
use tower::ServiceExt;

/// 2023-11-14T22:13:20Z
pub(crate) const T0: i64 = 1_700_000_000_000_000_000;
const CART: &str = r#"{"service.name":"cart","k8s.pod.name":"cart-1","$schema_url":"https://schema/1","$dropped_attributes_count":2}"#;
const SHOP: &str = r#"{"service.name":"shop","replicas":3,"ratio":0.5,"zones":["a","b"],"raw":{"$bytes":"AP8="}}"#;
const SCOPE: &str = r#"{"$name":"lib","$version":"1.2","language":"rust"}"#;

pub(crate) struct World {
    router: Router,
    pub(crate) state: ApiState,
    meta: Option<Arc<signalbox_meta::Meta>>,
    dir: tempfile::TempDir,
}

/// An answer as a test sees it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

impl World {
    pub(crate) async fn head() -> Self {
        Self::new(false).await
    }

    pub(crate) async fn segments() -> Self {
        Self::new(true).await
    }

    pub(crate) async fn with(prometheus: signalbox_api::prometheus::Settings) -> Self {
        Self::made(false, vec![logs(), spans(), crate::metrics::batch()], prometheus).await
    }

    /// Of a server that scrapes.
    pub(crate) async fn scraping() -> Self {
        let mut world = Self::head().await;
        world.router = signalbox_api::router(&world.state.clone().with_targets(Arc::new(crate::targets::Scraped)));
        world
    }

    /// Where deletions are written down.
    pub(crate) fn meta(&self) -> Arc<signalbox_meta::Meta> {
        Arc::clone(self.meta.as_ref().unwrap())
    }

    /// The same server, started again on the state that it left.
    pub(crate) async fn restarted(&self) {
        signalbox_api::log_deletion::settle_at_start(&self.state).await.unwrap();
    }

    /// Of a server that deletes log records for who asks.
    pub(crate) async fn deleting() -> Self {
        let mut world = Self::segments().await;
        let loki = signalbox_api::loki::Settings { delete: true, ..signalbox_api::loki::Settings::default() };
        let meta = Arc::new(signalbox_meta::Meta::open(world.dir().join("state.db")).await.unwrap());
        let state = world.state.with_meta(Arc::clone(&meta));
        world.meta = Some(meta);
        world.state = state.with_settings(&signalbox_api::Settings { loki, ..signalbox_api::Settings::default() }).unwrap();
        world.router = signalbox_api::router(&world.state);
        world
    }

    /// Of a server that keeps archived traces.
    pub(crate) async fn archiving(archive: Arc<dyn signalbox_api::jaeger::Archive>) -> Self {
        let mut world = Self::segments().await;
        world.router = signalbox_api::router(&world.state.clone().with_archive(archive));
        world
    }

    /// From now on the world at another address.
    pub(crate) fn serve(&mut self, router: fn(&ApiState) -> Router) {
        self.router = router(&self.state);
    }

    /// The same data twice, of the tenants `red` (in segments) and `blue` (in the head).
    pub(crate) async fn shared() -> Self {
        let data = || vec![logs(), spans(), crate::metrics::batch()];
        let default = signalbox_api::prometheus::Settings::default;
        Self::owned(vec![(Tenant::new("red").unwrap(), data(), true), (Tenant::new("blue").unwrap(), data(), false)], default()).await
    }

    /// The same world at the address of Loki alone.
    pub(crate) async fn as_loki() -> Self {
        let mut world = Self::head().await;
        world.router = signalbox_api::loki_router(&world.state);
        world
    }

    /// The same world at the address of Tempo alone.
    pub(crate) async fn as_tempo() -> Self {
        let mut world = Self::segments().await;
        world.router = signalbox_api::tempo_router(&world.state);
        world
    }

    /// Traces that can be compared: two checkouts, and a hundred steps of which those of zone `c` are slow.
    pub(crate) async fn comparing() -> Self {
        Self::made(true, vec![crate::tempo::checkouts()], signalbox_api::prometheus::Settings::default()).await
    }

    async fn new(is_flushed: bool) -> Self {
        Self::made(is_flushed, vec![logs(), spans(), crate::metrics::batch()], signalbox_api::prometheus::Settings::default()).await
    }

    /// A world of other data.
    pub(crate) async fn of(batches: Vec<Batch>, prometheus: signalbox_api::prometheus::Settings) -> Self {
        Self::made(false, batches, prometheus).await
    }

    async fn made(is_flushed: bool, batches: Vec<Batch>, prometheus: signalbox_api::prometheus::Settings) -> Self {
        Self::owned(vec![(Tenant::default(), batches, is_flushed)], prometheus).await
    }

    /// Of tenants with what they have, and whether that is in segments.
    async fn owned(data: Vec<(Tenant, Vec<Batch>, bool)>, prometheus: signalbox_api::prometheus::Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at_ns(T0 + 60_000_000_000));
        let disk = Arc::new(RealDisk::new(dir.path()));
        let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, clock.clone()).await.unwrap();
        for (tenant, batches, is_flushed) in data {
            store.append(&tenant, batches).await.unwrap();
            if is_flushed {
                store.flush().await.unwrap();
            }
        }
        let engine = Engine::new(store, clock, Settings { partitions: 1, ..Settings::default() });
        let state = ApiState::new(Arc::new(engine)).with_alerts(crate::rules::board()).with_ruler(crate::ruler::Memory::filled());
        let state = state.with_settings(&signalbox_api::Settings { prometheus, ..signalbox_api::Settings::default() }).unwrap();
        Self { router: signalbox_api::router(&state), state, meta: None, dir }
    }

    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(Request::get(uri).body(Body::empty()).unwrap()).await
    }

    /// As tenants with `|` between them ask.
    pub(crate) async fn get_as(&self, owners: &str, uri: &str) -> Answer {
        let mut request = Request::get(uri).body(Body::empty()).unwrap();
        request.extensions_mut().insert(signalbox_model::Owners::parse(owners).unwrap());
        self.send(request).await
    }

    pub(crate) async fn respond(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.respond(request).await;
        let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = response.status().as_u16();
        // A body that is broken off is no answer; what came before it is enough to look at.
        let body =
            axum::body::to_bytes(response.into_body(), usize::MAX).await.map(|bytes| bytes.to_vec()).unwrap_or_else(|error| error.to_string().into_bytes());
        Answer { status, content_type, body }
    }
}

fn trace_id() -> TraceId {
    TraceId::from_hex("5b8efff798038103d269b633813fc60c").unwrap()
}

fn span_id(number: u8) -> SpanId {
    SpanId::from_slice(&[0, 0, 0, 0, 0, 0, 0, number]).unwrap()
}

fn logs() -> Batch {
    let mut builder = LogBuilder::default();
    builder.set_resource(CART, "cart");
    builder.set_scope(SCOPE);
    builder.attributes().append_string("http.method", "GET");
    builder.attributes().append_int("size", 12);
    builder.close_row(&LogRow {
        timestamp_ns: T0 + 1,
        observed_timestamp_ns: Some(T0 + 2),
        severity_number: 17,
        severity_text: "Error",
        event_name: "order.failed",
        body: Some("cannot order \"tea\"\nno stock"),
        trace_id: Some(trace_id()),
        span_id: Some(span_id(2)),
        flags: 1,
        dropped_attributes_count: 3,
        ..LogRow::default()
    });
    builder.close_row(&LogRow { timestamp_ns: T0 + 2, severity_number: 9, body: Some("ordered coffee"), ..LogRow::default() });
    builder.set_resource(SHOP, "shop");
    builder.set_scope("{}");
    builder.close_row(&LogRow { timestamp_ns: T0 + 3, severity_text: "warning", body: Some("{\"a\":1}"), body_letter: Some('m'), ..LogRow::default() });
    builder.set_resource("{}", "");
    builder.close_row(&LogRow { timestamp_ns: T0 + 4, ..LogRow::default() });
    Batch::Logs(builder.finish())
}

fn spans() -> Batch {
    let mut builder = SpanBuilder::default();
    let root = SpanRow {
        trace_id: trace_id(),
        span_id: span_id(1),
        parent_span_id: None,
        start_ns: T0 + 1_234,
        end_ns: T0 + 250_001_234,
        name: "GET /order",
        kind: 2,
        status_code: 0,
        status_message: "",
        trace_state: "vendor=1",
        flags: 257,
        dropped_attributes_count: 1,
        dropped_events_count: 2,
        dropped_links_count: 3,
    };
    builder.set_resource(SHOP, "shop");
    builder.set_scope(SCOPE);
    builder.attributes().append_string("http.method", "GET");
    builder.attributes().append_int("http.status_code", 500);
    builder.attributes().append_int("big", i64::MAX);
    builder.attributes().append_double("ratio", 0.25);
    builder.attributes().append_bool("cached", true);
    builder.attributes().append_bytes("raw", &[0, 255]);
    builder.attributes().append_text("list", 'a', "[1,\"x\"]");
    builder.close_row(&root);
    builder.set_resource(CART, "cart");
    builder.attributes().append_string("db.system", "redis");
    builder.event_attributes().append_string("exception.type", "OutOfStock");
    builder.close_event(&EventRow { timestamp_ns: T0 + 3_000_999, name: "exception", dropped_attributes_count: 4 });
    builder.link_attributes().append_string("why", "batch");
    builder.close_link(&LinkRow {
        trace_id: TraceId::from_hex("0102").unwrap(),
        span_id: span_id(9),
        trace_state: "c=d",
        flags: 1,
        dropped_attributes_count: 5,
    });
    builder.close_row(&SpanRow {
        span_id: span_id(2),
        parent_span_id: Some(span_id(1)),
        start_ns: T0 + 2_000_000,
        end_ns: T0 + 12_000_500,
        name: "DECR stock",
        kind: 3,
        status_code: 2,
        status_message: "out of stock",
        trace_state: "",
        flags: 1,
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
        ..root
    });
    Batch::Traces(builder.finish())
}
