//! A syntax tree back to text; the text parses to an equal tree.
//!
//! Operands that are operations themselves stand in parentheses, as Tempo prints them: its API names the sets that `by(…)`
//! makes and the values of aggregates by this text. Only chains of one level stay flat, `a && b && c`, however long they are.

use std::fmt::{Display, Formatter, Result};

use super::tree::{
    ArithmeticOp, Attribute, FieldExpr, Hint, KIND_WORDS, MetricsExpr, MetricsFunction, Pipeline, Query, Root, STATUS_WORDS, ScalarFilter, SeriesStage,
    SpansetExpr, SpansetOp, Stage, Static,
};
use crate::{
    template::{moment, number},
    text::quote,
};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.root {
            Root::Spansets(pipeline) => pipeline.fmt(f)?,
            Root::Metrics(series) => series.fmt(f)?,
        }
        if !self.hints.is_empty() {
            f.write_str(" with(")?;
            list(f, &self.hints)?;
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl Display for Hint {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl Display for Pipeline {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (at, stage) in self.stages.iter().enumerate() {
            f.write_str(if at > 0 { " | " } else { "" })?;
            stage.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Spanset(spans) => spans.fmt(f),
            Self::Scalar(filter) => filter.fmt(f),
            Self::By(expr) => {
                f.write_str("by(")?;
                field(f, expr)?;
                f.write_str(")")
            }
            Self::Coalesce => f.write_str("coalesce()"),
            Self::Select(attributes) => {
                f.write_str("select(")?;
                list(f, attributes)?;
                f.write_str(")")
            }
        }
    }
}

impl ScalarFilter {
    /// The aggregate alone, by which Tempo names its value: `count()`, `avg(duration)`.
    pub fn aggregate_name(&self) -> String {
        match &self.field {
            Some(field) => format!("{}({field})", self.aggregate.as_str()),
            None => format!("{}()", self.aggregate.as_str()),
        }
    }
}

impl Display for ScalarFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} {} {}", self.aggregate_name(), self.op.as_str(), self.value)
    }
}

impl Display for SpansetExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        spans(f, self)
    }
}

fn spans(f: &mut Formatter<'_>, expr: &SpansetExpr) -> Result {
    match expr {
        SpansetExpr::Filter(filter) => braces(f, filter.as_ref()),
        SpansetExpr::Pipeline(pipeline) => {
            f.write_str("(")?;
            pipeline.fmt(f)?;
            f.write_str(")")
        }
        SpansetExpr::Binary(op, left, right) => {
            spans_operand(f, left, chains_spans(*op, left))?;
            f.write_str(" ")?;
            f.write_str(op.as_str())?;
            f.write_str(" ")?;
            spans_operand(f, right, false)
        }
    }
}

/// A side of an operator; the left one of a chain stays flat.
fn spans_operand(f: &mut Formatter<'_>, expr: &SpansetExpr, is_flat: bool) -> Result {
    if is_flat || !matches!(expr, SpansetExpr::Binary(..)) {
        return spans(f, expr);
    }
    f.write_str("(")?;
    spans(f, expr)?;
    f.write_str(")")
}

fn chains_spans(op: SpansetOp, left: &SpansetExpr) -> bool {
    match left {
        SpansetExpr::Binary(inner, ..) => *inner == op || matches!((inner, op), (SpansetOp::Structural(..), SpansetOp::Structural(..))),
        _ => false,
    }
}

fn braces(f: &mut Formatter<'_>, filter: Option<&FieldExpr>) -> Result {
    let Some(filter) = filter else { return f.write_str("{}") };
    f.write_str("{ ")?;
    field(f, filter)?;
    f.write_str(" }")
}

impl Display for FieldExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        field(f, self)
    }
}

/// Called by itself and not through formatting, which would take five times the stack for each level.
fn field(f: &mut Formatter<'_>, expr: &FieldExpr) -> Result {
    let (left, sign, right) = match expr {
        FieldExpr::Static(value) => return value.fmt(f),
        FieldExpr::Attribute(attribute) => return attribute.fmt(f),
        FieldExpr::Not(inner) => {
            f.write_str("!")?;
            return operand(f, inner, false);
        }
        FieldExpr::Negative(inner) => {
            f.write_str("-")?;
            return operand(f, inner, false);
        }
        FieldExpr::And(left, right) => (left, "&&", right),
        FieldExpr::Or(left, right) => (left, "||", right),
        FieldExpr::Compare(op, left, right) => (left, op.as_str(), right),
        FieldExpr::Arithmetic(op, left, right) => (left, op.as_str(), right),
    };
    // A sign binds looser than these operators: -5 ^ 2 is -(5 ^ 2).
    let is_tight = matches!(expr, FieldExpr::Arithmetic(op, ..) if level(*op) != level(ArithmeticOp::Add));
    side(f, left, is_tight, chains(expr, left))?;
    f.write_str(" ")?;
    f.write_str(sign)?;
    f.write_str(" ")?;
    side(f, right, is_tight, chains_right(expr, right))
}

fn side(f: &mut Formatter<'_>, expr: &FieldExpr, is_tight: bool, is_flat: bool) -> Result {
    if is_tight && is_negative(expr) {
        f.write_str("(")?;
        field(f, expr)?;
        return f.write_str(")");
    }
    operand(f, expr, is_flat)
}

fn operand(f: &mut Formatter<'_>, expr: &FieldExpr, is_flat: bool) -> Result {
    if is_flat || matches!(expr, FieldExpr::Static(_) | FieldExpr::Attribute(_)) {
        return field(f, expr);
    }
    f.write_str("(")?;
    field(f, expr)?;
    f.write_str(")")
}

