//! `GET /features`: what works here, by the names that Prometheus gives it.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use signalbox_lang::promql::functions::Function;

use super::render;
use crate::ApiState;

/// Category, names that work, names that do not. What a setting decides is not in the table.
type Category = (&'static str, &'static [&'static str], &'static [&'static str]);

const CATEGORIES: &[Category] = &[
    (
        "api",
        &[
            "exclude_alerts",
            "label_values_match",
            "openapi_3.1",
            "otlp_write_receiver",
            "query_stats",
            "query_warnings",
            "remote_write_receiver",
            "search",
            "search_fuzz_alg_jarowinkler",
            "search_fuzz_alg_subsequence",
            "time_range_labels",
            "time_range_series",
        ],
        &["lifecycle", "openapi_3.2"],
    ),
    ("otlp_receiver", &["delta_conversion"], &["native_delta_ingestion"]),
    ("prometheus", &["server_mode"], &["agent_mode", "auto_reload_config", "stringlabels"]),
    (
        "promql",
        &[
            "anchored",
            "at_modifier",
            "bool",
            "by",
            "delayed_name_removal",
            "duration_expr",
            "fill",
            "fill_left",
            "fill_right",
            "group_left",
            "group_right",
            "ignoring",
            "negative_offset",
            "offset",
            "on",
            "per_query_lookback_delta",
            "per_step_stats",
            "smoothed",
            "subqueries",
            "without",
        ],
        &["type_and_unit_labels"],
    ),
    (
        "promql_operators",
        &[
            "!=",
            "!~",
            "%",
            "*",
            "+",
            "-",
            "/",
            "<",
            "</",
            "<=",
            "==",
            "=~",
            ">",
            ">/",
            ">=",
            "@",
            "^",
            "and",
            "atan2",
            "avg",
            "bottomk",
            "count",
            "count_values",
            "group",
            "limit_ratio",
            "limitk",
            "max",
            "min",
            "or",
            "quantile",
            "stddev",
            "stdvar",
            "sum",
            "topk",
            "unless",
        ],
        &[],
    ),
    ("rules", &["keep_firing_for", "query_offset"], &["concurrent_rule_eval"]),
    ("scrape", &["extra_scrape_metrics"], &["start_timestamp_zero_ingestion", "type_and_unit_labels"]),
    (
        "service_discovery_providers",
        &["dns", "file", "http", "kubernetes", "static"],
        &[
            "aws",
            "azure",
            "consul",
            "digitalocean",
            "docker",
            "dockerswarm",
            "ec2",
            "ecs",
            "elasticache",
            "eureka",
            "gce",
            "hetzner",
            "ionos",
            "kuma",
            "lightsail",
            "linode",
            "marathon",
            "msk",
            "nerve",
            "nomad",
            "oci",
            "openstack",
            "outscale",
            "ovhcloud",
            "puppetdb",
            "rds",
            "scaleway",
            "serverset",
            "stackit",
            "triton",
            "uyuni",
            "vultr",
        ],
    ),
    (
        "templating_functions",
        &[
            "args",
            "externalURL",
            "first",
            "graphLink",
            "humanize",
            "humanize1024",
            "humanizeDuration",
            "humanizePercentage",
            "humanizeTimestamp",
            "label",
            "match",
            "parseDuration",
            "pathPrefix",
            "query",
            "reReplaceAll",
            "safeHtml",
            "sortByLabel",
            "stripDomain",
            "stripPort",
            "strvalue",
            "tableLink",
            "title",
            "toDuration",
            "toLower",
            "toTime",
            "toUpper",
            "urlQueryEscape",
            "value",
            "now",
        ],
        &[],
    ),
    (
        "tsdb",
        &["exemplar_storage", "isolation", "native_histograms", "st_storage"],
        &["delayed_compaction", "histograms_st_encoding", "use_uncached_io", "xor2_encoding"],
    ),
    ("ui", &[], &["ui_v2", "ui_v3"]),
];

/// `GET /features`
pub(super) async fn features(State(state): State<ApiState>) -> Response {
    let mut all: Map<String, Value> = CATEGORIES.iter().map(|(name, works, lacks)| ((*name).to_owned(), category(works, lacks))).collect();
    if let Some(api) = all.get_mut("api").and_then(Value::as_object_mut) {
        api.insert("admin".into(), json!(state.prometheus.settings.admin_api));
    }
    let functions = Function::ALL.iter().map(|function| (function.as_str().to_owned(), json!(true))).collect();
    all.insert("promql_functions".into(), Value::Object(functions));
    all.sort_keys();
    render::success(&Value::Object(all).to_string())
}

fn category(works: &[&str], lacks: &[&str]) -> Value {
    let (works, lacks) = (works.iter().map(|name| (*name, true)), lacks.iter().map(|name| (*name, false)));
    let mut entries: Vec<(&str, bool)> = works.chain(lacks).collect();
    entries.sort_unstable();
    Value::Object(entries.into_iter().map(|(name, works)| (name.to_owned(), json!(works))).collect())
}
