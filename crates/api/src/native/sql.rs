//! `POST /api/v1/sql`: a query as `{"query": "...", "format": "json", "limits": {"timeout_seconds": 10, "rows": 1000}}`, or as
//! plain text.
//!
//! The answer comes as it is found, as JSON, CSV or an Arrow stream, by `format` or else by `Accept`:
//! `{"columns": [{"name": "service", "type": "string"}], "rows": [["cart"]], "stats": {"rows": 1, "truncated": false, "seconds": 0.01}}`.
//! What goes wrong before the first row has a status and `{"error": {"kind": "invalid", "message": "..."}}`; what goes wrong
//! later ends the JSON with the same `error` beside `stats`, and breaks off CSV and Arrow. The same holds for a limit of rows:
//! JSON says `truncated`, CSV and Arrow break off.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use signalbox_model::{Error, ErrorKind, Result};
use signalbox_query::sql::{SqlAnswer, SqlLimits};

use super::render::{Format, Renderer};
use crate::ApiState;
use crate::http::{Asker, status};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    query: String,
    #[serde(default)]
    format: Option<Format>,
    #[serde(default)]
    limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    timeout_seconds: Option<f64>,
    memory_bytes: Option<u64>,
    rows: Option<u64>,
}

/// Answers a query.
pub(super) async fn answer(State(state): State<ApiState>, Asker(tenant): Asker, headers: HeaderMap, body: Bytes) -> Response {
    let started = state.engine.clock().monotonic();
    let asked = async {
        let request = parse(&headers, &body)?;
        let limits = limits(&request.limits)?;
        let format = request.format.unwrap_or_else(|| accepted(&headers));
        let answer = state.engine.sql(&tenant, &request.query, limits).await?;
        Ok((answer, format))
    };
    let (answer, format) = match asked.await {
        Ok(asked) => asked,
        Err(error) => return refuse(&error),
    };
    let renderer = Renderer::new(format, &answer.schema);
    let clock = state.engine.clone();
    let seconds = move || clock.clock().monotonic().saturating_sub(started).as_secs_f64();
    match first_chunk(answer, renderer).await {
        Ok(stream) => respond(format, stream, seconds),
        Err(error) => refuse(&error),
    }
}

/// An answer of which the first rows are known to be good.
struct Stream {
    answer: SqlAnswer,
    renderer: Renderer,
    first: Option<Bytes>,
    is_over: bool,
}

async fn first_chunk(mut answer: SqlAnswer, mut renderer: Renderer) -> Result<Stream> {
    let mut first = renderer.start()?;
    let rows = answer.next().await.transpose()?;
    if let Some(rows) = &rows {
        first.extend(renderer.rows(rows)?);
    }
    Ok(Stream { answer, renderer, first: Some(first.into()), is_over: rows.is_none() })
}

fn respond(format: Format, stream: Stream, seconds: impl Fn() -> f64 + Send + 'static) -> Response {
    let chunks = futures::stream::unfold((Some(stream), seconds), |(stream, seconds)| async {
        let mut stream = stream?;
        if let Some(first) = stream.first.take() {
            return Some((Ok(first), (Some(stream), seconds)));
        }
        let next = if stream.is_over { None } else { stream.answer.next().await };
        let rendered = match next {
            Some(Ok(rows)) => match stream.renderer.rows(&rows) {
                Ok(chunk) => return Some((Ok(Bytes::from(chunk)), (Some(stream), seconds))),
                Err(error) => stream.renderer.fail(&error, seconds()),
            },
            Some(Err(error)) => stream.renderer.fail(&error, seconds()),
            None => stream.renderer.finish(stream.answer.is_cut(), seconds()),
        };
        // A body that ends in an error is broken off, so that no client takes it for whole.
        let last = rendered.map(Bytes::from).map_err(|error| std::io::Error::other(error.to_string()));
        Some((last, (None, seconds)))
    });
    // Fused: the layer that compresses asks once more after the end.
    ([(CONTENT_TYPE, format.content_type())], Body::from_stream(chunks.fuse().boxed())).into_response()
}

fn parse(headers: &HeaderMap, body: &Bytes) -> Result<Request> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let text = std::str::from_utf8(body).map_err(|error| Error::invalid(format!("cannot read the query: {error}")))?;
    if content_type.starts_with("text/plain") || content_type.starts_with("application/sql") {
        return Ok(Request { query: text.to_owned(), format: None, limits: Limits::default() });
    }
    serde_json::from_str(text).map_err(|error| Error::invalid(format!("cannot read the request: {error}: want {{\"query\": \"SELECT ...\"}}")))
}

fn limits(limits: &Limits) -> Result<SqlLimits> {
    let timeout = limits.timeout_seconds.map(std::time::Duration::try_from_secs_f64).transpose();
    let timeout = timeout.map_err(|error| Error::invalid(format!("cannot use timeout_seconds: {error}")))?;
    Ok(SqlLimits { timeout, memory_bytes: limits.memory_bytes, rows: limits.rows })
}

fn accepted(headers: &HeaderMap) -> Format {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let formats = accept.split(',').filter_map(|item| Format::of_content_type(item.split(';').next().unwrap_or("").trim()));
    formats.into_iter().next().unwrap_or(Format::Json)
}

pub(super) fn refuse(error: &Error) -> Response {
    let code = match error.kind() {
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        _ => status(error),
    };
    if matches!(error.kind(), ErrorKind::Internal | ErrorKind::Corrupt) {
        tracing::error!(error = ?error, "cannot answer: {error}");
    }
    (code, [(CONTENT_TYPE, "application/json")], serde_json::json!({ "error": super::render::error_json(error) }).to_string()).into_response()
}