fn level(op: ArithmeticOp) -> u8 {
    match op {
        ArithmeticOp::Add | ArithmeticOp::Subtract => 0,
        ArithmeticOp::Multiply | ArithmeticOp::Divide | ArithmeticOp::Modulo => 1,
        ArithmeticOp::Power => 2,
    }
}

/// Whether the left side of an operation needs no parentheses because operators of its level associate to the left.
fn chains(expr: &FieldExpr, left: &FieldExpr) -> bool {
    match (expr, left) {
        (FieldExpr::And(..), FieldExpr::And(..)) | (FieldExpr::Or(..), FieldExpr::Or(..)) => true,
        (FieldExpr::Arithmetic(op, ..), FieldExpr::Arithmetic(inner, ..)) => level(*op) == level(*inner) && *op != ArithmeticOp::Power,
        _ => false,
    }
}

/// The same of the right side: `^` associates to the right.
fn chains_right(expr: &FieldExpr, right: &FieldExpr) -> bool {
    matches!((expr, right), (FieldExpr::Arithmetic(ArithmeticOp::Power, ..), FieldExpr::Arithmetic(ArithmeticOp::Power, ..)))
}

fn is_negative(expr: &FieldExpr) -> bool {
    match expr {
        FieldExpr::Static(Static::Int(value) | Static::Duration(value)) => *value < 0,
        FieldExpr::Static(Static::Float(value)) => value.is_sign_negative(),
        _ => false,
    }
}

impl Display for Static {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let word = |words: &[&'static str], code: i32| usize::try_from(code).ok().and_then(|code| words.get(code).copied()).unwrap_or("unset");
        match self {
            Self::Nil => f.write_str("nil"),
            // Its digits alone are no integer.
            Self::Int(i64::MIN) => f.write_str("minInt"),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => {
                let text = number::general(*value, None);
                f.write_str(&text)?;
                f.write_str(if text.contains(['e', '.', 'I', 'N']) { "" } else { ".0" })
            }
            // What a raw string cannot hold goes into quotes.
            Self::Text(text) if text.contains(['`', '\r', char::REPLACEMENT_CHARACTER]) => f.write_str(&quote(text)),
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Bool(value) => value.fmt(f),
            Self::Duration(nanoseconds) => f.write_str(&moment::print_duration(*nanoseconds)),
            Self::Status(code) => f.write_str(word(&STATUS_WORDS, *code)),
            Self::Kind(code) => f.write_str(word(&KIND_WORDS, *code)),
            Self::Array(values) => {
                f.write_str("[")?;
                list(f, values)?;
                f.write_str("]")
            }
        }
    }
}

impl Display for MetricsExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        series(f, self)
    }
}

fn series(f: &mut Formatter<'_>, expr: &MetricsExpr) -> Result {
    match expr {
        MetricsExpr::Spans { pipeline, function } => write!(f, "{pipeline} | {function}"),
        MetricsExpr::Number(value) => f.write_str(&number::general(*value, None)),
        MetricsExpr::Binary(op, left, right) => {
            let is_flat = matches!(&**left, MetricsExpr::Binary(inner, ..) if level(*inner) == level(*op));
            series_operand(f, left, is_flat)?;
            f.write_str(" ")?;
            f.write_str(op.as_str())?;
            f.write_str(" ")?;
            series_operand(f, right, false)
        }
        MetricsExpr::Then(inner, stage) => {
            series(f, inner)?;
            match stage {
                SeriesStage::TopK(limit) => write!(f, " | topk({limit})"),
                SeriesStage::BottomK(limit) => write!(f, " | bottomk({limit})"),
                SeriesStage::Filter(op, value) => write!(f, " {} {}", op.as_str(), number::general(*value, None)),
            }
        }
    }
}

fn series_operand(f: &mut Formatter<'_>, expr: &MetricsExpr, is_flat: bool) -> Result {
    if is_flat || matches!(expr, MetricsExpr::Number(_)) {
        return series(f, expr);
    }
    f.write_str("(")?;
    series(f, expr)?;
    f.write_str(")")
}

impl Display for MetricsFunction {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Rate { by } => function(f, "rate()", by),
            Self::CountOverTime { by } => function(f, "count_over_time()", by),
            Self::OverTime { aggregate, field, by } => function(f, &format!("{}_over_time({field})", aggregate.as_str()), by),
            Self::QuantileOverTime { field, quantiles, by } => {
                let quantiles: String = quantiles.iter().map(|quantile| format!(", {quantile}")).collect();
                function(f, &format!("quantile_over_time({field}{quantiles})"), by)
            }
            Self::HistogramOverTime { field, by } => function(f, &format!("histogram_over_time({field})"), by),
            Self::Compare { selection, top, start_ns, end_ns } => {
                f.write_str("compare(")?;
                braces(f, selection.as_ref())?;
                write!(f, ", {top}")?;
                if (*start_ns, *end_ns) != (0, 0) {
                    write!(f, ", {start_ns}, {end_ns}")?;
                }
                f.write_str(")")
            }
        }
    }
}

fn function(f: &mut Formatter<'_>, call: &str, by: &[Attribute]) -> Result {
    f.write_str(call)?;
    if by.is_empty() {
        return Ok(());
    }
    f.write_str(" by (")?;
    list(f, by)?;
    f.write_str(")")
}

fn list<T: Display>(f: &mut Formatter<'_>, items: &[T]) -> Result {
    for (at, item) in items.iter().enumerate() {
        f.write_str(if at > 0 { ", " } else { "" })?;
        item.fmt(f)?;
    }
    Ok(())
}
