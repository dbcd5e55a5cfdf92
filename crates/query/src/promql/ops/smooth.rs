//! `smoothed` instant selectors: values between two samples are interpolated.

use signalbox_model::{Error, Result};

use super::over::Cleaned;
use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::plan::Select;
use crate::promql::row::Row;

pub(in crate::promql) fn stream(evaluator: &Evaluator<'_>, select: &Select, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let lookback_ms = evaluator.lookback_ms;
    let (first_ms, last_ms) = (select.place.of(frame.start_ms), select.place.of(frame.last_ms()));
    let (mut row, mut cleaned) = (Row::default(), Cleaned::default());
    evaluator.scan(&select.matchers, (first_ms - lookback_ms + 1, last_ms + lookback_ms), &mut |series, samples| {
        let samples = cleaned.of(&samples);
        row.steps.reset(frame.steps);
        for step in 0..frame.steps {
            let at_ms = select.place.of(frame.at(step));
            let (from, to) = (samples.times.partition_point(|ts| *ts <= at_ms - lookback_ms), samples.times.partition_point(|ts| *ts <= at_ms + lookback_ms));
            if samples.histograms.iter().any(|point| point.ts_ms > at_ms - lookback_ms && point.ts_ms <= at_ms + lookback_ms) {
                return Err(Error::invalid("smoothed selectors of native histograms are not supported by this server"));
            }
            let (times, values) = (&samples.times[from..to], &samples.values[from..to]);
            let next = times.partition_point(|ts| *ts < at_ms);
            if times.get(next) == Some(&at_ms) {
                row.steps.set(step, values[next]);
            } else if next > 0 && next < times.len() {
                let share = (at_ms - times[next - 1]) as f64;
                row.steps.set(step, values[next - 1] + (values[next] - values[next - 1]) * share / (times[next] - times[next - 1]) as f64);
            } else if next > 0 {
                row.steps.set(step, values[next - 1]);
            }
        }
        if row.steps.is_empty() {
            return Ok(());
        }
        row.labels.clone_from(&series.labels);
        row.drop_name = false;
        sink(&mut row)
    })
}
