//! Limits of series and samples.

use signalbox_model::{Labels, MetricBatch, SeriesEntry};

use super::{Reason, Settings, Tally, Window};

/// Decides about series that the store may not have yet.
pub(crate) trait NewSeries {
    /// Whether one more series may be made.
    fn may_add(&mut self, labels: &Labels) -> bool;
}

/// What to keep of a batch.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    /// For each series of the batch.
    pub(crate) series: Vec<bool>,
    /// For each sample.
    pub(crate) samples: Vec<bool>,
    /// For each increment.
    pub(crate) deltas: Vec<bool>,
    /// For each native histogram.
    pub(crate) histograms: Vec<bool>,
    /// For each exemplar.
    pub(crate) exemplars: Vec<bool>,
}

impl Verdicts {
    /// Whether the batch may stay as it is.
    pub(crate) fn keep_all(&self) -> bool {
        [&self.series, &self.samples, &self.deltas, &self.histograms, &self.exemplars].into_iter().flatten().all(|keep| *keep)
    }
}

/// Judges every row of a batch; refused rows are counted.
pub(crate) fn judge_metrics(batch: &MetricBatch, settings: &Settings, window: &Window, new: &mut dyn NewSeries, tally: &mut Tally) -> Verdicts {
    let series: Vec<Option<Reason>> = batch.series.iter().map(|entry| judge_series(entry, settings, new)).collect();
    let of_series = |index: u32| series.get(index as usize).copied().flatten();
    let mut row = |index: u32, ts_ms: i64| match of_series(index).or_else(|| window.refuses_ms(ts_ms)) {
        Some(reason) => {
            tally.add(reason);
            false
        }
        None => true,
    };
    let samples = batch.samples.series.iter().zip(&batch.samples.ts_ms).map(|(index, ts_ms)| row(*index, *ts_ms)).collect();
    let deltas = batch.deltas.series.iter().zip(&batch.deltas.ts_ms).map(|(index, ts_ms)| row(*index, *ts_ms)).collect();
    let histograms = batch.histograms.iter().map(|sample| row(sample.series, sample.ts_ms)).collect();
    // Exemplars are examples: one that is out of the window is left out, and no row is missing for it.
    let is_wanted = |index: u32, ts_ms: i64| of_series(index).is_none() && window.refuses_ms(ts_ms).is_none();
    let exemplars = batch.exemplars.iter().map(|exemplar| is_wanted(exemplar.series, exemplar.ts_ms)).collect();
    Verdicts { series: series.iter().map(Option::is_none).collect(), samples, deltas, histograms, exemplars }
}

fn judge_series(entry: &SeriesEntry, settings: &Settings, new: &mut dyn NewSeries) -> Option<Reason> {
    let SeriesEntry::New { labels, .. } = entry else { return None };
    let mut count = 0;
    for (name, value) in labels {
        count += 1;
        if name.len() > settings.label_name_bytes_max || value.len() > settings.label_value_bytes_max {
            return Some(Reason::LabelTooLong);
        }
    }
    if count > settings.labels_max {
        Some(Reason::TooManyLabels)
    } else if new.may_add(labels) {
        None
    } else {
        Some(Reason::SeriesLimit)
    }
}
