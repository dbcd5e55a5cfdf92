//! The web UI, embedded in the binary; `web/README.md` says how it wants to be served.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::{Router, routing};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use rust_embed::{Embed, EmbeddedFile};

/// The build of `web/`. It may be missing: the server works without.
#[derive(Embed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

/// Everything comes from this server, nothing inline.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
/// Names of assets hold a hash of their content.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const NOT_AT_ALL: HeaderValue = HeaderValue::from_static("no-store");

const WITHOUT_UI: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Signalbox</title>\
    <h1>This build has no web UI</h1>\
    <p>The server runs and answers its APIs. <code>make run</code> in the repository builds the UI and embeds it.</p>";

/// The pages at `/` and below `/ui/`, and all files of the build.
pub(crate) fn router() -> Router {
    Router::new().route("/", routing::get(page)).route("/ui", routing::get(page)).route("/ui/{*page}", routing::get(page)).fallback(file)
}

async fn page(headers: HeaderMap) -> Response {
    match response(&headers, "index.html") {
        Some(response) => response,
        None => plain(StatusCode::OK, "text/html; charset=utf-8", WITHOUT_UI),
    }
}

async fn file(request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return not_found();
    }
    let path = request.uri().path().trim_start_matches('/');
    // Compressed twins and the mark of the build are not files of their own.
    if path.ends_with(".gz") || path.split('/').any(|part| part.starts_with('.')) {
        return not_found();
    }
    response(request.headers(), path).unwrap_or_else(not_found)
}

fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "not found\n")
}

fn plain(status: StatusCode, content_type: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let head = response.headers_mut();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    head.insert(header::CACHE_CONTROL, NOT_AT_ALL);
    guard(head);
    response
}

/// A file of the build, compressed if there is a compressed twin and the client takes it.
fn response(request: &HeaderMap, path: &str) -> Option<Response> {
    let twin = accepts_gzip(request).then(|| Dist::get(&format!("{path}.gz"))).flatten();
    let is_compressed = twin.is_some();
    let EmbeddedFile { data, .. } = twin.or_else(|| Dist::get(path))?;
    let body = match data {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    let mut response = Response::new(body);
    let head = response.headers_mut();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    head.insert(header::CACHE_CONTROL, if path.starts_with("assets/") { FOR_EVER } else { NOT_AT_ALL });
    head.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if is_compressed {
        head.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    guard(head);
    Some(response)
}

fn guard(head: &mut HeaderMap) {
    head.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    head.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    head.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    head.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
}

/// `gzip` or `*`, unless it has quality 0.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let quality = quality.trim().strip_prefix("q=").and_then(|number| number.parse::<f32>().ok()).unwrap_or(1.0);
        ["gzip", "*"].contains(&name.trim()) && quality > 0.0
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}
