//! Whether an answer is the expected one, as Prometheus' own runner of these scripts decides.

use std::collections::BTreeMap;

use signalbox_lang::promql::series::{Item, buckets};
use signalbox_model::batch::is_stale_nan;
use signalbox_model::{Histogram, Labels};
use signalbox_query::promql::{MatrixSeries, Point, PromqlAnswer, Times, Value};

use super::script::{Annotations, Eval};

/// Relative error that is allowed.
const EPSILON: f64 = 1e-6;

pub(super) fn is_close(left: f64, right: f64) -> bool {
    if is_stale_nan(left) || is_stale_nan(right) {
        return is_stale_nan(left) && is_stale_nan(right);
    }
    if (left.is_nan() && right.is_nan()) || left == right {
        return true;
    }
    let (sum, difference) = (left.abs() + right.abs(), (left - right).abs());
    if left == 0.0 || right == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < EPSILON * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < EPSILON
}

fn is_same_histogram(want: &Histogram, got: &Histogram, has_hint: bool) -> bool {
    let are_close = |left: &BTreeMap<i32, f64>, right: &BTreeMap<i32, f64>| {
        left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.0 == right.0 && is_close(*left.1, *right.1))
    };
    want.schema == got.schema
        && is_close(want.count, got.count)
        && is_close(want.sum, got.sum)
        && (want.schema != Histogram::CUSTOM_SCHEMA || want.custom_values == got.custom_values)
        && want.zero_threshold == got.zero_threshold
        && is_close(want.zero_count, got.zero_count)
        && are_close(&buckets(&want.positive_spans, &want.positive_buckets), &buckets(&got.positive_spans, &got.positive_buckets))
        && are_close(&buckets(&want.negative_spans, &want.negative_buckets), &buckets(&got.negative_spans, &got.negative_buckets))
        && (!has_hint || want.reset_hint == got.reset_hint)
}

fn check_point(what: &str, want: &Item, got: &Point) -> Result<(), String> {
    let is_same = match (want, got) {
        (Item::Float(want), Point::Float(got)) => is_close(*want, *got),
        (Item::Histogram { histogram, has_hint }, Point::Histogram(got)) => is_same_histogram(histogram, got, *has_hint),
        _ => false,
    };
    if is_same { Ok(()) } else { Err(format!("{what}: want {want:?}, got {got:?}")) }
}

pub(super) fn check_annotations(eval: &Eval, answer: &PromqlAnswer) -> Result<(), String> {
    check_annotations_of("warning", &eval.warnings, &answer.warnings)?;
    check_annotations_of("info", &eval.infos, &answer.infos)
}

fn check_annotations_of(kind: &str, want: &Annotations, got: &[String]) -> Result<(), String> {
    if want.are_forbidden && !got.is_empty() {
        return Err(format!("unexpected {kind}: {got:?}"));
    }
    if want.patterns.is_empty() {
        return Ok(());
    }
    if let Some(missing) = want.patterns.iter().find(|pattern| !got.iter().any(|message| pattern.matches(message))) {
        return Err(format!("no {kind} is {missing:?}: {got:?}"));
    }
    match got.iter().find(|message| !want.patterns.iter().any(|pattern| pattern.matches(message))) {
        Some(unexpected) => Err(format!("unexpected {kind}: {unexpected:?}")),
        None => Ok(()),
    }
}

pub(super) fn check_value(eval: &Eval, got: &Value) -> Result<(), String> {
    match got {
        Value::Scalar(_, got) => match eval.scalar {
            Some(want) if is_close(want, *got) => Ok(()),
            want => Err(format!("want scalar {want:?}, got {got}")),
        },
        Value::Text(_, got) if eval.text.as_deref().unwrap_or("") == got => Ok(()),
        Value::Text(_, got) => Err(format!("want text {:?}, got {got:?}", eval.text)),
        _ if eval.scalar.is_some() => Err(format!("want a scalar, got {got:?}")),
        Value::Vector(samples) => {
            let points: Vec<(&Labels, &Point)> = samples.iter().map(|sample| (&sample.labels, &sample.point)).collect();
            check_vector(eval, &points)
        }
        Value::Matrix(series) => check_matrix(eval, series),
    }
}

fn check_vector(eval: &Eval, got: &[(&Labels, &Point)]) -> Result<(), String> {
    let mut seen = vec![false; eval.series.len()];
    for (position, (labels, point)) in got.iter().enumerate() {
        let found = eval.series.iter().position(|(want, _)| want == *labels);
        let found = found.ok_or_else(|| format!("unexpected {labels} with {point:?}"))?;
        if eval.is_ordered && found != position {
            return Err(format!("{labels} is number {position}, want {found}"));
        }
        if std::mem::replace(&mut seen[found], true) {
            return Err(format!("{labels} twice"));
        }
        check_point(&labels.to_string(), &eval.series[found].1[0], point)?;
    }
    check_all_seen(eval, &seen)
}

