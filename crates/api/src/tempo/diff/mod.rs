//! `POST /api/v2/traces/diff`: what differs between two traces, in the three formats of Tempo.
//!
//! | `format` | answers |
//! |---|---|
//! | `trace-patch-v0`, the default | every span that is another, is new or is gone |
//! | `trace-summary-v0-native` | the traces in short, and the services in which something changed |
//! | `trace-summary-v0-composed` | the summary, and the patch unless it has more than 64 KiB |
//!
//! Which spans are the same work says `query::traceql::diff`; how their durations compare over many spans is better told by
//! `/api/v1/traces/diff`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signalbox_model::{Error, Result};
use signalbox_query::traceql::diff::{Matching, matching};
use signalbox_query::traceql::forest::Forest;
use signalbox_query::traceql::{Moment, Trace};

use super::params::{self, Refusal};
use super::trace;
use crate::ApiState;
use crate::http::Askers;

mod patch;
mod summary;

/// Bytes of a patch that is attached to a summary.
const ATTACHED_BYTES_MAX: usize = 64 << 10;

/// What is asked.
#[derive(Debug, Deserialize)]
struct Asked {
    base: Side,
    compare: Side,
    #[serde(default)]
    format: Format,
}

/// One of the traces.
#[derive(Debug, Deserialize)]
struct Side {
    #[serde(rename = "traceId", default)]
    trace_id: String,
    start: Option<i64>,
    end: Option<i64>,
}

/// In which form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum Format {
    #[default]
    #[serde(rename = "trace-patch-v0", alias = "")]
    Patch,
    #[serde(rename = "trace-summary-v0-native")]
    Summary,
    #[serde(rename = "trace-summary-v0-composed")]
    Composed,
}

/// Two traces and what of them is the same.
struct Pair<'t> {
    base: Forest<'t>,
    compare: Forest<'t>,
    matching: Matching,
    warnings: Vec<Warning>,
}

/// What makes a difference doubtful.
#[derive(Debug, Clone, Serialize)]
struct Warning {
    code: &'static str,
    message: String,
}

impl<'t> Pair<'t> {
    fn of(base: &'t Trace, compare: &'t Trace) -> Self {
        let mut warnings = Vec::new();
        for (side, trace) in [("base", base), ("compare", compare)] {
            let invalid = trace.spans.iter().filter(|span| !has_duration(span)).count();
            if invalid > 0 {
                let message = format!("{side} trace has {invalid} span(s) without a duration; where one is compared it is null");
                warnings.push(Warning { code: "invalid_duration", message });
            }
        }
        let (base, compare) = (Forest::of(base), Forest::of(compare));
        for (side, duplicates) in [("base", base.doubts.duplicates), ("compare", compare.doubts.duplicates)] {
            if duplicates > 0 {
                let message = format!("{side} trace has {duplicates} span(s) with an identifier that another has; they are left out");
                warnings.push(Warning { code: "duplicate_span_id", message });
            }
        }
        let matching = matching(&base, &compare);
        Self { base, compare, matching, warnings }
    }
}

/// Whether start and end of a span can be.
fn has_duration(span: &signalbox_query::rows::Span) -> bool {
    span.start_ns > 0 && span.duration_ns >= 0
}

/// `POST /api/v2/traces/diff`
pub(super) async fn diff(State(state): State<ApiState>, Askers(owners): Askers, body: Bytes) -> Result<Response, Refusal> {
    let asked: Asked = serde_json::from_slice(&body).map_err(|error| Error::invalid(format!("invalid trace diff request body: {error}")))?;
    let moment = state.engine.moment(&owners);
    let base = find(&state, &moment, "base", &asked.base).await?;
    let compare = find(&state, &moment, "compare", &asked.compare).await?;
    // Traces may be large: not on a thread that answers others.
    let answer = tokio::task::spawn_blocking(move || answer(&base, &compare, asked.format)).await;
    let answer = answer.map_err(|error| Error::internal("cannot compare traces: the thread died").with_source(error))??;
    Ok(axum::Json(answer).into_response())
}

async fn find(state: &ApiState, moment: &Moment, name: &str, side: &Side) -> Result<Trace> {
    if side.trace_id.is_empty() {
        return Err(Error::invalid(format!("{name}.traceId is required")));
    }
    let second = |second: Option<i64>| u32::try_from(second.unwrap_or(0).max(0)).unwrap_or(u32::MAX);
    let (start, end) = (second(side.start), second(side.end));
    if side.start.zip(side.end).is_some_and(|(start, end)| end <= start) {
        return Err(Error::invalid(format!("{name}.start must be before {name}.end. received start={start} end={end}")));
    }
    let named = |error: Error| Error::new(error.kind(), format!("{name}: {}", error.message()));
    trace::find(state, moment, &side.trace_id, params::seconds(start, end)?).await.map_err(named)
}

fn answer(base: &Trace, compare: &Trace, format: Format) -> Result<Value> {
    let pair = Pair::of(base, compare);
    let shown = |shown: serde_json::Result<Value>| shown.map_err(|error| Error::internal("cannot print a difference").with_source(error));
    let patch = patch::Patch::of(&pair, base, compare);
    match format {
        Format::Patch => shown(serde_json::to_value(patch?)),
        Format::Summary => shown(serde_json::to_value(summary::Summary::of(&pair, base, compare, &patch::changes(&pair)))),
        Format::Composed => shown(serde_json::to_value(composed(&pair, base, compare, patch)?)),
    }
}

/// The summary with the patch, if that is short.
#[derive(Debug, Serialize)]
struct Composed {
    version: &'static str,
    summary: summary::Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<Value>,
    #[serde(rename = "patchOmitted", skip_serializing_if = "Option::is_none")]
    patch_omitted: Option<Omitted>,
}

#[derive(Debug, Serialize)]
struct Omitted {
    bytes: usize,
    reason: &'static str,
}

fn composed(pair: &Pair<'_>, base: &Trace, compare: &Trace, patch: Result<patch::Patch>) -> Result<Composed> {
    let summary = summary::Summary::of(pair, base, compare, &patch::changes(pair));
    let internal = |error: serde_json::Error| Error::internal("cannot print a difference").with_source(error);
    let (mut attached, mut omitted) = (None, None);
    // A patch that cannot be told at all is far too long to be attached.
    let text = patch.ok().map(|patch| serde_json::to_string(&patch)).transpose().map_err(internal)?;
    match text {
        Some(text) if text.len() <= ATTACHED_BYTES_MAX => attached = Some(serde_json::from_str(&text).map_err(internal)?),
        Some(text) => omitted = Some(Omitted { bytes: text.len(), reason: "over_budget" }),
        None => omitted = Some(Omitted { bytes: usize::MAX, reason: "over_budget" }),
    }
    Ok(Composed { version: "trace-summary-v0-composed", summary, patch: attached, patch_omitted: omitted })
}
