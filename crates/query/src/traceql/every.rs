//! Every span of every trace that a search selects, in bounded memory: for exports.
//!
//! The range is walked from its end in windows that so many traces are in. A trace is told in the window that holds the newest of
//! its spans that are told and start in the range, and in no other, though each window with a span that may pass looks at it.
//! A trace that takes longer than the search's slack may be told in parts, as a search tells a part of it.

use std::collections::{HashMap, HashSet};

use signalbox_lang::traceql::tree::{KIND_WORDS, Query, STATUS_WORDS, Static};
use signalbox_model::{Result, SpanId, TimeRange, TraceId};
use signalbox_store::Snapshot;

use super::answer::SearchRequest;
use super::gather::{Gatherer, Which};
use super::pipeline::{Set, Subject};
use super::search::{Plan, around, candidates, is_shown};
use super::trace::TraceSpans;
use crate::budget::Share;
use crate::leash::Leash;

/// Traces of a window, about.
const WINDOW_TRACES: usize = 20_000;
/// Traces whose spans are held at a time.
const TOGETHER: usize = 1_000;

/// A span that is told.
#[derive(Debug)]
pub(crate) struct ToldSpan<'a> {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: Option<SpanId>,
    pub(crate) parent_id: Option<SpanId>,
    pub(crate) service: &'a str,
    pub(crate) name: &'a str,
    pub(crate) start_ns: i64,
    pub(crate) duration_ns: i64,
    /// What the query names in conditions or selects.
    pub(crate) attributes: Vec<(String, String)>,
    /// What the query calls the set.
    pub(crate) set: &'a [(String, String)],
}

/// Who is told of spans.
pub(crate) type Tell<'a> = &'a mut dyn FnMut(&ToldSpan<'_>) -> Result<()>;

/// Tells every span that a search leaves.
///
/// # Errors
/// Those of a search but for limits on the answer; of who is told.
pub(crate) fn every_span(snapshot: &Snapshot, query: &Query, range: TimeRange, leash: &Leash, share: &Share, tell: Tell<'_>) -> Result<()> {
    let plan = Plan::new(&SearchRequest {
        query: query.clone(),
        range,
        trace_duration_min_ns: None,
        trace_duration_max_ns: None,
        limit: usize::MAX,
        spans_per_set: 0,
    })?;
    if plan.sieve.is_none() {
        return Ok(());
    }
    let (mut window, mut wanted) = (range, WINDOW_TRACES);
    while window.start_ns <= window.end_ns {
        let (mut found, _) = candidates(snapshot, &plan, window, wanted + 1, leash)?;
        let is_all = found.len() <= wanted;
        // Of the oldest instant that was found there may be more.
        let begin_ns = if is_all { window.start_ns } else { found.last().map_or(window.start_ns, |(_, oldest_ns)| oldest_ns.saturating_add(1)) };
        found.retain(|(_, newest_ns)| *newest_ns >= begin_ns);
        if found.is_empty() && !is_all {
            wanted = wanted.saturating_mul(2);
            continue;
        }
        let told = TimeRange::from_ns(begin_ns, window.end_ns);
        let mut gatherer = Gatherer::new(snapshot, &plan.fields, plan.needs_tree, leash, share);
        for some in found.chunks(TOGETHER) {
            let newest_ns = some.iter().map(|(_, start_ns)| *start_ns).max().unwrap_or(i64::MAX);
            let oldest_ns = some.iter().map(|(_, start_ns)| *start_ns).min().unwrap_or(i64::MIN);
            let ids: HashSet<TraceId> = some.iter().map(|(id, _)| *id).collect();
            let traces = gatherer.gather(&Which::These(&ids), around(oldest_ns, newest_ns))?;
            let traces: HashMap<TraceId, TraceSpans> = traces.into_iter().map(|trace| (trace.id, trace)).collect();
            for trace in some.iter().filter_map(|(id, _)| traces.get(id)) {
                tell_trace(&plan, trace, range, told, tell)?;
            }
        }
        if is_all {
            return Ok(());
        }
        (window.end_ns, wanted) = (begin_ns.saturating_sub(1), WINDOW_TRACES);
    }
    Ok(())
}

/// Tells a trace if this is its window.
fn tell_trace(plan: &Plan, trace: &TraceSpans, range: TimeRange, window: TimeRange, tell: Tell<'_>) -> Result<()> {
    let subject = Subject::new(trace, &plan.fields);
    let all = Set { spans: (0..trace.spans.len() as u32).collect(), attributes: Vec::new() };
    let sets = plan.steps.run(&subject, vec![all])?;
    let starts = sets.iter().flat_map(|set| &set.spans).map(|span| trace.spans[*span as usize].start_ns);
    let Some(newest_ns) = starts.filter(|start_ns| range.contains_ns(*start_ns)).max() else { return Ok(()) };
    if !window.contains_ns(newest_ns) {
        return Ok(());
    }
    for set in sets {
        let named: Vec<(String, String)> = set.attributes.iter().map(|(name, value)| (name.clone(), text(&value.to_static()))).collect();
        for span in set.spans {
            let member = &trace.spans[span as usize];
            let shown = plan.fields.attributes().iter().enumerate().filter(|(_, attribute)| is_shown(attribute));
            let values = shown.map(|(slot, attribute)| (attribute.to_string(), subject.value(span, slot).to_static()));
            tell(&ToldSpan {
                trace_id: trace.id,
                span_id: member.span_id,
                parent_id: member.parent_id,
                service: &member.service,
                name: &member.name,
                start_ns: member.start_ns,
                duration_ns: member.duration_ns,
                attributes: values.filter(|(_, value)| !matches!(value, Static::Nil)).map(|(name, value)| (name, text(&value))).collect(),
                set: &named,
            })?;
        }
    }
    Ok(())
}

/// The text of a value: durations in nanoseconds, status and kind by the words of TraceQL.
pub(crate) fn text(value: &Static) -> String {
    match value {
        Static::Nil => String::new(),
        Static::Int(integer) | Static::Duration(integer) => integer.to_string(),
        Static::Float(float) => float.to_string(),
        Static::Text(text) => text.clone(),
        Static::Bool(truth) => truth.to_string(),
        Static::Status(code) => word(&STATUS_WORDS, *code),
        Static::Kind(kind) => word(&KIND_WORDS, *kind),
        Static::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
    }
}

fn word(words: &[&str], code: i32) -> String {
    usize::try_from(code).ok().and_then(|code| words.get(code)).map_or_else(|| code.to_string(), |word| (*word).to_owned())
}
