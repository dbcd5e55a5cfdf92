//! The search endpoints: names and values that resemble what somebody types, best first if asked for.
//!
//! An answer is lines of JSON: batches `{"results":[…]}`, then `{"status":"success","has_more":…}`. What cannot be answered is
//! refused before the first line, as everywhere in the API.

mod asked;
mod score;
mod terms;

use std::collections::HashMap;
use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::header::CONTENT_TYPE;
use signalbox_model::attributes::write_json_string;
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Error, MetricMetadata, Owners};
use signalbox_query::promql::ListingRequest;

use super::number::write_value;
use super::params;
use super::refusal::Refusal;
use crate::ApiState;
use crate::http::{Askers, Params};

use asked::{Asked, Order};
use terms::Terms;

/// Something that was found.
#[derive(Debug)]
struct Hit {
    text: String,
    score: f64,
}

/// `GET|POST /search/metric_names`
pub(super) async fn metric_names(State(state): State<ApiState>, Askers(owners): Askers, params: Params) -> Result<Response, Refusal> {
    let asked = Asked::new(&state, &params, "metric_names")?;
    let metadata = if params::boolean(&params, "include_metadata", false)? { Some(families(&state, &owners).await?) } else { None };
    let names = state.engine.label_values(&owners, METRIC_NAME, listing(&asked)).await?.results;
    answer(asked, names, Shape { key: "name", metadata }).await
}

/// `GET|POST /search/label_names`
pub(super) async fn label_names(State(state): State<ApiState>, Askers(owners): Askers, params: Params) -> Result<Response, Refusal> {
    let asked = Asked::new(&state, &params, "label_names")?;
    let names = state.engine.label_names(&owners, listing(&asked)).await?.results;
    answer(asked, names, Shape { key: "name", metadata: None }).await
}

/// `GET|POST /search/label_values`
pub(super) async fn label_values(State(state): State<ApiState>, Askers(owners): Askers, params: Params) -> Result<Response, Refusal> {
    let asked = Asked::new(&state, &params, "label_values")?;
    let label = params.get("label").ok_or_else(|| Refusal::bad_data("missing required parameter \"label\""))?;
    let values = state.engine.label_values(&owners, label, listing(&asked)).await?.results;
    answer(asked, values, Shape { key: "value", metadata: None }).await
}

fn listing(asked: &Asked) -> ListingRequest {
    ListingRequest { sets: asked.sets.clone(), range: asked.range, limit: None }
}

async fn families(state: &ApiState, owners: &Owners) -> Result<HashMap<String, MetricMetadata>, Refusal> {
    let families = state.engine.metric_metadata(owners, None).await?;
    Ok(families.into_iter().map(|family| (family.name.clone(), family)).collect())
}

/// How a result is written.
struct Shape {
    key: &'static str,
    metadata: Option<HashMap<String, MetricMetadata>>,
}

async fn answer(asked: Asked, texts: Vec<String>, shape: Shape) -> Result<Response, Refusal> {
    let (hits, asked) = tokio::task::spawn_blocking(move || (find(&asked, texts), asked))
        .await
        .map_err(|error| Error::internal("cannot search: the searching thread died").with_source(error))?;
    let lines = Lines { hits: hits.into_iter(), asked, shape, sent: 0, is_begun: false, is_over: false };
    let body = Body::from_stream(stream::iter(lines.map(Ok::<_, Infallible>)));
    Ok(([(CONTENT_TYPE, "application/x-ndjson; charset=utf-8")], body).into_response())
}

/// At most one more than is asked for, so that it is known whether there are more. `texts` ascend.
fn find(asked: &Asked, texts: Vec<String>) -> Vec<Hit> {
    let terms = Terms::new(asked);
    let mut hits: Vec<Hit> = texts.into_iter().filter_map(|text| terms.score(&text).map(|score| Hit { text, score })).collect();
    match asked.order {
        Order::Ascending => {}
        Order::Descending => hits.reverse(),
        Order::Score => hits.sort_by(|left, right| right.score.total_cmp(&left.score)),
    }
    hits.truncate(asked.limit.saturating_add(1));
    hits
}

/// The lines of an answer, each with its end.
struct Lines {
    hits: std::vec::IntoIter<Hit>,
    asked: Asked,
    shape: Shape,
    sent: usize,
    is_begun: bool,
    is_over: bool,
}

impl Iterator for Lines {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.is_over {
            return None;
        }
        let count = self.asked.batch.min(self.asked.limit - self.sent);
        let mut line = String::from("{\"results\":[");
        let (mark, begun) = (line.len(), self.sent);
        for hit in self.hits.by_ref().take(count) {
            if line.len() > mark {
                line.push(',');
            }
            write_hit(&mut line, &hit, &self.asked, &self.shape);
            self.sent += 1;
        }
        // The first batch is sent even when it is empty.
        if self.sent > begun || !self.is_begun {
            self.is_begun = true;
            line.push_str("]}\n");
            return Some(line);
        }
        self.is_over = true;
        Some(format!("{{\"status\":\"success\",\"has_more\":{}}}\n", self.hits.len() > 0))
    }
}

fn write_hit(out: &mut String, hit: &Hit, asked: &Asked, shape: &Shape) {
    out.push_str("{\"");
    out.push_str(shape.key);
    out.push_str("\":");
    write_json_string(out, &hit.text);
    if asked.with_score {
        out.push_str(",\"score\":");
        write_value(out, hit.score);
    }
    if let Some(family) = shape.metadata.as_ref().and_then(|metadata| metadata.get(&hit.text)) {
        for (name, value) in [("type", family.kind.as_str()), ("help", &family.help), ("unit", &family.unit)] {
            if !value.is_empty() {
                out.push_str(",\"");
                out.push_str(name);
                out.push_str("\":");
                write_json_string(out, value);
            }
        }
    }
    out.push('}');
}
