//! What happens to every request before its handler and after it: request id, tenant, span, counting, and that a handler
//! that panics costs its own request and nothing else.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use signalbox_model::{Clock, Owners};
use signalbox_telemetry::{names, registry};
use tokio_util::task::TaskTracker;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::serve::{Answer, Peer, not_now};

const REQUEST_ID: &str = "x-request-id";
const TENANT: &str = "x-scope-orgid";
/// Longest request id that is taken over from a caller.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Which side of the house a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Telemetry comes in.
    Write,
    /// Questions.
    Read,
    /// The UI, health, metrics: not traced.
    Own,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Own => "own",
        }
    }
}

/// What the front needs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    /// For durations.
    pub clock: Arc<dyn Clock>,
    /// See [`crate::serve::Settings::trust_tenant_header`].
    pub trust_tenant_header: bool,
    /// Handlers of telemetry that run, whether or not their clients wait for them.
    pub writes: TaskTracker,
}

impl Front {
    /// Puts the front before all routes of a router; questions are counted by their paths.
    pub(crate) fn before(&self, side: Side, router: Router) -> Router {
        router.layer(axum::middleware::from_fn_with_state((self.clone(), side, None), pass))
    }

    /// The same for questions at an address where one dialect is spoken.
    pub(crate) fn before_dialect(&self, dialect: &'static str, router: Router) -> Router {
        router.layer(axum::middleware::from_fn_with_state((self.clone(), Side::Read, Some(dialect)), pass))
    }
}

async fn pass(State((front, side, spoken)): State<(Front, Side, Option<&'static str>)>, mut request: Request, next: Next) -> Response {
    let began = front.clock.monotonic();
    let id = request_id(request.headers());
    let dialect = (side == Side::Read).then(|| spoken.unwrap_or_else(|| dialect(request.uri().path())));
    let span = if side == Side::Own { Span::none() } else { span(side, &request, &id) };
    let peer = request.extensions_mut().remove::<Peer>();
    let question = peer.filter(|_| side != Side::Write).map(|peer| peer.ask());
    let mut response = match owners(&front, side, request.headers()) {
        Ok(owners) => {
            if let Some(tenant) = owners.only() {
                request.extensions_mut().insert(tenant.clone());
            }
            request.extensions_mut().insert(owners);
            run(&front, side, request, next).instrument(span.clone()).await
        }
        Err(message) => refusal(StatusCode::BAD_REQUEST, message),
    };
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "error");
    }
    registry().counter(names::HTTP_REQUESTS_TOTAL, &[("side", side.word()), ("status", status_class(status))]).add(1);
    if let Some(dialect) = dialect {
        registry().counter(names::API_REQUESTS_TOTAL, &[("dialect", dialect), ("status", status_class(status))]).add(1);
    }
    registry().histogram(names::HTTP_REQUEST_SECONDS, &[("side", side.word())]).observe(front.clock.monotonic().saturating_sub(began));
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    match question {
        Some(question) => response.map(|body| Body::new(Answer::new(body, question))),
        None => response,
    }
}

fn span(side: Side, request: &Request, id: &str) -> Span {
    let method = request.method().as_str();
    let path = request.uri().path();
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str);
    tracing::info_span!(
        target: "signalbox_http",
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        url.path = path,
        side = side.word(),
        request_id = id,
        traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok()),
    )
}

/// Runs the handler; one that takes telemetry runs to its end even if the client goes. A receiver that panics asks for a retry,
/// since the data is not at fault and OTLP clients drop it on 500.
async fn run(front: &Front, side: Side, request: Request, next: Next) -> Response {
    let headers = (side == Side::Write).then(|| request.headers().clone());
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    let handled = match side {
        Side::Write => front.writes.spawn(handled.in_current_span()).await.ok().and_then(Result::ok),
        Side::Read | Side::Own => handled.await.ok(),
    };
    let Some(response) = handled else {
        registry().counter(names::HTTP_PANICS_TOTAL, &[("side", side.word())]).add(1);
        return match headers {
            Some(headers) => not_now(&headers, "the server has a bug, its log says more"),
            None => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the server has a bug, its log says more".to_owned()),
        };
    };
    response
}

/// The tenant of a request; of a question also several. Some clients send the header empty when they name nobody.
fn owners(front: &Front, side: Side, headers: &HeaderMap) -> Result<Owners, String> {
    let named = headers.get(TENANT).filter(|names| front.trust_tenant_header && !names.is_empty());
    let Some(names) = named else { return Ok(Owners::default()) };
    let owners = Owners::parse(names.to_str().unwrap_or_default()).map_err(|error| error.message().to_owned())?;
    if side == Side::Write && owners.only().is_none() {
        return Err("cannot write for several tenants: want one name in X-Scope-OrgID".to_owned());
    }
    Ok(owners)
}

/// The caller's id if it is a plain word, else one of our own.
fn request_id(headers: &HeaderMap) -> String {
    let plain = |text: &&str| !text.is_empty() && text.len() <= REQUEST_ID_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(plain);
    given.map_or_else(|| format!("{:016x}", rand::random::<u64>()), str::to_owned)
}

/// Whose API a path belongs to.
fn dialect(path: &str) -> &'static str {
    const NATIVE: [&str; 7] = ["sql", "export", "logs", "traces", "cardinality", "service_map", "alerting"];
    let mut parts = path.split('/').skip(1);
    match parts.next() {
        Some("loki") => "loki",
        Some("elastic") => "elastic",
        Some("alertmanager") => "alertmanager",
        Some("jaeger") => "jaeger",
        Some("tempo" | "tempopb.StreamingQuerier") => "tempo",
        Some("zipkin") => "zipkin",
        Some(service) if service.starts_with("jaeger.") => "jaeger",
        Some("api") if parts.next() == Some("v1") && parts.next().is_some_and(|part| NATIVE.contains(&part)) => "native",
        _ => "prometheus",
    }
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

fn refusal(status: StatusCode, message: String) -> Response {
    let mut response = Response::new(Body::from(message));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests;
