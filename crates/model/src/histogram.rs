//! Native histograms (Prometheus' sparse histograms, OpenTelemetry's exponential histograms), always with float counts in memory.

use std::f64::consts::SQRT_2;
use std::sync::LazyLock;

use crate::{Error, Result};

/// What is known about a reset before this sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResetHint {
    /// Nothing is known: compare with the previous sample.
    #[default]
    Unknown,
    /// The counter was reset between the previous sample and this one.
    Reset,
    /// It was not reset.
    NotReset,
    /// This is a gauge histogram: resets do not exist.
    Gauge,
}

/// A run of consecutive buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Gap to the end of the previous span; for the first span its absolute index.
    pub offset: i32,
    /// Number of buckets in the run.
    pub length: u32,
}

/// A native histogram. Bucket `i` with schema `s` in -4..=8 has the upper bound `2^(i * 2^-s)`; schema -53 has custom bounds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// Resolution; -53 for custom buckets.
    pub schema: i32,
    /// Width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations, NaN observations included.
    pub count: f64,
    /// Sum of the observations; a staleness marker is a histogram whose sum is the stale NaN.
    pub sum: f64,
    /// Whether the counts came as integers and may be rendered as such.
    pub is_integer: bool,
    /// Reset hint.
    pub reset_hint: ResetHint,
    /// Runs of positive buckets.
    pub positive_spans: Vec<Span>,
    /// Absolute counts of the positive buckets, one for each bucket of the spans.
    pub positive_buckets: Vec<f64>,
    /// Runs of negative buckets.
    pub negative_spans: Vec<Span>,
    /// Absolute counts of the negative buckets.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds for schema -53, ascending, +Inf excluded.
    pub custom_values: Vec<f64>,
}

impl Histogram {
    /// The schema that marks custom bounds.
    pub const CUSTOM_SCHEMA: i32 = -53;

    /// Upper bound of the bucket at an index; the lower bound is that of the index before.
    ///
    /// Bounds are bit for bit those of Prometheus: the last bucket of finite observations ends at the largest number, the one
    /// after it at infinity. Of custom buckets, those beyond the bounds have no end.
    pub fn upper_bound(&self, index: i32) -> f64 {
        if self.schema == Self::CUSTOM_SCHEMA {
            return match usize::try_from(index) {
                Ok(index) => self.custom_values.get(index).copied().unwrap_or(f64::INFINITY),
                Err(_) => f64::NEG_INFINITY,
            };
        }
        let index = i64::from(index);
        if self.schema < 0 {
            let exponent = index << self.schema.unsigned_abs().min(8);
            return if exponent == 1024 { f64::MAX } else { power_of_two(exponent) };
        }
        let schema = self.schema.min(FINEST_SCHEMA) as usize;
        let fraction = FRACTIONS[schema][(index & ((1 << schema) - 1)) as usize];
        let exponent = index >> schema;
        if fraction == 0.5 && exponent == 1024 { f64::MAX } else { 2.0 * fraction * power_of_two(exponent) }
    }

