//! Long queries over several lines, as Prometheus' `format_query` does it: what fits a line stays on it.

use std::fmt::{self, Write};

use super::ast::{Expr, ExprKind};
use super::print::{aggregate_head, operator_text, sign, subquery_suffix};

/// Longest expression in bytes that stays on one line, as in Prometheus.
pub(super) const LINE_BYTES_MAX: usize = 100;

/// The text of a tree, split where an expression is longer than 100 bytes.
pub fn prettify(expr: &Expr) -> String {
    prettify_to(expr, LINE_BYTES_MAX)
}

/// As [`prettify`], with another bound.
pub fn prettify_to(expr: &Expr, line_bytes_max: usize) -> String {
    let mut printer = Prettifier { text: String::new(), line_bytes_max };
    printer.write(expr, 0);
    printer.text
}

struct Prettifier {
    text: String,
    line_bytes_max: usize,
}

impl Prettifier {
    fn write(&mut self, expr: &Expr, level: usize) {
        match &expr.kind {
            // The sign and the selector of a subquery stand before what they belong to, without a line of their own.
            ExprKind::Unary(unary) => {
                self.indent(level);
                self.text.push_str(sign(unary.op));
                let start = self.text.len();
                self.write(&unary.expr, level);
                let indent = self.text[start..].len() - self.text[start..].trim_start().len();
                self.text.replace_range(start..start + indent, "");
            }
            ExprKind::Subquery(subquery) if !self.fits(expr) => {
                self.write(&subquery.expr, level);
                self.text.push_str(&subquery_suffix(subquery));
            }
            ExprKind::Call(call) if !self.fits(expr) => {
                self.indent(level);
                self.text.push_str(call.function.as_str());
                self.block(&call.args.iter().collect::<Vec<_>>(), level);
            }
            ExprKind::Aggregate(aggregate) if !self.fits(expr) => {
                self.indent(level);
                self.text.push_str(&aggregate_head(aggregate));
                let parts: Vec<&Expr> = aggregate.param.iter().chain([&aggregate.expr]).map(AsRef::as_ref).collect();
                self.block(&parts, level);
            }
            ExprKind::Paren(inner) if !self.fits(expr) => {
                self.indent(level);
                self.block(&[inner.as_ref()], level);
            }
            ExprKind::Binary(binary) if !self.fits(expr) => {
                self.write(&binary.lhs, level + 1);
                self.text.push('\n');
                self.indent(level);
                self.text.push_str(&operator_text(binary));
                self.text.push('\n');
                self.write(&binary.rhs, level + 1);
            }
            _ => {
                self.indent(level);
                self.text.push_str(&expr.to_string());
            }
        }
    }

    /// Parts in parentheses, each on lines of its own.
    fn block(&mut self, parts: &[&Expr], level: usize) {
        self.text.push_str("(\n");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.text.push_str(",\n");
            }
            self.write(part, level + 1);
        }
        self.text.push('\n');
        self.indent(level);
        self.text.push(')');
    }

    fn indent(&mut self, level: usize) {
        for _ in 0..level {
            self.text.push_str("  ");
        }
    }

    /// Whether the text of an expression is within the bound. Printing stops at the bound, so that the whole stays linear
    /// in height times bound.
    fn fits(&self, expr: &Expr) -> bool {
        write!(Budget(self.line_bytes_max), "{expr}").is_ok()
    }
}

/// Accepts so many bytes and no more.
struct Budget(usize);

impl Write for Budget {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}
