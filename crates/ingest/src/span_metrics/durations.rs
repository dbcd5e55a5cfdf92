//! Durations of one series, counted in native and in classic buckets.

use std::sync::LazyLock;

use signalbox_model::histogram::Span;
use signalbox_model::{Histogram, SpanId, TraceId};

/// Resolution of the native histograms: eight buckets for each doubling, each 9 % wider than the one below.
const SCHEMA: i32 = 3;
const BUCKETS_OF_DOUBLING: i32 = 1 << SCHEMA;
/// What Prometheus' clients take for zero: 2^-128.
const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;
const NANOS_PER_SECOND: f64 = 1e9;

/// Bounds of the buckets between 0.5 and 1, without the last.
static FRACTIONS: LazyLock<[f64; BUCKETS_OF_DOUBLING as usize]> = LazyLock::new(|| {
    let histogram = Histogram { schema: SCHEMA, ..Histogram::default() };
    std::array::from_fn(|index| histogram.upper_bound(index as i32) / 2.0)
});

/// A span that stands for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Example {
    pub(super) duration_ns: u64,
    pub(super) end_ms: i64,
    pub(super) trace_id: TraceId,
    pub(super) span_id: Option<SpanId>,
}

/// Durations since the series began.
#[derive(Debug, Clone, Default)]
pub(super) struct Durations {
    pub(super) count: u64,
    sum_ns: u128,
    zeros: u64,
    /// Index of the first native bucket.
    first: i32,
    native: Vec<u64>,
    /// One more than there are bounds, not cumulative; empty until the first duration.
    classic: Vec<u64>,
    /// The longest since the last write.
    pub(super) example: Option<Example>,
}

impl Durations {
    /// Counts a duration; `bounds_ns` are the same each time.
    #[inline]
    pub(super) fn add(&mut self, duration_ns: u64, bounds_ns: &[u64]) {
        self.count += 1;
        self.sum_ns += u128::from(duration_ns);
        if self.classic.is_empty() {
            self.classic = vec![0; bounds_ns.len() + 1];
        }
        let classic = bounds_ns.partition_point(|bound| *bound < duration_ns);
        if let Some(bucket) = self.classic.get_mut(classic) {
            *bucket += 1;
        }
        match duration_ns {
            0 => self.zeros += 1,
            _ => *self.native_bucket(native_index(duration_ns)) += 1,
        }
    }

    /// Keeps a span as the example if it is the longest; `make` is asked for it only then.
    #[inline]
    pub(super) fn exemplify(&mut self, duration_ns: u64, make: impl FnOnce() -> Option<Example>) {
        if self.example.is_none_or(|example| example.duration_ns < duration_ns) {
            self.example = make().or(self.example);
        }
    }

    fn native_bucket(&mut self, index: i32) -> &mut u64 {
        if self.native.is_empty() {
            self.first = index;
        }
        if index < self.first {
            let missing = (self.first - index) as usize;
            self.native.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = index;
        }
        let at = (index - self.first) as usize;
        if at >= self.native.len() {
            self.native.resize(at + 1, 0);
        }
        &mut self.native[at]
    }

    /// Sum in seconds.
    pub(super) fn sum_seconds(&self) -> f64 {
        self.sum_ns as f64 / NANOS_PER_SECOND
    }

    /// Counts up to each bound, and of all.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = u64> {
        self.classic.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        })
    }

    /// The classic bucket that a duration falls into.
    pub(super) fn bucket_of(duration_ns: u64, bounds_ns: &[u64]) -> usize {
        bounds_ns.partition_point(|bound| *bound < duration_ns)
    }

    /// The native histogram.
    pub(super) fn histogram(&self) -> Histogram {
        let (mut spans, mut buckets) = (Vec::<Span>::new(), Vec::new());
        let mut next = 0;
        for (index, count) in (self.first..).zip(&self.native).filter(|(_, count)| **count > 0) {
            match spans.last_mut() {
                Some(span) if index == next => span.length += 1,
                _ => spans.push(Span { offset: index - next, length: 1 }),
            }
            next = index + 1;
            buckets.push(*count as f64);
        }
        Histogram {
            zero_count: self.zeros as f64,
            count: self.count as f64,
            sum: self.sum_seconds(),
            positive_spans: spans,
            positive_buckets: buckets,
            ..empty()
        }
    }
}