    /// All buckets of the spans and the zero bucket, from the lowest to the highest, empty ones included. Buckets that reach
    /// into the zero bucket are cut off where it begins.
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut buckets = Vec::with_capacity(self.positive_buckets.len() + self.negative_buckets.len() + 1);
        for (index, count) in indexed(&self.negative_spans, &self.negative_buckets) {
            let (lower, upper) = (-self.upper_bound(index), -self.upper_bound(index.saturating_sub(1)));
            let upper = if upper < 0.0 && upper > -self.zero_threshold { -self.zero_threshold } else { upper };
            buckets.push(Bucket { lower, upper, includes_lower: true, includes_upper: false, count });
        }
        buckets.reverse();
        if self.zero_count > 0.0 {
            let (lower, upper) = (-self.zero_threshold, self.zero_threshold);
            buckets.push(Bucket { lower, upper, includes_lower: true, includes_upper: true, count: self.zero_count });
        }
        for (index, count) in indexed(&self.positive_spans, &self.positive_buckets) {
            let (lower, upper) = (self.upper_bound(index.saturating_sub(1)), self.upper_bound(index));
            let lower = if lower > 0.0 && lower < self.zero_threshold { self.zero_threshold } else { lower };
            let includes_lower = self.schema == Self::CUSTOM_SCHEMA && index == 0;
            buckets.push(Bucket { lower, upper, includes_lower, includes_upper: true, count });
        }
        buckets
    }

    /// Whether this may follow another histogram of the same counter without a reset: of the same layout, and no count fell.
    /// `false` does not say that there was a reset: the layouts may differ, or one of the two is no sample of a counter.
    pub fn has_grown_from(&self, previous: &Self) -> bool {
        let is_counter = |histogram: &Self| histogram.reset_hint != ResetHint::Gauge && !crate::batch::is_stale_nan(histogram.sum);
        is_counter(self)
            && is_counter(previous)
            && self.schema == previous.schema
            && self.zero_threshold == previous.zero_threshold
            && self.custom_values == previous.custom_values
            && self.count >= previous.count
            && self.zero_count >= previous.zero_count
            && have_grown((&self.positive_spans, &self.positive_buckets), (&previous.positive_spans, &previous.positive_buckets))
            && have_grown((&self.negative_spans, &self.negative_buckets), (&previous.negative_spans, &previous.negative_buckets))
    }

    /// Merges buckets until the resolution of exponential buckets is no finer than `schema`.
    ///
    /// # Errors
    /// `Invalid` if the distance of two merged buckets does not fit a span, which indexes of 32 bits rule out; nothing is changed then.
    pub fn coarsen(&mut self, schema: i32) -> Result<()> {
        let Ok(shift @ 1..) = u32::try_from(i64::from(self.schema) - i64::from(schema)) else { return Ok(()) };
        let positive = merged(&self.positive_spans, &self.positive_buckets, shift)?;
        let negative = merged(&self.negative_spans, &self.negative_buckets, shift)?;
        self.schema = schema;
        (self.positive_spans, self.positive_buckets) = positive;
        (self.negative_spans, self.negative_buckets) = negative;
        Ok(())
    }
}

/// The buckets of one side, each the sum of those that a resolution coarser by `shift` does not tell apart.
fn merged(spans: &[Span], buckets: &[f64], shift: u32) -> Result<(Vec<Span>, Vec<f64>)> {
    let (mut next, mut counts) = (0i64, buckets.iter());
    let (mut coarse_spans, mut coarse_buckets, mut end) = (Vec::<Span>::new(), Vec::<f64>::new(), 0i64);
    for span in spans {
        next += i64::from(span.offset);
        for count in counts.by_ref().take(span.length as usize) {
            // Buckets are numbered by their upper bound: (i - 1) >> shift, plus 1.
            let at = ((next - 1) >> shift.min(63)) + 1;
            next += 1;
            match (coarse_spans.last_mut(), coarse_buckets.last_mut()) {
                (Some(_), Some(bucket)) if at + 1 == end => *bucket += count,
                (Some(last), _) if at == end => {
                    last.length += 1;
                    coarse_buckets.push(*count);
                    end += 1;
                }
                _ => {
                    let offset = i32::try_from(at - end).map_err(|_| Error::invalid("cannot merge buckets: a distance does not fit 32 bits"))?;
                    coarse_spans.push(Span { offset, length: 1 });
                    coarse_buckets.push(*count);
                    end = at + 1;
                }
            }
        }
    }
    Ok((coarse_spans, coarse_buckets))
}

/// Spans and the counts of their buckets.
type Side<'a> = (&'a [Span], &'a [f64]);

/// Whether no bucket counts less than before.
fn have_grown(now: Side<'_>, before: Side<'_>) -> bool {
    let mut now = indexed(now.0, now.1).peekable();
    indexed(before.0, before.1).all(|(index, count)| {
        while now.next_if(|(candidate, _)| *candidate < index).is_some() {}
        let found = now.peek().filter(|(candidate, _)| *candidate == index).map_or(0.0, |(_, count)| *count);
        found >= count
    })
}

/// One bucket of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Whether an observation of the lower bound belongs to the bucket.
    pub includes_lower: bool,
    /// Whether an observation of the upper bound belongs to the bucket.
    pub includes_upper: bool,
    /// Observations.
    pub count: f64,
}

