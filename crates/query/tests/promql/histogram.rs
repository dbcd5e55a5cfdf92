//! Native histograms as scripts write them: `{{schema:1 sum:3 count:22 z_bucket:1 z_bucket_w:0.1 buckets:[5 10 7] offset:-1}}`.

use std::collections::BTreeMap;

use signalbox_model::Histogram;
use signalbox_model::histogram::{ResetHint, Span};

/// A histogram, whether its hint was written, and the text after it.
pub(super) fn read(text: &str) -> Result<((Histogram, bool), &str), String> {
    let end = text.find("}}").ok_or("no end of the histogram")?;
    let fields = text.strip_prefix("{{").ok_or("no histogram")?.get(..end - 2).ok_or("no histogram")?;
    let (mut histogram, mut has_hint) = (Histogram::default(), false);
    let (mut offset, mut negative_offset) = (0, 0);
    let mut rest = fields.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once(':').ok_or_else(|| format!("no value of {rest:?}"))?;
        let value_end = if after.starts_with('[') { after.find(']').map(|end| end + 1) } else { after.find(char::is_whitespace) };
        let (value, after) = after.split_at(value_end.unwrap_or(after.len()));
        match name {
            "schema" => histogram.schema = value.parse().map_err(|_| value)?,
            "sum" => histogram.sum = float(value)?,
            "count" => histogram.count = float(value)?,
            "z_bucket" => histogram.zero_count = float(value)?,
            "z_bucket_w" => histogram.zero_threshold = float(value)?,
            "custom_values" => histogram.custom_values = floats(value)?,
            "buckets" => histogram.positive_buckets = floats(value)?,
            "n_buckets" => histogram.negative_buckets = floats(value)?,
            "offset" => offset = value.parse().map_err(|_| value)?,
            "n_offset" => negative_offset = value.parse().map_err(|_| value)?,
            "counter_reset_hint" => {
                has_hint = true;
                histogram.reset_hint = hint(value)?;
            }
            _ => return Err(format!("unknown field {name:?} of a histogram")),
        }
        rest = after.trim_start();
    }
    histogram.positive_spans = span(offset, &histogram.positive_buckets);
    histogram.negative_spans = span(negative_offset, &histogram.negative_buckets);
    Ok(((histogram, has_hint), &text[end + 2..]))
}

fn hint(word: &str) -> Result<ResetHint, String> {
    Ok(match word {
        "unknown" => ResetHint::Unknown,
        "reset" => ResetHint::Reset,
        "not_reset" => ResetHint::NotReset,
        "gauge" => ResetHint::Gauge,
        _ => return Err(format!("unknown hint {word:?}")),
    })
}