/// A native histogram without observations.
pub(super) fn empty() -> Histogram {
    Histogram { schema: SCHEMA, zero_threshold: ZERO_THRESHOLD, is_integer: true, ..Histogram::default() }
}

/// Bounds in nanoseconds.
pub(super) fn bounds_ns(seconds: &[f64]) -> Vec<u64> {
    seconds.iter().map(|bound| (bound * NANOS_PER_SECOND).round() as u64).collect()
}

/// The bucket whose upper bound is the first that is not below a duration above 0.
fn native_index(duration_ns: u64) -> i32 {
    let seconds = duration_ns as f64 / NANOS_PER_SECOND;
    // As `frexp`: a fraction from 0.5 up to 1, times 2 to the exponent. The number is at least 1e-9, so never subnormal.
    let bits = seconds.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1022;
    let fraction = f64::from_bits((bits & ((1 << 52) - 1)) | (1022 << 52));
    let below = FRACTIONS.iter().filter(|bound| **bound < fraction).count() as i32;
    below + (exponent - 1) * BUCKETS_OF_DOUBLING
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(durations_ns: &[u64], bounds_ns: &[u64]) -> Durations {
        let mut durations = Durations::default();
        durations_ns.iter().for_each(|duration| durations.add(*duration, bounds_ns));
        durations
    }

    #[test]
    fn native_buckets_are_those_of_prometheus() {
        let bounds = Histogram { schema: SCHEMA, ..Histogram::default() };
        let mut durations: Vec<u64> = (0..64).flat_map(|power| [1u64 << power, (1u64 << power).saturating_sub(1).max(1), (1u64 << power) + 1]).collect();
        durations.extend([1_000_000_000, 2_000_000_000, 500_000_000, 999_999_999, 1_090_507_733, 123_456_789, u64::MAX]);
        for duration in durations {
            let (index, seconds) = (native_index(duration), duration as f64 / NANOS_PER_SECOND);
            assert!(bounds.upper_bound(index - 1) < seconds && seconds <= bounds.upper_bound(index), "{duration}: {index}");
        }
    }

    #[test]
    fn counts_in_both_kinds_of_buckets() {
        let bounds = bounds_ns(&[0.001, 0.002]);
        let durations = of(&[0, 1_000_000, 1_000_001, 3_000_000_000, 2_000_000, 1_000_000_000], &bounds);
        assert_eq!(durations.cumulative().collect::<Vec<_>>(), [2, 4, 6]);
        let histogram = durations.histogram();
        assert_eq!((histogram.count, histogram.zero_count, histogram.sum), (6.0, 1.0, durations.sum_seconds()));
        assert_eq!(histogram.positive_buckets.iter().sum::<f64>(), 5.0);
        let buckets: Vec<f64> = histogram.buckets().iter().filter(|bucket| bucket.count > 0.0).map(|bucket| bucket.upper).collect();
        assert_eq!(buckets.len(), 5, "zero, two of about 1 ms, 2 ms, 1 s and 3 s: {histogram:?}");
        assert!(buckets.contains(&1.0));
        assert_eq!(Durations::bucket_of(2_000_001, &bounds), 2);
    }

    #[test]
    fn the_longest_is_the_example() {
        let example = |duration_ns| Some(Example { duration_ns, end_ms: 0, trace_id: TraceId::from_hex("1")?, span_id: None });
        let mut durations = Durations::default();
        for duration in [5, 9, 7] {
            durations.exemplify(duration, || example(duration));
        }
        durations.exemplify(10, || None);
        assert_eq!(durations.example, example(9));
    }
}