/// Index and count of each bucket. Spans that say more buckets than there are end with the counts.
fn indexed<'a>(spans: &'a [Span], counts: &'a [f64]) -> impl Iterator<Item = (i32, f64)> + 'a {
    let mut next = 0i32;
    let indexes = spans.iter().flat_map(move |span| {
        let first = next.saturating_add(span.offset);
        next = first.saturating_add_unsigned(span.length);
        first..next
    });
    indexes.zip(counts.iter().copied())
}

/// Finest schema of exponential buckets.
const FINEST_SCHEMA: i32 = 8;

/// Bounds of the buckets between 0.5 and 1, by schema. Each second one is that of the coarser schema, the others are the one
/// before times the growth: the very order of operations by which Prometheus' clients compute theirs.
static FRACTIONS: LazyLock<Vec<Vec<f64>>> = LazyLock::new(|| {
    // 2^(2^-schema) as Go computes it; that of schema 1 is one unit in the last place below the nearest number.
    const GROWTH: [f64; 9] = [
        2.0,
        SQRT_2.next_down(),
        1.189_207_115_002_721,
        1.090_507_732_665_257_7,
        1.044_273_782_427_413_8,
        1.021_897_148_654_116_6,
        1.010_889_286_051_700_5,
        1.005_429_901_112_802_7,
        1.002_711_275_050_202_5,
    ];
    let mut fractions: Vec<Vec<f64>> = Vec::new();
    for growth in GROWTH {
        let mut bounds = vec![0.5];
        if let Some(coarser) = fractions.last() {
            for (position, bound) in coarser.iter().enumerate() {
                bounds.push(bound * growth);
                bounds.extend(coarser.get(position + 1));
            }
        }
        fractions.push(bounds);
    }
    fractions
});

