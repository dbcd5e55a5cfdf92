//! Durations that are computed: `[step() * 2]`, `offset (1h / 3)`. They know the step and range of the query only when it runs.

use signalbox_model::{Error, Result};

use crate::Span;

/// A duration in a selector or subquery.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationValue {
    /// Milliseconds.
    Literal(i64),
    /// To be computed when step and range of the query are known.
    Expression(Box<DurationExpr>),
}

impl DurationValue {
    /// No time at all: the offset that was not written.
    pub const ZERO: Self = Self::Literal(0);

    /// Milliseconds of an offset: may be zero or negative.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`] on a division by zero and when the result is no number of milliseconds.
    pub fn resolve_offset(&self, context: DurationContext) -> Result<i64> {
        match self {
            Self::Literal(milliseconds) => Ok(*milliseconds),
            Self::Expression(expr) => expr.milliseconds(context),
        }
    }

    /// Milliseconds of a range or step: positive.
    ///
    /// # Errors
    /// As [`Self::resolve_offset`], and when the result is not greater than zero.
    pub fn resolve_positive(&self, context: DurationContext) -> Result<i64> {
        match self {
            Self::Literal(milliseconds) => Ok(*milliseconds),
            Self::Expression(expr) => {
                let milliseconds = expr.milliseconds(context)?;
                if expr.seconds(context)? > 0.0 { Ok(milliseconds) } else { Err(expr.error("duration must be greater than 0")) }
            }
        }
    }
}

/// What `step()` and `range()` mean in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationContext {
    /// Milliseconds between two evaluations: 0 in an instant query.
    pub step_ms: i64,
    /// Milliseconds from the first evaluation to the last: 0 in an instant query.
    pub range_ms: i64,
}

/// A computed duration and its place in the text. Equality ignores the place.
#[derive(Debug, Clone)]
pub struct DurationExpr {
    /// What it is.
    pub kind: DurationKind,
    /// Where it stands.
    pub span: Span,
}

impl PartialEq for DurationExpr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// The kinds of computed durations.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationKind {
    /// A number of seconds.
    Number {
        /// Seconds.
        seconds: f64,
        /// Whether it was written as a duration (`5m`): only for printing.
        is_duration: bool,
    },
    /// `step()`.
    Step,
    /// `range()`.
    Range,
    /// `-` before a duration.
    Negated(Box<DurationExpr>),
    /// Two durations and an operator.
    Binary {
        /// The operator.
        op: DurationOp,
        /// Left operand.
        lhs: Box<DurationExpr>,
        /// Right operand.
        rhs: Box<DurationExpr>,
    },
    /// `(duration)`.
    Paren(Box<DurationExpr>),
}

/// Operators between durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the operators")]
pub enum DurationOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    /// `min_of(a, b)`.
    MinOf,
    /// `max_of(a, b)`.
    MaxOf,
}

impl DurationOp {
    /// The operator or function in a query.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::MinOf => "min_of",
            Self::MaxOf => "max_of",
        }
    }
}

/// Longest duration in seconds either way: 2^63 nanoseconds, as in Prometheus.
pub(super) const SECONDS_MAX: f64 = 9_223_372_036.854_776;

impl DurationExpr {
    fn milliseconds(&self, context: DurationContext) -> Result<i64> {
        let seconds = self.seconds(context)?;
        if !seconds.is_finite() {
            return Err(self.error("duration is NaN or infinite"));
        }
        if seconds.abs() > SECONDS_MAX {
            return Err(self.error("duration is out of range"));
        }
        // Truncates towards zero below a millisecond; the bound above fits i64.
        Ok((seconds * 1000.0) as i64)
    }

    fn seconds(&self, context: DurationContext) -> Result<f64> {
        Ok(match &self.kind {
            DurationKind::Number { seconds, .. } => *seconds,
            DurationKind::Step => context.step_ms as f64 / 1000.0,
            DurationKind::Range => context.range_ms as f64 / 1000.0,
            DurationKind::Negated(expr) => -expr.seconds(context)?,
            DurationKind::Paren(expr) => expr.seconds(context)?,
            DurationKind::Binary { op, lhs, rhs } => {
                let (lhs, rhs) = (lhs.seconds(context)?, rhs.seconds(context)?);
                match op {
                    DurationOp::Add => lhs + rhs,
                    DurationOp::Sub => lhs - rhs,
                    DurationOp::Mul => lhs * rhs,
                    DurationOp::Div if rhs == 0.0 => return Err(self.error("division by zero")),
                    DurationOp::Div => lhs / rhs,
                    DurationOp::Mod if rhs == 0.0 => return Err(self.error("modulo by zero")),
                    DurationOp::Mod => lhs % rhs,
                    DurationOp::Pow => lhs.powf(rhs),
                    DurationOp::MinOf => smaller(lhs, rhs),
                    DurationOp::MaxOf => -smaller(-lhs, -rhs),
                }
            }
        })
    }

    /// Prometheus puts the offsets of the bytes before these messages, not line and column.
    fn error(&self, message: &str) -> Error {
        Error::invalid(format!("{}:{}: {message}", self.span.start, self.span.end))
    }
}

/// Unlike `f64::min`, NaN wins: a duration that is no number must be refused, not hidden.
fn smaller(left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() { f64::NAN } else { left.min(right) }
}