fn float(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn floats(text: &str) -> Result<Vec<f64>, String> {
    text.trim_matches(['[', ']']).split_whitespace().map(float).collect()
}

fn span(offset: i32, buckets: &[f64]) -> Vec<Span> {
    if buckets.is_empty() { Vec::new() } else { vec![Span { offset, length: buckets.len() as u32 }] }
}

/// Counts by index of the bucket, empty buckets left out: histograms that differ only in their spans are equal.
pub(super) fn buckets(spans: &[Span], counts: &[f64]) -> BTreeMap<i32, f64> {
    let mut indexes = Vec::new();
    let mut next = 0;
    for span in spans {
        next += span.offset;
        indexes.extend(next..next + span.length as i32);
        next += span.length as i32;
    }
    assert_eq!(indexes.len(), counts.len(), "the spans {spans:?} do not fit {counts:?}");
    indexes.into_iter().zip(counts.iter().copied()).filter(|(_, count)| *count != 0.0).collect()
}

/// Adds a multiple of a histogram of the same shape, or of a finer one.
pub(super) fn add(base: &Histogram, step: &Histogram, factor: f64) -> Histogram {
    assert!(base.zero_threshold == step.zero_threshold || step.zero_count == 0.0, "zero buckets of different width");
    assert!(base.schema <= step.schema, "the step is coarser");
    let reduce = if base.schema == Histogram::CUSTOM_SCHEMA { 0 } else { step.schema - base.schema };
    let combine = |base_side: (&[Span], &[f64]), step_side: (&[Span], &[f64])| {
        let mut sum = buckets(base_side.0, base_side.1);
        for (index, count) in buckets(step_side.0, step_side.1) {
            let index = if reduce == 0 { index } else { ((index - 1) >> reduce) + 1 };
            *sum.entry(index).or_default() += factor * count;
        }
        let (Some(first), Some(last)) = (sum.keys().next().copied(), sum.keys().next_back().copied()) else { return (Vec::new(), Vec::new()) };
        let counts: Vec<f64> = (first..=last).map(|index| sum.get(&index).copied().unwrap_or(0.0)).collect();
        (span(first, &counts), counts)
    };
    let (positive_spans, positive_buckets) = combine((&base.positive_spans, &base.positive_buckets), (&step.positive_spans, &step.positive_buckets));
    let (negative_spans, negative_buckets) = combine((&base.negative_spans, &base.negative_buckets), (&step.negative_spans, &step.negative_buckets));
    let reset_hint = match (base.reset_hint, step.reset_hint) {
        (ResetHint::Gauge, _) | (_, ResetHint::Gauge) => ResetHint::Gauge,
        (left, right) if left == right => left,
        _ => ResetHint::Unknown,
    };
    Histogram {
        count: base.count + factor * step.count,
        sum: base.sum + factor * step.sum,
        zero_count: base.zero_count + factor * step.zero_count,
        reset_hint,
        positive_spans,
        positive_buckets,
        negative_spans,
        negative_buckets,
        ..base.clone()
    }
}

/// A classic histogram at one instant, on its way to a native one with custom buckets.
#[derive(Debug, Default)]
pub(super) struct Classic {
    /// Cumulative counts by upper bound, ascending.
    pub(super) buckets: Vec<(f64, f64)>,
    pub(super) count: Option<f64>,
    pub(super) sum: f64,
}

impl Classic {
    pub(super) fn convert(mut self) -> Histogram {
        self.buckets.sort_by(|left, right| left.0.total_cmp(&right.0));
        if self.buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
            let last = self.buckets.last().map_or(0.0, |(_, count)| *count);
            self.buckets.push((f64::INFINITY, self.count.unwrap_or(last)));
        }
        let total = self.buckets.last().map_or(0.0, |(_, count)| *count);
        let mut below = 0.0;
        let counts: Vec<f64> = self.buckets.iter().map(|(_, count)| count - std::mem::replace(&mut below, *count)).collect();
        Histogram {
            schema: Histogram::CUSTOM_SCHEMA,
            count: self.count.unwrap_or(total),
            sum: self.sum,
            custom_values: self.buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite()).collect(),
            positive_spans: span(0, &counts),
            positive_buckets: counts,
            ..Histogram::default()
        }
    }
}

#[test]
fn adds_histograms() {
    let base = read("{{schema:0 count:3 sum:1 buckets:[1 2]}}").unwrap().0.0;
    let step = read("{{schema:1 count:2 sum:5 buckets:[1 0 1] offset:1 counter_reset_hint:gauge}}").unwrap().0.0;
    let sum = add(&base, &step, 1.0);
    assert_eq!((sum.count, sum.sum, sum.reset_hint), (5.0, 6.0, ResetHint::Gauge));
    assert_eq!(buckets(&sum.positive_spans, &sum.positive_buckets).into_iter().collect::<Vec<_>>(), [(0, 1.0), (1, 3.0), (2, 1.0)]);
    let classic = Classic { buckets: vec![(f64::INFINITY, 12.0), (0.1, 5.0), (0.2, 7.0)], count: None, sum: 0.0 }.convert();
    assert_eq!((classic.custom_values, classic.positive_buckets, classic.count), (vec![0.1, 0.2], vec![5.0, 2.0, 5.0], 12.0));
}