/// 2 to a power, exact; 0 and infinity where it does not fit.
fn power_of_two(exponent: i64) -> f64 {
    match exponent {
        1024.. => f64::INFINITY,
        -1022..1024 => f64::from_bits(((exponent + 1023) as u64) << 52),
        -1074..-1022 => f64::from_bits(1 << (exponent + 1074)),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_1_SQRT_2;

    use super::*;

    fn bound(schema: i32, index: i32) -> f64 {
        Histogram { schema, ..Histogram::default() }.upper_bound(index)
    }

    #[test]
    fn bounds_are_those_of_prometheus() {
        let cases = [
            (0, 0, 1.0),
            (0, 1, 2.0),
            (0, -3, 0.125),
            (0, 1023, 2f64.powi(1023)),
            (0, 1024, f64::MAX),
            (0, 1025, f64::INFINITY),
            (0, -1074, 5e-324),
            (1, 0, 1.0),
            (1, -1, FRAC_1_SQRT_2.next_down()),
            (1, 1, SQRT_2.next_down()),
            (2, 1, 2.0 * 0.594_603_557_501_360_5),
            (3, 7, 2.0 * 0.917_004_043_204_671_1),
            (5, -5, 0.897_354_537_501_553_3),
            (7, 127, 2.0 * 0.994_599_423_483_632_8),
            (8, 3, 2.0 * 0.504_077_949_059_208_8),
            (8, 256 * 1024, f64::MAX),
            (8, 256 * 1024 + 1, f64::INFINITY),
            (-1, 1, 4.0),
            (-4, 64, f64::MAX),
            (-4, 65, f64::INFINITY),
            (-4, i32::MAX, f64::INFINITY),
            (-4, i32::MIN, 0.0),
        ];
        for (schema, index, want) in cases {
            assert_eq!(bound(schema, index).to_bits(), f64::to_bits(want), "schema {schema}, index {index}: {}", bound(schema, index));
        }
    }

    #[test]
    fn every_bound_is_above_the_one_before() {
        for schema in -4..=8 {
            for index in -600..600 {
                let (before, after) = (bound(schema, index - 1), bound(schema, index));
                assert!(before < after || after == f64::INFINITY || after == 0.0, "schema {schema}, index {index}: {before} {after}");
            }
        }
    }

    #[test]
    fn a_counter_has_grown_when_nothing_fell() {
        let spans = |offset, length| vec![Span { offset, length }];
        let before =
            Histogram { count: 3.0, sum: 1.0, positive_spans: spans(1, 2), positive_buckets: vec![1.0, 2.0], custom_values: vec![], ..Histogram::default() };
        assert!(before.has_grown_from(&before));
        // A bucket more on each side.
        let wider = Histogram { count: 5.0, positive_spans: spans(0, 4), positive_buckets: vec![1.0, 1.0, 2.0, 1.0], ..before.clone() };
        assert!(wider.has_grown_from(&before) && !before.has_grown_from(&wider));
        let wrong = [
            Histogram { count: 2.0, ..before.clone() },
            Histogram { positive_buckets: vec![2.0, 1.0], ..before.clone() },
            Histogram { positive_spans: spans(2, 2), positive_buckets: vec![3.0, 2.0], ..before.clone() },
            Histogram { positive_spans: spans(1, 1), positive_buckets: vec![3.0], ..before.clone() },
            Histogram { schema: 1, ..before.clone() },
            Histogram { zero_threshold: 1.0, ..before.clone() },
            Histogram { count: f64::NAN, ..before.clone() },
            Histogram { reset_hint: ResetHint::Gauge, ..before.clone() },
            Histogram { sum: f64::from_bits(crate::batch::STALE_NAN_BITS), ..before.clone() },
        ];
        for histogram in wrong {
            assert!(!histogram.has_grown_from(&before), "{histogram:?}");
        }
    }

    #[test]
    fn lists_buckets_from_low_to_high() {
        let histogram = Histogram {
            zero_threshold: 0.7,
            zero_count: 4.0,
            positive_spans: vec![Span { offset: 0, length: 1 }, Span { offset: 1, length: 1 }],
            positive_buckets: vec![1.0, 2.0],
            negative_spans: vec![Span { offset: 0, length: 2 }],
            negative_buckets: vec![8.0, 9.0],
            ..Histogram::default()
        };
        let shown: Vec<_> = histogram.buckets().iter().map(|bucket| (bucket.lower, bucket.upper, bucket.count)).collect();
        assert_eq!(shown, [(-2.0, -1.0, 9.0), (-1.0, -0.7, 8.0), (-0.7, 0.7, 4.0), (0.7, 1.0, 1.0), (2.0, 4.0, 2.0)]);
        let custom = Histogram {
            schema: Histogram::CUSTOM_SCHEMA,
            custom_values: vec![1.0, 5.0],
            positive_spans: vec![Span { offset: 0, length: 3 }],
            positive_buckets: vec![1.0, 2.0, 3.0],
            ..Histogram::default()
        };
        let shown: Vec<_> = custom.buckets().iter().map(|bucket| (bucket.lower, bucket.upper, bucket.includes_lower)).collect();
        assert_eq!(shown, [(f64::NEG_INFINITY, 1.0, true), (1.0, 5.0, false), (5.0, f64::INFINITY, false)]);
    }

    #[test]
    fn coarser_buckets_hold_what_the_finer_ones_held() {
        let spans = vec![Span { offset: 1, length: 3 }, Span { offset: 2, length: 1 }];
        let fine = Histogram { schema: 1, positive_spans: spans, positive_buckets: vec![1.0, 2.0, 4.0, 8.0], ..Histogram::default() };
        let mut coarse = fine.clone();
        coarse.coarsen(0).unwrap();
        // Fine 1 and 2 end where coarse 1 ends, 3 with 2, 6 with 3.
        assert_eq!((coarse.schema, coarse.positive_buckets.as_slice()), (0, [3.0, 4.0, 8.0].as_slice()));
        assert_eq!(coarse.positive_spans, [Span { offset: 1, length: 3 }]);
        let mut same = fine.clone();
        same.coarsen(1).unwrap();
        assert_eq!(same, fine);
        // Two gaps that no index of 32 bits spans.
        let spans = vec![Span { offset: i32::MAX, length: 0 }, Span { offset: i32::MAX, length: 0 }, Span { offset: i32::MAX, length: 1 }];
        let mut broken = Histogram { schema: 1, positive_spans: spans, positive_buckets: vec![1.0], ..Histogram::default() };
        let before = broken.clone();
        assert!(broken.coarsen(0).is_err());
        assert_eq!(broken, before);
    }
}
