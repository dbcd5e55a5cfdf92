//! Evaluates the tree of a metric query, all steps of a series at once.

use std::cell::Cell;
use std::sync::Arc;

use signalbox_lang::logql::MetricExpr;
use signalbox_lang::logql::ast::{Grouping, RangeAggregation, RangeOp, VectorAggregation, VectorOp};
use signalbox_model::{Error, Result};
use signalbox_store::Snapshot;

use super::series::{Series, is_present};
use super::windows::Windows;
use super::{MetricRequest, MetricSeries, MetricValue, aggregate, binary, range, replace};
use crate::Settings;
use crate::budget::{Budget, Share};
use crate::leash::Leash;
use crate::logql::labels::{Added, LabelSet};

/// The instants of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) start_ns: i64,
    /// Positive.
    pub(super) step_ns: i64,
    pub(super) steps: usize,
    pub(super) is_instant: bool,
}

impl Frame {
    /// # Errors
    /// `Invalid` for more steps than allowed, a step that is negative, and a range that ends before it starts.
    pub(super) fn of(request: &MetricRequest, steps_max: u64) -> Result<Self> {
        if request.step_ns == 0 {
            return Ok(Self { start_ns: request.start_ns, step_ns: 1, steps: 1, is_instant: true });
        }
        if request.step_ns < 0 {
            return Err(Error::invalid("zero or negative query resolution step widths are not accepted. Try a positive integer"));
        }
        let length_ns = request.end_ns.checked_sub(request.start_ns).filter(|length_ns| *length_ns >= 0);
        let length_ns = length_ns.ok_or_else(|| Error::invalid("end timestamp must not be before or equal to start time"))?;
        let steps = (length_ns / request.step_ns) as u64;
        if steps > steps_max {
            // The words of Loki.
            let message = "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter";
            return Err(Error::invalid(message.replace("11,000", &if steps_max == 11_000 { "11,000".to_owned() } else { steps_max.to_string() })));
        }
        Ok(Self { start_ns: request.start_ns, step_ns: request.step_ns, steps: steps as usize + 1, is_instant: false })
    }

    fn at(&self, step: usize) -> i64 {
        self.start_ns.saturating_add(self.step_ns.saturating_mul(step as i64))
    }

    /// The windows of a range aggregation.
    pub(super) fn windows(&self, range_ns: i64, offset_ns: i64) -> Windows {
        Windows { first_ns: self.start_ns.saturating_sub(offset_ns), step_ns: self.step_ns, steps: self.steps, range_ns }
    }
}

/// What all parts of a query share.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) frame: Frame,
    pub(super) added: Added,
    pub(super) now_ns: i64,
    pub(super) leash: &'a Leash,
    share: Share,
    memory_bytes: u64,
    /// Bytes of the operands that wait for others.
    held: Cell<u64>,
    rows_read: Cell<u64>,
    bytes_read: Cell<u64>,
}

/// The value of an expression.
#[derive(Debug)]
pub(super) enum Value {
    /// Of a literal.
    Scalar(f64),
    /// Series in the order in which they were made or sorted.
    Vector(Vec<Series>),
}

