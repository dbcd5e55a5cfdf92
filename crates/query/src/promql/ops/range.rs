//! A range vector that is the answer itself: the samples as they are stored.

use std::sync::Arc;

use signalbox_lang::promql::RangeEdges;
use signalbox_model::{Error, Result};

use super::over::{Samples, for_each_series};
use crate::promql::MatrixSeries;
use crate::promql::eval::Evaluator;
use crate::promql::frame::Frame;
use crate::promql::functions::rate::interpolate;
use crate::promql::plan::RangeSource;

/// Bytes of a sample in the answer.
const SAMPLE_BYTES: u64 = 16;

/// Series with their samples in the range that ends at the first instant of the frame, in the order of storage.
pub(in crate::promql) fn collect(evaluator: &Evaluator<'_>, source: &RangeSource, frame: &Frame) -> Result<Vec<(MatrixSeries, bool)>> {
    let end_ms = source.place().of(frame.start_ms);
    let start_ms = end_ms.saturating_sub(source.range_ms());
    let mut found = Vec::new();
    evaluator.tally.expect_answer();
    for_each_series(evaluator, source, &frame.first(), &mut |labels, drop_name, samples| {
        let (floats, histograms): (Vec<_>, Vec<_>) = match source.edges() {
            RangeEdges::Plain => {
                let floats = samples.times.iter().copied().zip(samples.values.iter().copied()).collect();
                (floats, samples.histograms.iter().map(|point| (point.ts_ms, Arc::clone(&point.histogram))).collect())
            }
            edges => (extended(samples, start_ms, end_ms, edges)?, Vec::new()),
        };
        if !floats.is_empty() || !histograms.is_empty() {
            evaluator.hold((floats.len() + histograms.len()) as u64 * SAMPLE_BYTES)?;
            found.push((MatrixSeries { labels: labels.clone(), floats, histograms }, drop_name));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Samples in the range, and one at each end of it.
fn extended(samples: Samples<'_>, start_ms: i64, end_ms: i64, edges: RangeEdges) -> Result<Vec<(i64, f64)>> {
    let is_smoothed = edges == RangeEdges::Smoothed;
    if !samples.histograms.is_empty() {
        let modifier = if is_smoothed { "smoothed" } else { "anchored" };
        return Err(Error::invalid(format!("{modifier} modifier is not supported with histograms")));
    }
    let Samples { times, values, .. } = samples;
    let Some(bounds) = super::super::functions::rate::Bounds::of(times, start_ms, end_ms, is_smoothed) else { return Ok(Vec::new()) };
    let (first, last) = (bounds.first, bounds.last);
    let left = if is_smoothed && times[first] < start_ms { interpolate(times, values, first, start_ms, false) } else { values[first] };
    let right = if is_smoothed && last > 0 && times[last] > end_ms { interpolate(times, values, last - 1, end_ms, false) } else { values[last] };
    let mut found = vec![(start_ms, left)];
    found.extend(times.iter().copied().zip(values.iter().copied()).skip(first).take(last + 1 - first).filter(|(ts, _)| *ts > start_ms && *ts < end_ms));
    found.push((end_ms, right));
    Ok(found)
}