fn check_all_seen(eval: &Eval, seen: &[bool]) -> Result<(), String> {
    match seen.iter().position(|seen| !seen) {
        Some(missing) => Err(format!("no {} {:?}", eval.series[missing].0, eval.series[missing].1)),
        None => Ok(()),
    }
}

pub(super) fn check_sorted(series: &[MatrixSeries]) -> Result<(), String> {
    match series.windows(2).find(|pair| pair[0].labels >= pair[1].labels) {
        Some(pair) => Err(format!("not sorted: {} before {}", pair[0].labels, pair[1].labels)),
        None => Ok(()),
    }
}

fn check_matrix(eval: &Eval, got: &[MatrixSeries]) -> Result<(), String> {
    if eval.is_ordered {
        return Err("want an order, got a matrix".into());
    }
    check_sorted(got)?;
    let Times::Range { start_ms, step_ms, end_ms } = eval.samples_at.unwrap_or(eval.times) else { return Err(format!("want a vector, got {got:?}")) };
    let mut seen = vec![false; eval.series.len()];
    for series in got {
        let labels = &series.labels;
        let found = eval.series.iter().position(|(want, _)| want == labels).ok_or_else(|| format!("unexpected {labels} with {series:?}"))?;
        seen[found] = true;
        let (mut floats, mut histograms) = (series.floats.iter(), series.histograms.iter());
        for (position, item) in eval.series[found].1.iter().enumerate() {
            let at_ms = start_ms + step_ms * position as i64;
            let next = match item {
                Item::Gap => continue,
                _ if at_ms > end_ms => return Err(format!("{labels}: more expected points than the range has")),
                Item::Float(_) => floats.next().map(|(ts_ms, value)| (*ts_ms, Point::Float(*value))),
                Item::Histogram { .. } => histograms.next().map(|(ts_ms, value)| (*ts_ms, Point::Histogram(value.clone()))),
            };
            match next {
                Some((ts_ms, point)) if ts_ms == at_ms => check_point(&format!("{labels} at {at_ms} ms"), item, &point)?,
                other => return Err(format!("{labels} at {at_ms} ms: want {item:?}, got {other:?} in {series:?}")),
            }
        }
        if floats.next().is_some() || histograms.next().is_some() {
            return Err(format!("{labels}: more points than expected: {series:?}"));
        }
    }
    check_all_seen(eval, &seen)
}

#[test]
fn tells_right_from_wrong() {
    use super::script::{Command, parse};

    let eval = |text: &str| match parse(text).unwrap().remove(0) {
        Command::Eval(eval) => eval,
        other => panic!("{other:?}"),
    };
    let series = |floats: &[(i64, f64)]| Value::Matrix(vec![MatrixSeries { labels: Labels::empty(), floats: floats.to_vec(), histograms: Vec::new() }]);
    let range = eval("eval range from 0 to 2m step 1m x\n {} 1 _ 3");
    check_value(&range, &series(&[(0, 1.0), (120_000, 3.000_000_1)])).unwrap();
    for wrong in [&[(0, 1.0), (120_000, 3.1)][..], &[(0, 1.0), (60_000, 3.0)], &[(0, 1.0)], &[(0, 1.0), (120_000, 3.0), (180_000, 1.0)]] {
        assert!(check_value(&range, &series(wrong)).is_err(), "{wrong:?}");
    }
    assert!(check_value(&range, &Value::Matrix(Vec::new())).is_err());
    assert!(check_value(&range, &Value::Scalar(0, 1.0)).is_err());
    let scalar = eval("eval instant at 1m 1\n 1");
    check_value(&scalar, &Value::Scalar(0, 1.0)).unwrap();
    assert!(check_value(&scalar, &Value::Scalar(0, 1.1)).is_err());
    assert!(check_value(&scalar, &Value::Vector(Vec::new())).is_err());
    let warned = eval("eval instant at 1m 1\n expect warn msg: PromQL warning: a (1:5)\n expect no_info\n 1");
    let answer = |warnings: &[&str], infos: &[&str]| PromqlAnswer {
        value: Value::Scalar(0, 1.0),
        warnings: warnings.iter().map(ToString::to_string).collect(),
        infos: infos.iter().map(ToString::to_string).collect(),
        samples_read: 0,
        counts: None,
    };
    check_annotations(&warned, &answer(&["PromQL warning: a (1:5)"], &[])).unwrap();
    let right = "PromQL warning: a (1:5)";
    for wrong in [answer(&[], &[]), answer(&["PromQL warning: a (1:7)"], &[]), answer(&[right], &["i"]), answer(&[right, "x"], &[])] {
        assert!(check_annotations(&warned, &wrong).is_err(), "{wrong:?}");
    }
}
