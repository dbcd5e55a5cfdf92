//! A syntax tree back to text; the text parses to an equal tree.

use std::fmt;

use super::ast::{Expr, LineFilter, LogExpr, VectorExpr};
use crate::text::quote;

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logs(logs) => logs.fmt(f),
            Self::Vector(vector) => vector.fmt(f),
        }
    }
}

impl fmt::Display for LogExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matchers = self.matchers.iter().map(|matcher| format!("{}{}{}", matcher.name, matcher.op.as_str(), quote(&matcher.value)));
        write!(f, "{{{}}}", matchers.collect::<Vec<_>>().join(", "))?;
        self.filters.iter().try_for_each(|filter| write!(f, " {filter}"))
    }
}

impl fmt::Display for LineFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alternatives: Vec<String> = self.alternatives.iter().map(|text| quote(text)).collect();
        write!(f, "{} {}", self.op.as_str(), alternatives.join(" or "))
    }
}

impl fmt::Display for VectorExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operand = |operand: &Self, parent: u8| match operand {
            Self::Binary(op, ..) if op.precedence() <= parent => format!("({operand})"),
            _ => operand.to_string(),
        };
        match self {
            Self::Vector(value) => write!(f, "vector({value:?})"),
            // Operators of one precedence associate to the left, so only the right operand needs parentheses there.
            Self::Binary(op, left, right) => write!(f, "{} {} {}", operand(left, op.precedence() - 1), op.as_str(), operand(right, op.precedence())),
        }
    }
}
