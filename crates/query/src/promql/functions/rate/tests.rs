//! The rate family on windows of a few samples, and its fast pass against single windows.

use signalbox_lang::Span;

use super::super::Kernel;
use super::*;
use crate::promql::frame::Frame;
use crate::promql::notes::Notes;
use crate::promql::ops::over::Windows;
use crate::promql::plan::{Place, RangeSource, Select};
use crate::promql::row::Steps;

const MINUTE: i64 = 60_000;

fn context(notes: &Notes, range_ms: i64, edges: RangeEdges) -> Context<'_> {
    Context { notes, span: Span::default(), metric: "x_total", range_ms, edges, uses_starts: false }
}

/// A kernel over samples a minute apart from 0 on, in a window that ends with the last one.
fn of(kernel: Kernel, values: &[f64], range_ms: i64, edges: RangeEdges) -> Option<f64> {
    let notes = Notes::default();
    let times: Vec<i64> = (0..values.len() as i64).map(|index| index * MINUTE).collect();
    let end_ms = times[times.len() - 1];
    let first = if edges == RangeEdges::Plain { times.partition_point(|ts| *ts <= end_ms - range_ms) } else { 0 };
    let samples = Samples { times: &times[first..], values: &values[first..], starts: &[], histograms: &[], times_id: 0 };
    let window = Window { instant_ms: end_ms, start_ms: end_ms - range_ms, end_ms, samples };
    match kernel(&window, &[], &context(&notes, range_ms, edges)).unwrap() {
        Some(Outcome::Float(value)) => Some(value),
        None => None,
        other => panic!("want a float, got {other:?}"),
    }
}

#[test]
fn changes_are_extrapolated_to_the_range() {
    let plain = RangeEdges::Plain;
    // Four samples in five minutes cover three; the range reaches a whole interval further to the left.
    assert_eq!(of(increase, &[0.0, 10.0, 20.0, 30.0, 40.0, 50.0], 5 * MINUTE, plain), Some(50.0));
    assert_eq!(of(rate, &[0.0, 60.0, 120.0, 180.0], 3 * MINUTE, plain), Some(1.0));
    assert_eq!(of(delta, &[10.0, 8.0, 6.0, 4.0], 3 * MINUTE, plain), Some(-6.0));
    // One reset from 20 to 5.
    assert_eq!(of(increase, &[0.0, 10.0, 20.0, 5.0, 15.0], 4 * MINUTE, plain), Some(25.0 * (240.0 / 180.0)));
    // A counter is never extrapolated below zero.
    assert_eq!(of(increase, &[0.0, 0.0, 30.0, 60.0], 3 * MINUTE, plain), Some(60.0));
    assert_eq!(of(rate, &[1.0], 5 * MINUTE, plain), None);
}

#[test]
fn instant_changes_look_at_two_samples() {
    let plain = RangeEdges::Plain;
    assert_eq!(of(irate, &[0.0, 500.0, 560.0], 5 * MINUTE, plain), Some(1.0));
    assert_eq!(of(irate, &[0.0, 500.0, 60.0], 5 * MINUTE, plain), Some(1.0));
    assert_eq!(of(idelta, &[0.0, 500.0, 440.0], 5 * MINUTE, plain), Some(-60.0));
    assert_eq!(of(idelta, &[1.0], 5 * MINUTE, plain), None);
}

#[test]
fn anchored_ranges_start_at_the_sample_before() {
    assert_eq!(of(increase, &[0.0, 10.0, 20.0, 30.0], 90_000, RangeEdges::Anchored), Some(20.0));
    assert_eq!(of(increase, &[0.0, 10.0, 3.0, 5.0], 3 * MINUTE, RangeEdges::Anchored), Some(15.0));
    assert_eq!(of(increase, &[0.0, 10.0, 20.0, 30.0], 90_000, RangeEdges::Smoothed), Some(15.0));
}

/// The pass over all steps gives what the single windows give, resets and gaps included.
#[test]
fn the_fast_pass_equals_the_windows() {
    let mut state = 7u64;
    let mut random = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let (mut times, mut values, mut at_ms, mut value) = (Vec::new(), Vec::new(), 0, 0.0);
    for _ in 0..500 {
        at_ms += 1_000 + random(60_000) as i64;
        value = if random(20) == 0 { random(5) as f64 } else { value + random(100) as f64 / 7.0 };
        times.push(at_ms);
        values.push(value);
    }
    let samples = Samples { times: &times, values: &values, starts: &[], histograms: &[], times_id: 7 };
    let frame = Frame { start_ms: 0, step_ms: 17_000, steps: 900 };
    for (function, kernel) in [(Function::Rate, rate as Kernel), (Function::Increase, increase), (Function::Delta, delta)] {
        for range_ms in [30_000, 300_000] {
            let place = Place { offset_ms: 5_000, at_ms: None };
            let source = RangeSource::Selector { select: Select { matchers: Vec::new(), place, edges: RangeEdges::Plain, tells_resets: false }, range_ms };
            let notes = Notes::default();
            let context = context(&notes, range_ms, RangeEdges::Plain);
            let (mut stretches, mut steps) = (Stretches::new(function, &frame, &source), Steps::empty(frame.steps));
            // Another series with the same times first, so that what is checked takes over its windows.
            let other: Vec<f64> = values.iter().rev().copied().collect();
            stretches.fill(Samples { values: &other, ..samples }, &mut steps);
            steps.reset(frame.steps);
            stretches.fill(samples, &mut steps);
            for (step, window) in Windows::new(samples, &frame, &source, 300_000) {
                let single = kernel(&window, &[], &context).unwrap();
                let expected = steps.floats.get(step).then(|| Outcome::Float(steps.values[step]));
                assert_eq!(single, expected, "{function:?} at step {step}");
            }
        }
    }
}
