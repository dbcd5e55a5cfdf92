//! What clients ask before they send: who is there, is it well, take these templates.
//!
//! | who | asks |
//! |---|---|
//! | all | `GET`, `HEAD` `/` |
//! | Beats | `/_license`, `/_xpack`, `/_ilm/policy/…`, `/_index_template/…`, `/_data_stream/…`, `/_ingest/pipeline/…`, `/_alias/…` |
//! | Logstash | the same, `/_template/…`, `/_component_template/…`, `/_nodes/…` |
//! | Vector, Fluent Bit, Grafana | `/_cluster/health` |
//! | clients in tests | `PUT`, `HEAD` `/{index}`, `/_refresh`, `/_flush`, `/_cluster/settings` |
//!
//! Templates, policies and pipelines are taken and have no effect: there are no mappings to make. Asked for one, the server
//! says that it has none of that name, so that clients send theirs and go on.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, Response, StatusCode};
use axum::routing::{get, head, post};
use serde_json::{Value, json};
use signalbox_model::Tenant;

use super::{Door, reply};

/// Things that are taken and forgotten: what the answer lists when it is asked for all of them.
const FORGOTTEN: [(&str, &str); 6] = [
    ("/_ilm/policy", ""),
    ("/_index_template", "index_templates"),
    ("/_component_template", "component_templates"),
    ("/_template", ""),
    ("/_ingest/pipeline", ""),
    ("/_data_stream", "data_streams"),
];

/// The routes.
pub(super) fn routes() -> Router<Arc<Door>> {
    let mut router = Router::new().route("/", get(root)).route("/{index}", head(exists).put(make));
    for slash in ["", "/"] {
        let at = |path: &str| format!("{path}{slash}");
        for (path, list) in FORGOTTEN {
            let all = move || async move { reply::json(StatusCode::OK, &none(list)) };
            router = router.route(&at(path), get(all)).route(&at(&format!("{path}/{{name}}")), get(missing).put(acknowledge).post(acknowledge).delete(missing));
        }
        router = router
            .route(&at("/_license"), get(license))
            .route(&at("/_xpack"), get(xpack))
            .route(&at("/_cluster/health"), get(health))
            .route(&at("/_cluster/health/{index}"), get(health))
            .route(&at("/_cluster/settings"), get(settings).put(settings))
            .route(&at("/_nodes"), get(nodes))
            .route(&at("/_nodes/{what}"), get(nodes))
            .route(&at("/_nodes/{which}/{what}"), get(nodes))
            .route(&at("/_alias/{name}"), get(missing))
            .route(&at("/_logstash/pipeline"), get(empty))
            .route(&at("/logstash"), get(empty));
        for path in ["/_refresh", "/_flush", "/{index}/_refresh", "/{index}/_flush"] {
            router = router.route(&at(path), post(visible).get(visible));
        }
    }
    router
}

fn none(list: &str) -> Value {
    if list.is_empty() { json!({}) } else { json!({ list: [] }) }
}

async fn root(State(door): State<Arc<Door>>) -> Response<Body> {
    let body = json!({
        "name": "signalbox",
        "cluster_name": "signalbox",
        "cluster_uuid": "c2lnbmFsYm94LWxvZ3MtMQ",
        "version": {
            "number": door.settings.version,
            "build_flavor": "default",
            "build_type": "tar",
            "build_hash": "0000000000000000000000000000000000000000",
            "build_date": "2025-01-01T00:00:00.000000000Z",
            "build_snapshot": false,
            "lucene_version": "9.12.0",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    });
    reply::json(StatusCode::OK, &body)
}

async fn license() -> Response<Body> {
    let license = json!({
        "status": "active", "uid": "00000000-0000-0000-0000-000000000000", "type": "basic", "mode": "basic",
        "issue_date": "2025-01-01T00:00:00.000Z", "issue_date_in_millis": 1_735_689_600_000_i64,
        "max_nodes": 1000, "issued_to": "signalbox", "issuer": "signalbox", "start_date_in_millis": -1,
    });
    reply::json(StatusCode::OK, &json!({ "license": license }))
}

async fn xpack() -> Response<Body> {
    let off = json!({"available": false, "enabled": false});
    let features = json!({"ilm": off, "security": off, "monitoring": off, "ml": off, "watcher": off});
    let license = json!({"uid": "00000000-0000-0000-0000-000000000000", "type": "basic", "mode": "basic", "status": "active"});
    reply::json(StatusCode::OK, &json!({"build": {"hash": "0", "date": "2025-01-01T00:00:00.000Z"}, "license": license, "features": features, "tagline": ""}))
}

async fn health() -> Response<Body> {
    let body = json!({
        "cluster_name": "signalbox", "status": "green", "timed_out": false, "number_of_nodes": 1, "number_of_data_nodes": 1,
        "active_primary_shards": 1, "active_shards": 1, "relocating_shards": 0, "initializing_shards": 0, "unassigned_shards": 0,
        "delayed_unassigned_shards": 0, "number_of_pending_tasks": 0, "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": 0, "active_shards_percent_as_number": 100.0,
    });
    reply::json(StatusCode::OK, &body)
}

async fn settings() -> Response<Body> {
    reply::json(StatusCode::OK, &json!({"acknowledged": true, "persistent": {}, "transient": {}}))
}

/// No node has an address: clients that look for others stay with the one they know.
async fn nodes() -> Response<Body> {
    let count = json!({"total": 1, "successful": 1, "failed": 0});
    reply::json(StatusCode::OK, &json!({"_nodes": count, "cluster_name": "signalbox", "nodes": {}}))
}

async fn empty() -> Response<Body> {
    reply::json(StatusCode::OK, &json!({}))
}

async fn missing() -> Response<Body> {
    reply::error(StatusCode::NOT_FOUND, "resource_not_found_exception", "there is none of that name")
}

async fn acknowledge() -> Response<Body> {
    reply::json(StatusCode::OK, &json!({"acknowledged": true}))
}

/// What was acknowledged is visible already.
async fn visible() -> Response<Body> {
    reply::json(StatusCode::OK, &json!({"_shards": {"total": 1, "successful": 1, "failed": 0}}))
}

fn tenant(request: &Request<Body>) -> Tenant {
    request.extensions().get::<Tenant>().cloned().unwrap_or_default()
}

async fn make(State(door): State<Arc<Door>>, Path(index): Path<String>, request: Request<Body>) -> Response<Body> {
    let tenant = tenant(&request);
    if door.is_made(&tenant, &index) {
        return reply::error(StatusCode::BAD_REQUEST, "resource_already_exists_exception", &format!("index [{index}] already exists"));
    }
    door.make(&tenant, &index);
    reply::json(StatusCode::OK, &json!({"acknowledged": true, "shards_acknowledged": true, "index": index}))
}

async fn exists(State(door): State<Arc<Door>>, Path(index): Path<String>, request: Request<Body>) -> StatusCode {
    if door.is_made(&tenant(&request), &index) { StatusCode::OK } else { StatusCode::NOT_FOUND }
}
