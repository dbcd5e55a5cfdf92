//! InfluxDB's line protocol, as InfluxDB 1.x, 2.x and 3.x take it.
//!
//! Specifications: <https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/>,
//! <https://docs.influxdata.com/influxdb/v2/api/v2/> and <https://docs.influxdata.com/influxdb3/core/api/v3/>.
//!
//! Endpoints, each also below `/influx`: `POST /write` (1.x), `POST /api/v2/write` (2.x), `POST /api/v3/write_lp` (3.x);
//! `GET /ping`, `GET /health`; `GET` and `POST /query` for what senders ask before they write, see [`query`]. Flux and all
//! other InfluxQL are refused. Names of users, passwords, tokens, organisations and consistency are taken and have no effect.
//!
//! | wire | column |
//! |---|---|
//! | measurement and field key | metric `<measurement>_<field>`, of a field `value` too; see [`Translation`] |
//! | tag | label |
//! | database (`db`), bucket (`bucket`) | label `db`, unless there is a tag `db`; a bucket `name/autogen` is `name` |
//! | retention policy (`rp`) | none: points of two policies are points of one series |
//! | float, integer, unsigned | the value, as a double |
//! | boolean | 1 or 0 |
//! | text | none: counted in `signalbox_receive_dropped_fields_total`, no error |
//! | timestamp in the unit of `precision` | milliseconds, cut off |
//! | no timestamp | arrival, cut to the unit of `precision` |
//! | a field twice in a line | the last value |
//!
//! ## Metrics
//! `signalbox_receive_*` with `protocol` `influx`; rejected rows are lines where the line is at fault.

pub mod line;
mod names;
mod points;
pub mod query;
mod reply;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Form, FromRequest as _, Query, State};
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, request::Parts};
use axum::routing::{get, post};
use axum::{Router, middleware};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use signalbox_model::{Error, Result, Tenant};
use signalbox_telemetry::registry;

pub use self::names::Translation;
pub use self::points::{FAULTS_MAX, LineFault, Precision, Report, Target, decode};
use self::reply::Generation;
use crate::compression::Encoding;
use crate::door::{Context, Entry};
use crate::http::{self, BodyLimits, Outcome, Protocol, Raw, Refusal};

const PROTOCOL: Protocol = Protocol("influx");
const ENCODINGS: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::Deflate];
/// The version that clients are told: the last of 1.x, which knows both ways of writing. Some refuse what is no version.
const VERSION: HeaderValue = HeaderValue::from_static("1.8.10");
/// Databases that are remembered for `SHOW DATABASES`, over all tenants, and bytes of their names.
const DATABASES_MAX: usize = 1_000;
const DATABASE_BYTES_MAX: usize = 256;
/// Body of a request to `/query`, encoded.
const FORM_BYTES_MAX: usize = 4 * query::QUERY_BYTES_MAX;

/// Settings of InfluxDB's line protocol.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port of a listener of its own, such as `127.0.0.1:8086`, where InfluxDB's clients look by default; the main
    /// address takes the same paths. Empty: none.
    pub listen: String,
    /// Limits of request bodies.
    pub limits: BodyLimits,
    /// How points become series.
    pub translation: Translation,
    /// Names that `SHOW DATABASES` always lists. Otherwise it lists what was written to since the start: any name can be
    /// written to.
    pub databases: Vec<String>,
}

#[derive(Debug)]
struct Door {
    entry: Entry,
    settings: Settings,
    databases: Mutex<BTreeSet<(Tenant, String)>>,
}

impl Door {
    /// Remembers a database, if there is room.
    fn remember(&self, tenant: &Tenant, name: &str) {
        if name.is_empty() || name.len() > DATABASE_BYTES_MAX {
            return;
        }
        let mut databases = self.databases.lock();
        if databases.len() < DATABASES_MAX {
            databases.insert((tenant.clone(), name.to_owned()));
        }
    }

    fn databases(&self, tenant: &Tenant) -> Vec<String> {
        let seen = self.databases.lock().iter().filter(|(owner, _)| owner == tenant).map(|(_, name)| name.clone()).collect::<Vec<_>>();
        let all: BTreeSet<String> = self.settings.databases.iter().cloned().chain(seen).collect();
        all.into_iter().collect()
    }
}

/// The routes.
pub fn routes(entry: Entry, settings: Settings) -> Router {
    let door = Arc::new(Door { entry, settings, databases: Mutex::new(BTreeSet::new()) });
    let mut router = Router::new();
    for prefix in ["", "/influx"] {
        for (path, generation) in [("/write", Generation::One), ("/api/v2/write", Generation::Two), ("/api/v3/write_lp", Generation::Three)] {
            let write = move |State(door): State<Arc<Door>>, request: Request<Body>| async move { write(&door, generation, request).await };
            router = router.route(&format!("{prefix}{path}"), post(write).layer(DefaultBodyLimit::disable()));
        }
        router = router
            .route(&format!("{prefix}/query"), get(answer).post(answer).layer(DefaultBodyLimit::max(FORM_BYTES_MAX)))
            .route(&format!("{prefix}/api/v2/query"), post(flux))
            .route(&format!("{prefix}/ping"), get(ping))
            .route(&format!("{prefix}/health"), get(health));
    }
    router.layer(middleware::map_response(with_version)).with_state(door)
}

async fn with_version(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-influxdb-version"), VERSION);
    headers.insert(HeaderName::from_static("x-influxdb-build"), HeaderValue::from_static("OSS"));
    response
}

/// What the address of a write says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    db: String,
    bucket: String,
    precision: String,
    consistency: String,
    accept_partial: Option<bool>,
}

