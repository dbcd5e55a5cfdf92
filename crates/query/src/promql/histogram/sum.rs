//! Sums and means of native histograms.

use signalbox_lang::Span;
use signalbox_model::Histogram;
use signalbox_model::histogram::ResetHint;

use super::{Incompatible, add, add_compensated, compact, divide, has_overflow, scale};
use crate::promql::notes::{HistogramOperation, Notes};

/// A sum that grows; it turns into a mean before it overflows.
#[derive(Debug, Clone, Default)]
pub(in crate::promql) struct HistogramSum {
    sum: Option<Histogram>,
    /// What rounding took from the sum, bucket by bucket; of the same layout.
    lost: Histogram,
    count: f64,
    is_incremental_mean: bool,
    has_reset: bool,
    has_no_reset: bool,
    are_bounds_reconciled: bool,
}

impl HistogramSum {
    pub(in crate::promql) fn add(&mut self, histogram: &Histogram) -> Result<(), Incompatible> {
        self.has_reset |= histogram.reset_hint == ResetHint::Reset;
        self.has_no_reset |= histogram.reset_hint == ResetHint::NotReset;
        self.count += 1.0;
        let Some(sum) = &mut self.sum else {
            self.lost = Histogram { sum: 0.0, count: 0.0, zero_count: 0.0, ..histogram.clone() };
            self.lost.positive_buckets.iter_mut().chain(&mut self.lost.negative_buckets).for_each(|lost| *lost = 0.0);
            self.sum = Some(histogram.clone());
            return Ok(());
        };
        if !self.is_incremental_mean {
            let (mut next, mut lost) = (sum.clone(), self.lost.clone());
            self.are_bounds_reconciled |= add_compensated(&mut next, &mut lost, histogram)?.are_bounds_reconciled;
            if !has_overflow(&next) || has_overflow(sum) {
                (*sum, self.lost) = (next, lost);
                return Ok(());
            }
            self.is_incremental_mean = true;
            divide(sum, self.count - 1.0);
            divide(&mut self.lost, self.count - 1.0);
        }
        scale(sum, (self.count - 1.0) / self.count);
        scale(&mut self.lost, (self.count - 1.0) / self.count);
        let mut share = histogram.clone();
        divide(&mut share, self.count);
        self.are_bounds_reconciled |= add_compensated(sum, &mut self.lost, &share)?.are_bounds_reconciled;
        Ok(())
    }

    /// Tells what was odd about the histograms.
    pub(in crate::promql) fn tell(&self, notes: &Notes, span: Span) {
        if self.has_reset && self.has_no_reset {
            notes.counter_reset_collision(HistogramOperation::Aggregation, span);
        }
        if self.are_bounds_reconciled {
            notes.mismatched_custom_buckets(HistogramOperation::Aggregation, span);
        }
    }

    pub(in crate::promql) fn total(self) -> Option<Histogram> {
        let mut sum = compensated(self.sum?, &self.lost);
        if self.is_incremental_mean {
            scale(&mut sum, self.count);
        }
        compact(&mut sum);
        Some(sum)
    }

    pub(in crate::promql) fn mean(self) -> Option<Histogram> {
        let (mut mean, mut lost) = (self.sum?, self.lost);
        if !self.is_incremental_mean {
            divide(&mut mean, self.count);
            divide(&mut lost, self.count);
        }
        mean = compensated(mean, &lost);
        compact(&mut mean);
        Some(mean)
    }
}

/// A sum with what rounding took from it. The two have one layout, so they go together, and hints stay as they are.
fn compensated(mut sum: Histogram, lost: &Histogram) -> Histogram {
    let hint = sum.reset_hint;
    if add(&mut sum, lost).is_ok() {
        sum.reset_hint = hint;
    }
    sum
}
