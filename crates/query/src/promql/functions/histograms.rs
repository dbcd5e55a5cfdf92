//! Functions of one native histogram each. Floats are left out.

use signalbox_lang::promql::Function;
use signalbox_model::{Histogram, Result};

use super::math::pass_on;
use super::native::variance;
use crate::promql::eval::{Evaluator, Sink};
use crate::promql::frame::Frame;
use crate::promql::plan::FunctionCall;
use crate::promql::row::{Bitmap, Row};

pub(super) fn stream(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    let of: fn(&Histogram) -> f64 = match call.function {
        Function::HistogramAvg => |histogram| histogram.sum / histogram.count,
        Function::HistogramCount => |histogram| histogram.count,
        Function::HistogramSum => |histogram| histogram.sum,
        Function::HistogramStdvar => variance,
        _ => |histogram| variance(histogram).sqrt(),
    };
    evaluator.stream(&call.args[0], frame, &mut |row| {
        map(row, of);
        pass_on(row, sink)
    })
}

fn map(row: &mut Row, of: fn(&Histogram) -> f64) {
    row.steps.floats = Bitmap::with_steps(row.steps.len());
    for (step, histogram) in std::mem::take(&mut row.steps.histograms).into_iter().enumerate() {
        if let Some(histogram) = histogram {
            row.steps.set(step, of(&histogram));
        }
    }
}
