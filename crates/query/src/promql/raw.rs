//! Samples as they are stored, without evaluation: for doors that hand them on (remote read, federation).

use signalbox_model::batch::is_stale_nan;
use signalbox_model::{Error, Labels, Matcher, Owners, Result, Table, Tenant, TimeRange};
use signalbox_store::{HistogramPoint, SeriesHandle, SeriesSamples, Snapshot};

use super::{LISTED_SERIES_MAX, Point, VectorSample};
use crate::Engine;
use crate::leash::Leash;

/// Series that are read at a time. Their answers are held until they can be handed on in order.
const SERIES_AT_A_TIME: usize = 64;

/// Which samples are asked for.
#[derive(Debug, Clone)]
pub struct Selection {
    /// All have to match.
    pub matchers: Vec<Matcher>,
    /// Both ends included.
    pub range: TimeRange,
    /// Whether samples are wanted, or only which series there are.
    pub with_samples: bool,
}

/// One series as it is stored, staleness markers included.
#[derive(Debug, Clone, Copy)]
pub struct RawSeries<'a> {
    /// Which of the selections found it.
    pub selection: usize,
    /// Labels of the series.
    pub labels: &'a Labels,
    /// Its samples in the range; none if none were asked for.
    pub samples: SeriesSamples<'a>,
}

/// A segment of floats or histograms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSummary {
    /// Identity.
    pub id: String,
    /// Whose rows it holds.
    pub table: Table,
    /// 0 for a flushed head, higher for compacted.
    pub level: u8,
    /// Bounds of the samples, both ends included.
    pub range: TimeRange,
    /// Samples.
    pub rows: u64,
}

impl Engine {
    /// Reads the samples of several selections of one snapshot: selection by selection, in each by labels ascending. `make` sees
    /// each series with samples (in any order within some neighbours), `take` gets what it made in order. Both run on a thread
    /// that may block. Samples are counted against the samples that a query may read only by whoever makes something of them.
    ///
    /// # Errors
    /// `Limit` for a selection with more series than a selector of PromQL may find; `Timeout`; `Canceled`; of the disk; the
    /// first of `make` and `take`.
    pub async fn raw_samples<M: Send + 'static>(
        &self,
        owners: impl Into<Owners>,
        selections: Vec<Selection>,
        mut make: impl FnMut(RawSeries<'_>) -> Result<M> + Send + 'static,
        mut take: impl FnMut(M) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let snapshot = self.store.snapshot(owners);
        let series_max = usize::try_from(self.settings.promql_series_max).unwrap_or(usize::MAX);
        let text = format!("{} selections", selections.len());
        self.watched(
            "raw",
            text,
            self.blocking(move |leash| {
                for (number, selection) in selections.iter().enumerate() {
                    read(&snapshot, leash, (number, selection), series_max, &mut make, &mut take)?;
                }
                Ok(())
            }),
        )
        .await
    }

    /// The latest sample of each series that matches one of the sets of matchers, if it is in the range and no staleness marker.
    /// Sorted by labels.
    ///
    /// # Errors
    /// `Limit` for more than [`LISTED_SERIES_MAX`] series; `Timeout`; of the disk.
    pub async fn latest_samples(&self, owners: impl Into<Owners>, sets: Vec<Vec<Matcher>>, range: TimeRange) -> Result<Vec<VectorSample>> {
        let snapshot = self.store.snapshot(owners);
        self.blocking(move |leash| {
            let mut series: Vec<SeriesHandle> = Vec::new();
            for set in &sets {
                series.extend(snapshot.select(set, range, LISTED_SERIES_MAX)?);
            }
            series.sort_by(|left, right| left.labels.cmp(&right.labels));
            series.dedup_by(|left, right| left.id == right.id);
            if series.len() > LISTED_SERIES_MAX {
                return Err(Error::limit(format!("cannot answer with more than {LISTED_SERIES_MAX} series: select fewer")));
            }
            let mut found: Vec<Option<VectorSample>> = vec![None; series.len()];
            snapshot.read(&series, range, &mut |position, samples| {
                leash.check()?;
                found[position] = latest(&series[position].labels, &samples);
                Ok(())
            })?;
            Ok(found.into_iter().flatten().collect())
        })
        .await
    }

