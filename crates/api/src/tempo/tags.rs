//! Names and values of attributes, for completion.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use signalbox_lang::traceql::{KIND_WORDS, STATUS_WORDS};
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{Error, Result, Tenant, TimeRange};
use signalbox_query::traceql::TagScope;

use super::params::{self, Refusal};
use crate::ApiState;
use crate::http::{Asker, Params};

const DAY_NS: i64 = 24 * 3_600_000_000_000;
/// Fields that conditions can name.
const INTRINSICS: [&str; 5] = ["duration", "kind", "name", "status", "statusMessage"];

/// The range that was asked for; the last day when none was.
fn range(state: &ApiState, params: &Params) -> Result<TimeRange> {
    let range = params::range(params)?;
    if range == TimeRange::ALL {
        let now_ns = state.engine.clock().now_ns();
        return Ok(TimeRange::from_ns(now_ns.saturating_sub(DAY_NS), i64::MAX));
    }
    Ok(range)
}

/// `GET /api/search/tags`
pub(super) async fn names(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let tags = state.engine.span_tags(&tenant, range(&state, &params)?).await?;
    let wanted = params.get("scope").unwrap_or("");
    let mut names: Vec<String> = Vec::new();
    if matches!(wanted, "" | "none" | "span") {
        names.extend(tags.span);
    }
    if matches!(wanted, "" | "none" | "resource") {
        names.extend(tags.resource);
    }
    if wanted == "intrinsic" {
        names.extend(INTRINSICS.map(str::to_owned));
    }
    names.sort_unstable();
    names.dedup();
    Ok(axum::Json(json!({ "tagNames": names })).into_response())
}

/// `GET /api/v2/search/tags`
pub(super) async fn names_v2(State(state): State<ApiState>, Asker(tenant): Asker, params: Params) -> Result<Response, Refusal> {
    let tags = state.engine.span_tags(&tenant, range(&state, &params)?).await?;
    let wanted = params.get("scope").filter(|scope| *scope != "none");
    let scopes = [("span", json!(tags.span)), ("resource", json!(tags.resource)), ("intrinsic", json!(INTRINSICS))];
    let scopes = scopes.into_iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    let scopes: Vec<Value> = scopes.map(|(name, tags)| json!({ "name": name, "tags": tags })).collect();
    Ok(axum::Json(json!({ "scopes": scopes, "metrics": {} })).into_response())
}

/// `GET /api/search/tag/{name}/values`
pub(super) async fn values(State(state): State<ApiState>, Asker(tenant): Asker, Path(name): Path<String>, params: Params) -> Result<Response, Refusal> {
    let values = list(&state, &tenant, &name, range(&state, &params)?).await?;
    let texts: Vec<Value> = values.iter().map(|value| json!(value.1)).collect();
    Ok(axum::Json(json!({ "tagValues": texts, "metrics": {} })).into_response())
}

/// `GET /api/v2/search/tag/{name}/values`
pub(super) async fn values_v2(State(state): State<ApiState>, Asker(tenant): Asker, Path(name): Path<String>, params: Params) -> Result<Response, Refusal> {
    let values = list(&state, &tenant, &name, range(&state, &params)?).await?;
    let typed: Vec<Value> = values.iter().map(|(kind, text)| json!({ "type": kind, "value": text })).collect();
    Ok(axum::Json(json!({ "tagValues": typed, "metrics": {} })).into_response())
}

/// Types and texts of the values of a field or attribute.
async fn list(state: &ApiState, tenant: &Tenant, name: &str, range: TimeRange) -> Result<Vec<(&'static str, String)>> {
    let words = |words: &[&str]| words.iter().map(|word| ("keyword", (*word).to_owned())).collect();
    let (scope, attribute) = match name {
        "status" | "span:status" => return Ok(words(&STATUS_WORDS)),
        "kind" | "span:kind" => return Ok(words(&KIND_WORDS)),
        "duration" | "span:duration" | "statusMessage" | "span:statusMessage" => return Ok(Vec::new()),
        "name" | "span:name" => {
            let names = state.engine.span_names(tenant, range).await?;
            return Ok(names.into_iter().map(|name| ("string", name)).collect());
        }
        _ => match (name.strip_prefix("resource."), name.strip_prefix("span."), name.strip_prefix('.')) {
            (Some(attribute), _, _) => (TagScope::Resource, attribute),
            (_, Some(attribute), _) => (TagScope::Span, attribute),
            (_, _, Some(attribute)) => (TagScope::Any, attribute),
            _ => (TagScope::Any, name),
        },
    };
    if attribute.is_empty() {
        return Err(Error::invalid("please provide a non-empty tagName"));
    }
    let values = state.engine.span_tag_values(tenant, scope, attribute, range).await?;
    Ok(values.iter().map(|value| (type_word(value), value.to_text())).collect())
}

fn type_word(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::Bool(_) => "bool",
        AttributeValue::Int(_) => "int",
        AttributeValue::Double(_) => "float",
        _ => "string",
    }
}
