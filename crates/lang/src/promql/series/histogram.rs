//! Native histograms as tests write them: `{{schema:1 sum:3 count:22 z_bucket:1 z_bucket_w:0.1 buckets:[5 10 7] offset:-1}}`.

use std::collections::BTreeMap;

use signalbox_model::Histogram;
use signalbox_model::histogram::{ResetHint, Span};

/// Distance of a bucket from index 0, and from the first bucket to the last: far beyond what any schema needs.
const INDEX_MAX: i32 = 1 << 17;

/// A histogram, whether its hint was written, and the text after it.
pub(super) fn read(text: &str) -> Result<((Histogram, bool), &str), String> {
    let end = text.find("}}").ok_or("no end of the histogram")?;
    let fields = text.strip_prefix("{{").ok_or("no histogram")?.get(..end.saturating_sub(2)).ok_or("no histogram")?;
    let (mut histogram, mut has_hint) = (Histogram::default(), false);
    let (mut offset, mut negative_offset) = (0, 0);
    let mut rest = fields.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once(':').ok_or_else(|| format!("no value of {rest:?}"))?;
        let value_end = if after.starts_with('[') { after.find(']').map(|end| end + 1) } else { after.find(char::is_whitespace) };
        let (value, after) = after.split_at(value_end.unwrap_or(after.len()));
        match name {
            "schema" => histogram.schema = value.parse().ok().filter(is_schema).ok_or_else(|| format!("no schema {value:?}: want -53 or from -4 to 8"))?,
            "sum" => histogram.sum = float(value)?,
            "count" => histogram.count = float(value)?,
            "z_bucket" => histogram.zero_count = float(value)?,
            "z_bucket_w" => histogram.zero_threshold = float(value)?,
            "custom_values" => histogram.custom_values = floats(value)?,
            "buckets" => histogram.positive_buckets = floats(value)?,
            "n_buckets" => histogram.negative_buckets = floats(value)?,
            "offset" => offset = index(value)?,
            "n_offset" => negative_offset = index(value)?,
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

fn is_schema(schema: &i32) -> bool {
    *schema == Histogram::CUSTOM_SCHEMA || (-4..=8).contains(schema)
}

fn index(text: &str) -> Result<i32, String> {
    let index = text.parse().ok().filter(|index: &i32| index.abs() <= INDEX_MAX);
    index.ok_or_else(|| format!("no index of a bucket {text:?}: want a whole number up to {INDEX_MAX}"))
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
pub fn buckets(spans: &[Span], counts: &[f64]) -> BTreeMap<i32, f64> {
    let (mut found, mut counts, mut next) = (BTreeMap::new(), counts.iter(), 0_i32);
    for span in spans {
        next = next.saturating_add(span.offset);
        for _ in 0..span.length {
            let Some(count) = counts.next() else { return found };
            if *count != 0.0 {
                found.insert(next, *count);
            }
            next = next.saturating_add(1);
        }
    }
    found
}

/// Adds a multiple of a histogram of the same shape, or of a finer one.
pub(super) fn add(base: &Histogram, step: &Histogram, factor: f64) -> Result<Histogram, String> {
    if base.zero_threshold != step.zero_threshold && step.zero_count != 0.0 {
        return Err("error combining histograms: their zero buckets have different widths".to_owned());
    }
    if base.schema > step.schema || (base.schema == Histogram::CUSTOM_SCHEMA) != (step.schema == Histogram::CUSTOM_SCHEMA) {
        return Err(format!("error combining histograms: cannot merge from schema {} to {}", step.schema, base.schema));
    }
    if base.schema == Histogram::CUSTOM_SCHEMA && base.custom_values != step.custom_values {
        return Err("error combining histograms: their custom values differ".to_owned());
    }
    let reduce = if base.schema == Histogram::CUSTOM_SCHEMA { 0 } else { step.schema - base.schema };
    let combine = |base_side: (&[Span], &[f64]), step_side: (&[Span], &[f64])| {
        let mut sum = buckets(base_side.0, base_side.1);
        for (index, count) in buckets(step_side.0, step_side.1) {
            let index = if reduce == 0 { index } else { ((index - 1) >> reduce) + 1 };
            *sum.entry(index).or_default() += factor * count;
        }
        dense(&sum)
    };
    let (positive_spans, positive_buckets) = combine((&base.positive_spans, &base.positive_buckets), (&step.positive_spans, &step.positive_buckets))?;
    let (negative_spans, negative_buckets) = combine((&base.negative_spans, &base.negative_buckets), (&step.negative_spans, &step.negative_buckets))?;
    let reset_hint = match (base.reset_hint, step.reset_hint) {
        (ResetHint::Gauge, _) | (_, ResetHint::Gauge) => ResetHint::Gauge,
        (left, right) if left == right => left,
        _ => ResetHint::Unknown,
    };
    Ok(Histogram {
        count: base.count + factor * step.count,
        sum: base.sum + factor * step.sum,
        zero_count: base.zero_count + factor * step.zero_count,
        reset_hint,
        positive_spans,
        positive_buckets,
        negative_spans,
        negative_buckets,
        ..base.clone()
    })
}

/// Buckets as one span, those between the first and the last that are empty among them.
fn dense(counts: &BTreeMap<i32, f64>) -> Result<(Vec<Span>, Vec<f64>), String> {
    let (Some(first), Some(last)) = (counts.keys().next().copied(), counts.keys().next_back().copied()) else { return Ok((Vec::new(), Vec::new())) };
    if last.saturating_sub(first) > INDEX_MAX {
        return Err(format!("a histogram with buckets from {first} to {last}: want at most {INDEX_MAX} of them"));
    }
    let dense: Vec<f64> = (first..=last).map(|index| counts.get(&index).copied().unwrap_or(0.0)).collect();
    Ok((span(first, &dense), dense))
}

/// A histogram in the notation, empty buckets at the ends left out: histograms that mean the same have the same text.
pub fn histogram_text(histogram: &Histogram) -> String {
    let mut fields = Vec::new();
    if histogram.schema != 0 {
        fields.push(format!("schema:{}", histogram.schema));
    }
    let numbers = [("count", histogram.count), ("sum", histogram.sum), ("z_bucket", histogram.zero_count), ("z_bucket_w", histogram.zero_threshold)];
    fields.extend(numbers.iter().filter(|(_, value)| *value != 0.0).map(|(name, value)| format!("{name}:{value}")));
    if histogram.schema == Histogram::CUSTOM_SCHEMA {
        fields.push(format!("custom_values:{}", list(&histogram.custom_values)));
    }
    match histogram.reset_hint {
        ResetHint::Unknown => {}
        ResetHint::Reset => fields.push("counter_reset_hint:reset".to_owned()),
        ResetHint::NotReset => fields.push("counter_reset_hint:not_reset".to_owned()),
        ResetHint::Gauge => fields.push("counter_reset_hint:gauge".to_owned()),
    }
    let sides = [
        ("offset", "buckets", &histogram.positive_spans, &histogram.positive_buckets),
        ("n_offset", "n_buckets", &histogram.negative_spans, &histogram.negative_buckets),
    ];
    for (offset_name, name, spans, counts) in sides {
        let Ok((spans, counts)) = dense(&buckets(spans, counts)) else {
            fields.push(format!("{name}:[...]"));
            continue;
        };
        fields.extend(spans.iter().filter(|span| span.offset != 0).map(|span| format!("{offset_name}:{}", span.offset)));
        if !counts.is_empty() {
            fields.push(format!("{name}:{}", list(&counts)));
        }
    }
    format!("{{{{{}}}}}", fields.join(" "))
}

fn list(values: &[f64]) -> String {
    let texts: Vec<String> = values.iter().map(f64::to_string).collect();
    format!("[{}]", texts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(text: &str) -> Histogram {
        read(text).unwrap().0.0
    }

    #[test]
    fn adds_histograms() {
        let base = histogram("{{schema:0 count:3 sum:1 buckets:[1 2]}}");
        let step = histogram("{{schema:1 count:2 sum:5 buckets:[1 0 1] offset:1 counter_reset_hint:gauge}}");
        let sum = add(&base, &step, 1.0).unwrap();
        assert_eq!((sum.count, sum.sum, sum.reset_hint), (5.0, 6.0, ResetHint::Gauge));
        assert_eq!(buckets(&sum.positive_spans, &sum.positive_buckets).into_iter().collect::<Vec<_>>(), [(0, 1.0), (1, 3.0), (2, 1.0)]);
    }

    #[test]
    fn what_does_not_fit_is_not_added() {
        for (base, step) in [
            ("{{schema:1}}", "{{schema:0}}"),
            ("{{schema:-53 custom_values:[1]}}", "{{schema:0}}"),
            ("{{schema:-53 custom_values:[1]}}", "{{schema:-53 custom_values:[2]}}"),
            ("{{z_bucket_w:1}}", "{{z_bucket:1 z_bucket_w:2}}"),
            ("{{buckets:[1] offset:-131072}}", "{{buckets:[1] offset:131072}}"),
        ] {
            assert!(add(&histogram(base), &histogram(step), 1.0).is_err(), "{base} + {step}");
        }
    }

    #[test]
    fn texts_are_read_back_as_they_are() {
        for text in [
            "{{}}",
            "{{schema:1 count:32.1 sum:-0.3 z_bucket:7.1 z_bucket_w:0.05 offset:-3 buckets:[5.1 10 7] n_offset:-5 n_buckets:[4.1 5]}}",
            "{{schema:-53 count:3 sum:2 custom_values:[0.1 5] counter_reset_hint:gauge buckets:[1 0 2]}}",
        ] {
            assert_eq!(histogram_text(&histogram(text)), text);
        }
        assert_eq!(histogram_text(&histogram("{{buckets:[0 1 0] counter_reset_hint:reset}}")), "{{counter_reset_hint:reset offset:1 buckets:[1]}}");
    }
}