    /// The segments of floats and histograms, oldest first.
    pub fn metric_segments(&self, tenant: &Tenant) -> Vec<SegmentSummary> {
        let snapshot = self.store.snapshot(tenant);
        let segments = snapshot.metric_segments().filter(|segment| segment.table != Table::Exemplars);
        segments
            .map(|segment| SegmentSummary { id: segment.id.to_string(), table: segment.table, level: segment.level, range: segment.range, rows: segment.rows })
            .collect()
    }
}

fn read<M>(
    snapshot: &Snapshot,
    leash: &Leash,
    (number, selection): (usize, &Selection),
    series_max: usize,
    make: &mut impl FnMut(RawSeries<'_>) -> Result<M>,
    take: &mut impl FnMut(M) -> Result<()>,
) -> Result<()> {
    let series = snapshot.select(&selection.matchers, selection.range, series_max)?;
    if !selection.with_samples {
        let samples = SeriesSamples { ts_ms: &[], values: &[], start_ms: &[], histograms: &[], times_id: 0 };
        return series.iter().try_for_each(|handle| take(make(RawSeries { selection: number, labels: &handle.labels, samples })?));
    }
    for group in series.chunks(SERIES_AT_A_TIME) {
        let mut made: Vec<Option<M>> = group.iter().map(|_| None).collect();
        snapshot.read(group, selection.range, &mut |position, samples| {
            leash.check()?;
            made[position] = Some(make(RawSeries { selection: number, labels: &group[position].labels, samples })?);
            Ok(())
        })?;
        made.into_iter().flatten().try_for_each(&mut *take)?;
    }
    Ok(())
}

/// The latest of the floats and the histograms; a float goes before a histogram of the same instant.
fn latest(labels: &Labels, samples: &SeriesSamples<'_>) -> Option<VectorSample> {
    let float = samples.ts_ms.last().copied().zip(samples.values.last().copied());
    let histogram: Option<&HistogramPoint> = samples.histograms.last();
    let (ts_ms, point) = match (float, histogram) {
        (Some((ts_ms, value)), newest) if newest.is_none_or(|point| point.ts_ms <= ts_ms) => {
            if is_stale_nan(value) {
                return None;
            }
            (ts_ms, Point::Float(value))
        }
        (_, Some(point)) if !is_stale_nan(point.histogram.sum) => (point.ts_ms, Point::Histogram(std::sync::Arc::clone(&point.histogram))),
        _ => return None,
    };
    Some(VectorSample { labels: labels.clone(), ts_ms, point })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use signalbox_model::Histogram;
    use signalbox_model::batch::STALE_NAN_BITS;

    use super::*;

    #[test]
    fn the_latest_sample_is_a_float_or_a_histogram_unless_it_ends_the_series() {
        let stale = f64::from_bits(STALE_NAN_BITS);
        let point = |ts_ms, sum| HistogramPoint { ts_ms, start_ms: 0, histogram: Arc::new(Histogram { sum, ..Histogram::default() }) };
        let of = |ts_ms: &[i64], values: &[f64], histograms: &[HistogramPoint]| {
            let samples = SeriesSamples { ts_ms, values, start_ms: &[], histograms, times_id: 0 };
            latest(&Labels::empty(), &samples).map(|sample| (sample.ts_ms, matches!(sample.point, Point::Float(_))))
        };
        assert_eq!(of(&[], &[], &[]), None);
        assert_eq!(of(&[1, 5], &[1.0, 2.0], &[]), Some((5, true)));
        assert_eq!(of(&[1, 5], &[1.0, stale], &[]), None);
        assert_eq!(of(&[5], &[1.0], &[point(6, 1.0)]), Some((6, false)));
        assert_eq!(of(&[5], &[1.0], &[point(5, 1.0)]), Some((5, true)));
        assert_eq!(of(&[5], &[1.0], &[point(6, stale)]), None);
    }
}
