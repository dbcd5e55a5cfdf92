//! Classic histograms, which are several series, seen as one thing: to give all of them the start that `_created` says, and
//! to make native histograms with custom bounds of them (`convert_classic_histograms_to_nhcb`).

use signalbox_model::histogram::{ResetHint, Span};
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{Histogram, MetricKind};
use xxhash_rust::xxh3::Xxh3Default;

use super::number;

/// Which series of a metric with several a series is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// The same for all series of the metric, different for all others of a page.
    pub group: u128,
    /// Which one.
    pub role: Role,
}

/// What a series of a metric with several counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Role {
    /// Observations up to a bound.
    Bucket(f64),
    /// Sum of the observations.
    Sum,
    /// Number of the observations.
    Count,
    /// When the metric was made; OpenMetrics' `_created`.
    Created,
    /// The total of a counter, a quantile of a summary.
    Value,
}

/// Which series of its metric a series is, by the type and the name of the family that the page is in. `None` for series
/// that stand alone, or do not belong to the family.
pub fn member(kind: MetricKind, family: &str, labels: &[(String, String)]) -> Option<Member> {
    let get = |name: &str| labels.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str());
    let suffix = get(METRIC_NAME)?.strip_prefix(family)?;
    let (bound, role) = match (kind, suffix) {
        (MetricKind::Histogram, "_bucket") => ("le", Role::Bucket(get("le").and_then(|le| number::parse(le.as_bytes())).filter(|le| !le.is_nan())?)),
        (MetricKind::Histogram, "_sum") => ("le", Role::Sum),
        (MetricKind::Histogram, "_count") => ("le", Role::Count),
        (MetricKind::Histogram, "_created") => ("le", Role::Created),
        (MetricKind::Summary, "") => ("quantile", Role::Value),
        (MetricKind::Summary, "_sum") => ("quantile", Role::Sum),
        (MetricKind::Summary, "_count") => ("quantile", Role::Count),
        (MetricKind::Summary, "_created") => ("quantile", Role::Created),
        (MetricKind::Counter, "_total") => ("", Role::Value),
        (MetricKind::Counter, "_created") => ("", Role::Created),
        _ => return None,
    };
    let mut rest: Vec<&(String, String)> = labels.iter().filter(|(name, _)| name != METRIC_NAME && name != bound).collect();
    rest.sort_unstable();
    let mut hash = Xxh3Default::new();
    hash.update(family.as_bytes());
    for (name, value) in rest {
        // 0xff is in no UTF-8 text.
        for part in [name, value] {
            hash.update(&[0xff]);
            hash.update(part.as_bytes());
        }
    }
    Some(Member { group: hash.digest128(), role })
}

/// A classic histogram that is being collected.
#[derive(Debug, Clone, Default)]
pub struct Classic {
    /// Bound and cumulative count, by bound.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
    is_wrong: bool,
}

impl Classic {
    /// Takes a bucket. Of two with one bound the first counts.
    pub fn set_bucket(&mut self, bound: f64, cumulative: f64) {
        if bound.is_nan() || cumulative.is_nan() || cumulative < 0.0 {
            self.is_wrong = true;
            return;
        }
        let at = self.buckets.partition_point(|(other, _)| *other < bound);
        if self.buckets.get(at).is_some_and(|(other, _)| *other == bound) {
            return;
        }
        let below = at.checked_sub(1).and_then(|below| self.buckets.get(below)).is_none_or(|(_, count)| *count <= cumulative);
        let above = self.buckets.get(at).is_none_or(|(_, count)| cumulative <= *count);
        self.is_wrong |= !(below && above);
        self.buckets.insert(at, (bound, cumulative));
    }

    /// Takes the number of observations.
    pub fn set_count(&mut self, count: f64) {
        self.is_wrong |= count.is_nan() || count < 0.0;
        self.count = Some(count);
    }

    /// Takes the sum.
    pub fn set_sum(&mut self, sum: f64) {
        self.sum = sum;
    }

    /// The native histogram with the same buckets. `None` if counts fall where they must rise, or contradict each other.
    pub fn finish(mut self, is_gauge: bool) -> Option<Histogram> {
        let count = self.count.or_else(|| self.buckets.last().map(|(_, count)| *count)).unwrap_or_default();
        if self.buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let (_, last) = *self.buckets.last()?;
        let falls = self.buckets.is_sorted_by(|(_, left), (_, right)| left <= right);
        if self.is_wrong || !falls || last != count {
            return None;
        }
        let is_integer = self.buckets.iter().all(|(_, count)| count.fract() == 0.0);
        let mut histogram = Histogram {
            schema: Histogram::CUSTOM_SCHEMA,
            count,
            sum: self.sum,
            is_integer,
            reset_hint: if is_gauge { ResetHint::Gauge } else { ResetHint::Unknown },
            custom_values: self.buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite()).collect(),
            ..Histogram::default()
        };
        // A bound of minus infinity has no place among custom bounds.
        if histogram.custom_values.len() + 1 != self.buckets.len() {
            return None;
        }
        fill(&mut histogram, &self.buckets);
        Some(histogram)
    }
}

