//! Quantiles and fractions of classic histograms: cumulative buckets with upper bounds.

/// One bucket: how many observations are not above a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cumulative {
    pub(super) upper: f64,
    pub(super) count: f64,
}

/// Counts that fell where they had to rise were raised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Forced {
    pub(super) bucket_min: f64,
    pub(super) bucket_max: f64,
    pub(super) difference_max: f64,
}

/// Relative difference of counts that is taken for a rounding error.
const TOLERANCE: f64 = 1e-12;

/// The quantile, observations spread evenly within a bucket. Sorts the buckets.
pub(super) fn quantile(q: f64, buckets: &mut Vec<Cumulative>) -> (f64, Option<Forced>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if !(0.0..=1.0).contains(&q) {
        return (if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY }, None);
    }
    if !settle(buckets) {
        return (f64::NAN, None);
    }
    let forced = force_monotonicity(buckets);
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if last == 0 || observations == 0.0 || observations.is_nan() {
        return (f64::NAN, forced);
    }
    let mut rank = q * observations;
    let found = buckets[..last].partition_point(|bucket| bucket.count < rank);
    let value = if found == last {
        buckets[last - 1].upper
    } else if found == 0 && buckets[0].upper <= 0.0 {
        buckets[0].upper
    } else {
        let Cumulative { upper, mut count } = buckets[found];
        let mut lower = 0.0;
        if found > 0 {
            lower = buckets[found - 1].upper;
            count -= buckets[found - 1].count;
            rank -= buckets[found - 1].count;
        }
        lower + (upper - lower) * (rank / count)
    };
    (value, forced)
}

/// Sorts, and adds up buckets of one bound. Answers whether the highest bucket is that of infinity.
fn settle(buckets: &mut Vec<Cumulative>) -> bool {
    buckets.sort_by(|left, right| left.upper.total_cmp(&right.upper));
    if buckets.last().is_none_or(|bucket| bucket.upper != f64::INFINITY) {
        return false;
    }
    buckets.dedup_by(|later, earlier| {
        let is_same = later.upper == earlier.upper;
        if is_same {
            earlier.count += later.count;
        }
        is_same
    });
    true
}

fn force_monotonicity(buckets: &mut [Cumulative]) -> Option<Forced> {
    let mut forced: Option<Forced> = None;
    let mut previous = buckets.first()?.count;
    for bucket in &mut buckets[1..] {
        if bucket.count == previous {
            continue;
        }
        if is_almost_equal(previous, bucket.count) {
            bucket.count = previous;
            continue;
        }
        if bucket.count < previous {
            let known = forced.get_or_insert(Forced { bucket_min: f64::INFINITY, bucket_max: f64::NEG_INFINITY, difference_max: 0.0 });
            known.bucket_min = known.bucket_min.min(bucket.upper);
            known.bucket_max = known.bucket_max.max(bucket.upper);
            known.difference_max = known.difference_max.max(previous - bucket.count);
            bucket.count = previous;
            continue;
        }
        previous = bucket.count;
    }
    forced
}

fn is_almost_equal(left: f64, right: f64) -> bool {
    if left.is_nan() || right.is_nan() {
        return left.is_nan() && right.is_nan();
    }
    let (sum, difference) = (left.abs() + right.abs(), (left - right).abs());
    if left == 0.0 || right == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

/// The share of observations between two values. Sorts the buckets.
pub(super) fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Cumulative>) -> f64 {
    if !settle(buckets) {
        return f64::NAN;
    }
    let count = buckets[buckets.len() - 1].count;
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let rank_of = |value: f64| {
        let mut bucket_lower = if buckets[0].upper <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
        let mut rank = 0.0;
        for bucket in buckets.iter() {
            if bucket_lower >= value {
                return rank;
            }
            if bucket.upper > value {
                if bucket_lower == f64::NEG_INFINITY {
                    return bucket.count;
                }
                return rank + (bucket.count - rank) * (value - bucket_lower) / (bucket.upper - bucket_lower);
            }
            rank = bucket.count;
            bucket_lower = bucket.upper;
        }
        count
    };
    let within = |rank: f64| if rank > count { count } else { rank };
    (within(rank_of(upper)) - within(rank_of(lower))) / count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<Cumulative> {
        pairs.iter().map(|(upper, count)| Cumulative { upper: *upper, count: *count }).collect()
    }

    #[test]
    fn quantiles_are_interpolated_within_a_bucket() {
        let histogram = [(f64::INFINITY, 10.0), (1.0, 2.0), (2.0, 6.0), (4.0, 10.0)];
        let of = |q| quantile(q, &mut buckets(&histogram)).0;
        assert_eq!((of(0.1), of(0.4), of(0.8), of(1.0)), (0.5, 1.5, 3.0, 4.0));
        assert_eq!((of(-1.0), of(2.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(of(f64::NAN).is_nan() && quantile(0.5, &mut buckets(&[(1.0, 1.0), (2.0, 2.0)])).0.is_nan());
        // Nothing can be said above the highest bound, nor below the lowest when that is not positive.
        assert_eq!(quantile(0.9, &mut buckets(&[(1.0, 1.0), (f64::INFINITY, 2.0)])).0, 1.0);
        assert_eq!(quantile(0.1, &mut buckets(&[(-1.0, 1.0), (f64::INFINITY, 2.0)])).0, -1.0);
    }

    #[test]
    fn falling_counts_are_raised_and_told() {
        let (value, forced) = quantile(0.5, &mut buckets(&[(1.0, 4.0), (2.0, 1.0), (f64::INFINITY, 8.0)]));
        assert_eq!((value, forced), (1.0, Some(Forced { bucket_min: 2.0, bucket_max: 2.0, difference_max: 3.0 })));
        let (_, forced) = quantile(0.5, &mut buckets(&[(1.0, 1e15), (2.0, 1e15 - 0.125), (f64::INFINITY, 2e15)]));
        assert_eq!(forced, None);
    }

    #[test]
    fn fractions_invert_quantiles() {
        let of = |lower, upper| fraction(lower, upper, &mut buckets(&[(1.0, 2.0), (2.0, 6.0), (f64::INFINITY, 10.0)]));
        assert_eq!((of(0.0, 1.0), of(1.0, 1.5), of(f64::NEG_INFINITY, f64::INFINITY), of(2.0, 1.0)), (0.2, 0.2, 1.0, 0.0));
        // What lies in the last bucket cannot be told apart.
        assert_eq!(of(0.0, 100.0), 0.6);
    }
}
