//! The three questions.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::json;
use signalbox_model::{Error, Result, Tenant, TimeRange};
use signalbox_query::search::aggregate::{Aggregation, Answer, Bucket, DateHistogram, DateRounding, Direction, Interval, Key, Kind, OrderBy, Terms};
use signalbox_query::search::{FacetRequest, Field, SearchAnswer, SearchRequest};

use super::params::Asked;
use super::render::{self, Shape};
use crate::ApiState;
use crate::http::Asker;
use crate::native::sql::refuse;

/// About how many buckets a histogram has that names no interval.
const BUCKETS: i64 = 60;
/// Values of `by` that are counted one by one, unless said otherwise, and at most.
const BY_VALUES: (u64, u64) = (10, 100);
/// Records in a piece of an answer.
const CHUNK_RECORDS: usize = 500;
/// Lengths of buckets that people expect, in milliseconds.
const NICE_MS: [i64; 22] = [
    1,
    10,
    100,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    15_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
    900_000,
    1_800_000,
    3_600_000,
    10_800_000,
    21_600_000,
    43_200_000,
    86_400_000,
    604_800_000,
];

/// `/api/v1/logs/search`
pub(in crate::native) async fn records(State(state): State<ApiState>, Asker(tenant): Asker, headers: HeaderMap, asked: Asked) -> Response {
    match find(&state, &tenant, &asked).await {
        Ok((answer, rest, shape)) => {
            let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
            respond(answer, rest, shape, accept.contains("application/x-ndjson"))
        }
        Err(error) => refuse(&error),
    }
}

async fn find(state: &ApiState, tenant: &Tenant, asked: &Asked) -> Result<(SearchAnswer, serde_json::Value, Shape)> {
    let clock = state.engine.clock();
    let (began, now_ns) = (clock.monotonic(), clock.now_ns());
    let limit = asked.limit(state.engine.settings().results_max)?;
    let counts = asked.get("total").is_some_and(|text| text == "true" || text == "1");
    let request = SearchRequest {
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        direction: asked.direction()?,
        after: asked.cursor()?,
        count_to: counts.then_some(u64::MAX),
        ..asked.request(now_ns)?
    };
    let shape = Shape::new(asked.fields()?);
    let answer = state.engine.search(tenant, request, asked.get("query").unwrap_or("")).await?;
    let mut rest = serde_json::Map::new();
    if let Some(last) = answer.records.last().filter(|_| answer.records.len() as u64 == limit) {
        rest.insert("cursor".to_owned(), json!(format!("{:x}-{:x}", last.timestamp_ns, last.sequence)));
    }
    if let Some(total) = answer.total {
        rest.insert("total".to_owned(), json!(total));
    }
    let seconds = clock.monotonic().saturating_sub(began).as_secs_f64();
    rest.insert("stats".to_owned(), json!({ "rows_read": answer.rows_read, "bytes_read": answer.bytes_read, "seconds": seconds }));
    Ok((answer, serde_json::Value::Object(rest), shape))
}

/// Writes the answer piece by piece, so that its JSON is never held as a whole.
fn respond(answer: SearchAnswer, rest: serde_json::Value, shape: Shape, is_lines: bool) -> Response {
    let mut records = answer.records.into_iter().peekable();
    let (mut is_first, mut is_over) = (true, false);
    let chunks = std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let mut chunk = String::from(if is_first && !is_lines { "{\"records\":[" } else { "" });
        for record in records.by_ref().take(CHUNK_RECORDS) {
            if !is_lines && !is_first {
                chunk.push(',');
            }
            is_first = false;
            render::record(&mut chunk, &record, &shape);
            if is_lines {
                chunk.push('\n');
            }
        }
        if records.peek().is_none() {
            is_over = true;
            let rest = rest.to_string();
            match is_lines {
                true => chunk.push_str(&format!("{rest}\n")),
                false => chunk.push_str(&format!("],{}", rest.strip_prefix('{').unwrap_or("}"))),
            }
        }
        Some(Ok::<_, std::convert::Infallible>(Bytes::from(chunk)))
    });
    let content_type = if is_lines { "application/x-ndjson" } else { "application/json" };
    ([(CONTENT_TYPE, content_type)], Body::from_stream(futures::stream::iter(chunks))).into_response()
}

/// `/api/v1/logs/histogram`
pub(in crate::native) async fn histogram(State(state): State<ApiState>, Asker(tenant): Asker, asked: Asked) -> Response {
    match count(&state, &tenant, &asked).await {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(error) => refuse(&error),
    }
}