/// Spans and counts; long runs of empty buckets are left out.
fn fill(histogram: &mut Histogram, buckets: &[(f64, f64)]) {
    /// Shorter runs cost less than a span of their own.
    const EMPTY_RUN_MAX: usize = 2;
    let (mut before, mut next) = (0.0, 0);
    for (index, (_, cumulative)) in buckets.iter().enumerate() {
        let count = cumulative - before;
        before = *cumulative;
        if count == 0.0 {
            continue;
        }
        let gap = index - next;
        match histogram.positive_spans.last_mut() {
            Some(span) if gap <= EMPTY_RUN_MAX => {
                span.length += gap as u32 + 1;
                histogram.positive_buckets.extend(std::iter::repeat_n(0.0, gap));
            }
            _ => histogram.positive_spans.push(Span { offset: i32::try_from(gap).unwrap_or(i32::MAX), length: 1 }),
        }
        histogram.positive_buckets.push(count);
        next = index + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn series_of_one_histogram_are_one_group() {
        let member = |pairs: &[(&str, &str)]| member(MetricKind::Histogram, "h", &labels(pairs));
        let bucket = member(&[("__name__", "h_bucket"), ("le", "0.5"), ("a", "1"), ("b", "2")]).unwrap();
        let sum = member(&[("b", "2"), ("a", "1"), ("__name__", "h_sum")]).unwrap();
        assert_eq!((bucket.group == sum.group, bucket.role, sum.role), (true, Role::Bucket(0.5), Role::Sum));
        let other = member(&[("__name__", "h_sum"), ("a", "2"), ("b", "1")]).unwrap();
        assert_ne!(other.group, sum.group);
        assert_eq!(member(&[("__name__", "h_bucket")]), None);
        assert_eq!(member(&[("__name__", "h")]), None);
        assert_eq!(member(&[("__name__", "other_sum")]), None);
    }

    #[test]
    fn buckets_become_a_native_histogram() {
        let mut classic = Classic::default();
        for (bound, count) in [(1.0, 2.0), (0.5, 1.0), (8.0, 2.0), (16.0, 2.0), (4.0, 2.0), (32.0, 5.0), (f64::INFINITY, 6.0), (1.0, 100.0)] {
            classic.set_bucket(bound, count);
        }
        classic.set_sum(40.5);
        let histogram = classic.finish(false).unwrap();
        assert_eq!((histogram.count, histogram.sum, histogram.is_integer), (6.0, 40.5, true));
        assert_eq!(histogram.custom_values, [0.5, 1.0, 4.0, 8.0, 16.0, 32.0]);
        let counts: Vec<(f64, f64)> = histogram.buckets().iter().filter(|bucket| bucket.count > 0.0).map(|bucket| (bucket.upper, bucket.count)).collect();
        assert_eq!(counts, [(0.5, 1.0), (1.0, 1.0), (32.0, 3.0), (f64::INFINITY, 1.0)]);
        assert_eq!(histogram.positive_spans, [Span { offset: 0, length: 2 }, Span { offset: 3, length: 2 }]);
    }

    #[test]
    fn what_contradicts_itself_is_no_histogram() {
        let of = |buckets: &[(f64, f64)], count: Option<f64>| {
            let mut classic = Classic::default();
            buckets.iter().for_each(|(bound, count)| classic.set_bucket(*bound, *count));
            count.into_iter().for_each(|count| classic.set_count(count));
            classic.finish(false)
        };
        assert!(of(&[(1.0, 2.0), (2.0, 1.0)], None).is_none());
        assert!(of(&[(1.0, 2.0), (f64::INFINITY, 2.0)], Some(3.0)).is_none());
        assert!(of(&[(1.0, f64::NAN)], None).is_none());
        assert!(of(&[(f64::NEG_INFINITY, 0.0), (1.0, 1.0)], None).is_none());
        // No count: that of the last bucket; no last bucket: one with the count; nothing at all: empty.
        assert_eq!(of(&[(1.0, 2.0)], None).unwrap().count, 2.0);
        assert_eq!(of(&[(1.0, 2.0)], Some(3.5)).unwrap().buckets().last().unwrap().count, 1.5);
        assert_eq!(of(&[], Some(4.0)).unwrap().positive_buckets, [4.0]);
    }
}
