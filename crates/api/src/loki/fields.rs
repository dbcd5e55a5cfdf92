//! `detected_fields` and `detected_field/{name}/values`: what a sample of the newest records has beside the labels of streams.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::Response;
use signalbox_model::{Owners, Result};
use signalbox_proto::loki::{self, Answer, DetectedFields, DetectedFieldsResponse};
use signalbox_query::logql::{DetectedField, FieldsRequest};

use super::answer::Form;
use super::params::{self, HOUR_NS, Refusal};
use crate::ApiState;
use crate::http::{Askers, Params};

/// Fields and values in an answer when the request does not say; as in Loki.
const LIMIT_DEFAULT: usize = 1_000;
/// Records that are looked at when the request does not say; as in Loki.
const LINES_DEFAULT: usize = 100;

/// `GET|POST /detected_fields`
pub(super) async fn fields(State(state): State<ApiState>, Askers(owners): Askers, form: Form, params: Params) -> Result<Response, Refusal> {
    let limit = limit(&params)?;
    let field = |(label, field): (String, DetectedField)| loki::DetectedField {
        label,
        kind: field.kind.as_str().to_owned(),
        cardinality: field.values.len() as u64,
        parsers: field.parsers.iter().map(ToString::to_string).collect(),
        json_path: field.json_path,
    };
    let fields = detect(&state, &owners, &params, limit).await?.into_iter().map(field).collect();
    Ok(form.answer(answer(fields, Vec::new(), limit)))
}

/// `GET|POST /detected_field/{name}/values`
pub(super) async fn values(
    State(state): State<ApiState>,
    Askers(owners): Askers,
    form: Form,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    let limit = limit(&params)?;
    let mut detected = detect(&state, &owners, &params, usize::MAX).await?;
    let values = detected.remove(&name).map(|field| field.values_in_queries().into_iter().take(limit).collect()).unwrap_or_default();
    Ok(form.answer(answer(Vec::new(), values, limit)))
}

fn answer(fields: Vec<loki::DetectedField>, values: Vec<String>, limit: usize) -> Answer {
    // As Loki does it: who found nothing has no limit either.
    let limit = if fields.is_empty() && values.is_empty() { 0 } else { u32::try_from(limit).unwrap_or(u32::MAX) };
    let response = DetectedFields { fields, limit, values };
    Answer::DetectedFields(DetectedFieldsResponse { response: Some(response) })
}

/// `limit`, which Grafana also calls `field_limit`.
fn limit(params: &Params) -> Result<usize> {
    if params.get("limit").is_some() { params::count(params, "limit", LIMIT_DEFAULT) } else { params::count(params, "field_limit", LIMIT_DEFAULT) }
}

async fn detect(state: &ApiState, owners: &Owners, params: &Params, limit: usize) -> Result<BTreeMap<String, DetectedField>> {
    let range = params::range(params, state.engine.clock().now_ns(), HOUR_NS)?;
    let lines = params::count(params, "line_limit", LINES_DEFAULT)?;
    params::bounded_step_ns(params, range)?;
    state.engine.log_fields(owners, FieldsRequest { expr: params::records(params)?, range, lines, limit }).await
}
