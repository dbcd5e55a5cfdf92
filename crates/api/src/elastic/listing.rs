//! Which indices and fields there are, as the newest records show.

use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Map, Value, json};
use signalbox_model::{Tenant, TimeRange};
use signalbox_query::rows::LogRecord;
use signalbox_query::search::aggregate::{Aggregation, Answer, Direction, Key, Kind, OrderBy, Terms};
use signalbox_query::search::{Field, Filter, SearchRequest};

use super::refusal::{Refusal, Result};
use super::search::{params, shards};
use super::{document, index};
use crate::ApiState;
use crate::http::Asker;

/// Records that are looked at for their fields.
const RECORDS: usize = 1_000;
/// Indices that are listed.
const INDICES_MAX: usize = 10_000;
/// Fields that every record may have.
const KNOWN: [(&str, &str); 8] = [
    ("@timestamp", "date"),
    ("message", "text"),
    ("level", "keyword"),
    ("severity_text", "keyword"),
    ("severity_number", "long"),
    ("service.name", "keyword"),
    ("trace_id", "keyword"),
    ("span_id", "keyword"),
];

async fn newest(state: &ApiState, tenant: &Tenant, name: &str) -> Result<Vec<LogRecord>> {
    let request =
        SearchRequest::newest(index::filter(name)?, TimeRange::ALL, RECORDS.min(usize::try_from(state.engine.settings().results_max).unwrap_or(RECORDS)));
    Ok(state.engine.search(tenant, request, name).await?.records)
}

/// Fields by name with their types; by index where records are.
async fn fields(state: &ApiState, tenant: &Tenant, name: &str) -> Result<BTreeMap<String, BTreeMap<String, &'static str>>> {
    let known = || KNOWN.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect::<BTreeMap<_, _>>();
    let mut indices: BTreeMap<String, BTreeMap<String, &'static str>> = BTreeMap::new();
    for record in newest(state, tenant, name).await? {
        let fields = indices.entry(index::of(&record)).or_insert_with(known);
        for (name, value) in document::source(&record) {
            fields.entry(name.clone()).or_insert_with(|| kind(&name, &value));
        }
    }
    Ok(indices)
}

fn kind(name: &str, value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "double",
        Value::Number(_) => "long",
        Value::Array(items) => items.first().map_or("keyword", |item| kind(name, item)),
        Value::Object(_) => "flattened",
        _ if Field::named(name).is_time() => "date",
        _ if Field::named(name).is_prose() => "text",
        _ => "keyword",
    }
}

/// `_mapping`
pub(super) async fn mapping_all(State(state): State<ApiState>, Asker(tenant): Asker) -> Response {
    mappings(&state, &tenant, index::ALL).await.into_response()
}

/// `{index}/_mapping`
pub(super) async fn mapping_one(State(state): State<ApiState>, Asker(tenant): Asker, Path(index): Path<String>) -> Response {
    mappings(&state, &tenant, &index).await.into_response()
}

async fn mappings(state: &ApiState, tenant: &Tenant, name: &str) -> Result<axum::Json<Value>> {
    let mapped = fields(state, tenant, name).await?.into_iter().map(|(index, fields)| (index, json!({ "mappings": { "properties": properties(&fields) } })));
    Ok(axum::Json(Value::Object(named(mapped.collect(), name)?)))
}

/// An index by its name that has no records is missing; a pattern that fits nothing is fine.
fn named(found: Map<String, Value>, name: &str) -> Result<Map<String, Value>> {
    let is_pattern = name.contains(['*', ',']) || matches!(name, "_all" | index::ALL);
    if found.is_empty() && !is_pattern { Err(Refusal::no_index(name)) } else { Ok(found) }
}

/// Names with dots as objects in objects, as mappings have them.
fn properties(fields: &BTreeMap<String, &'static str>) -> Value {
    let mut root = Map::new();
    for (name, kind) in fields {
        let mut at = &mut root;
        let mut parts = name.split('.').peekable();
        while let Some(part) = parts.next() {
            let entry = at.entry(part.to_owned()).or_insert_with(|| json!({}));
            let Some(object) = entry.as_object_mut() else { break };
            if parts.peek().is_none() {
                object.insert("type".to_owned(), json!(kind));
                break;
            }
            let Some(inner) = object.entry("properties".to_owned()).or_insert_with(|| json!({})).as_object_mut() else { break };
            at = inner;
        }
    }
    Value::Object(root)
}

