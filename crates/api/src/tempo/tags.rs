//! Names and values of attributes, for completion: all, or those of spans that hold a query.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use signalbox_lang::traceql::tree::{Attribute, FieldExpr, Intrinsic, Pipeline, Query, Root, Scope, SpansetExpr, Stage};
use signalbox_lang::traceql::{self, KIND_WORDS, STATUS_WORDS};
use signalbox_model::{Error, Owners, Result, TimeRange};
use signalbox_proto::tempo::{
    MetadataMetrics, SearchTagValuesRequest, SearchTagValuesResponse, SearchTagValuesV2Response, SearchTagsRequest, SearchTagsResponse, SearchTagsV2Response,
    SearchTagsV2Scope, TagValue,
};
use signalbox_query::traceql::{TagNamesRequest, TagValuesRequest};

use super::params::{self, Format, Refusal};
use super::partial;
use super::values::{INTRINSICS, text, type_word};
use crate::ApiState;
use crate::http::{Askers, Params};

const DAY_NS: i64 = 24 * 3_600_000_000_000;
/// Values that one listing may have.
const VALUES_MAX: usize = 10_000;
/// Scopes with names of their own, as they are listed.
const SCOPES: [Scope; 5] = [Scope::Span, Scope::Resource, Scope::Event, Scope::Link, Scope::Instrumentation];
const INTRINSIC: &str = "intrinsic";

/// `GET /api/search/tags`
pub(super) async fn names(State(state): State<ApiState>, Askers(owners): Askers, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    Ok(Format::of(&headers).answer(&list_names(&state, &owners, &params::tag_names(&params, state.engine.clock().now_ns())?).await?))
}

/// `GET /api/v2/search/tags`
pub(super) async fn names_v2(State(state): State<ApiState>, Askers(owners): Askers, headers: HeaderMap, params: Params) -> Result<Response, Refusal> {
    Ok(Format::of(&headers).answer(&list_names_v2(&state, &owners, &params::tag_names(&params, state.engine.clock().now_ns())?).await?))
}

/// `GET /api/search/tag/{name}/values`
pub(super) async fn values(
    State(state): State<ApiState>,
    Askers(owners): Askers,
    headers: HeaderMap,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    Ok(Format::of(&headers).answer(&list_values(&state, &owners, &params::tag_values(name, &params, state.engine.clock().now_ns())?).await?))
}

/// `GET /api/v2/search/tag/{name}/values`
pub(super) async fn values_v2(
    State(state): State<ApiState>,
    Askers(owners): Askers,
    headers: HeaderMap,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    Ok(Format::of(&headers).answer(&list_values_v2(&state, &owners, &params::tag_values(name, &params, state.engine.clock().now_ns())?).await?))
}

/// Names of all scopes together; those of fields only if they are asked for.
pub(super) async fn list_names(state: &ApiState, owners: &Owners, asked: &SearchTagsRequest) -> Result<SearchTagsResponse> {
    let scopes = if asked.scope == INTRINSIC { vec![intrinsics()] } else { scopes(state, owners, asked).await? };
    let names: BTreeSet<String> = scopes.into_iter().flat_map(|scope| scope.tags).collect();
    let names = names.into_iter().take(most(asked.max_tags_per_scope)).collect();
    Ok(SearchTagsResponse { tag_names: names, metrics: Some(done()) })
}

/// Names by scope, those of fields among them.
pub(super) async fn list_names_v2(state: &ApiState, owners: &Owners, asked: &SearchTagsRequest) -> Result<SearchTagsV2Response> {
    let mut listed = if asked.scope == INTRINSIC { Vec::new() } else { scopes(state, owners, asked).await? };
    if matches!(asked.scope.as_str(), "" | "none" | INTRINSIC) {
        listed.push(intrinsics());
    }
    for scope in &mut listed {
        scope.tags.truncate(most(asked.max_tags_per_scope));
    }
    Ok(SearchTagsV2Response { scopes: listed, metrics: Some(done()) })
}

/// Texts of values.
pub(super) async fn list_values(state: &ApiState, owners: &Owners, asked: &SearchTagValuesRequest) -> Result<SearchTagValuesResponse> {
    let values = match asked.tag_name.as_str() {
        // What Tempo answers for fields that its first API calls tags.
        "status.code" => STATUS_WORDS.map(str::to_owned).to_vec(),
        "error" => vec!["true".to_owned()],
        name => list(state, owners, asked, of_tag(name)?).await?.into_iter().map(|value| value.value).collect(),
    };
    Ok(SearchTagValuesResponse { tag_values: values, metrics: Some(done()) })
}

/// Values with their types.
pub(super) async fn list_values_v2(state: &ApiState, owners: &Owners, asked: &SearchTagValuesRequest) -> Result<SearchTagValuesV2Response> {
    let attribute = attribute(&asked.tag_name)?.ok_or_else(|| {
        let name = &asked.tag_name;
        Error::invalid(format!("please provide a valid tagName: cannot read {name:?}: want a field or an attribute of TraceQL such as span.{name} or .{name}"))
    })?;
    Ok(SearchTagValuesV2Response { tag_values: list(state, owners, asked, attribute).await?, metrics: Some(done()) })
}

fn done() -> MetadataMetrics {
    MetadataMetrics { total_jobs: 1, completed_jobs: 1, ..MetadataMetrics::default() }
}

fn most(limit: u32) -> usize {
    if limit == 0 { usize::MAX } else { limit as usize }
}

fn intrinsics() -> SearchTagsV2Scope {
    SearchTagsV2Scope { name: INTRINSIC.to_owned(), tags: INTRINSICS.map(str::to_owned).to_vec() }
}

