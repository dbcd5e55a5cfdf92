//! `trace-summary-v0-native`: two traces in short, and the services in which something changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use signalbox_query::traceql::Trace;
use signalbox_query::traceql::forest::{Forest, Node};

use super::patch::Changes;
use super::{Pair, Warning, has_duration};

const NANOS_PER_MILLI: i64 = 1_000_000;
/// A service whose spans together take longer or shorter by a millisecond and a twentieth has changed, even if each of its
/// spans is within what is taken for equal.
const DRIFT_NS: i64 = NANOS_PER_MILLI;
const DRIFT_PART: i64 = 20;
const ERROR: i32 = 2;

/// Two traces in short.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    version: &'static str,
    base: Short,
    compare: Short,
    signals: Signals,
    trust: Trust,
    stats: Stats,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
    changed_services: Vec<String>,
    services: Vec<Service>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Short {
    trace_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    root_service: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    root_name: String,
    span_count: usize,
    error_span_count: usize,
    duration_ms: i64,
    sum_span_duration_ms: i64,
    #[serde(skip)]
    duration_ns: i64,
    #[serde(skip)]
    sum_ns: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Signals {
    trace_latency: &'static str,
    sum_span_duration: &'static str,
    errors: &'static str,
    span_count: &'static str,
    structure: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Trust {
    matched_span_ratio: f64,
    structure_overlap: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    trace_latency_delta_ms: i64,
    sum_span_duration_delta_ms: i64,
    span_count_delta: i64,
    error_span_delta: i64,
    matched_spans: usize,
    modified_spans: usize,
    added_spans: usize,
    removed_spans: usize,
    field_changes: usize,
    attribute_changes: usize,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    name: String,
    sum_span_duration_delta_ms: i64,
    modified: usize,
    added: usize,
    removed: usize,
    new_errors: usize,
    resolved_errors: usize,
}

impl Summary {
    pub(super) fn of(pair: &Pair<'_>, base: &Trace, compare: &Trace, changes: &Changes) -> Self {
        let (left, right) = (short(base, &pair.base), short(compare, &pair.compare));
        let moved = moved_services(pair);
        let stats = Stats {
            trace_latency_delta_ms: (right.duration_ns - left.duration_ns) / NANOS_PER_MILLI,
            sum_span_duration_delta_ms: (right.sum_ns - left.sum_ns) / NANOS_PER_MILLI,
            span_count_delta: right.span_count as i64 - left.span_count as i64,
            error_span_delta: right.error_span_count as i64 - left.error_span_count as i64,
            matched_spans: pair.matching.pairs.len(),
            modified_spans: changes.modified.len(),
            added_spans: pair.matching.added.len(),
            removed_spans: pair.matching.removed.len(),
            field_changes: changes.fields,
            attribute_changes: changes.attributes,
        };
        let is_same = stats.added_spans == 0 && stats.removed_spans == 0 && moved.is_empty();
        let signals = Signals {
            trace_latency: direction(stats.trace_latency_delta_ms),
            sum_span_duration: direction(stats.sum_span_duration_delta_ms),
            errors: direction(stats.error_span_delta),
            span_count: direction(stats.span_count_delta),
            structure: if is_same { "unchanged" } else { "changed" },
        };
        let matched = stats.matched_spans as f64;
        let (less, more) = (left.span_count.min(right.span_count), left.span_count.max(right.span_count));
        // There are no traces without spans.
        let trust = Trust { matched_span_ratio: matched / more.max(1) as f64, structure_overlap: matched / less.max(1) as f64 };
        let services = services(pair, changes);
        let changed: BTreeSet<String> = services.iter().map(|service| service.name.clone()).chain(moved).collect();
        Self {
            version: "trace-summary-v0-native",
            base: left,
            compare: right,
            signals,
            trust,
            stats,
            warnings: pair.warnings.clone(),
            changed_services: changed.into_iter().collect(),
            services,
        }
    }
}

fn direction(delta: i64) -> &'static str {
    match delta {
        0 => "unchanged",
        1.. => "increased",
        _ => "decreased",
    }
}

fn short(trace: &Trace, forest: &Forest<'_>) -> Short {
    let timed = || forest.nodes.iter().filter(|node| has_duration(node.span)).map(|node| node.span);
    let (start_ns, end_ns) = (timed().map(|span| span.start_ns).min().unwrap_or(0), timed().map(|span| span.end_ns()).max().unwrap_or(0));
    let sum_ns: i64 = timed().map(|span| span.duration_ns).fold(0, i64::saturating_add);
    let root = forest.root().map(|root| forest.nodes[root].span);
    Short {
        trace_id: trace.trace_id.to_string(),
        root_service: root.map(|root| root.service.clone()).unwrap_or_default(),
        root_name: root.map(|root| root.name.clone()).unwrap_or_default(),
        span_count: trace.spans.len(),
        error_span_count: forest.nodes.iter().filter(|node| node.is_error()).count(),
        duration_ms: (end_ns - start_ns) / NANOS_PER_MILLI,
        sum_span_duration_ms: sum_ns / NANOS_PER_MILLI,
        duration_ns: end_ns - start_ns,
        sum_ns,
    }
}

fn name(node: &Node<'_>) -> String {
    if node.span.service.is_empty() { "<unknown>".to_owned() } else { node.span.service.clone() }
}

/// Services with a span whose parent does other work than before, has come or is gone.
fn moved_services(pair: &Pair<'_>) -> BTreeSet<String> {
    let moved = pair.matching.pairs.iter().filter(|both| both.is_moved).map(|both| &pair.compare.nodes[both.compare]);
    let added = pair.matching.added.iter().map(|at| &pair.compare.nodes[*at]);
    let removed = pair.matching.removed.iter().map(|at| &pair.base.nodes[*at]);
    moved.chain(added).chain(removed).map(name).collect()
}

/// Services with changes, the greatest difference of time first.
fn services(pair: &Pair<'_>, changes: &Changes) -> Vec<Service> {
    let mut services: BTreeMap<String, Service> = BTreeMap::new();
    let of_base: HashMap<usize, usize> = pair.matching.pairs.iter().map(|both| (both.compare, both.base)).collect();
    for at in changes.modified.keys() {
        let compare = &pair.compare.nodes[*at];
        let service = services.entry(name(compare)).or_default();
        service.modified += 1;
        let before = of_base.get(at).is_some_and(|base| pair.base.nodes[*base].span.status_code == ERROR);
        let after = compare.span.status_code == ERROR;
        service.new_errors += usize::from(after && !before);
        service.resolved_errors += usize::from(before && !after);
    }
    for node in pair.matching.added.iter().map(|at| &pair.compare.nodes[*at]) {
        let service = services.entry(name(node)).or_default();
        service.added += 1;
        service.new_errors += usize::from(node.is_error());
    }
    for node in pair.matching.removed.iter().map(|at| &pair.base.nodes[*at]) {
        let service = services.entry(name(node)).or_default();
        service.removed += 1;
        service.resolved_errors += usize::from(node.is_error());
    }
    let mut sums: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for node in &pair.base.nodes {
        sums.entry(name(node)).or_default().0 += node.duration_ns();
    }
    for node in &pair.compare.nodes {
        sums.entry(name(node)).or_default().1 += node.duration_ns();
    }
    for (name, (before_ns, after_ns)) in sums {
        let delta_ns = after_ns - before_ns;
        let has_drifted = delta_ns.abs() >= DRIFT_NS.max(before_ns / DRIFT_PART);
        if has_drifted || services.contains_key(&name) {
            services.entry(name).or_default().sum_span_duration_delta_ms = delta_ns / NANOS_PER_MILLI;
        }
    }
    let mut services: Vec<Service> = services.into_iter().map(|(name, service)| Service { name, ..service }).collect();
    // Stable: equal ones stay sorted by name.
    services.sort_by_key(|service| std::cmp::Reverse((service.sum_span_duration_delta_ms.abs(), service.new_errors)));
    services
}
