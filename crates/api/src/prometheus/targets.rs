//! `GET /targets`, `/targets/metadata`, `/targets/relabel_steps`, `/scrape_pools`, `/scrape_pools/config`: what is scraped, and how it went.
//!
//! Who scrapes is not known here: `app` gives a [`TargetSource`].

use std::fmt;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use signalbox_lang::promql::parse_matchers;
use signalbox_lang::text::quote;
use signalbox_model::{Labels, MetricMetadata};

use super::refusal::Refusal;
use super::render;
use crate::ApiState;
use crate::http::Params;

/// How Go writes the moment that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Whoever scrapes targets.
pub trait TargetSource: Send + Sync + fmt::Debug {
    /// The jobs and their targets, jobs by name.
    fn pools(&self) -> Vec<TargetPool>;

    /// What each target that is scraped said of a family, or of all; one entry a target.
    fn metadata(&self, family: Option<&str>) -> Vec<(Labels, Vec<MetricMetadata>)>;

    /// What the relabelling of a job makes of labels, rule by rule; `None` when there is no such job.
    fn relabel_steps(&self, pool: &str, labels: &Labels) -> Option<Vec<RelabelStep>>;

    /// The configuration of a job as YAML without secrets; `None` when there is no such job.
    fn pool_yaml(&self, pool: &str) -> Option<String>;

    /// The configuration in force as YAML without secrets, if there is one.
    fn config_yaml(&self) -> Option<String>;
}

/// A server that scrapes nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoTargets;

impl TargetSource for NoTargets {
    fn pools(&self) -> Vec<TargetPool> {
        Vec::new()
    }

    fn metadata(&self, _family: Option<&str>) -> Vec<(Labels, Vec<MetricMetadata>)> {
        Vec::new()
    }

    fn relabel_steps(&self, _pool: &str, _labels: &Labels) -> Option<Vec<RelabelStep>> {
        None
    }

    fn pool_yaml(&self, _pool: &str) -> Option<String> {
        None
    }

    fn config_yaml(&self) -> Option<String> {
        None
    }
}

/// One job.
#[derive(Debug, Clone)]
pub struct TargetPool {
    /// Its name.
    pub name: String,
    /// Targets that are scraped.
    pub active: Vec<ActiveTarget>,
    /// Targets that relabelling dropped, as they were found; perhaps not all.
    pub dropped: Vec<Labels>,
    /// How many were dropped.
    pub dropped_count: usize,
}

/// A target that is scraped.
#[derive(Debug, Clone)]
pub struct ActiveTarget {
    /// Labels before relabelling.
    pub discovered: Labels,
    /// Labels of its series.
    pub labels: Labels,
    /// Where its page is.
    pub url: String,
    /// The same for somebody on another machine.
    pub global_url: String,
    /// Whether the last scrape succeeded, `None` before the first one.
    pub is_up: Option<bool>,
    /// Why it did not, else empty.
    pub last_error: String,
    /// When it began, in milliseconds since the Unix epoch.
    pub last_scrape_ms: Option<i64>,
    /// How long it took.
    pub last_duration: Duration,
    /// Time between two scrapes, as Prometheus writes it.
    pub interval: String,
    /// How long a scrape may take.
    pub timeout: String,
}

/// One rule and what it made of labels.
#[derive(Debug, Clone)]
pub struct RelabelStep {
    /// The rule, as in a configuration.
    pub rule: Value,
    /// The labels after it; empty when they are dropped.
    pub output: Labels,
    /// Whether they are kept.
    pub is_kept: bool,
}

/// `GET /scrape_pools`
pub(super) async fn pools(State(state): State<ApiState>) -> Response {
    let names: Vec<String> = state.targets.pools().into_iter().map(|pool| pool.name).collect();
    render::success(&json!({ "scrapePools": names }).to_string())
}

/// `GET /scrape_pools/config?scrapePool=`
pub(super) async fn pool_config(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let pool = wanted(&params, "scrapePool")?;
    let yaml = state.targets.pool_yaml(pool).ok_or_else(|| no_pool(pool))?;
    Ok(render::success(&json!({ "yaml": yaml }).to_string()))
}

/// A parameter that must not be left out or empty.
fn wanted<'a>(params: &'a Params, name: &str) -> Result<&'a str, Refusal> {
    params.get(name).filter(|value| !value.is_empty()).ok_or_else(|| Refusal::bad_data(format!("no {name} parameter provided")))
}

fn no_pool(pool: &str) -> Refusal {
    Refusal::bad_data(format!("error retrieving scrape config: scrape pool {} not found", quote(pool)))
}

