//! Functions that fit a line or a curve to the samples of a window.

use signalbox_model::{Error, Result};

use super::{Context, Outcome};
use crate::promql::kahan::Kahan;
use crate::promql::ops::over::{Samples, Window};

/// Times and values when there are two floats at least.
fn floats<'a>(window: &Window<'a>, context: &Context<'_>) -> Option<(&'a [i64], &'a [f64])> {
    let Samples { times, values, histograms, .. } = window.samples;
    if !values.is_empty() && !histograms.is_empty() {
        context.notes.histograms_ignored_in_range(context.metric, context.span);
    }
    (values.len() >= 2).then_some((times, values))
}

/// Slope per second, and the value at an instant, of the line with the least squares.
fn linear_regression(times: &[i64], values: &[f64], at_ms: i64) -> (f64, f64) {
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let (mut sum_x, mut sum_y, mut sum_xy, mut sum_xx) = (Kahan::default(), Kahan::default(), Kahan::default(), Kahan::default());
    for (ts_ms, y) in times.iter().zip(values) {
        let x = (ts_ms - at_ms) as f64 / 1e3;
        sum_x.add(x);
        sum_y.add(*y);
        sum_xy.add(x * y);
        sum_xx.add(x * x);
    }
    let count = values.len() as f64;
    let (sum_x, sum_y, sum_xy, sum_xx) = (sum_x.total(), sum_y.total(), sum_xy.total(), sum_xx.total());
    let slope = (sum_xy - sum_x * sum_y / count) / (sum_xx - sum_x * sum_x / count);
    (slope, sum_y / count - slope * sum_x / count)
}

pub(super) fn deriv(window: &Window<'_>, _: &[f64], context: &Context<'_>) -> Result<Option<Outcome>> {
    // Times close to zero keep the digits of the sums.
    Ok(floats(window, context).map(|(times, values)| Outcome::Float(linear_regression(times, values, times[0]).0)))
}

pub(super) fn predict_linear(window: &Window<'_>, params: &[f64], context: &Context<'_>) -> Result<Option<Outcome>> {
    Ok(floats(window, context).map(|(times, values)| {
        let (slope, intercept) = linear_regression(times, values, window.instant_ms);
        Outcome::Float(slope * params[0] + intercept)
    }))
}

pub(super) fn double_exponential_smoothing(window: &Window<'_>, params: &[f64], context: &Context<'_>) -> Result<Option<Outcome>> {
    let (smoothing, trend) = (params[0], params[1]);
    let is_factor = |value: f64| value > 0.0 && value < 1.0;
    // Not a number is a factor to Prometheus: only the bounds are compared.
    if !is_factor(smoothing) && !smoothing.is_nan() {
        return Err(Error::invalid(format!("invalid smoothing factor. Expected: 0 < sf < 1, got: {smoothing:.6}")));
    }
    if !is_factor(trend) && !trend.is_nan() {
        return Err(Error::invalid(format!("invalid trend factor. Expected: 0 < tf < 1, got: {trend:.6}")));
    }
    let Some((_, values)) = floats(window, context) else { return Ok(None) };
    let (mut before, mut smoothed, mut slope) = (0.0, values[0], values[1] - values[0]);
    for (index, value) in values.iter().enumerate().skip(1) {
        if index > 1 {
            slope = trend * (smoothed - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (smoothed + slope);
        (before, smoothed) = (smoothed, next);
    }
    Ok(Some(Outcome::Float(smoothed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found() {
        assert_eq!(linear_regression(&[0, 1_000, 2_000], &[1.0, 3.0, 5.0], 3_000), (2.0, 7.0));
        assert_eq!(linear_regression(&[0, 1_000], &[4.0, 4.0], 9_000), (0.0, 4.0));
        assert!(linear_regression(&[0, 1_000], &[f64::INFINITY, f64::INFINITY], 0).0.is_nan());
    }
}
