//! `trace-patch-v0`: every span that is another, is new or is gone.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use signalbox_lang::traceql::{KIND_WORDS, STATUS_WORDS};
use signalbox_model::attributes::{AttributeValue, write_json};
use signalbox_model::{Error, Result};
use signalbox_query::traceql::Trace;
use signalbox_query::traceql::forest::{Forest, Node};

use super::{Pair, Warning, has_duration};

/// Durations that differ by less than a fifth and a millisecond are taken for equal: they differ from run to run.
const DURATION_PART: f64 = 0.2;
const DURATION_NS: f64 = 1e6;
/// Sizes that differ by less than this are taken for equal.
const SIZE_PART: f64 = 0.05;
/// Steps of all paths together: a chain of a hundred thousand spans has five thousand million.
const PATH_STEPS_MAX: u64 = 5_000_000;

/// The difference, span by span.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Patch {
    version: &'static str,
    base: Meta,
    compare: Meta,
    stats: Stats,
    modified: Vec<Modified>,
    added: Vec<Change>,
    removed: Vec<Change>,
    warnings: Vec<Warning>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    trace_id: String,
    span_count: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    span_count_a: usize,
    span_count_b: usize,
    matched_spans: usize,
    modified_spans: usize,
    added_spans: usize,
    removed_spans: usize,
    field_changes: usize,
    attribute_changes: usize,
    event_changes: usize,
    truncated: bool,
}

#[derive(Debug, Serialize)]
struct Modified {
    span: Value,
    changes: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct Change {
    target: Value,
    span: Value,
}

/// What became of the spans of both.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// By index among the nodes of the other trace.
    pub(super) modified: BTreeMap<usize, Vec<Value>>,
    pub(super) fields: usize,
    pub(super) attributes: usize,
}

/// What differs between the spans of pairs.
pub(super) fn changes(pair: &Pair<'_>) -> Changes {
    let mut changes = Changes::default();
    for both in &pair.matching.pairs {
        let (base, compare) = (&pair.base.nodes[both.base], &pair.compare.nodes[both.compare]);
        let fields = of_fields(base, compare);
        let attributes = of_attributes(base, compare);
        changes.fields += fields.len();
        changes.attributes += attributes.len();
        if !fields.is_empty() || !attributes.is_empty() {
            changes.modified.insert(both.compare, fields.into_iter().chain(attributes).collect());
        }
    }
    changes
}

impl Patch {
    pub(super) fn of(pair: &Pair<'_>, base: &Trace, compare: &Trace) -> Result<Self> {
        let Pair { base: left, compare: right, matching, warnings } = pair;
        let changes = changes(pair);
        let depths = |forest: &Forest<'_>, nodes: &mut dyn Iterator<Item = usize>| nodes.map(|at| u64::from(forest.nodes[at].depth) + 1).sum::<u64>();
        let told =
            depths(right, &mut changes.modified.keys().copied().chain(matching.added.iter().copied())) + depths(left, &mut matching.removed.iter().copied());
        if told > PATH_STEPS_MAX {
            return Err(Error::limit("cannot tell the place of every span: the traces are too deep; ask for trace-summary-v0-native"));
        }
        let (left_places, right_places) = (places(left), places(right));
        let added = matching.added.iter().map(|at| {
            let path = path(right, &right_places, *at);
            let parent = &path[..path.len() - 1];
            // The root of a trace has no parent to be put below.
            let target = json!({ "type": "span", "parentPath": parent, "index": path[path.len() - 1] });
            Change { target, span: snapshot(&right.nodes[*at], &path) }
        });
        let removed = matching.removed.iter().map(|at| {
            let path = path(left, &left_places, *at);
            Change { target: json!({ "type": "span", "path": path }), span: snapshot(&left.nodes[*at], &path) }
        });
        let stats = Stats {
            span_count_a: base.spans.len(),
            span_count_b: compare.spans.len(),
            matched_spans: matching.pairs.len(),
            modified_spans: changes.modified.len(),
            added_spans: matching.added.len(),
            removed_spans: matching.removed.len(),
            field_changes: changes.fields,
            attribute_changes: changes.attributes,
            event_changes: 0,
            truncated: false,
        };
        let modified = changes.modified.into_iter().map(|(at, changes)| {
            let node = &right.nodes[at];
            let span = json!({ "path": path(right, &right_places, at), "service": node.span.service, "name": node.span.name, "kind": word(&KIND_WORDS, node.span.kind) });
            Modified { span, changes }
        });
        Ok(Self {
            version: "trace-patch-v0",
            base: meta(base),
            compare: meta(compare),
            stats,
            modified: modified.collect(),
            added: added.collect(),
            removed: removed.collect(),
            warnings: warnings.clone(),
        })
    }
}