/// `GET /targets?state=&scrapePool=`
pub(super) async fn targets(State(state): State<ApiState>, params: Params) -> Response {
    let wanted = params.get("state").filter(|state| !state.is_empty()).unwrap_or("any").to_lowercase();
    let is_shown = |what: &str| wanted == "any" || wanted == what;
    let pools = state.targets.pools();
    let of_pool = || pools.iter().filter(|pool| params.get("scrapePool").is_none_or(|name| name.is_empty() || name == pool.name));
    let active: Vec<Value> =
        if is_shown("active") { of_pool().flat_map(|pool| pool.active.iter().map(|target| active(&pool.name, target))).collect() } else { Vec::new() };
    let dropped = |name: &str, labels: &Labels| json!({ "discoveredLabels": object(labels), "scrapePool": name });
    let all_dropped: Vec<Value> =
        if is_shown("dropped") { of_pool().flat_map(|pool| pool.dropped.iter().map(|labels| dropped(&pool.name, labels))).collect() } else { Vec::new() };
    let counts = is_shown("dropped").then(|| pools.iter().map(|pool| (pool.name.clone(), json!(pool.dropped_count))).collect::<Map<_, _>>());
    render::success(&json!({ "activeTargets": active, "droppedTargets": all_dropped, "droppedTargetCounts": counts }).to_string())
}

fn active(pool: &str, target: &ActiveTarget) -> Value {
    let last_scrape = target.last_scrape_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    json!({
        "discoveredLabels": object(&target.discovered),
        "labels": object(&target.labels),
        "scrapePool": pool,
        "scrapeUrl": target.url,
        "globalUrl": target.global_url,
        "lastError": target.last_error,
        "lastScrape": last_scrape.map_or_else(|| NEVER.to_owned(), |time| time.to_string()),
        "lastScrapeDuration": target.last_duration.as_secs_f64(),
        "health": match target.is_up {
            None => "unknown",
            Some(true) => "up",
            Some(false) => "down",
        },
        "scrapeInterval": target.interval,
        "scrapeTimeout": target.timeout,
    })
}

/// `GET /targets/metadata?match_target=&metric=&limit=`
pub(super) async fn metadata(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let limit = match params.get("limit").map(str::parse::<i64>) {
        None => None,
        Some(Ok(limit)) => usize::try_from(limit).ok(),
        Some(Err(_)) => return Err(Refusal::bad_data("limit must be a number")),
    };
    let matchers = match params.get("match_target") {
        None => Vec::new(),
        Some(text) => parse_matchers(text).map_err(|error| Refusal::parameter("match_target", error.message()))?,
    };
    let family = params.get("metric");
    let mut entries: Vec<Value> = Vec::new();
    for (target, families) in state.targets.metadata(family) {
        // As in Prometheus, a target is shown whole or not at all.
        if limit.is_some_and(|limit| entries.len() >= limit) {
            break;
        }
        if matchers.iter().any(|matcher| !matcher.matches(target.get(&matcher.name).unwrap_or(""))) {
            continue;
        }
        for metadata in families {
            let mut entry = Map::new();
            entry.insert("target".to_owned(), object(&target));
            if family.is_none() {
                entry.insert("metric".to_owned(), json!(metadata.name));
            }
            entry.insert("type".to_owned(), json!(metadata.kind.as_str()));
            entry.insert("help".to_owned(), json!(metadata.help));
            entry.insert("unit".to_owned(), json!(metadata.unit));
            entries.push(Value::Object(entry));
        }
    }
    Ok(render::success(&json!(entries).to_string()))
}

/// `GET /targets/relabel_steps?scrapePool=&labels=`
pub(super) async fn relabel_steps(State(state): State<ApiState>, params: Params) -> Result<Response, Refusal> {
    let pool = wanted(&params, "scrapePool")?;
    let labels = wanted(&params, "labels")?;
    let labels: std::collections::BTreeMap<String, String> =
        serde_json::from_str(labels).map_err(|error| Refusal::bad_data(format!("error parsing labels: {error}")))?;
    let steps = state.targets.relabel_steps(pool, &Labels::from_pairs(&labels));
    let steps = steps.ok_or_else(|| no_pool(pool))?;
    let step = |step: RelabelStep| json!({ "rule": step.rule, "output": object(&step.output), "keep": step.is_kept });
    Ok(render::success(&json!({ "steps": steps.into_iter().map(step).collect::<Vec<_>>() }).to_string()))
}

fn object(labels: &Labels) -> Value {
    Value::Object(labels.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect())
}
