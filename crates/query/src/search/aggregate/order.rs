//! The order of buckets of terms.

use std::cmp::Ordering;

use super::buckets::{BucketSet, Dictionary};
use super::{Answer, Collector, Direction, OrderBy, Stats, Terms};

/// Puts numbers of buckets into the order that was asked for; those equal by it by their value.
pub(super) fn sort(numbers: &mut [u32], asked: &Terms, buckets: &BucketSet, values: &Dictionary, children: &mut [(String, Collector)]) {
    // By each order a number or nothing, computed once a bucket.
    let mut ranks: Vec<(Vec<Option<f64>>, u32)> = Vec::with_capacity(numbers.len());
    for number in numbers.iter() {
        let rank = asked.order.iter().map(|(by, _)| match by {
            OrderBy::Count => Some(buckets.entry(*number).count as f64),
            OrderBy::Key => None,
            OrderBy::Child(name, which) => children.iter_mut().find(|(child, _)| child == name).and_then(|(_, child)| number_in(child, *number, which)),
        });
        ranks.push((rank.collect(), *number));
    }
    let key = |number: u32| values.value(buckets.entry(number).key);
    ranks.sort_by(|(one_ranks, one), (other_ranks, other)| {
        for (position, (by, direction)) in asked.order.iter().enumerate() {
            let order = match by {
                OrderBy::Key => turned(compare(key(*one), key(*other)), *direction),
                _ => by_rank(one_ranks[position], other_ranks[position], *direction),
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        compare(key(*one), key(*other))
    });
    for (number, (_, sorted)) in numbers.iter_mut().zip(ranks) {
        *number = sorted;
    }
}

fn turned(order: Ordering, direction: Direction) -> Ordering {
    if direction == Direction::Descending { order.reverse() } else { order }
}

/// What has no number comes last either way.
fn by_rank(one: Option<f64>, other: Option<f64>, direction: Direction) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) => turned(one.total_cmp(&other), direction),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// Numbers as numbers, before texts.
fn compare((one, letter): (&str, char), (other, other_letter): (&str, char)) -> Ordering {
    let number = |text: &str, letter: char| matches!(letter, 'i' | 'd').then(|| text.parse::<f64>().ok()).flatten();
    match (number(one, letter), number(other, other_letter)) {
        (Some(first), Some(second)) => first.total_cmp(&second).then_with(|| one.cmp(other)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.cmp(other),
    }
}

/// A number of a child in a bucket.
fn number_in(child: &mut Collector, bucket: u32, which: &str) -> Option<f64> {
    match child.measure(bucket)? {
        Answer::Number(number) => number,
        Answer::Stats(stats) => stats.number(which),
        Answer::Percentiles(percentiles) => {
            let wanted: f64 = which.parse().ok()?;
            percentiles.iter().find(|(percent, _)| *percent == wanted).and_then(|(_, value)| *value)
        }
        Answer::TopMetrics(rows) => rows.first().and_then(|(_, numbers)| numbers.first().copied().flatten()),
        Answer::Bucket(bucket) => Some(bucket.count as f64),
        Answer::Buckets(_) | Answer::Hits(..) => None,
    }
}

impl Stats {
    /// One of its numbers by Elasticsearch's name for it.
    pub fn number(&self, name: &str) -> Option<f64> {
        let count = self.count as f64;
        if name == "count" || name == "value" {
            return Some(count);
        }
        if name == "sum" {
            return Some(self.sum);
        }
        if self.count == 0 {
            return None;
        }
        let variance = self.squares / count;
        let sampling = if self.count > 1 { Some(self.squares / (count - 1.0)) } else { None };
        match name {
            "min" => Some(self.min),
            "max" => Some(self.max),
            "avg" => Some(self.sum / count),
            "sum_of_squares" => Some(self.squares + count * self.mean * self.mean),
            "variance" | "variance_population" => Some(variance),
            "variance_sampling" => sampling,
            "std_deviation" | "std_deviation_population" => Some(variance.sqrt()),
            "std_deviation_sampling" => sampling.map(f64::sqrt),
            "std_deviation_bounds.upper" => Some(self.mean + 2.0 * variance.sqrt()),
            "std_deviation_bounds.lower" => Some(self.mean - 2.0 * variance.sqrt()),
            _ => None,
        }
    }
}
