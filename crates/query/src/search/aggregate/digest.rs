//! Quantiles of a stream of numbers: exact for few, a t-digest (Dunning's merging form) for many.

/// How fine: more is finer and larger. Elasticsearch's default.
const COMPRESSION: f64 = 100.0;
/// Numbers that are kept as they are.
const EXACT_MAX: usize = 1_024;

/// Quantiles of the numbers that were added.
#[derive(Debug, Clone, Default)]
pub(super) struct Digest {
    /// Means and weights, by mean.
    centroids: Vec<(f64, f64)>,
    /// Numbers since the last merge.
    fresh: Vec<f64>,
    min: f64,
    max: f64,
}

impl Digest {
    pub(super) fn add(&mut self, number: f64) {
        let is_first = self.centroids.is_empty() && self.fresh.is_empty();
        (self.min, self.max) = if is_first { (number, number) } else { (self.min.min(number), self.max.max(number)) };
        self.fresh.push(number);
        if self.fresh.len() >= EXACT_MAX {
            self.merge();
        }
    }

    /// About how many bytes it holds.
    pub(super) fn held(&self) -> usize {
        self.centroids.capacity() * 16 + self.fresh.capacity() * 8
    }

    fn merge(&mut self) {
        let mut points = std::mem::take(&mut self.centroids);
        points.extend(self.fresh.drain(..).map(|number| (number, 1.0)));
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let total: f64 = points.iter().map(|(_, weight)| weight).sum();
        let (mut merged, mut before): (Vec<(f64, f64)>, f64) = (Vec::new(), 0.0);
        for (mean, weight) in points {
            if let Some(last) = merged.last_mut() {
                let quantile = (before + (last.1 + weight) / 2.0) / total;
                // Small at both ends, so that extreme quantiles stay sharp.
                let heaviest = 4.0 * total * quantile * (1.0 - quantile) / COMPRESSION;
                if last.1 + weight <= heaviest {
                    last.0 += (mean - last.0) * weight / (last.1 + weight);
                    last.1 += weight;
                    continue;
                }
                before += last.1;
            }
            merged.push((mean, weight));
        }
        self.centroids = merged;
    }

    /// The value at a quantile from 0 to 1; `None` without numbers.
    pub(super) fn quantile(&mut self, quantile: f64) -> Option<f64> {
        if self.centroids.is_empty() {
            self.fresh.sort_by(f64::total_cmp);
            let last = self.fresh.len().checked_sub(1)?;
            let place = quantile.clamp(0.0, 1.0) * last as f64;
            let (low, high) = (self.fresh[place.floor() as usize], self.fresh[place.ceil() as usize]);
            return Some(low + (high - low) * place.fract());
        }
        if !self.fresh.is_empty() {
            self.merge();
        }
        let total: f64 = self.centroids.iter().map(|(_, weight)| weight).sum();
        let wanted = quantile.clamp(0.0, 1.0) * total;
        // Between the middles of centroids, and between the outer ones and the extremes.
        let (mut below, mut left) = (0.0, (0.0, self.min));
        for (mean, weight) in &self.centroids {
            let middle = below + weight / 2.0;
            if wanted <= middle {
                return Some(between(left, (middle, *mean), wanted));
            }
            (below, left) = (below + weight, (middle, *mean));
        }
        Some(between(left, (total, self.max), wanted))
    }
}

fn between((from, low): (f64, f64), (to, high): (f64, f64), at: f64) -> f64 {
    if to <= from { high } else { low + (high - low) * (at - from) / (to - from) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::Digest;

    fn digest(numbers: impl Iterator<Item = f64>) -> Digest {
        let mut digest = Digest::default();
        numbers.for_each(|number| digest.add(number));
        digest
    }

    #[test]
    fn few_numbers_are_exact_and_many_are_close() {
        assert_eq!(Digest::default().quantile(0.5), None);
        assert_eq!(digest([3.0].into_iter()).quantile(0.99), Some(3.0));
        let mut few = digest((1..=5).map(f64::from));
        assert_eq!([0.0, 0.25, 0.5, 0.9, 1.0].map(|quantile| few.quantile(quantile).unwrap()), [1.0, 2.0, 3.0, 4.6, 5.0]);
        // In an order that jumps.
        let mut many = digest((0..200_000u32).map(|number| f64::from(number * 7_919 % 200_000)));
        for (quantile, close) in [(0.001, 100.0), (0.01, 200.0), (0.5, 2_000.0), (0.99, 200.0), (0.999, 100.0)] {
            let error = (many.quantile(quantile).unwrap() - quantile * 200_000.0).abs();
            assert!(error < close, "{quantile}: {error}");
        }
        assert_eq!((many.quantile(0.0), many.quantile(1.0)), (Some(0.0), Some(199_999.0)));
        assert!(many.held() < 64 << 10);
    }
}
