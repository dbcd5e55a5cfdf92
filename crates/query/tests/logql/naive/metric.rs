//! Metric queries: at each instant, over the records of its window, one after the other.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use signalbox_lang::logql::MetricExpr;
use signalbox_lang::logql::ast::{BinaryOp, Grouping, RangeAggregation, RangeOp, VectorOp};

use super::{Passing, run};

type Labels = BTreeMap<String, String>;
type Vector = BTreeMap<Labels, f64>;

/// Values by labels and instant.
pub(in super::super) type Answer = BTreeMap<Labels, BTreeMap<i64, f64>>;

/// The answer at each of some instants.
pub(in super::super) fn evaluate(expr: &MetricExpr, records: &[Passing], instants: &[i64]) -> Answer {
    let mut answer = Answer::new();
    for at_ns in instants {
        for (labels, value) in at(expr, records, *at_ns) {
            answer.entry(labels).or_default().insert(*at_ns, value);
        }
    }
    answer
}

fn at(expr: &MetricExpr, records: &[Passing], at_ns: i64) -> Vector {
    match expr {
        MetricExpr::Range(aggregation) => window(aggregation, records, at_ns),
        MetricExpr::Vector(aggregation) => {
            let everything = Grouping::default();
            let grouping = aggregation.grouping.as_ref().unwrap_or(&everything);
            let mut groups: BTreeMap<Labels, Vec<(Labels, f64)>> = BTreeMap::new();
            for (labels, value) in at(&aggregation.expr, records, at_ns) {
                groups.entry(grouped(grouping, &labels)).or_default().push((labels, value));
            }
            let count = aggregation.parameter.unwrap_or(0) as usize;
            let mut result = Vector::new();
            for (group, mut members) in groups {
                let values: Vec<f64> = members.iter().map(|(_, value)| *value).collect();
                match aggregation.op {
                    VectorOp::Topk | VectorOp::Bottomk => {
                        let descends = aggregation.op == VectorOp::Topk;
                        members.sort_by(|left, right| {
                            let order = left.1.partial_cmp(&right.1).unwrap_or(Ordering::Equal);
                            (if descends { order.reverse() } else { order }).then_with(|| pairs(&left.0).cmp(&pairs(&right.0)))
                        });
                        result.extend(members.into_iter().take(count));
                    }
                    VectorOp::Sort | VectorOp::SortDesc => result.extend(members),
                    VectorOp::Count => drop(result.insert(group, values.len() as f64)),
                    VectorOp::Sum => drop(result.insert(group, values.iter().sum())),
                    VectorOp::Avg => drop(result.insert(group, values.iter().sum::<f64>() / values.len() as f64)),
                    VectorOp::Min => drop(result.insert(group, values.iter().copied().fold(f64::INFINITY, f64::min))),
                    VectorOp::Max => drop(result.insert(group, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))),
                    VectorOp::Stdvar => drop(result.insert(group, variance(&values))),
                    VectorOp::Stddev => drop(result.insert(group, variance(&values).sqrt())),
                    VectorOp::ApproxTopk => panic!("the plain evaluator knows no approx_topk"),
                }
            }
            result
        }
        MetricExpr::Binary(binary) => {
            let number = |expr: &MetricExpr| if let MetricExpr::Literal(number) = expr { Some(*number) } else { None };
            let combine = |left: f64, right: f64, kept: f64| match binary.op {
                BinaryOp::Compare(op) if binary.returns_bool => Some(f64::from(u8::from(op.holds(left, right)))),
                BinaryOp::Compare(op) => op.holds(left, right).then_some(kept),
                op => Some(op.apply(left, right)),
            };
            match (number(&binary.left), number(&binary.right)) {
                (None, Some(right)) => {
                    at(&binary.left, records, at_ns).into_iter().filter_map(|(labels, left)| Some((labels, combine(left, right, left)?))).collect()
                }
                (Some(left), None) => {
                    at(&binary.right, records, at_ns).into_iter().filter_map(|(labels, right)| Some((labels, combine(left, right, right)?))).collect()
                }
                (None, None) => {
                    let (left, right) = (at(&binary.left, records, at_ns), at(&binary.right, records, at_ns));
                    match binary.op {
                        BinaryOp::And => left.into_iter().filter(|(labels, _)| right.contains_key(labels)).collect(),
                        BinaryOp::Unless => left.into_iter().filter(|(labels, _)| !right.contains_key(labels)).collect(),
                        BinaryOp::Or => right.into_iter().chain(left).collect(),
                        _ => left.into_iter().filter_map(|(labels, value)| Some((labels.clone(), combine(value, *right.get(&labels)?, value)?))).collect(),
                    }
                }
                (Some(_), Some(_)) => panic!("numbers alone are computed by the parser"),
            }
        }
        other => panic!("the plain evaluator knows no {other:?}"),
    }
}

