//! Traces in short.

use std::collections::{BTreeMap, HashSet};

use signalbox_proto::jaeger::api_v3::{ServiceSummary, TraceSummary};
use signalbox_query::rows::Span;

use super::adjust::ShownTrace;
use super::shown_service;

const ERROR: i32 = 2;

/// A trace in short. Its identifier has 32 digits.
pub(super) fn summary(trace: &ShownTrace) -> TraceSummary {
    let spans = || trace.spans.iter().map(|shown| &shown.span);
    let ids: HashSet<_> = spans().filter_map(|span| span.span_id).collect();
    let mut services: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for span in spans() {
        let (count, errors) = services.entry(shown_service(&span.service)).or_default();
        *count += 1;
        *errors += usize::from(span.status_code == ERROR);
    }
    let root = spans().filter(|span| span.parent_span_id.is_none()).min_by_key(|span| span.start_ns);
    TraceSummary {
        trace_id: trace.trace_id.to_string(),
        root_service_name: root.map(|root| shown_service(&root.service).to_owned()).unwrap_or_default(),
        root_operation_name: root.map(|root| root.name.clone()).unwrap_or_default(),
        min_start_time_unix_nano: spans().map(|span| span.start_ns).min().unwrap_or(0).cast_unsigned(),
        max_end_time_unix_nano: spans().map(Span::end_ns).max().unwrap_or(0).cast_unsigned(),
        span_count: number(trace.spans.len()),
        error_span_count: number(services.values().map(|(_, errors)| errors).sum()),
        orphan_span_count: number(spans().filter(|span| span.parent_span_id.is_some_and(|parent| !ids.contains(&parent))).count()),
        services: services
            .into_iter()
            .map(|(name, (count, errors))| ServiceSummary { name: name.to_owned(), span_count: number(count), error_span_count: number(errors) })
            .collect(),
    }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
