//! Classic histograms as scripts load them when they want native ones.

use signalbox_model::Histogram;
use signalbox_model::histogram::Span;

/// A classic histogram at one instant, on its way to a native one with custom buckets.
#[derive(Debug, Default)]
pub(super) struct Classic {
    /// Cumulative counts by upper bound, ascending.
    pub(super) buckets: Vec<(f64, f64)>,
    pub(super) count: Option<f64>,
    pub(super) sum: f64,
}

impl Classic {
    pub(super) fn convert(mut self) -> Histogram {
        self.buckets.sort_by(|left, right| left.0.total_cmp(&right.0));
        if self.buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
            let last = self.buckets.last().map_or(0.0, |(_, count)| *count);
            self.buckets.push((f64::INFINITY, self.count.unwrap_or(last)));
        }
        let total = self.buckets.last().map_or(0.0, |(_, count)| *count);
        let mut below = 0.0;
        let counts: Vec<f64> = self.buckets.iter().map(|(_, count)| count - std::mem::replace(&mut below, *count)).collect();
        Histogram {
            schema: Histogram::CUSTOM_SCHEMA,
            count: self.count.unwrap_or(total),
            sum: self.sum,
            custom_values: self.buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite()).collect(),
            positive_spans: vec![Span { offset: 0, length: counts.len() as u32 }],
            positive_buckets: counts,
            ..Histogram::default()
        }
    }
}

#[test]
fn classic_histograms_become_native_ones() {
    let classic = Classic { buckets: vec![(f64::INFINITY, 12.0), (0.1, 5.0), (0.2, 7.0)], count: None, sum: 0.0 }.convert();
    assert_eq!((classic.custom_values, classic.positive_buckets, classic.count), (vec![0.1, 0.2], vec![5.0, 2.0, 5.0], 12.0));
}
