//! `detected_fields` and `detected_field/{name}/values`: what a sample of the newest records has beside the labels of streams.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use signalbox_model::{Owners, Result};
use signalbox_query::logql::{DetectedField, FieldsRequest};

use super::params::{self, HOUR_NS, Refusal};
use crate::ApiState;
use crate::http::{Askers, Params};

/// Fields and values in an answer when the request does not say; as in Loki.
const LIMIT_DEFAULT: usize = 1_000;
/// Records that are looked at when the request does not say; as in Loki.
const LINES_DEFAULT: usize = 100;

/// `GET|POST /detected_fields`
pub(super) async fn fields(State(state): State<ApiState>, Askers(owners): Askers, params: Params) -> Result<Response, Refusal> {
    let limit = limit(&params)?;
    let detected = detect(&state, &owners, &params, limit).await?;
    let render = |(name, field): (&String, &DetectedField)| {
        // No parser is null, not an empty list: so does Logs Drilldown know structured metadata.
        let parsers = if field.parsers.is_empty() { Value::Null } else { json!(field.parsers) };
        let mut object = json!({ "label": name, "type": field.kind.as_str(), "cardinality": field.values.len(), "parsers": parsers });
        if !field.json_path.is_empty() {
            object["jsonPath"] = json!(field.json_path);
        }
        object
    };
    Ok(axum::Json(json!({ "fields": detected.iter().map(render).collect::<Vec<_>>(), "limit": limit })).into_response())
}

/// `GET|POST /detected_field/{name}/values`
pub(super) async fn values(State(state): State<ApiState>, Askers(owners): Askers, Path(name): Path<String>, params: Params) -> Result<Response, Refusal> {
    let limit = limit(&params)?;
    let mut detected = detect(&state, &owners, &params, usize::MAX).await?;
    let values: Vec<String> = detected.remove(&name).map(|field| field.values.into_iter().take(limit).collect()).unwrap_or_default();
    Ok(axum::Json(json!({ "values": values, "limit": limit })).into_response())
}

/// `limit`, which Grafana also calls `field_limit`.
fn limit(params: &Params) -> Result<usize> {
    if params.get("limit").is_some() { params::count(params, "limit", LIMIT_DEFAULT) } else { params::count(params, "field_limit", LIMIT_DEFAULT) }
}

async fn detect(state: &ApiState, owners: &Owners, params: &Params, limit: usize) -> Result<BTreeMap<String, DetectedField>> {
    let range = params::range(params, state.engine.clock().now_ns(), HOUR_NS)?;
    let lines = params::count(params, "line_limit", LINES_DEFAULT)?;
    state.engine.log_fields(owners, FieldsRequest { expr: params::records(params)?, range, lines, limit }).await
}
