//! Sums and means of native histograms.

use signalbox_lang::Span;
use signalbox_model::Histogram;
use signalbox_model::histogram::ResetHint;

use super::{Incompatible, add, compact, divide, has_overflow, scale};
use crate::promql::notes::{HistogramOperation, Notes};

/// A sum that grows; it turns into a mean before it overflows.
#[derive(Debug, Clone, Default)]
pub(in crate::promql) struct HistogramSum {
    sum: Option<Histogram>,
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
            self.sum = Some(histogram.clone());
            return Ok(());
        };
        if !self.is_incremental_mean {
            let mut next = sum.clone();
            self.are_bounds_reconciled |= add(&mut next, histogram)?.are_bounds_reconciled;
            if !has_overflow(&next) || has_overflow(sum) {
                *sum = next;
                return Ok(());
            }
            self.is_incremental_mean = true;
            divide(sum, self.count - 1.0);
        }
        scale(sum, (self.count - 1.0) / self.count);
        let mut share = histogram.clone();
        divide(&mut share, self.count);
        self.are_bounds_reconciled |= add(sum, &share)?.are_bounds_reconciled;
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
        let mut sum = self.sum?;
        if self.is_incremental_mean {
            scale(&mut sum, self.count);
        }
        compact(&mut sum);
        Some(sum)
    }

    pub(in crate::promql) fn mean(self) -> Option<Histogram> {
        let mut mean = self.sum?;
        if !self.is_incremental_mean {
            divide(&mut mean, self.count);
        }
        compact(&mut mean);
        Some(mean)
    }
}