fn meta(trace: &Trace) -> Meta {
    Meta { trace_id: trace.trace_id.to_string(), span_count: trace.spans.len() }
}

/// The place of each node among its siblings.
fn places(forest: &Forest<'_>) -> Vec<usize> {
    let mut places = vec![0; forest.nodes.len()];
    let mut roots = 0;
    for (at, node) in forest.nodes.iter().enumerate() {
        if node.parent.is_none() {
            places[at] = roots;
            roots += 1;
        }
        for (place, child) in node.children.iter().enumerate() {
            places[*child] = place;
        }
    }
    places
}

/// From the root down to a node, which child each is; never empty.
fn path(forest: &Forest<'_>, places: &[usize], node: usize) -> Vec<usize> {
    let mut path: Vec<usize> = std::iter::successors(Some(node), |at| forest.nodes[*at].parent).map(|at| places[at]).collect();
    path.reverse();
    path
}

fn snapshot(node: &Node<'_>, path: &[usize]) -> Value {
    json!({
        "path": path,
        "service": node.span.service,
        "name": node.span.name,
        "kind": word(&KIND_WORDS, node.span.kind),
        "duration_nanos": node.span.duration_ns.max(0),
        "status": word(&STATUS_WORDS, node.span.status_code),
    })
}

fn word(words: &[&'static str], code: i32) -> &'static str {
    usize::try_from(code).ok().and_then(|code| words.get(code)).copied().unwrap_or("unknown")
}

fn of_fields(base: &Node<'_>, compare: &Node<'_>) -> Vec<Value> {
    let field =
        |name: &str, before: Value, after: Value| json!({ "op": "modify", "target": { "type": "field", "name": name }, "before": before, "after": after });
    let duration = |node: &Node<'_>| has_duration(node.span).then_some(node.span.duration_ns);
    let (before, after) = (duration(base), duration(compare));
    let is_equal = match (before, after) {
        (Some(before), Some(after)) => is_near(before as f64, after as f64, DURATION_PART, DURATION_NS),
        (before, after) => before == after,
    };
    let mut changes = Vec::new();
    if !is_equal {
        changes.push(field("duration_nanos", json!(before), json!(after)));
    }
    if base.span.status_code != compare.span.status_code {
        changes.push(field("status", word(&STATUS_WORDS, base.span.status_code).into(), word(&STATUS_WORDS, compare.span.status_code).into()));
    }
    changes
}

fn is_near(left: f64, right: f64, part: f64, floor: f64) -> bool {
    (left - right).abs() <= floor + part * left.abs().max(right.abs())
}

fn of_attributes(base: &Node<'_>, compare: &Node<'_>) -> Vec<Value> {
    let mut both: BTreeMap<&str, [Option<&AttributeValue>; 2]> = BTreeMap::new();
    for (side, node) in [base, compare].into_iter().enumerate() {
        for (key, value) in &node.span.attributes {
            both.entry(key).or_default()[side] = Some(value);
        }
    }
    let change = |(key, [before, after]): (&str, [Option<&AttributeValue>; 2])| {
        let op = match (before, after) {
            (None, _) => "add",
            (_, None) => "remove",
            (Some(before), Some(after)) if is_equal(key, before, after) => return None,
            _ => "modify",
        };
        let shown = |value: Option<&AttributeValue>| value.map_or(Value::Null, shown);
        Some(json!({ "op": op, "target": { "type": "attribute", "scope": "span", "key": key }, "before": shown(before), "after": shown(after) }))
    };
    both.into_iter().filter_map(change).collect()
}

/// Sizes and counts of tokens differ from call to call; all else is equal or not.
fn is_equal(key: &str, before: &AttributeValue, after: &AttributeValue) -> bool {
    let number = |value: &AttributeValue| match value {
        AttributeValue::Int(number) => Some(*number as f64),
        AttributeValue::Double(number) => Some(*number),
        _ => None,
    };
    let is_size = [".size", "_size", "_tokens", "content_length", "content_length_uncompressed"].iter().any(|end| key.ends_with(end));
    match (is_size, number(before), number(after)) {
        (true, Some(before), Some(after)) => is_near(before, after, SIZE_PART, 0.0),
        _ => before == after,
    }
}

fn shown(value: &AttributeValue) -> Value {
    let mut text = String::new();
    write_json(&mut text, value);
    // What is no JSON is still worth showing.
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}
