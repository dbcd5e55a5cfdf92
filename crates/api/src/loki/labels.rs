//! What there is to select: label names, values, series.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, State};
use axum::response::Response;
use signalbox_model::TimeRange;
use signalbox_proto::loki::{Answer, DetectedLabel, DetectedLabels, DetectedLabelsResponse, LabelPair, LabelsResponse, SeriesIdentifier, SeriesResponse};
use signalbox_query::logql::StreamLabels;

use super::answer::{Form, SUCCESS, VERSION};
use super::params::{self, Refusal};
use crate::ApiState;
use crate::http::{Askers, Params};

/// Loki's default: six hours.
const DEFAULT_NS: i64 = 6 * 3_600_000_000_000;

/// As elsewhere, but that its end is in it.
fn range(state: &ApiState, params: &Params) -> Result<TimeRange, Refusal> {
    let range = params::range(params, state.engine.clock().now_ns(), DEFAULT_NS)?;
    Ok(if params.get("end").is_some() { TimeRange::from_ns(range.start_ns, range.end_ns.saturating_add(1)) } else { range })
}

fn list(texts: BTreeSet<String>) -> Answer {
    Answer::Labels(LabelsResponse { status: SUCCESS.to_owned(), data: texts.into_iter().collect(), version: VERSION })
}

/// `GET|POST /labels`
pub(super) async fn names(State(state): State<ApiState>, Askers(owners): Askers, form: Form, params: Params) -> Result<Response, Refusal> {
    let names = state.engine.log_label_names(&owners, params::selectors(&params, &["query"])?, range(&state, &params)?).await?;
    Ok(form.answer(list(names)))
}

/// `GET /label/{name}/values`
pub(super) async fn values(
    State(state): State<ApiState>,
    Askers(owners): Askers,
    form: Form,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    let values = state.engine.log_label_values(&owners, &name, params::selectors(&params, &["query"])?, range(&state, &params)?).await?;
    Ok(form.answer(list(values)))
}

/// `GET|POST /series`
pub(super) async fn series(State(state): State<ApiState>, Askers(owners): Askers, form: Form, params: Params) -> Result<Response, Refusal> {
    let selectors = params::selectors(&params, &["match[]", "match"])?;
    let streams = state.engine.log_streams(&owners, selectors, range(&state, &params)?).await?;
    let stream = |labels: StreamLabels| SeriesIdentifier { labels: labels.into_iter().map(|(name, value)| LabelPair { name, value }).collect() };
    let data = streams.into_iter().map(stream).collect();
    Ok(form.answer(Answer::Series(SeriesResponse { status: SUCCESS.to_owned(), data, version: VERSION })))
}

/// `GET|POST /detected_labels`: labels of streams that are good to choose by, with the number of their values. Those whose
/// values are all identifiers or numbers are left out, except the ones that name a place.
pub(super) async fn detected(State(state): State<ApiState>, Askers(owners): Askers, form: Form, params: Params) -> Result<Response, Refusal> {
    let range = range(&state, &params)?;
    let selectors = params::selectors(&params, &["query"])?;
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in state.engine.log_streams(&owners, selectors, range).await?.into_iter().flatten() {
        labels.entry(name).or_default().insert(value);
    }
    labels.retain(|name, values| PLACES.contains(&name.as_str()) || is_telling(values));
    let detected_labels = labels.into_iter().map(|(label, values)| DetectedLabel { label, cardinality: values.len() as u64 }).collect();
    Ok(form.answer(Answer::DetectedLabels(DetectedLabelsResponse { response: Some(DetectedLabels { detected_labels }) })))
}

/// Labels that name a place, whatever their values look like.
const PLACES: [&str; 4] = ["cluster", "namespace", "instance", "pod"];

fn is_telling(values: &BTreeSet<String>) -> bool {
    let is_truth = values.len() <= 2 && values.iter().all(|value| value == "0" || value == "1");
    is_truth || !values.iter().all(|value| value.parse::<f64>().is_ok() || is_uuid(value))
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let digits: usize = groups.iter().map(|group| group.len()).sum();
    let is_hex = groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_hex && digits == 32 && matches!(groups.len(), 1 | 5)
}

#[cfg(test)]
mod tests {
    #[test]
    fn identifiers_tell_nothing() {
        let is_telling = |values: &[&str]| super::is_telling(&values.iter().map(|value| (*value).to_owned()).collect());
        assert!(is_telling(&["cart", "17"]) && is_telling(&["0", "1"]) && is_telling(&["0"]));
        assert!(!is_telling(&["7", "8.5"]) && !is_telling(&["0", "1", "2"]));
        assert!(!is_telling(&["5b8efff7-9803-8103-d269-b633813fc60c", "5b8efff798038103d269b633813fc60c"]));
    }
}
