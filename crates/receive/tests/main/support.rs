//! A sink that remembers, a clock that stands still, requests without sockets.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use signalbox_ingest::{Accepted, Sink, Written};
use signalbox_model::series::NoKnownSeries;
use signalbox_model::{Batch, Clock, Error, ErrorKind, KnownSeries, Rejected, Result, Tenant, TimeRange};
use signalbox_receive::transform::Transform;
use signalbox_receive::{Budget, Context, Entry};
use tower::ServiceExt as _;

/// 2023-11-14T22:13:20Z.
pub(crate) const NOW_NS: i64 = 1_700_000_000_000_000_000;
pub(crate) const NOW_MS: i64 = NOW_NS / 1_000_000;

#[derive(Debug)]
pub(crate) struct StoppedClock;

impl Clock for StoppedClock {
    fn now_ns(&self) -> i64 {
        NOW_NS
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// Remembers what it is given; answers what it is told to.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) written: Mutex<Vec<(Tenant, Vec<Batch>)>>,
    pub(crate) refuse: Mutex<Option<(ErrorKind, Option<Duration>)>>,
    pub(crate) reject: Mutex<Vec<Rejected>>,
}

impl Memory {
    pub(crate) fn batches(&self) -> Vec<Batch> {
        self.written.lock().iter().flat_map(|(_, batches)| batches.clone()).collect()
    }

    pub(crate) fn rows(&self) -> usize {
        self.batches().iter().map(Batch::rows).sum()
    }
}

#[async_trait]
impl Sink for Memory {
    async fn write(&self, tenant: &Tenant, batches: Vec<Batch>) -> Result<Accepted> {
        if let Some((kind, retry_after)) = *self.refuse.lock() {
            let error = Error::new(kind, "the test says no");
            return Err(match retry_after {
                Some(delay) => error.with_retry_after(delay),
                None => error,
            });
        }
        let rejected = self.reject.lock().clone();
        let mut written = Written::of(&batches);
        written.samples = written.samples.saturating_sub(rejected.iter().map(|rejected| rejected.rows).sum());
        self.written.lock().push((tenant.clone(), batches));
        Ok(Accepted { rejected, written })
    }

    fn known_series(&self, _tenant: &Tenant) -> Arc<dyn KnownSeries> {
        Arc::new(NoKnownSeries)
    }
}

pub(crate) fn entry(sink: &Arc<Memory>) -> Entry {
    Entry { sink: sink.clone(), clock: Arc::new(StoppedClock), budget: Budget::new(256 << 20), transform: Transform::default() }
}

pub(crate) fn context() -> Context<'static> {
    Context { now_ns: NOW_NS, known: &NoKnownSeries, accepted_time: TimeRange::ALL, attribute_depth_max: 32, transform: None }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Answer { status: parts.status, headers: parts.headers, trailers, body: collected.to_bytes().to_vec() }
}

pub(crate) async fn post(router: &Router, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(router, request.body(body.into()).unwrap()).await
}
