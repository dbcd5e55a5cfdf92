//! Annotations: what may make an answer wrong (warnings) or the question (infos), in the words of Prometheus, because people
//! search the web for them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use signalbox_lang::Span;
use signalbox_lang::text::quote;

use super::calendar::rfc3339;
use super::number::{format_g, format_g_digits};

/// Different annotations that one query may have: each metric may be worth one, and nobody reads more.
const TEXTS_MAX: usize = 1_000;

/// Collects the annotations of a query. What is said of several places is told once, of the last, as Prometheus does.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Whether it is a warning, the text, and the offset of the place.
    texts: RefCell<BTreeMap<(bool, String), u32>>,
    monotonicity: RefCell<BTreeMap<(String, u32), Monotonicity>>,
}

/// Buckets of a classic histogram whose counts fell where they had to rise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Monotonicity {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) bucket_min: f64,
    pub(super) bucket_max: f64,
    pub(super) difference_max: f64,
    pub(super) count: u64,
}

/// What happened to histograms whose counter resets or bounds did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HistogramOperation {
    Addition,
    Subtraction,
    Aggregation,
}

impl HistogramOperation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

fn for_metric(metric: &str) -> String {
    if metric.is_empty() { String::new() } else { format!(" for metric name {}", quote(metric)) }
}

impl Notes {
    fn warn(&self, span: Span, text: &str) {
        self.add(true, span, text);
    }

    fn inform(&self, span: Span, text: &str) {
        self.add(false, span, text);
    }

    fn add(&self, is_warning: bool, span: Span, text: &str) {
        let mut texts = self.texts.borrow_mut();
        if let Some(start) = texts.get_mut(&(is_warning, text.to_owned())) {
            *start = span.start.max(*start);
        } else if texts.len() < TEXTS_MAX {
            texts.insert((is_warning, text.to_owned()), span.start);
        }
    }

    pub(super) fn invalid_quantile(&self, quantile: f64, span: Span) {
        self.warn(span, &format!("quantile value should be between 0 and 1, got {}", format_g(quantile)));
    }

    pub(super) fn invalid_ratio(&self, ratio: f64, capped_to: f64, span: Span) {
        self.warn(span, &format!("ratio value should be between -1 and 1, got {}, capping to {}", format_g(ratio), format_g(capped_to)));
    }

    pub(super) fn bad_bucket_label(&self, metric: &str, label: &str, span: Span) {
        self.warn(span, &format!("bucket label \"le\" is missing or has a malformed value of {}{}", quote(label), for_metric(metric)));
    }

    pub(super) fn mixed_floats_and_histograms(&self, metric: &str, span: Span) {
        self.warn(span, &format!("encountered a mix of histograms and floats for metric name {}", quote(metric)));
    }

    pub(super) fn mixed_floats_and_histograms_in_aggregation(&self, span: Span) {
        self.warn(span, "encountered a mix of histograms and floats for aggregation");
    }

    pub(super) fn mixed_classic_and_native(&self, metric: &str, span: Span) {
        self.warn(span, &format!("vector contains a mix of classic and native histograms{}", for_metric(metric)));
    }

    pub(super) fn histogram_not_counter(&self, metric: &str, span: Span) {
        self.warn(span, &format!("this native histogram metric is not a counter: {}", quote(metric)));
    }

    pub(super) fn histogram_not_gauge(&self, metric: &str, span: Span) {
        self.warn(span, &format!("this native histogram metric is not a gauge: {}", quote(metric)));
    }

    pub(super) fn mixed_exponential_and_custom(&self, metric: &str, span: Span) {
        self.warn(span, &format!("vector contains a mix of histograms with exponential and custom buckets schemas for metric name {}", quote(metric)));
    }

    pub(super) fn incompatible_buckets(&self, operator: &str, span: Span) {
        self.warn(span, &format!("incompatible bucket layout encountered for binary operator {operator}"));
    }

    pub(super) fn sort_in_range_query(&self, span: Span) {
        self.warn(span, "sort is ineffective for range queries since results are always ordered by labels");
    }

    pub(super) fn counter_reset_collision(&self, operation: HistogramOperation, span: Span) {
        self.warn(span, &format!("conflicting counter resets during histogram {}", operation.as_str()));
    }

    pub(super) fn start_time_overlap(&self, metric: &str, span: Span) {
        self.warn(span, &format!("sample has start time that overlaps with previous sample timestamp for metric {}", quote(metric)));
    }

    pub(super) fn possible_non_counter(&self, metric: &str, span: Span) {
        self.inform(span, &format!("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}", quote(metric)));
    }

    pub(super) fn incompatible_types(&self, left: &str, operator: &str, right: &str, span: Span) {
        let text = format!("incompatible sample types encountered for binary operator {}: {left} {operator} {right}", quote(operator));
        self.inform(span, &text);
    }

    pub(super) fn histogram_ignored_in_aggregation(&self, aggregation: &str, span: Span) {
        self.inform(span, &format!("ignored histogram in {aggregation} aggregation"));
    }