async fn write(door: &Door, generation: Generation, request: Request<Body>) -> Response<Body> {
    let report = Arc::new(OnceLock::new());
    match take(door, generation, request, &report).await {
        Ok(outcome) => reply::accept(generation, &outcome, report.get().unwrap_or(&Report::default())),
        Err(refusal) => match report.get() {
            Some(report) if refusal.status == StatusCode::BAD_REQUEST && report.refused > 0 => reply::refuse_all(report),
            _ => reply::refuse(generation, &refusal),
        },
    }
}

async fn take(door: &Door, generation: Generation, request: Request<Body>, report: &Arc<OnceLock<Report>>) -> Result<Outcome, Refusal> {
    let (parts, body) = request.into_parts();
    let read = async {
        let (target, takes_parts) = parameters(generation, &parts)?;
        let encoding = http::encoding(&parts.headers, &ENCODINGS, Encoding::Identity)?;
        let (body, share) = http::read_body(&door.entry, &parts.headers, body, &door.settings.limits).await?;
        Ok((target, takes_parts, Raw { tenant: http::tenant(&parts), body, encoding, share }))
    };
    let (target, takes_parts, raw) = read.await.inspect_err(|refusal| http::count_refusal(PROTOCOL, refusal))?;
    door.remember(&raw.tenant, &target.database);
    let (translation, report) = (door.settings.translation.clone(), Arc::clone(report));
    let decode = move |bytes: &[u8], context: &Context<'_>| {
        let (decoded, told) = decode(bytes, context, &target, &translation);
        count_texts(&told);
        let is_wanted = takes_parts || told.refused == 0;
        // Each request has its own cell.
        let _was_empty = report.set(told);
        if is_wanted { Ok(decoded) } else { Err(Error::invalid("cannot take lines: some are faulty, and all or none are wanted")) }
    };
    http::take(&door.entry, PROTOCOL, &door.settings.limits, raw, decode).await
}

fn count_texts(report: &Report) {
    if report.texts > 0 {
        let labels = [("protocol", PROTOCOL.0), ("reason", "text")];
        registry().counter(signalbox_telemetry::names::RECEIVE_DROPPED_FIELDS_TOTAL, &labels).add(report.texts);
    }
}

/// Where the points go, and whether the good ones may go there without the others.
fn parameters(generation: Generation, parts: &Parts) -> Result<(Target, bool), Refusal> {
    let parameters =
        Query::<Parameters>::try_from_uri(&parts.uri).map_err(|source| Error::invalid("cannot read the parameters of the address").with_source(source))?;
    let Parameters { db, bucket, precision, consistency, accept_partial } = parameters.0;
    if !matches!(consistency.as_str(), "" | "any" | "one" | "quorum" | "all") {
        return Err(Error::invalid("invalid consistency level").into());
    }
    let precision = match precision.as_str() {
        "" if generation == Generation::Three => Precision::Auto,
        "auto" => Precision::Auto,
        "" | "n" | "ns" | "nanosecond" => Precision::Nanoseconds,
        "u" | "us" | "µ" | "µs" | "microsecond" => Precision::Microseconds,
        "ms" | "millisecond" => Precision::Milliseconds,
        "s" | "second" => Precision::Seconds,
        "m" => Precision::Minutes,
        "h" => Precision::Hours,
        other => return Err(Error::invalid(format!("invalid precision {other:?} (use ns, us, ms, s, m or h)")).into()),
    };
    let database = match generation {
        Generation::One | Generation::Three => db,
        // How 1.8 spells its databases in the API of 2.x: with the policy behind it.
        Generation::Two => bucket.strip_suffix("/autogen").or_else(|| bucket.strip_suffix('/')).unwrap_or(&bucket).to_owned(),
    };
    Ok((Target { database, precision }, accept_partial.unwrap_or(true)))
}

/// The statements of a request to `/query`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Statements {
    q: String,
}

async fn answer(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    let tenant = request.extensions().get::<Tenant>().cloned().unwrap_or_default();
    let mut text = Query::<Statements>::try_from_uri(request.uri()).map(|statements| statements.0.q).unwrap_or_default();
    if text.is_empty() && request.method() == Method::POST {
        match Form::<Statements>::from_request(request, &()).await {
            Ok(Form(statements)) => text = statements.q,
            Err(rejection) => return reply::error_1(rejection.status(), &rejection.body_text()),
        }
    }
    match query::parse(&text) {
        Ok(statements) => {
            for statement in &statements {
                if let query::Statement::CreateDatabase { name, .. } = statement {
                    door.remember(&tenant, name);
                }
            }
            reply::json_response(StatusCode::OK, &query::answer(&statements, &door.databases(&tenant)))
        }
        Err(message) => reply::error_1(StatusCode::BAD_REQUEST, &message),
    }
}

async fn flux() -> Response<Body> {
    let refusal = Refusal { status: StatusCode::NOT_IMPLEMENTED, error: Error::invalid("cannot answer Flux: ask in PromQL at /api/v1/query") };
    reply::refuse(Generation::Two, &refusal)
}

/// What the address of a ping says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ping {
    verbose: String,
}

async fn ping(request: Request<Body>) -> Response<Body> {
    let verbose = Query::<Ping>::try_from_uri(request.uri()).map(|ping| ping.0.verbose).unwrap_or_default();
    if matches!(verbose.as_str(), "" | "0" | "false") {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    reply::json_response(StatusCode::OK, &json!({"version": VERSION.to_str().unwrap_or_default()}))
}

async fn health() -> Response<Body> {
    let body = json!({
        "name": "influxdb", "message": "ready for queries and writes", "status": "pass", "checks": [],
        "version": VERSION.to_str().unwrap_or_default(), "commit": "",
    });
    reply::json_response(StatusCode::OK, &body)
}