async fn count(state: &ApiState, tenant: &Tenant, asked: &Asked) -> Result<serde_json::Value> {
    let request = asked.request(state.engine.clock().now_ns())?;
    let interval_ms = match asked.get("interval") {
        Some(text) => interval_ms(text)?,
        None => nice_ms(request.range),
    };
    let rounding =
        DateRounding { interval: Interval::Fixed(interval_ms.saturating_mul(1_000_000)), zone: signalbox_query::search::times::zone("UTC")?, offset_ns: 0 };
    let by_values = usize::try_from(asked.number("values", BY_VALUES.0, BY_VALUES.1)?).unwrap_or(usize::MAX);
    let by = asked.get("by").map(|name| {
        let terms = Terms {
            field: Field::named(name),
            size: by_values,
            order: vec![(OrderBy::Count, Direction::Descending)],
            count_min: 1,
            missing: None,
            include: Vec::new(),
            exclude: Vec::new(),
        };
        ("by".to_owned(), Aggregation { kind: Kind::Terms(terms), children: Vec::new() })
    });
    let bounds = (request.range.start_ns > i64::MIN && request.range.end_ns < i64::MAX).then_some(request.range);
    let dates = DateHistogram { field: Field::Timestamp, rounding, count_min: 0, bounds, missing_ns: None, is_descending: false };
    let aggregations = vec![("time".to_owned(), Aggregation { kind: Kind::DateHistogram(dates), children: by.into_iter().collect() })];
    let request = SearchRequest { aggregations, count_to: Some(u64::MAX), ..request };
    let answer = state.engine.search(tenant, request, asked.get("query").unwrap_or("")).await?;
    let Some((_, Answer::Buckets(buckets))) = answer.aggregations.first() else { return Err(Error::internal("cannot answer: no buckets of time")) };
    let buckets: Vec<_> = buckets.buckets.iter().map(|bucket| time_bucket(bucket, asked.get("by").is_some())).collect();
    Ok(json!({ "interval_ms": interval_ms, "total": answer.total, "buckets": buckets }))
}

fn time_bucket(bucket: &Bucket, is_split: bool) -> serde_json::Value {
    let start_ms = if let Key::Time(time_ns) = bucket.key { time_ns.div_euclid(1_000_000) } else { 0 };
    if !is_split {
        return json!({ "start_ms": start_ms, "count": bucket.count });
    }
    let mut values = serde_json::Map::new();
    for (_, child) in &bucket.children {
        let Answer::Buckets(terms) = child else { continue };
        for term in &terms.buckets {
            if let Key::Term(text, _) = &term.key {
                values.insert(text.clone(), json!(term.count));
            }
        }
    }
    json!({ "start_ms": start_ms, "count": bucket.count, "values": values })
}

fn interval_ms(text: &str) -> Result<i64> {
    let interval = signalbox_lang::duration::parse_ms(text).ok().filter(|interval| *interval > 0);
    interval.ok_or_else(|| Error::invalid(format!("cannot use interval {text:?}: want a duration such as 30s")))
}

fn nice_ms(range: TimeRange) -> i64 {
    let wanted = range.end_ms().saturating_sub(range.start_ms()) / BUCKETS;
    NICE_MS.into_iter().find(|nice| *nice >= wanted).unwrap_or_else(|| {
        let week = NICE_MS[NICE_MS.len() - 1];
        (wanted / week).saturating_add(1).saturating_mul(week)
    })
}

/// `/api/v1/logs/facets`
pub(in crate::native) async fn facets(State(state): State<ApiState>, Asker(tenant): Asker, asked: Asked) -> Response {
    match values(&state, &tenant, &asked).await {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(error) => refuse(&error),
    }
}

async fn values(state: &ApiState, tenant: &Tenant, asked: &Asked) -> Result<serde_json::Value> {
    let named = asked.fields()?;
    let fields = if named.is_empty() && asked.get("fields").is_none() { vec!["service".to_owned(), "level".to_owned()] } else { named };
    let number = |name, default, max| asked.number(name, default, max).map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    let facets = FacetRequest { fields, more: number("more", 10, 100)?, values: number("values", 10, 1_000)? };
    let request = SearchRequest { facets: Some(facets), count_to: Some(u64::MAX), ..asked.request(state.engine.clock().now_ns())? };
    let answer = state.engine.search(tenant, request, asked.get("query").unwrap_or("")).await?;
    let facets = answer.facets.iter().map(|facet| {
        let values: Vec<_> = facet.values.iter().map(|(text, letter, count)| json!({ "value": render::typed(text, *letter), "count": count })).collect();
        json!({ "field": facet.field, "count": facet.count, "distinct": facet.distinct, "is_cut": facet.is_cut, "values": values })
    });
    Ok(json!({ "total": answer.total, "facets": facets.collect::<Vec<_>>() }))
}
