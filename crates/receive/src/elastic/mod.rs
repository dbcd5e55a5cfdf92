//! Elasticsearch's way in: bulk requests, single documents, and what clients ask before they send.
//!
//! Specification: <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>.
//!
//! Endpoints, at the root of a listener of its own and below `/elastic` at the main address, each with or without a slash at
//! the end: `POST` and `PUT` `/_bulk`, `/{index}/_bulk`, `/{index}/_doc`, `/{index}/_doc/{id}`, `/{index}/_create/{id}`; the
//! handshakes of [`handshake`]. Bodies may be in gzip, zstd or deflate. Every answer says `X-Elastic-Product: Elasticsearch`,
//! without which the official clients go away.
//!
//! An index is a name that documents carry, not a thing that must be made; `auto_create_index` makes it one. Updates and
//! deletions are refused item by item: records are kept as they came.
//!
//! | document | column |
//! |---|---|
//! | its fields | by their usual names, see [`crate::logs::Names`]: nested objects flattened with dots, arrays as they are |
//! | `_index` of the action or the address | attribute `_index` |
//! | `_id`, if the sender chose it | attribute `_id` |
//! | other members of an action (`routing`, `pipeline`, `dynamic_templates`, …) | none |
//!
//! Whoever gives documents back finds `@timestamp`, `message`, `log.level`, `trace.id`, `span.id` and `service.name` in the
//! columns, the rest in resource and attributes under their own names. Where a document called one of the six otherwise, its
//! scope says so: an attribute `elastic.` and the name above, whose value is the name in the document, as
//! `{"elastic.message":"log"}`.
//!
//! ## Metrics
//! `signalbox_receive_*` with `protocol` `elastic`.

mod action;
mod bulk;
pub mod handshake;
mod reply;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderName, HeaderValue, Request, Response, request::Parts};
use axum::routing::{post, put};
use axum::{Router, middleware};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result, Tenant};

pub use self::action::{Action, Body as Sent, Fault};
pub use self::bulk::{Indices, Item, ItemFault, Report, decode};
use crate::compression::Encoding;
use crate::door::{Context, Entry};
use crate::http::{self, BodyLimits, Outcome, Protocol, Raw, Refusal};

const PROTOCOL: Protocol = Protocol("elastic");
const ENCODINGS: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::Deflate];
/// Indices that are remembered as made, over all tenants.
const MADE_MAX: usize = 10_000;
/// Longest name of an index or document, as in Elasticsearch.
const NAME_BYTES_MAX: usize = 512;

/// Settings of Elasticsearch's way in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port of a listener of its own, such as `127.0.0.1:9200`, where Elasticsearch's clients look by default:
    /// it takes documents and answers queries. The main address does the same below `/elastic`. Empty: none.
    pub listen: String,
    /// Limits of request bodies.
    pub limits: BodyLimits,
    /// Version that clients are told. Beats refuse a server that is older than they are: raise it for newer ones.
    pub version: String,
    /// Patterns (`*`) of the names that documents may be sent to without `PUT /{index}` before, since the start; documents
    /// for others are refused as in Elasticsearch.
    pub auto_create_index: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { listen: String::new(), limits: BodyLimits::default(), version: "8.19.0".to_owned(), auto_create_index: vec!["*".to_owned()] }
    }
}

#[derive(Debug)]
struct Door {
    entry: Entry,
    settings: Settings,
    made: RwLock<BTreeSet<(Tenant, String)>>,
    /// Makes the ids of documents without one differ.
    documents: AtomicU64,
}

impl Door {
    /// Remembers an index, if there is room.
    fn make(&self, tenant: &Tenant, index: &str) {
        let mut made = self.made.write();
        if made.len() < MADE_MAX && index.len() <= NAME_BYTES_MAX {
            made.insert((tenant.clone(), index.to_owned()));
        }
    }

    fn is_made(&self, tenant: &Tenant, index: &str) -> bool {
        self.made.read().contains(&(tenant.clone(), index.to_owned()))
    }

    /// The indices that exist for a tenant.
    fn indices(&self, tenant: &Tenant) -> Indices {
        let made = self.made.read().iter().filter(|(owner, _)| owner == tenant).map(|(_, name)| name.clone()).collect();
        Indices { patterns: self.settings.auto_create_index.clone(), made }
    }
}

