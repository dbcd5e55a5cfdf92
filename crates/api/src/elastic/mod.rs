//! Elasticsearch's search API, as far as Grafana's data source and tools that only read need it.
//!
//! Specification: <https://www.elastic.co/docs/api/doc/elasticsearch/group/endpoint-search>. The way in, and what clients ask
//! before they read (`/`, `_cluster/health`, `_license`), is `receive::elastic`; both stand at the root of a listener of their
//! own and below `/elastic` at the main address.
//!
//! | path | answers |
//! |---|---|
//! | `_search`, `{index}/_search`, `_msearch`, `{index}/_msearch` | hits and aggregations |
//! | `_search/scroll` | the next hits of a `_search?scroll=1m`; the id says it all, nothing is kept, nothing expires |
//! | `_count`, `{index}/_count` | how many fit |
//! | `{index}/_doc/{id}` | one document |
//! | `_mapping`, `{index}/_mapping`, `{index}`, `_field_caps`, `{index}/_field_caps` | fields, as the newest thousand records have them |
//! | `_cat/indices`, `_resolve/index/{name}`, `_stats`, `{index}/_stats`, `_aliases` | indices |
//!
//! **Indices.** `*`, `_all`, `logs`, `logs-*` and whatever else all names beginning with `logs-` fit hold every record, so that
//! Grafana's data source works with any of them. A record that came through `_bulk` is in the index that it was sent to; every
//! other is in `logs-` and its service (`logs-checkout`, `logs-unknown_service`). Patterns, lists and `-exceptions` work as usual.
//!
//! **Documents** have flat names, as fields are searched by them ([`signalbox_query::search::Field`] is the whole table):
//!
//! | field of `_source` | of |
//! |---|---|
//! | `@timestamp` | the time, RFC 3339 with three, six or nine digits |
//! | `message` | the body |
//! | `level`, `severity_text`, `severity_number` | the level as one word, and what it was made of |
//! | `service.name` and all others of the resource | attributes of the resource, by their names |
//! | `trace_id`, `span_id`, `flags`, `event_name`, `observed_timestamp`, `scope.name`, `scope.version` | the fields |
//! | anything else | attributes of the record, by their names; `attributes.x` if the resource has an `x`, too |
//!
//! A document that came through `_bulk` goes out as it came in, nested objects with dots in their names; it has no other
//! fields than it had. Its `_id` is the one it was given, else its time and arrival.
//!
//! **Fields** are found without a mapping: the body and attributes called `message`, `stacktrace` and the like are prose, in
//! which words are looked for; other text is compared as a whole (a `keyword`), and `.keyword` after a name means nothing.
//! `match`, `match_phrase` and `query_string` are the same in either case of letters, `term` is not.
//!
//! **Order.** Hits come newest first if nothing else is asked; `@timestamp` and `_doc` are what they can be sorted by. Nothing is
//! scored. `sort` of a hit is the time in milliseconds and a number that tells records of one millisecond apart, both to be
//! handed back as `search_after`.
//!
//! **Refused by name**: queries and aggregations not in [`query`] and [`aggregation`] (scripts other than arithmetic over buckets,
//! joins, geography, vectors, pipelines over whole histograms), sorting by other fields, `collapse`, `rescore`, `suggest`, `knn`,
//! `pit`, `slice`, `post_filter`, `min_score`, runtime fields.

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::{HeaderName, HeaderValue};

use crate::ApiState;

mod aggregation;
mod document;
mod hits;
mod index;
mod listing;
mod moving;
mod pipeline;
mod query;
mod refusal;
mod render;
mod request;
mod script;
mod scroll;
mod search;

/// The API, to be mounted below `/elastic` or at the root of a listener.
pub fn router(state: ApiState) -> Router {
    let mut router = Router::new();
    for slash in ["", "/"] {
        let mut at = |path: &str, handler: axum::routing::MethodRouter<ApiState>| {
            router = std::mem::take(&mut router).route(&format!("{path}{slash}"), handler);
        };
        at("/_search", get(search::all).post(search::all));
        at("/{index}/_search", get(search::one).post(search::one));
        at("/_msearch", get(search::many).post(search::many));
        at("/{index}/_msearch", get(search::many_of).post(search::many_of));
        at("/_search/scroll", get(scroll::next).post(scroll::next).delete(scroll::clear));
        at("/_search/scroll/{id}", get(scroll::next).post(scroll::next).delete(scroll::clear));
        at("/_count", get(search::count_all).post(search::count_all));
        at("/{index}/_count", get(search::count_one).post(search::count_one));
        at("/{index}/_doc/{id}", get(search::document));
        at("/_mapping", get(listing::mapping_all));
        at("/{index}/_mapping", get(listing::mapping_one));
        at("/{index}/_mappings", get(listing::mapping_one));
        at("/_field_caps", get(listing::field_caps_all).post(listing::field_caps_all));
        at("/{index}/_field_caps", get(listing::field_caps_one).post(listing::field_caps_one));
        at("/_cat/indices", get(listing::cat_all));
        at("/_cat/indices/{index}", get(listing::cat_one));
        at("/_resolve/index/{index}", get(listing::resolve));
        at("/_stats", get(listing::stats_all));
        at("/{index}/_stats", get(listing::stats_one));
        at("/_aliases", get(listing::aliases));
    }
    router
        .route("/{index}", get(listing::describe))
        .layer(axum::middleware::map_response(|mut response: Response| async move {
            // Without it the official clients go away.
            response.headers_mut().insert(HeaderName::from_static("x-elastic-product"), HeaderValue::from_static("Elasticsearch"));
            response
        }))
        .with_state(state)
}
