//! Brings a metric batch into the form that the store takes: refused rows gone, and with them the series that no row
//! names any more, so that refusing a row never makes a series.

use signalbox_model::{MetricBatch, SampleColumns};

use crate::limits::Verdicts;

/// The batch without what is refused.
pub(crate) fn keep(batch: MetricBatch, verdicts: &Verdicts) -> MetricBatch {
    if verdicts.keep_all() {
        return batch;
    }
    let mut kept = MetricBatch {
        series: batch.series,
        samples: keep_samples(&batch.samples, &verdicts.samples),
        deltas: keep_samples(&batch.deltas, &verdicts.deltas),
        histograms: keep_rows(batch.histograms, &verdicts.histograms),
        exemplars: keep_rows(batch.exemplars, &verdicts.exemplars),
        metadata: batch.metadata,
    };
    drop_unnamed_series(&mut kept);
    kept
}

fn keep_rows<T>(rows: Vec<T>, keep: &[bool]) -> Vec<T> {
    rows.into_iter().zip(keep).filter(|(_, keep)| **keep).map(|(row, _)| row).collect()
}

fn keep_samples(columns: &SampleColumns, keep: &[bool]) -> SampleColumns {
    fn column<T: Copy>(values: &[T], keep: &[bool]) -> Vec<T> {
        values.iter().zip(keep).filter(|(_, keep)| **keep).map(|(value, _)| *value).collect()
    }
    SampleColumns {
        series: column(&columns.series, keep),
        ts_ms: column(&columns.ts_ms, keep),
        value: column(&columns.value, keep),
        start_ms: column(&columns.start_ms, keep),
    }
}

/// Drops series that nothing names, and numbers the rest anew. Exemplars name a series too: Prometheus sends them apart
/// from the samples.
pub(crate) fn drop_unnamed_series(batch: &mut MetricBatch) {
    const GONE: u32 = u32::MAX;
    let mut place = vec![GONE; batch.series.len()];
    let numbers = batch.samples.series.iter().chain(&batch.deltas.series).copied();
    let others = batch.histograms.iter().map(|sample| sample.series).chain(batch.exemplars.iter().map(|exemplar| exemplar.series));
    for index in numbers.chain(others) {
        if let Some(place) = place.get_mut(index as usize) {
            *place = 0;
        }
    }
    for (next, place) in (0..).zip(place.iter_mut().filter(|place| **place == 0)) {
        *place = next;
    }
    let at = |index: u32| place.get(index as usize).copied().unwrap_or(GONE);
    let mut index = 0;
    batch.series.retain(|_| {
        index += 1;
        at(index - 1) != GONE
    });
    batch.samples.series.iter_mut().chain(&mut batch.deltas.series).for_each(|index| *index = at(*index));
    batch.histograms.iter_mut().for_each(|sample| sample.series = at(sample.series));
    batch.exemplars.iter_mut().for_each(|exemplar| exemplar.series = at(exemplar.series));
}