/// `{index}`
pub(super) async fn describe(State(state): State<ApiState>, Asker(tenant): Asker, Path(index): Path<String>) -> Response {
    described(&state, &tenant, &index).await.into_response()
}

async fn described(state: &ApiState, tenant: &Tenant, name: &str) -> Result<axum::Json<Value>> {
    let one = |(index, fields): (String, BTreeMap<String, &'static str>)| {
        let settings = json!({ "index": { "number_of_shards": "1", "number_of_replicas": "0", "provided_name": index } });
        (index, json!({ "aliases": { (index::ALL): {} }, "mappings": { "properties": properties(&fields) }, "settings": settings }))
    };
    Ok(axum::Json(Value::Object(named(fields(state, tenant, name).await?.into_iter().map(one).collect(), name)?)))
}

/// `_field_caps`
pub(super) async fn field_caps_all(State(state): State<ApiState>, Asker(tenant): Asker, RawQuery(query): RawQuery) -> Response {
    field_caps(&state, &tenant, index::ALL, query).await.into_response()
}

/// `{index}/_field_caps`
pub(super) async fn field_caps_one(State(state): State<ApiState>, Asker(tenant): Asker, Path(index): Path<String>, RawQuery(query): RawQuery) -> Response {
    field_caps(&state, &tenant, &index, query).await.into_response()
}

async fn field_caps(state: &ApiState, tenant: &Tenant, name: &str, query: Option<String>) -> Result<axum::Json<Value>> {
    let params = params(query);
    let patterns: Vec<&str> = params.get("fields").unwrap_or("*").split(',').collect();
    let indices = fields(state, tenant, name).await?;
    let mut caps: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (field, kind) in indices.values().flatten().filter(|(field, _)| patterns.iter().any(|pattern| document::fits(pattern, field))) {
        let cap = json!({ "type": kind, "metadata_field": false, "searchable": true, "aggregatable": *kind != "text" });
        caps.entry(field.clone()).or_default().insert((*kind).to_owned(), cap);
    }
    Ok(axum::Json(json!({ "indices": indices.keys().collect::<Vec<_>>(), "fields": caps })))
}

/// Indices with how many records they have.
async fn counts(state: &ApiState, tenant: &Tenant, name: &str) -> Result<Vec<(String, u64)>> {
    let terms = |field: Field, missing: &str| {
        let order = vec![(OrderBy::Key, Direction::Ascending)];
        let terms = Terms { field, size: INDICES_MAX, order, count_min: 1, missing: Some(missing.to_owned()), include: Vec::new(), exclude: Vec::new() };
        Kind::Terms(terms)
    };
    let services = Aggregation { kind: terms(Field::Service, "unknown_service"), children: Vec::new() };
    let asked = Aggregation { kind: terms(Field::Own(index::INDEX.to_owned()), ""), children: vec![("services".to_owned(), services)] };
    let filter: Filter = index::filter(name)?;
    let request = SearchRequest { aggregations: vec![("indices".to_owned(), asked)], ..SearchRequest::newest(filter, TimeRange::ALL, 0) };
    let found = state.engine.search(tenant, request, name).await?;
    let mut counts = Vec::new();
    let Some((_, Answer::Buckets(indices))) = found.aggregations.first() else { return Ok(counts) };
    for bucket in &indices.buckets {
        let Key::Term(index, _) = &bucket.key else { continue };
        match bucket.children.first() {
            // Those that were sent to none are in those of their services.
            Some((_, Answer::Buckets(services))) if index.is_empty() => counts.extend(services.buckets.iter().filter_map(|bucket| match &bucket.key {
                Key::Term(service, _) => Some((format!("logs-{service}"), bucket.count)),
                _ => None,
            })),
            _ => counts.push((index.clone(), bucket.count)),
        }
    }
    counts.sort();
    Ok(counts)
}

/// `_cat/indices`
pub(super) async fn cat_all(State(state): State<ApiState>, Asker(tenant): Asker, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    cat(&state, &tenant, index::ALL, &headers, query).await.into_response()
}

