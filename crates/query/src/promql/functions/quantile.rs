//! Quantiles of plain values.

use std::cmp::Ordering;

/// The quantile of values, interpolated between the two next to its rank; sorts the values, NaN first.
pub(in crate::promql) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|left, right| left.partial_cmp(right).unwrap_or_else(|| right.is_nan().cmp(&left.is_nan())).then(Ordering::Equal));
    let last = (values.len() - 1) as f64;
    let rank = q * last;
    let lower = rank.floor().max(0.0);
    let upper = (lower + 1.0).min(last);
    let weight = rank - rank.floor();
    values[lower as usize] * (1.0 - weight) + values[upper as usize] * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_values() {
        let of = |q, values: &[f64]| quantile(q, &mut values.to_vec());
        assert_eq!((of(0.5, &[3.0, 1.0, 2.0]), of(0.5, &[1.0, 2.0]), of(0.75, &[0.0, 1.0, 2.0])), (2.0, 1.5, 1.5));
        assert_eq!((of(-0.1, &[1.0]), of(1.1, &[1.0]), of(1.0, &[1.0, 5.0])), (f64::NEG_INFINITY, f64::INFINITY, 5.0));
        assert!(of(f64::NAN, &[1.0]).is_nan() && of(0.5, &[]).is_nan());
        // NaN is the smallest of all.
        assert!(of(0.0, &[1.0, f64::NAN]).is_nan());
        assert_eq!(of(1.0, &[1.0, f64::NAN]), 1.0);
    }
}