fn pairs(labels: &Labels) -> Vec<(&String, &String)> {
    labels.iter().collect()
}

fn grouped(grouping: &Grouping, labels: &Labels) -> Labels {
    labels.iter().filter(|(name, _)| grouping.labels.contains(name) != grouping.is_without).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn variance(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / values.len() as f64
}

fn window(aggregation: &RangeAggregation, records: &[Passing], at_ns: i64) -> Vector {
    let range = &aggregation.range;
    let end_ns = at_ns - range.offset_ns;
    let start_ns = end_ns - range.range_ns;
    let inside = records.iter().filter(|record| record.timestamp_ns > start_ns && record.timestamp_ns <= end_ns);
    // Of each group time, arrival and value.
    let mut groups: BTreeMap<Labels, Vec<(i64, usize, f64)>> = BTreeMap::new();
    for (arrival, record) in run(&range.logs, inside).into_iter().enumerate() {
        let mut labels = record.labels.clone();
        let value = match &range.unwrap {
            Some(unwrap) => match record.labels.get(&unwrap.label).filter(|text| !text.is_empty()) {
                Some(text) => {
                    labels.remove(&unwrap.label);
                    text.parse().unwrap()
                }
                None => continue,
            },
            None if matches!(aggregation.op, RangeOp::Bytes | RangeOp::BytesRate) => record.line.len() as f64,
            None => 1.0,
        };
        let labels = match &aggregation.grouping {
            Some(grouping) if grouping.is_without => grouped(grouping, &labels),
            Some(grouping) => grouped(grouping, &record.labels),
            None => labels,
        };
        groups.entry(labels).or_default().push((record.timestamp_ns, arrival, value));
    }
    let seconds = range.range_ns as f64 / 1e9;
    let of_group = |mut samples: Vec<(i64, usize, f64)>| {
        samples.sort_by_key(|(time_ns, arrival, _)| (*time_ns, *arrival));
        let mut values: Vec<f64> = samples.iter().map(|(_, _, value)| *value).collect();
        let (sum, count) = (values.iter().sum::<f64>(), values.len() as f64);
        match aggregation.op {
            RangeOp::Count => count,
            RangeOp::Rate | RangeOp::BytesRate => sum / seconds,
            RangeOp::Bytes | RangeOp::Sum => sum,
            RangeOp::Avg => sum / count,
            RangeOp::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            RangeOp::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            RangeOp::Stdvar => variance(&values),
            RangeOp::Stddev => variance(&values).sqrt(),
            RangeOp::First => values[0],
            RangeOp::Last => values[values.len() - 1],
            RangeOp::Quantile => {
                values.sort_by(f64::total_cmp);
                let rank = aggregation.parameter.unwrap() * (count - 1.0);
                let (low, high) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
                low + (high - low) * (rank - rank.floor())
            }
            RangeOp::RateCounter | RangeOp::Absent => panic!("the plain evaluator knows no {:?}", aggregation.op),
        }
    };
    groups.into_iter().map(|(labels, samples)| (labels, of_group(samples))).collect()
}