    pub(super) fn histograms_ignored_in_range(&self, metric: &str, span: Span) {
        self.inform(span, &format!("ignored histograms in a range containing both floats and histograms for metric name {}", quote(metric)));
    }

    pub(super) fn quantile_of_nan_observations(&self, metric: &str, is_result_nan: bool, span: Span) {
        let outcome = if is_result_nan { "result is NaN" } else { "result is skewed higher" };
        self.inform(span, &format!("input to histogram_quantile has NaN observations, {outcome}{}", for_metric(metric)));
    }

    pub(super) fn fraction_of_nan_observations(&self, metric: &str, span: Span) {
        self.inform(span, &format!("input to histogram_fraction has NaN observations, which are excluded from all fractions{}", for_metric(metric)));
    }

    pub(super) fn mismatched_custom_buckets(&self, operation: HistogramOperation, span: Span) {
        self.inform(span, &format!("mismatched custom buckets were reconciled during {}", operation.as_str()));
    }

    /// Those of one metric are told as one.
    pub(super) fn forced_monotonicity(&self, metric: &str, found: Monotonicity, span: Span) {
        let mut all = self.monotonicity.borrow_mut();
        if all.len() >= TEXTS_MAX && !all.contains_key(&(metric.to_owned(), span.start)) {
            return;
        }
        let known = all.entry((metric.to_owned(), span.start)).or_insert(Monotonicity { count: 0, ..found });
        known.first_ms = known.first_ms.min(found.first_ms);
        known.last_ms = known.last_ms.max(found.last_ms);
        known.bucket_min = known.bucket_min.min(found.bucket_min);
        known.bucket_max = known.bucket_max.max(found.bucket_max);
        known.difference_max = known.difference_max.max(found.difference_max);
        known.count += found.count;
    }

    /// Warnings and infos, sorted, with places in the text of the query.
    pub(super) fn finish(self, query: &str) -> (Vec<String>, Vec<String>) {
        let (mut warnings, mut infos) = (Vec::new(), Vec::new());
        for ((is_warning, text), start) in self.texts.into_inner() {
            let (kind, all) = if is_warning { ("warning", &mut warnings) } else { ("info", &mut infos) };
            all.push(format!("PromQL {kind}: {text}{}", place(query, start)));
        }
        for ((metric, start), found) in self.monotonicity.into_inner() {
            infos.push(format!(
                "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see \
                 https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){}, from buckets {} to {}, with a max diff of {}, \
                 over {} samples from {} to {}{}",
                for_metric(&metric),
                format_g(found.bucket_min),
                format_g(found.bucket_max),
                format_g_digits(found.difference_max, 2),
                found.count,
                rfc3339(found.first_ms),
                rfc3339(found.last_ms),
                place(query, start),
            ));
        }
        infos.sort_unstable();
        (warnings, infos)
    }
}

/// ` (line:column)`, both from 1, the column in bytes; nothing without a query.
fn place(query: &str, start: u32) -> String {
    let Some(before) = query.as_bytes().get(..start as usize).filter(|_| !query.is_empty()) else { return String::new() };
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count();
    format!(" ({}:{})", lines + 1, column + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_annotation_is_told_once_with_its_place() {
        let notes = Notes::default();
        let span = Span { start: 5, end: 6 };
        notes.possible_non_counter("x", span);
        notes.possible_non_counter("x", Span { start: 1, end: 2 });
        notes.invalid_quantile(1.5, Span { start: 0, end: 1 });
        let (warnings, infos) = notes.finish("rate(x[1m])");
        assert_eq!(infos, ["PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"x\" (1:6)"]);
        assert_eq!(warnings, ["PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:1)"]);
    }

    #[test]
    fn places_are_lines_and_columns() {
        let query = "a +\n  \u{e4} +\n\nb";
        let places: Vec<String> = [0, 3, 4, 6, 8, 12, 13].iter().map(|start| place(query, *start)).collect();
        assert_eq!(places, [" (1:1)", " (1:4)", " (2:1)", " (2:3)", " (2:5)", " (4:1)", " (4:2)"]);
        assert_eq!((place(query, 14), place("", 0)), (String::new(), String::new()));
    }

    #[test]
    fn corrections_of_one_metric_are_told_as_one() {
        let notes = Notes::default();
        let found = Monotonicity { first_ms: 0, last_ms: 0, bucket_min: 0.5, bucket_max: 1.0, difference_max: 2.0, count: 1 };
        notes.forced_monotonicity("h_bucket", found, Span::default());
        notes.forced_monotonicity("h_bucket", Monotonicity { first_ms: 60_000, last_ms: 60_000, difference_max: 3.456, ..found }, Span::default());
        let (_, infos) = notes.finish("h");
        assert_eq!(infos.len(), 1);
        let end = "for metric name \"h_bucket\", from buckets 0.5 to 1, with a max diff of 3.5, over 2 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z (1:1)";
        assert!(infos[0].ends_with(end), "{}", infos[0]);
    }
}
