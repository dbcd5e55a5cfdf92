//! `_search`, `_msearch`, `_count` and single documents.

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};
use signalbox_model::{Tenant, TimeRange};
use signalbox_query::search::{Filter, SearchAnswer, SearchRequest};

use super::refusal::{Refusal, Result};
use super::request::{self, Search, json_of};
use super::{document, hits, index, query, render, scroll};
use crate::ApiState;
use crate::http::{Asker, Params};

/// Searches of one `_msearch`.
const SEARCHES_MAX: usize = 200;

/// What the address of a request says.
pub(super) fn params(query: Option<String>) -> Params {
    Params::parse(query.as_deref().unwrap_or(""))
}

/// `_search`
pub(super) async fn all(State(state): State<ApiState>, Asker(tenant): Asker, RawQuery(query): RawQuery, body: Bytes) -> Response {
    answer(&state, &tenant, index::ALL, &params(query), &body).await.into_response()
}

/// `{index}/_search`
pub(super) async fn one(State(state): State<ApiState>, Asker(tenant): Asker, Path(index): Path<String>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    answer(&state, &tenant, &index, &params(query), &body).await.into_response()
}

async fn answer(state: &ApiState, tenant: &Tenant, index: &str, params: &Params, body: &Bytes) -> Result<axum::Json<Value>> {
    let search = request::read(index, &json_of(body)?, params, state.engine.clock().now_ns(), window(state))?;
    let (mut answered, last) = run(state, tenant, &search).await?;
    if let Some(keep) = params.get("scroll") {
        scroll::check(keep)?;
        let id = scroll::first(index, body, &search, last, answered.pointer("/hits/total"));
        if let Some(object) = answered.as_object_mut() {
            object.insert("_scroll_id".to_owned(), json!(id?));
        }
    }
    Ok(axum::Json(answered))
}

/// Hits that one answer may have.
pub(super) fn window(state: &ApiState) -> u64 {
    state.engine.settings().results_max
}

/// The place of the last record of an answer.
pub(super) type Last = Option<(i64, u64)>;

/// Answers a search, and says where it ended.
pub(super) async fn run(state: &ApiState, tenant: &Tenant, search: &Search) -> Result<(Value, Last)> {
    let began = state.engine.clock().monotonic();
    let found: SearchAnswer = state.engine.search(tenant, search.asked.clone(), &search.text).await?;
    let took = state.engine.clock().monotonic().saturating_sub(began).as_millis();
    let mut answer = Map::new();
    answer.insert("took".to_owned(), json!(u64::try_from(took).unwrap_or(u64::MAX)));
    answer.insert("timed_out".to_owned(), json!(false));
    answer.insert("_shards".to_owned(), shards());
    answer.insert("hits".to_owned(), hits::hits(search, &found.records, found.total));
    if !search.plans.is_empty() {
        answer.insert("aggregations".to_owned(), render::aggregations(&search.plans, &found.aggregations));
    }
    Ok((Value::Object(answer), found.records.last().map(|record| (record.timestamp_ns, record.sequence))))
}

pub(super) fn shards() -> Value {
    json!({ "total": 1, "successful": 1, "skipped": 0, "failed": 0 })
}

/// `_msearch`
pub(super) async fn many(State(state): State<ApiState>, Asker(tenant): Asker, RawQuery(query): RawQuery, body: Bytes) -> Response {
    multiple(&state, &tenant, index::ALL, &params(query), &body).await.into_response()
}

/// `{index}/_msearch`
pub(super) async fn many_of(
    State(state): State<ApiState>,
    Asker(tenant): Asker,
    Path(index): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    multiple(&state, &tenant, &index, &params(query), &body).await.into_response()
}