/// The range that was asked for; from a day ago when none was.
fn range(state: &ApiState, start: u32, end: u32) -> Result<TimeRange> {
    let range = params::seconds(start, end)?;
    if range == TimeRange::ALL {
        return Ok(TimeRange::from_ns(state.engine.clock().now_ns().saturating_sub(DAY_NS), i64::MAX));
    }
    Ok(range)
}

/// Scopes that have attributes, with their names.
async fn scopes(state: &ApiState, owners: &Owners, asked: &SearchTagsRequest) -> Result<Vec<SearchTagsV2Scope>> {
    let range = range(state, asked.start, asked.end)?;
    let is_any = matches!(asked.scope.as_str(), "" | "none");
    let scopes: Vec<Scope> = SCOPES.into_iter().filter(|scope| is_any || scope.as_str() == asked.scope).collect();
    if scopes.is_empty() {
        return Err(Error::invalid(format!("invalid scope: {}", asked.scope)));
    }
    let request = TagNamesRequest { scopes: scopes.clone(), range, query: partial::filter(&asked.query).map(query) };
    let mut names = state.engine.traceql_tag_names(owners, request).await?;
    let listed = scopes.into_iter().map(|scope| (scope, names.remove(&scope).unwrap_or_default()));
    // Every span has a resource, few have events: what there is not is not listed.
    let listed = listed.filter(|(scope, names)| matches!(scope, Scope::Span | Scope::Resource) || !names.is_empty());
    Ok(listed.map(|(scope, names)| SearchTagsV2Scope { name: scope.as_str().to_owned(), tags: names.into_iter().collect() }).collect())
}

fn query(filter: FieldExpr) -> Query {
    Query { root: Root::Spansets(Pipeline { stages: vec![Stage::Spanset(SpansetExpr::Filter(Some(filter)))] }), hints: Vec::new() }
}

/// Values of a field or an attribute.
async fn list(state: &ApiState, owners: &Owners, asked: &SearchTagValuesRequest, attribute: Attribute) -> Result<Vec<TagValue>> {
    let range = range(state, asked.start, asked.end)?;
    let value = |kind: &str, text: &str| TagValue { r#type: kind.to_owned(), value: text.to_owned() };
    let limit = most(asked.max_tag_values).min(VALUES_MAX);
    let mut values: Vec<TagValue> = match attribute {
        Attribute::Intrinsic(Intrinsic::Status) => STATUS_WORDS.map(|word| value("keyword", word)).to_vec(),
        Attribute::Intrinsic(Intrinsic::Kind) => KIND_WORDS.map(|word| value("keyword", word)).to_vec(),
        attribute => {
            let request = TagValuesRequest { attribute, range, query: partial::filter(&asked.query).map(query), limit };
            let found = state.engine.traceql_tag_values(owners, request).await?;
            found.values.iter().map(|found| value(type_word(found), &text(found))).collect()
        }
    };
    values.truncate(limit);
    Ok(values)
}

/// What a tag means: a field or an attribute of TraceQL, else an attribute of any scope of that name.
fn of_tag(name: &str) -> Result<Attribute> {
    match name {
        "root.name" => Ok(Attribute::Intrinsic(Intrinsic::RootName)),
        "root.service.name" => Ok(Attribute::Intrinsic(Intrinsic::RootService)),
        name => Ok(attribute(name)?.unwrap_or_else(|| Attribute::Named(Scope::Any, name.to_owned()))),
    }
}

/// What a name means in TraceQL; `None` if it is neither a field nor an attribute.
fn attribute(name: &str) -> Result<Option<Attribute>> {
    if name.trim_matches('.').is_empty() {
        return Err(Error::invalid("please provide a non-empty tagName"));
    }
    let stages = match traceql::parse_query(&format!("{{}} | select({name})")).map(|query| query.root) {
        Ok(Root::Spansets(Pipeline { stages })) => stages,
        _ => Vec::new(),
    };
    // One stage of one attribute: what is more is a name that looks like TraceQL.
    Ok(match <[Stage; 2]>::try_from(stages) {
        Ok([_, Stage::Select(attributes)]) => <[Attribute; 1]>::try_from(attributes).ok().map(|[attribute]| attribute),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_are_those_of_traceql() {
        for (name, want) in [
            ("name", Attribute::Intrinsic(Intrinsic::Name)),
            ("span:status", Attribute::Intrinsic(Intrinsic::Status)),
            ("resource.service.name", Attribute::Named(Scope::Resource, "service.name".to_owned())),
            (".http.url", Attribute::Named(Scope::Any, "http.url".to_owned())),
            ("service.name", Attribute::Named(Scope::Any, "service.name".to_owned())),
            ("event.exception.type", Attribute::Named(Scope::Event, "exception.type".to_owned())),
            ("span.\"a b\"", Attribute::Named(Scope::Span, "a b".to_owned())),
            ("root.name", Attribute::Intrinsic(Intrinsic::RootName)),
            ("a b", Attribute::Named(Scope::Any, "a b".to_owned())),
            (".a, .b", Attribute::Named(Scope::Any, ".a, .b".to_owned())),
            (".a) | select(.b", Attribute::Named(Scope::Any, ".a) | select(.b".to_owned())),
        ] {
            assert_eq!(of_tag(name).unwrap(), want, "{name}");
        }
        for name in ["service.name", "a b", ".a, .b", ".a) | select(.b", "root.name", "nope:x"] {
            assert_eq!(attribute(name).unwrap(), None, "{name}");
        }
        assert!(attribute("").is_err() && attribute(".").is_err());
    }
}
