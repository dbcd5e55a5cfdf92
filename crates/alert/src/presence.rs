//! Whether there is data for an expression: what tells "the condition does not hold" from "there is nothing to hold it for".
//!
//! An expression with a condition answers nothing in both cases. PromQL can be asked another question: the same expression
//! with every comparison answered (`bool`) instead of applied finds an element, with the same labels, for each series that the
//! comparison looked at. The other languages are asked for less: whether there was any line, any span.

use signalbox_lang::logql::ast::{LogExpr, LogRange, MetricExpr, RangeAggregation, RangeOp, VectorAggregation, VectorOp};
use signalbox_lang::promql::{AggregateOp, Binary, BinaryOp, Call, Expr, ExprKind, Function, ValueType};
use signalbox_lang::traceql;
use signalbox_lang::traceql::tree::Query;

use crate::rule_file::Expression;

/// How to find out whether there is data.
#[derive(Debug, Clone)]
pub enum Presence {
    /// There always is: the expression is about absence, or about nothing stored.
    Always,
    /// The elements of this expression are what there is data for.
    Elements(Box<Expr>),
    /// There is data if one of these counts lines.
    Lines(Vec<MetricExpr>),
    /// There is data if there is any span in the range.
    Spans(Box<Query>),
    /// The answer is all that is known: no row is no data.
    Rows,
}

impl Presence {
    /// Of an expression.
    pub fn of(expression: &Expression) -> Self {
        match expression {
            Expression::Promql(expr) => answered(expr).map_or(Self::Always, |expr| Self::Elements(Box::new(expr))),
            Expression::Logql(expr) => {
                let mut counts = Vec::new();
                if collect(expr, &mut counts) && !counts.is_empty() { Self::Lines(counts) } else { Self::Always }
            }
            Expression::Traceql { .. } => match traceql::parse_query("{ } | count_over_time()") {
                Ok(query) => Self::Spans(Box::new(query)),
                Err(_) => Self::Rows,
            },
            Expression::Sql(_) => Self::Rows,
        }
    }
}

/// An expression with its comparisons answered instead of applied; `None` if it has an answer whatever is stored.
fn answered(expr: &Expr) -> Option<Expr> {
    let kind = match &expr.kind {
        ExprKind::Paren(inner) => ExprKind::Paren(Box::new(answered(inner)?)),
        ExprKind::Unary(unary) => {
            let mut unary = unary.clone();
            unary.expr = Box::new(answered(&unary.expr)?);
            ExprKind::Unary(unary)
        }
        ExprKind::Subquery(subquery) => {
            let mut subquery = subquery.clone();
            subquery.expr = Box::new(answered(&subquery.expr)?);
            ExprKind::Subquery(subquery)
        }
        ExprKind::Binary(binary) => return both(expr, binary),
        ExprKind::Aggregate(aggregate) => match aggregate.op {
            // They choose among elements by value and keep their labels.
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio => return answered(&aggregate.expr),
            // Its labels are values.
            AggregateOp::CountValues => expr.kind.clone(),
            _ => {
                let mut aggregate = aggregate.clone();
                aggregate.expr = Box::new(answered(&aggregate.expr)?);
                ExprKind::Aggregate(aggregate)
            }
        },
        ExprKind::Call(call) => ExprKind::Call(called(call)?),
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::VectorSelector(_) | ExprKind::MatrixSelector(_) => expr.kind.clone(),
    };
    Some(Expr { kind, span: expr.span })
}

fn called(call: &Call) -> Option<Call> {
    if matches!(call.function, Function::Absent | Function::AbsentOverTime) {
        return None;
    }
    let of_argument = |argument: &Expr| match argument.value_type() {
        ValueType::Vector | ValueType::Matrix => answered(argument),
        ValueType::Scalar | ValueType::String => Some(argument.clone()),
    };
    Some(Call { args: call.args.iter().map(of_argument).collect::<Option<Vec<Expr>>>()?, ..call.clone() })
}

fn both(expr: &Expr, binary: &Binary) -> Option<Expr> {
    let side = |side: &Expr| if side.value_type() == ValueType::Vector { answered(side) } else { Some(side.clone()) };
    let (lhs, rhs) = (side(&binary.lhs), side(&binary.rhs));
    let is_vector = |side: &Expr| side.value_type() == ValueType::Vector;
    let (lhs, rhs) = match (binary.op, lhs, rhs) {
        // The other side is a condition as well.
        (BinaryOp::And | BinaryOp::Unless, lhs, _) => return lhs,
        (BinaryOp::Or, lhs, rhs) => (lhs?, rhs?),
        (_, Some(lhs), Some(rhs)) => (lhs, rhs),
        // One side always answers: what there is data for is the other's matter, if that is a vector.
        (_, None, Some(rhs)) => return Some(rhs).filter(is_vector),
        (_, Some(lhs), None) => return Some(lhs).filter(is_vector),
        (_, None, None) => return None,
    };
    let mut binary = binary.clone();
    binary.return_bool |= binary.op.is_comparison();
    (binary.lhs, binary.rhs) = (Box::new(lhs), Box::new(rhs));
    Some(Expr { kind: ExprKind::Binary(binary), span: expr.span })
}