async fn multiple(state: &ApiState, tenant: &Tenant, default: &str, params: &Params, body: &Bytes) -> Result<axum::Json<Value>> {
    let began = state.engine.clock().monotonic();
    let mut responses = Vec::new();
    for (header, search) in pairs(body)? {
        let answered = async {
            let read = request::read(&indices(&json_of(&header)?, default), &json_of(&search)?, params, state.engine.clock().now_ns(), window(state))?;
            run(state, tenant, &read).await
        };
        responses.push(match answered.await {
            Ok((mut answer, _)) => {
                if let Some(object) = answer.as_object_mut() {
                    object.insert("status".to_owned(), json!(200));
                }
                answer
            }
            Err(refusal) => refusal.json(),
        });
    }
    let took = state.engine.clock().monotonic().saturating_sub(began).as_millis();
    Ok(axum::Json(json!({ "took": u64::try_from(took).unwrap_or(u64::MAX), "responses": responses })))
}

/// The lines of a body by twos: what is searched, and for what.
fn pairs(body: &Bytes) -> Result<Vec<(Bytes, Bytes)>> {
    let mut lines: Vec<Bytes> = body.split(|byte| *byte == b'\n').map(|line| body.slice_ref(line)).collect();
    // The first line of a pair may be empty, what follows the last pair may be, too.
    while lines.last().is_some_and(|line| line.iter().all(u8::is_ascii_whitespace)) {
        lines.pop();
    }
    if lines.is_empty() {
        return Err(Refusal::illegal("Validation Failed: 1: no requests added;"));
    }
    if lines.len() % 2 == 1 || lines.len() / 2 > SEARCHES_MAX {
        return Err(Refusal::illegal(format!("a multiple search wants two lines for each search, and at most {SEARCHES_MAX} searches")));
    }
    Ok(lines.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
}

fn indices(header: &Value, default: &str) -> String {
    match header.get("index").or_else(|| header.get("indices")) {
        Some(Value::String(index)) => index.clone(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        _ => default.to_owned(),
    }
}

/// `_count`
pub(super) async fn count_all(State(state): State<ApiState>, Asker(tenant): Asker, RawQuery(query): RawQuery, body: Bytes) -> Response {
    count(&state, &tenant, index::ALL, &params(query), &body).await.into_response()
}

/// `{index}/_count`
pub(super) async fn count_one(
    State(state): State<ApiState>,
    Asker(tenant): Asker,
    Path(index): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    count(&state, &tenant, &index, &params(query), &body).await.into_response()
}

async fn count(state: &ApiState, tenant: &Tenant, index: &str, params: &Params, body: &Bytes) -> Result<axum::Json<Value>> {
    let body = json_of(body)?;
    let body = body.as_object().cloned().unwrap_or_default();
    if let Some(name) = body.keys().find(|name| *name != "query") {
        return Err(Refusal::parsing(format!("request does not support [{name}]")));
    }
    let asked = request::query_of(&body, params)?;
    let filter = Filter::all_of([index::filter(index)?, query::filter(&asked, state.engine.clock().now_ns())?]);
    let request = SearchRequest { count_to: Some(u64::MAX), ..SearchRequest::newest(filter, TimeRange::ALL, 0) };
    let found = state.engine.search(tenant, request, &asked.to_string()).await?;
    Ok(axum::Json(json!({ "count": found.total.unwrap_or(0), "_shards": shards() })))
}

/// `{index}/_doc/{id}`
pub(super) async fn document(State(state): State<ApiState>, Asker(tenant): Asker, Path((index, id)): Path<(String, String)>) -> Response {
    get(&state, &tenant, &index, &id).await.into_response()
}

async fn get(state: &ApiState, tenant: &Tenant, name: &str, id: &str) -> Result<Response> {
    let filter = Filter::all_of([index::filter(name)?, document::of_id(id)]);
    let found = state.engine.search(tenant, SearchRequest::newest(filter, TimeRange::ALL, 1), id).await?;
    let Some(record) = found.records.first() else {
        return Ok((StatusCode::NOT_FOUND, axum::Json(json!({ "_index": name, "_id": id, "found": false }))).into_response());
    };
    let source = document::source(record);
    Ok(axum::Json(json!({ "_index": index::of(record), "_id": document::id(record), "_version": 1, "found": true, "_source": source })).into_response())
}
