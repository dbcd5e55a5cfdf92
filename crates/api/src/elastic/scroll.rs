//! Scrolling: an id that holds the search and where it stands, so that nothing is kept between pages and nothing expires.

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signalbox_model::Tenant;
use signalbox_query::search::After;

use super::aggregation::duration_ns;
use super::refusal::{Refusal, Result};
use super::request::{self, Search, json_of};
use super::search::{Last, params, run, window};
use crate::ApiState;
use crate::http::{Asker, Params};

/// Bytes of a search that may be scrolled.
const SEARCH_BYTES_MAX: usize = 64 << 10;

/// What an id says.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    index: String,
    body: Value,
    /// Time and arrival of the last hit; none when there was none.
    last: Option<(i64, u64)>,
    total: Value,
}

/// Whether `scroll` is a duration, as it must be, though it means nothing.
pub(super) fn check(keep: &str) -> Result<()> {
    duration_ns(keep).map(drop).ok_or_else(|| Refusal::illegal(format!("failed to parse [scroll] with value [{keep}] as a time value")))
}

/// The id after the first page.
pub(super) fn first(index: &str, body: &Bytes, search: &Search, last: Last, total: Option<&Value>) -> Result<String> {
    if search.from > 0 || search.size == 0 {
        return Err(Refusal::illegal("[from] must be 0 and [size] more than 0 in a scroll context"));
    }
    if body.len() > SEARCH_BYTES_MAX {
        return Err(Refusal::illegal(format!("a search of more than {SEARCH_BYTES_MAX} bytes cannot be scrolled")));
    }
    let mut body = json_of(body)?;
    if body.is_null() {
        body = json!({});
    }
    if let Some(body) = body.as_object_mut() {
        // What only the first page has, and what the address may have said.
        body.retain(|name, _| !matches!(name.as_str(), "aggs" | "aggregations" | "search_after" | "track_total_hits"));
        body.insert("size".to_owned(), json!(search.size));
        body.insert("query".to_owned(), serde_json::from_str(&search.text).unwrap_or(Value::Null));
        body.insert("sort".to_owned(), Value::Array(search.sort.iter().map(request::SortKey::json).collect()));
    }
    Ok(Place { index: index.to_owned(), body, last, total: total.cloned().unwrap_or(Value::Null) }.id())
}

impl Place {
    fn id(&self) -> String {
        BASE64.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn of(id: &str) -> Result<Self> {
        let invalid = || Refusal::illegal("Cannot parse scroll id");
        serde_json::from_slice(&BASE64.decode(id).map_err(|_| invalid())?).map_err(|_| invalid())
    }
}

/// `_search/scroll`
pub(super) async fn next(State(state): State<ApiState>, Asker(tenant): Asker, id: Option<Path<String>>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let id = id.map(|Path(id)| id);
    page(&state, &tenant, id, &params(query), &body).await.into_response()
}

async fn page(state: &ApiState, tenant: &Tenant, id: Option<String>, params: &Params, body: &Bytes) -> Result<axum::Json<Value>> {
    let body = json_of(body)?;
    let id = id.or_else(|| params.get("scroll_id").map(str::to_owned)).or_else(|| body.get("scroll_id").and_then(Value::as_str).map(str::to_owned));
    let mut place = Place::of(&id.ok_or_else(|| Refusal::illegal("Validation Failed: 1: scrollId is missing;"))?)?;
    let none = Params::parse("track_total_hits=false");
    let mut search = request::read(&place.index, &place.body, &none, state.engine.clock().now_ns(), window(state))?;
    match place.last {
        Some((time_ns, sequence)) => search.asked.after = Some(After::exactly(time_ns, sequence)),
        // There was nothing on the page before, so there is nothing after it.
        None => search.asked.limit = 0,
    }
    let (mut answer, last) = run(state, tenant, &search).await?;
    place.last = last;
    if let Some(object) = answer.as_object_mut() {
        if let Some(hits) = object.get_mut("hits").and_then(Value::as_object_mut) {
            hits.insert("total".to_owned(), place.total.clone());
        }
        object.insert("_scroll_id".to_owned(), json!(place.id()));
    }
    Ok(axum::Json(answer))
}

/// `DELETE _search/scroll`: there is nothing to free.
pub(super) async fn clear() -> Response {
    axum::Json(json!({ "succeeded": true, "num_freed": 1 })).into_response()
}