/// The routes, without the prefix.
pub fn routes(entry: Entry, settings: Settings) -> Router {
    let door = Arc::new(Door { entry, settings, made: RwLock::default(), documents: AtomicU64::new(0) });
    let mut router = Router::new();
    for slash in ["", "/"] {
        router = router
            .route(&format!("/_bulk{slash}"), post(bulk_all).put(bulk_all))
            .route(&format!("/{{index}}/_bulk{slash}"), post(bulk_index).put(bulk_index))
            .route(&format!("/{{index}}/_doc{slash}"), post(document))
            .route(&format!("/{{index}}/_doc/{{id}}{slash}"), post(document_with_id).put(document_with_id))
            .route(&format!("/{{index}}/_create/{{id}}{slash}"), put(create).post(create));
    }
    as_elasticsearch(router.layer(DefaultBodyLimit::disable()).merge(handshake::routes()).with_state(door))
}

/// Says in every answer of a router that it comes from Elasticsearch.
pub fn as_elasticsearch(router: Router) -> Router {
    router.layer(middleware::map_response(|mut response: Response<Body>| async move {
        response.headers_mut().insert(HeaderName::from_static("x-elastic-product"), HeaderValue::from_static("Elasticsearch"));
        response
    }))
}

async fn bulk_all(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    bulk(&door, None, request).await
}

async fn bulk_index(State(door): State<Arc<Door>>, Path(index): Path<String>, request: Request<Body>) -> Response<Body> {
    bulk(&door, Some(index), request).await
}

/// What the address of a request says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    filter_path: String,
    op_type: String,
}

async fn bulk(door: &Door, index: Option<String>, request: Request<Body>) -> Response<Body> {
    let began = door.entry.clock.monotonic();
    let (parts, body) = request.into_parts();
    let filter = Query::<Parameters>::try_from_uri(&parts.uri).map(|parameters| parameters.0.filter_path).unwrap_or_default();
    let report = Arc::new(OnceLock::new());
    let taken = take(door, Sent::Bulk { index }, parts, body, &report).await;
    let took = door.entry.clock.monotonic().saturating_sub(began);
    match (taken, report.get()) {
        (Ok(outcome), Some(report)) => reply::items(&outcome, report, took, &filter),
        (Err(_), Some(Report { fault: Some(fault), .. })) => reply::fault(fault),
        (Ok(_), None) => reply::refuse(&Error::internal("cannot answer: the decoder said nothing").into()),
        (Err(refusal), _) => reply::refuse(&refusal),
    }
}

async fn document(State(door): State<Arc<Door>>, Path(index): Path<String>, request: Request<Body>) -> Response<Body> {
    single(&door, index, None, Action::Index, request).await
}

async fn document_with_id(State(door): State<Arc<Door>>, Path((index, id)): Path<(String, String)>, request: Request<Body>) -> Response<Body> {
    single(&door, index, Some(id), Action::Index, request).await
}

async fn create(State(door): State<Arc<Door>>, Path((index, id)): Path<(String, String)>, request: Request<Body>) -> Response<Body> {
    single(&door, index, Some(id), Action::Create, request).await
}

async fn single(door: &Door, index: String, id: Option<String>, action: Action, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let op_type = Query::<Parameters>::try_from_uri(&parts.uri).map(|parameters| parameters.0.op_type).unwrap_or_default();
    let action = if op_type == "create" { Action::Create } else { action };
    let report = Arc::new(OnceLock::new());
    let taken = take(door, Sent::One { index, id, action }, parts, body, &report).await;
    match (taken, report.get()) {
        (Ok(outcome), Some(report)) => reply::item(&outcome, report),
        (Err(_), Some(Report { fault: Some(fault), .. })) => reply::fault(fault),
        (Ok(_), None) => reply::refuse(&Error::internal("cannot answer: the decoder said nothing").into()),
        (Err(refusal), _) => reply::refuse(&refusal),
    }
}

async fn take(door: &Door, sent: Sent, parts: Parts, body: Body, report: &Arc<OnceLock<Report>>) -> Result<Outcome, Refusal> {
    let limits = &door.settings.limits;
    let read = async {
        let encoding = http::encoding(&parts.headers, &ENCODINGS, Encoding::Identity)?;
        let (body, share) = http::read_body(&door.entry, &parts.headers, body, limits).await?;
        Ok(Raw { tenant: http::tenant(&parts), body, encoding, share })
    };
    let raw = read.await.inspect_err(|refusal| http::count_refusal(PROTOCOL, refusal))?;
    let indices = door.indices(&raw.tenant);
    let first_id = door.documents.fetch_add(1, Ordering::Relaxed);
    let report = Arc::clone(report);
    let decode = move |bytes: &[u8], context: &Context<'_>| {
        let (decoded, told) = decode(bytes, context, &sent, &indices, first_id);
        let is_refused = told.fault.is_some();
        // Each request has its own cell.
        let _was_empty = report.set(told);
        if is_refused { Err(Error::invalid("cannot read the bulk request")) } else { Ok(decoded) }
    };
    http::take(&door.entry, PROTOCOL, limits, raw, decode).await
}
