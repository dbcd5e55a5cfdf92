//! A syntax tree back to text; the text parses to an equal tree.

use std::fmt;

use super::ast::{Expr, LineFilter, LinePattern, LogExpr, MetricExpr, Stage};
use crate::text::quote;

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logs(logs) => logs.fmt(f),
            Self::Metric(metric) => metric.fmt(f),
        }
    }
}

impl fmt::Display for LogExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matchers = self.matchers.iter().map(|matcher| format!("{}{}{}", matcher.name, matcher.op.as_str(), quote(&matcher.value)));
        write!(f, "{{{}}}", matchers.collect::<Vec<_>>().join(", "))?;
        self.stages.iter().try_for_each(|stage| match stage {
            Stage::Line(filter) => write!(f, " {filter}"),
            // The parser makes no others yet.
            other => write!(f, " | {other:?}"),
        })
    }
}

impl fmt::Display for LineFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |pattern: &LinePattern| match pattern {
            LinePattern::Text(text) => quote(text),
            LinePattern::Ip(text) => format!("ip({})", quote(text)),
        };
        let alternatives: Vec<String> = self.alternatives.iter().map(text).collect();
        write!(f, "{} {}", self.op.as_str(), alternatives.join(" or "))
    }
}

impl fmt::Display for MetricExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operand = |operand: &Self, parent: u8| match operand {
            Self::Binary(binary) if binary.op.precedence() <= parent => format!("({operand})"),
            _ => operand.to_string(),
        };
        match self {
            Self::Constant(value) => write!(f, "vector({value:?})"),
            // Operators of one precedence associate to the left, so only the right operand needs parentheses there.
            Self::Binary(binary) => {
                let precedence = binary.op.precedence();
                write!(f, "{} {} {}", operand(&binary.left, precedence - 1), binary.op.as_str(), operand(&binary.right, precedence))
            }
            // The parser makes no others yet.
            other => write!(f, "{other:?}"),
        }
    }
}
