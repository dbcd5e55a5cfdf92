//! Long queries over several lines, as Loki's `/format_query` does it: what fits a line stays on it.

use super::ast::{Conversion, Expr, LogExpr, LogRange, MetricExpr, RangeAggregation, Stage, Unwrap, VectorAggregation};
use super::print::{group, number, operator, parentheses, selector, window};
use crate::text::quote;

/// Longest expression in bytes that stays on one line, as in Loki.
const LINE_BYTES_MAX: usize = 100;

/// The text of a tree, split where an expression is longer than 100 bytes. It parses to an equal tree.
pub fn prettify(expr: &Expr) -> String {
    prettify_to(expr, LINE_BYTES_MAX)
}

/// As [`prettify`], with another bound.
pub(super) fn prettify_to(expr: &Expr, line_bytes_max: usize) -> String {
    let prettifier = Prettifier { line_bytes_max };
    match expr {
        Expr::Logs(logs) => prettifier.logs(logs, 0),
        Expr::Metric(metric) => prettifier.metric(metric, 0),
    }
}

struct Prettifier {
    line_bytes_max: usize,
}

fn indent(level: usize) -> String {
    "  ".repeat(level)
}

impl Prettifier {
    fn fits(&self, text: &str) -> bool {
        text.len() <= self.line_bytes_max
    }

    fn logs(&self, logs: &LogExpr, level: usize) -> String {
        let flat = logs.to_string();
        if self.fits(&flat) {
            return indent(level) + &flat;
        }
        let mut lines = vec![indent(level) + &selector(&logs.matchers)];
        lines.extend(logs.stages.iter().map(|stage: &Stage| format!("{}{stage}", indent(level + 1))));
        lines.join("\n")
    }

    fn metric(&self, metric: &MetricExpr, level: usize) -> String {
        let flat = metric.to_string();
        if self.fits(&flat) {
            return indent(level) + &flat;
        }
        match metric {
            MetricExpr::Range(aggregation) => self.range_aggregation(aggregation, level),
            MetricExpr::Vector(aggregation) => self.vector_aggregation(aggregation, level),
            MetricExpr::Binary(binary) => {
                let (left, right) = parentheses(binary);
                let operator = indent(level) + &operator(binary, ", ");
                // Operands of a chain of one precedence stand one below the other.
                let is_chain = !left && matches!(&binary.left, MetricExpr::Binary(inner) if inner.op.precedence() == binary.op.precedence());
                let left_level = if is_chain { level } else { level + 1 };
                [self.operand(&binary.left, left, left_level), operator, self.operand(&binary.right, right, level + 1)].join("\n")
            }
            MetricExpr::LabelReplace { expr, dst, replacement, src, regex } => {
                let texts = [dst, replacement, src, regex].map(|text| indent(level + 1) + &quote(text));
                self.call("label_replace", std::iter::once(self.metric(expr, level + 1)).chain(texts).collect(), level)
            }
            MetricExpr::Literal(_) | MetricExpr::Constant(_) => indent(level) + &flat,
        }
    }

    fn operand(&self, operand: &MetricExpr, needs_parentheses: bool, level: usize) -> String {
        if !needs_parentheses {
            return self.metric(operand, level);
        }
        let flat = format!("({operand})");
        if self.fits(&flat) { indent(level) + &flat } else { format!("{0}(\n{1}\n{0})", indent(level), self.metric(operand, level + 1)) }
    }

    /// A name with arguments, each of them indented already, on lines of their own.
    fn call(&self, name: &str, arguments: Vec<String>, level: usize) -> String {
        format!("{0}{name}(\n{1}\n{0})", indent(level), arguments.join(",\n"))
    }

    fn range_aggregation(&self, aggregation: &RangeAggregation, level: usize) -> String {
        let parameter = aggregation.parameter.map(|parameter| indent(level + 1) + &number(parameter));
        let range = self.range(&aggregation.range, level + 1);
        let grouping = aggregation.grouping.as_ref().map(|grouping| group(grouping, ", ")).unwrap_or_default();
        self.call(aggregation.op.as_str(), parameter.into_iter().chain([range]).collect(), level) + &grouping
    }

    fn range(&self, range: &LogRange, level: usize) -> String {
        let mut text = self.logs(&range.logs, level);
        if let Some(unwrap) = &range.unwrap {
            text.push('\n');
            text.push_str(&self.unwrap(unwrap, level + 1));
        }
        format!("{text} {}", window(range))
    }

    fn unwrap(&self, unwrap: &Unwrap, level: usize) -> String {
        let label = match unwrap.conversion {
            Conversion::None => unwrap.label.clone(),
            conversion => format!("{}({})", conversion.as_str(), unwrap.label),
        };
        let mut lines = vec![format!("{}| unwrap {label}", indent(level))];
        lines.extend(unwrap.filters.iter().map(|filter| format!("{}| {filter}", indent(level))));
        lines.join("\n")
    }

    fn vector_aggregation(&self, aggregation: &VectorAggregation, level: usize) -> String {
        let grouping = aggregation.grouping.as_ref().map(|grouping| group(grouping, ", ")).unwrap_or_default();
        let parameter = aggregation.parameter.map(|parameter| format!("{}{parameter}", indent(level + 1)));
        let expr = self.metric(&aggregation.expr, level + 1);
        self.call(&format!("{}{grouping}", aggregation.op.as_str()), parameter.into_iter().chain([expr]).collect(), level)
    }
}
