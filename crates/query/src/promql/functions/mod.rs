//! The functions, one family a file.

use std::sync::Arc;

use signalbox_lang::Span;
use signalbox_lang::promql::{Function, RangeEdges, ValueType};
use signalbox_model::{Error, Histogram, Result};

use super::eval::{Evaluator, Sink};
use super::frame::Frame;
use super::notes::Notes;
use super::ops::over::Window;
use super::plan::{FunctionCall, Node};

mod absent;
mod buckets;
mod changes;
mod classic;
mod clock;
mod histograms;
mod info;
mod labels;
mod math;
mod native;
mod over_time;
pub(super) mod quantile;
pub(super) mod rate;
pub(super) mod rate_histogram;
mod regression;
mod scalars;
pub(super) mod sort;
mod start_times;

/// What a function of a window knows beside the window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) notes: &'a Notes,
    /// Place of the range in the query.
    pub(super) span: Span,
    /// Name of the metric of the series.
    pub(super) metric: &'a str,
    pub(super) range_ms: i64,
    pub(super) edges: RangeEdges,
    /// Whether start times of samples tell of resets.
    pub(super) uses_starts: bool,
}

/// What a function makes of a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    Float(f64),
    Histogram(Arc<Histogram>),
}

/// A function of a window: the window, which holds at least one sample, and the scalar arguments at the step.
pub(super) type Kernel = fn(&Window<'_>, &[f64], &Context<'_>) -> Result<Option<Outcome>>;

/// Whether a function takes a range.
pub(super) fn is_over_range(function: Function) -> bool {
    function.signature().args.contains(&ValueType::Matrix)
}

/// The function of one window.
pub(super) fn kernel(function: Function) -> Result<Kernel> {
    Ok(match function {
        Function::Rate => rate::rate,
        Function::Increase => rate::increase,
        Function::Delta => rate::delta,
        Function::Irate => rate::irate,
        Function::Idelta => rate::idelta,
        Function::Deriv => regression::deriv,
        Function::PredictLinear => regression::predict_linear,
        Function::DoubleExponentialSmoothing => regression::double_exponential_smoothing,
        Function::Changes => changes::changes,
        Function::Resets => changes::resets,
        Function::AvgOverTime => over_time::avg,
        Function::CountOverTime => over_time::count,
        Function::FirstOverTime => over_time::first,
        Function::LastOverTime => over_time::last,
        Function::MadOverTime => over_time::mad,
        Function::MaxOverTime => over_time::max,
        Function::MinOverTime => over_time::min,
        Function::PresentOverTime => over_time::present,
        Function::QuantileOverTime => over_time::quantile,
        Function::StddevOverTime => over_time::stddev,
        Function::StdvarOverTime => over_time::stdvar,
        Function::SumOverTime => over_time::sum,
        Function::TsOfFirstOverTime => over_time::ts_of_first,
        Function::TsOfLastOverTime => over_time::ts_of_last,
        Function::TsOfMaxOverTime => over_time::ts_of_max,
        Function::TsOfMinOverTime => over_time::ts_of_min,
        _ => return Err(not_supported(function)),
    })
}

fn not_supported(function: Function) -> Error {
    Error::invalid(format!("function {:?} is not supported by this server", function.as_str()))
}

/// Functions that answer a vector.
pub(super) fn stream(evaluator: &Evaluator<'_>, call: &FunctionCall, span: Span, frame: &Frame, sink: &mut Sink<'_>) -> Result<()> {
    if let Some(function) = math::of_one_float(call.function) {
        return math::stream(evaluator, &call.args[0], function, frame, sink);
    }
    match call.function {
        Function::Clamp | Function::ClampMax | Function::ClampMin => math::clamp(evaluator, call, frame, sink),
        Function::Round => math::round(evaluator, call, frame, sink),
        Function::Vector => scalars::vector(evaluator, &call.args[0], frame, sink),
        Function::Absent => absent::stream(evaluator, call, frame, sink),
        Function::Timestamp | Function::StartTimestamp => clock::timestamp(evaluator, call, frame, sink),
        Function::Sort | Function::SortDesc | Function::SortByLabel | Function::SortByLabelDesc => sort::stream(evaluator, call, span, frame, sink),
        Function::Info => info::stream(evaluator, call, frame, sink),
        Function::LabelReplace => labels::replace(evaluator, call, frame, sink),
        Function::LabelJoin => labels::join(evaluator, call, frame, sink),
        Function::HistogramQuantile => buckets::quantile(evaluator, call, frame, sink),
        Function::HistogramQuantiles => buckets::quantiles(evaluator, call, frame, sink),
        Function::HistogramFraction => buckets::fraction(evaluator, call, frame, sink),
        Function::HistogramAvg | Function::HistogramCount | Function::HistogramStddev | Function::HistogramStdvar | Function::HistogramSum => {
            histograms::stream(evaluator, call, frame, sink)
        }
        function if clock::of_date(function).is_some() => clock::date(evaluator, call, frame, sink),
        function => Err(not_supported(function)),
    }
}

/// Functions that answer a scalar, at all steps.
pub(super) fn scalar(evaluator: &Evaluator<'_>, call: &FunctionCall, frame: &Frame) -> Result<Vec<f64>> {
    match call.function {
        Function::Time => Ok(frame.instants().map(|at_ms| at_ms as f64 / 1000.0).collect()),
        Function::Pi => Ok(vec![std::f64::consts::PI; frame.steps]),
        Function::Scalar => scalars::scalar(evaluator, &call.args[0], frame),
        Function::MaxOf | Function::MinOf => scalars::extreme(evaluator, call, frame),
        function => Err(not_supported(function)),
    }
}

/// The text of a string argument.
fn text(call: &FunctionCall, index: usize) -> &str {
    match call.args.get(index).map(|arg| &arg.node) {
        Some(Node::Text(text)) => text,
        // The parser proved the types of arguments.
        _ => "",
    }
}
