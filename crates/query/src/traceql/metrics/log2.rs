//! Buckets by powers of two, and quantiles of them, as Tempo computes them.

/// The bucket of a value: the power of two that it does not exceed. Values below 2 have none.
pub(super) fn bucket_of(value: f64) -> Option<u8> {
    if value < 2.0 || value.is_nan() {
        return None;
    }
    Some((64 - (value as u64 - 1).leading_zeros()) as u8)
}

/// The greatest value of a bucket.
pub(super) fn bucket_max(bucket: u8) -> f64 {
    2.0_f64.powi(i32::from(bucket))
}

/// A quantile of counts by bucket, ascending and none of them 0; 0 without any. Within a bucket values grow exponentially.
pub(super) fn quantile(p: f64, buckets: &[(f64, u64)]) -> f64 {
    let total: u64 = buckets.iter().map(|(_, count)| *count).sum();
    if !(0.0..=1.0).contains(&p) || total == 0 {
        return 0.0;
    }
    // Rounded up, so that few values make a quantile too; at least one is looked at.
    let wanted = ((p * total as f64).ceil() as u64).max(1);
    let (mut before, mut at) = (0, 0);
    for (place, (max, count)) in buckets.iter().enumerate() {
        at = place;
        if before + count > wanted {
            break;
        }
        before += count;
        if before == wanted {
            return *max;
        }
    }
    let (max, count) = buckets[at];
    let share = (wanted - before) as f64 / count as f64;
    let high = max.log2();
    let low = if at > 0 { buckets[at - 1].0.log2() } else { high - 1.0 };
    (low + (high - low) * share).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_the_bucket_of_the_next_power_of_two() {
        let cases = [
            (0.0, None),
            (1.9, None),
            (2.0, Some(1)),
            (3.0, Some(2)),
            (4.0, Some(2)),
            (5.0, Some(3)),
            (1024.0, Some(10)),
            (1025.0, Some(11)),
            (1e300, Some(64)),
        ];
        for (value, want) in cases {
            assert_eq!(bucket_of(value), want, "{value}");
        }
        assert_eq!((bucket_of(f64::NAN), bucket_max(10)), (None, 1024.0));
    }

    #[test]
    fn quantiles_lie_between_the_ends_of_their_bucket() {
        let close = |found: f64, want: f64| assert!((found - want).abs() < 1e-9, "{found} is not {want}");
        close(quantile(0.5, &[]), 0.0);
        close(quantile(2.0, &[(4.0, 1)]), 0.0);
        close(quantile(0.0, &[(4.0, 2), (8.0, 2)]), 2.0 * 2.0_f64.sqrt());
        close(quantile(0.5, &[(4.0, 2), (8.0, 2)]), 4.0);
        close(quantile(0.75, &[(4.0, 2), (8.0, 2)]), 4.0 * 2.0_f64.sqrt());
        close(quantile(1.0, &[(4.0, 2), (8.0, 2)]), 8.0);
        close(quantile(0.99, &[(4.0, 1)]), 4.0);
    }
}