impl<'a> Context<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, frame: Frame, settings: &Settings, now_ns: i64, leash: &'a Leash, budget: &Arc<Budget>) -> Self {
        Self {
            snapshot,
            frame,
            added: Added::of(settings),
            now_ns,
            leash,
            share: Share::of(budget),
            memory_bytes: settings.logql_memory_bytes,
            held: Cell::new(0),
            rows_read: Cell::new(0),
            bytes_read: Cell::new(0),
        }
    }

    /// Rows and bytes of lines that were looked at.
    pub(super) fn read(&self) -> (u64, u64) {
        (self.rows_read.get(), self.bytes_read.get())
    }

    pub(super) fn note_read(&self, rows: u64, bytes: u64) {
        self.rows_read.set(self.rows_read.get() + rows);
        self.bytes_read.set(self.bytes_read.get() + bytes);
    }

    /// Makes sure that so many bytes may be held beside the operands that wait.
    ///
    /// # Errors
    /// `Limit` past the memory of one query, `Unavailable` past that of all.
    pub(super) fn cover(&self, bytes: u64) -> Result<()> {
        let bytes = bytes.saturating_add(self.held.get());
        if bytes > self.memory_bytes {
            let message = "the query holds more than {} bytes: aggregate by fewer labels, ask for a shorter range or a longer step";
            return Err(Error::limit(message.replace("{}", &self.memory_bytes.to_string())));
        }
        self.share.cover(bytes)
    }

    /// The answer of a whole query.
    pub(super) fn answer(&self, expr: &MetricExpr) -> Result<MetricValue> {
        let mut series = match self.evaluate(expr)? {
            Value::Scalar(value) if self.frame.is_instant => return Ok(MetricValue::Scalar(value)),
            Value::Scalar(value) => vec![self.constant(value)],
            Value::Vector(series) => series,
        };
        series.retain(|series| !series.is_empty());
        if !(self.frame.is_instant && sorts(expr)) {
            series.sort_by(|left, right| left.labels.cmp(&right.labels));
        }
        let points = |values: &[f64]| {
            let present = values.iter().enumerate().filter(|(_, value)| is_present(**value));
            present.map(|(step, value)| (self.frame.at(step), *value)).collect()
        };
        let series = series.into_iter().map(|series| MetricSeries { points: points(&series.values), labels: series.labels }).collect();
        Ok(if self.frame.is_instant { MetricValue::Vector(series) } else { MetricValue::Matrix(series) })
    }

    fn constant(&self, value: f64) -> Series {
        Series { labels: LabelSet::new(), values: vec![value; self.frame.steps] }
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// As [`crate::Engine::logql`].
    pub(super) fn evaluate(&self, expr: &MetricExpr) -> Result<Value> {
        self.leash.check()?;
        match expr {
            MetricExpr::Literal(value) => Ok(Value::Scalar(*value)),
            MetricExpr::Constant(value) => Ok(Value::Vector(vec![self.constant(*value)])),
            MetricExpr::Range(aggregation) => range::aggregate(self, aggregation, aggregation.grouping.as_ref(), None).map(Value::Vector),
            MetricExpr::Vector(aggregation) => self.aggregate(aggregation).map(Value::Vector),
            MetricExpr::LabelReplace { expr, dst, replacement, src, regex } => {
                replace::label_replace(self.vector(expr)?, dst, replacement, src, regex).map(Value::Vector)
            }
            MetricExpr::Binary(binary) => {
                let left = self.evaluate(&binary.left)?;
                let held = match &left {
                    Value::Scalar(_) => 0,
                    Value::Vector(series) => series.iter().map(Series::bytes).sum(),
                };
                self.held.set(self.held.get() + held);
                let right = self.evaluate(&binary.right);
                self.held.set(self.held.get() - held);
                binary::combine(self, binary, left, right?)
            }
        }
    }

    fn vector(&self, expr: &MetricExpr) -> Result<Vec<Series>> {
        match self.evaluate(expr)? {
            Value::Vector(series) => Ok(series),
            Value::Scalar(value) => Err(Error::invalid(format!("cannot aggregate the number {value}: want series"))),
        }
    }

    fn aggregate(&self, aggregation: &VectorAggregation) -> Result<Vec<Series>> {
        if aggregation.op == VectorOp::ApproxTopk && !self.frame.is_instant {
            return Err(Error::invalid("approx_topk is only supported on instant queries"));
        }
        let everything = Grouping::default();
        let grouping = aggregation.grouping.as_ref().unwrap_or(&everything);
        if let MetricExpr::Range(range) = aggregation.expr.as_ref()
            && range.grouping.is_none()
            && is_same_by_group(aggregation.op, range)
        {
            return range::aggregate(self, range, Some(grouping), None);
        }
        let foremost = aggregate::foremost(aggregation)?.filter(|_| self.frame.is_instant && aggregation.grouping.is_none());
        if let (Some(foremost), Some((range, grouping))) = (foremost, by_rows(&aggregation.expr)) {
            return range::aggregate(self, range, grouping, Some(foremost));
        }
        let series = self.vector(&aggregation.expr)?;
        self.cover(series.iter().map(Series::bytes).sum())?;
        aggregate::aggregate(self, aggregation, grouping, series)
    }
}

/// The aggregation over windows that an expression is, with what it groups rows by.
fn by_rows(expr: &MetricExpr) -> Option<(&RangeAggregation, Option<&Grouping>)> {
    match expr {
        MetricExpr::Range(range) if range.op != RangeOp::Absent => Some((range, range.grouping.as_ref())),
        MetricExpr::Vector(aggregation) => match aggregation.expr.as_ref() {
            MetricExpr::Range(range) if range.grouping.is_none() && is_same_by_group(aggregation.op, range) => {
                aggregation.grouping.as_ref().map(|grouping| (range, Some(grouping)))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether the aggregation over series of an aggregation over windows is the latter over all rows of a group.
fn is_same_by_group(op: VectorOp, range: &RangeAggregation) -> bool {
    match op {
        VectorOp::Sum => matches!(range.op, RangeOp::Count | RangeOp::Rate | RangeOp::Bytes | RangeOp::BytesRate | RangeOp::Sum),
        VectorOp::Min => range.op == RangeOp::Min,
        VectorOp::Max => range.op == RangeOp::Max,
        _ => false,
    }
}

/// Whether the query says in which order series come.
fn sorts(expr: &MetricExpr) -> bool {
    match expr {
        MetricExpr::Vector(aggregation) => matches!(aggregation.op, VectorOp::Sort | VectorOp::SortDesc) || sorts(&aggregation.expr),
        MetricExpr::Binary(binary) => sorts(&binary.left) || sorts(&binary.right),
        MetricExpr::LabelReplace { expr, .. } => sorts(expr),
        MetricExpr::Range(_) | MetricExpr::Literal(_) | MetricExpr::Constant(_) => false,
    }
}