/// Counts of all lines of the streams that an expression looks at; `false` if it answers where there is none.
fn collect(expr: &MetricExpr, counts: &mut Vec<MetricExpr>) -> bool {
    match expr {
        MetricExpr::Range(range) => {
            counts.push(count(range));
            range.op != RangeOp::Absent
        }
        MetricExpr::Vector(vector) => collect(&vector.expr, counts),
        MetricExpr::LabelReplace { expr, .. } => collect(expr, counts),
        MetricExpr::Binary(binary) => {
            let (left, right) = (collect(&binary.left, counts), collect(&binary.right, counts));
            left && right
        }
        MetricExpr::Literal(_) | MetricExpr::Constant(_) => true,
    }
}

fn count(range: &RangeAggregation) -> MetricExpr {
    let logs = LogExpr { matchers: range.range.logs.matchers.clone(), stages: Vec::new() };
    let range = LogRange { logs, unwrap: None, ..range.range.clone() };
    let counted = MetricExpr::Range(RangeAggregation { op: RangeOp::Count, parameter: None, range, grouping: None });
    MetricExpr::Vector(VectorAggregation { op: VectorOp::Sum, parameter: None, expr: Box::new(counted), grouping: None })
}

#[cfg(test)]
mod tests {
    use signalbox_lang::{logql, promql};

    use super::*;

    fn promql_presence(text: &str) -> String {
        answered(&promql::parse(text).unwrap()).map_or("always".to_owned(), |expr| {
            // What is asked must be an expression as a rule's is.
            assert_eq!(promql::parse(&expr.to_string()).unwrap(), expr, "{expr}");
            expr.to_string()
        })
    }

    #[test]
    fn comparisons_are_answered_and_what_looks_at_absence_always_answers() {
        let cases = [
            ("up", "up"),
            ("up == 0", "up == bool 0"),
            ("0 < rate(x[5m])", "0 < bool rate(x[5m])"),
            ("a > on (job) group_left (x) b", "a > bool on (job) group_left (x) b"),
            ("(a > 1) and b < 2", "(a > bool 1)"),
            ("a > 1 unless b < 2", "a > bool 1"),
            ("a > 1 or b > 2", "a > bool 1 or b > bool 2"),
            ("count by (job) (up == 0) > 2", "count by (job) (up == bool 0) > bool 2"),
            ("topk(3, a > 1)", "a > bool 1"),
            ("max_over_time((a > 1)[5m:1m]) / 2", "max_over_time((a > bool 1)[5m:1m]) / 2"),
            ("-(a > 1)", "-(a > bool 1)"),
            ("label_replace(a > 1, \"x\", \"$1\", \"y\", \"(.*)\")", "label_replace(a > bool 1, \"x\", \"$1\", \"y\", \"(.*)\")"),
            ("count_values(\"v\", a > 1)", "count_values(\"v\", a > 1)"),
            ("a > bool 1", "a > bool 1"),
            ("vector(1) > 2", "vector(1) > bool 2"),
            ("absent(up)", "always"),
            ("absent(up) > 0", "always"),
            ("sum(absent_over_time(up[5m]))", "always"),
            ("a > 1 or absent(a)", "always"),
            ("absent(up) and on () maintenance == 0", "always"),
            ("absent(up) * on () maintenance", "maintenance"),
            ("a > 1 unless absent(b)", "a > bool 1"),
        ];
        for (text, want) in cases {
            assert_eq!(promql_presence(text), want, "{text}");
        }
    }

    #[test]
    fn lines_are_those_of_the_streams_whatever_is_filtered() {
        let shown = |text: &str| {
            let logql::Expr::Metric(expr) = logql::parse(text).unwrap() else { panic!("{text}") };
            match Presence::of(&Expression::Logql(Box::new(expr))) {
                Presence::Lines(counts) => counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "),
                Presence::Always => "always".to_owned(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            shown("sum by (x) (rate({app=\"a\"} |= `b` | json [5m])) / sum(rate({app=\"c\"}[1m] offset 1h)) > 2"),
            "sum(count_over_time({app=\"a\"}[5m])) | sum(count_over_time({app=\"c\"}[1m] offset 1h))"
        );
        assert_eq!(shown("absent_over_time({app=\"a\"}[5m])"), "always");
        assert_eq!(shown("vector(1)"), "always");
    }
}