/// `_cat/indices/{index}`
pub(super) async fn cat_one(
    State(state): State<ApiState>,
    Asker(tenant): Asker,
    Path(index): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    cat(&state, &tenant, &index, &headers, query).await.into_response()
}

async fn cat(state: &ApiState, tenant: &Tenant, name: &str, headers: &HeaderMap, query: Option<String>) -> Result<Response> {
    let params = params(query);
    let columns: Vec<&str> =
        params.get("h").unwrap_or("health,status,index,uuid,pri,rep,docs.count,docs.deleted,store.size,pri.store.size").split(',').collect();
    let counts = counts(state, tenant, name).await?;
    let cell = |index: &str, count: u64, column: &str| match column {
        "health" | "h" => "green".to_owned(),
        "status" | "s" => "open".to_owned(),
        "index" | "i" | "idx" | "uuid" | "id" => index.to_owned(),
        "pri" | "p" => "1".to_owned(),
        "docs.count" | "dc" => count.to_string(),
        "rep" | "r" | "docs.deleted" | "dd" => "0".to_owned(),
        // Records of all indices rest together.
        _ => String::new(),
    };
    let accepts_json = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("json"));
    if params.get("format") == Some("json") || (params.get("format").is_none() && accepts_json) {
        let row =
            |(index, count): &(String, u64)| Value::Object(columns.iter().map(|column| ((*column).to_owned(), json!(cell(index, *count, column)))).collect());
        return Ok(axum::Json(counts.iter().map(row).collect::<Vec<_>>()).into_response());
    }
    let mut text = String::new();
    if params.all("v").any(|value| value != "false") {
        text.push_str(&format!("{}\n", columns.join(" ")));
    }
    for (index, count) in &counts {
        text.push_str(&columns.iter().map(|column| cell(index, *count, column)).collect::<Vec<_>>().join(" "));
        text.push('\n');
    }
    Ok(([(CONTENT_TYPE, "text/plain; charset=UTF-8")], text).into_response())
}

/// `_resolve/index/{name}`
pub(super) async fn resolve(State(state): State<ApiState>, Asker(tenant): Asker, Path(index): Path<String>) -> Response {
    let answer = async {
        let found = counts(&state, &tenant, &index).await?;
        let indices: Vec<Value> = found.iter().map(|(index, _)| json!({ "name": index, "aliases": [index::ALL], "attributes": ["open"] })).collect();
        let names: Vec<&String> = found.iter().map(|(index, _)| index).collect();
        let aliases = if document::fits(&index, index::ALL) { vec![json!({ "name": index::ALL, "indices": names })] } else { Vec::new() };
        Ok::<_, Refusal>(axum::Json(json!({ "indices": indices, "aliases": aliases, "data_streams": [] })))
    };
    answer.await.into_response()
}

/// `_stats`
pub(super) async fn stats_all(State(state): State<ApiState>, Asker(tenant): Asker) -> Response {
    stats(&state, &tenant, index::ALL).await.into_response()
}

/// `{index}/_stats`
pub(super) async fn stats_one(State(state): State<ApiState>, Asker(tenant): Asker, Path(index): Path<String>) -> Response {
    stats(&state, &tenant, &index).await.into_response()
}

async fn stats(state: &ApiState, tenant: &Tenant, name: &str) -> Result<axum::Json<Value>> {
    let counts = counts(state, tenant, name).await?;
    let of = |count: u64| json!({ "docs": { "count": count, "deleted": 0 } });
    let both = |count: u64| json!({ "primaries": of(count), "total": of(count) });
    let indices: Map<String, Value> = counts.iter().map(|(index, count)| (index.clone(), both(*count))).collect();
    let total = counts.iter().map(|(_, count)| count).sum();
    Ok(axum::Json(json!({ "_shards": shards(), "_all": both(total), "indices": indices })))
}

/// `_aliases`
pub(super) async fn aliases(State(state): State<ApiState>, Asker(tenant): Asker) -> Response {
    let answer = async {
        let found = counts(&state, &tenant, index::ALL).await?;
        let all: Map<String, Value> = found.into_iter().map(|(index, _)| (index, json!({ "aliases": { (index::ALL): {} } }))).collect();
        Ok::<_, Refusal>(axum::Json(Value::Object(all)))
    };
    answer.await.into_response()
}
