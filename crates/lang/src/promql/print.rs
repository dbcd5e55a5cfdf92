//! Syntax tree to canonical text: what Prometheus prints. `parse(print(tree))` is the tree again.

use std::fmt;

use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{MatchOp, Matcher};

use super::ast::{
    Aggregate, At, Binary, BinaryOp, Cardinality, Expr, ExprKind, MatrixSelector, NumberLiteral, RangeEdges, Subquery, UnaryOp, VectorMatching, VectorSelector,
};
use super::duration_expr::{DurationExpr, DurationKind, DurationOp, DurationValue};
use crate::duration::format_ms;
use crate::text::{is_plain_label, quote, quote_bytes};

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => f.write_str(&number_text(*number)),
            ExprKind::String(text) => f.write_str(&text.bytes.as_ref().map_or_else(|| quote(&text.value), |bytes| quote_bytes(bytes))),
            ExprKind::VectorSelector(selector) => write_selector(f, selector),
            ExprKind::MatrixSelector(matrix) => write_matrix(f, matrix),
            ExprKind::Subquery(subquery) => write!(f, "{}{}", subquery.expr, subquery_suffix(subquery)),
            ExprKind::Call(call) => {
                write!(f, "{}(", call.function.as_str())?;
                for (index, arg) in call.args.iter().enumerate() {
                    write!(f, "{}{arg}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            ExprKind::Aggregate(aggregate) => {
                write!(f, "{}(", aggregate_head(aggregate))?;
                if let Some(param) = &aggregate.param {
                    write!(f, "{param}, ")?;
                }
                write!(f, "{})", aggregate.expr)
            }
            ExprKind::Binary(binary) => {
                // A sign would bind looser than `^` and become a node of its own.
                let is_infinite_base = binary.op == BinaryOp::Pow && matches!(binary.lhs.kind, ExprKind::Number(NumberLiteral { value: f64::INFINITY, .. }));
                if is_infinite_base {
                    f.write_str("Inf")?;
                } else {
                    write!(f, "{}", binary.lhs)?;
                }
                write!(f, " {} {}", operator_text(binary), binary.rhs)
            }
            ExprKind::Unary(unary) => write!(f, "{}{}", sign(unary.op), unary.expr),
            ExprKind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

pub(super) fn sign(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Plus => "+",
        UnaryOp::Minus => "-",
    }
}

fn number_text(number: NumberLiteral) -> String {
    if !number.is_duration {
        return float_text(number.value);
    }
    let text = format_ms((number.value.abs() * 1000.0).round() as i64);
    if number.value.is_sign_negative() { format!("-{text}") } else { text }
}

/// Digits without an exponent, as many as it takes.
fn float_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".into() } else { "-Inf".into() }
    } else {
        value.to_string()
    }
}

/// As [`float_text`], but very large and very small values with an exponent.
fn fill_text(value: f64) -> String {
    if value == 0.0 || !value.is_finite() || (1e-4..1e6).contains(&value.abs()) {
        return float_text(value);
    }
    let text = format!("{value:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// `name="value"`, the name quoted where it must be.
pub(super) fn matcher_text(matcher: &Matcher) -> String {
    format!("{}{}{}", label_text(&matcher.name), matcher.op.as_str(), quote(&matcher.value))
}

fn label_text(name: &str) -> String {
    if is_plain_label(name) { name.into() } else { quote(name) }
}

fn labels_text(labels: &[String]) -> String {
    labels.iter().map(|label| label_text(label)).collect::<Vec<_>>().join(", ")
}

fn write_selector(f: &mut fmt::Formatter<'_>, selector: &VectorSelector) -> fmt::Result {
    write_series(f, selector)?;
    write!(f, "{}{}{}", at_text(selector.at), edges_text(selector.edges), offset_text(&selector.offset))
}

fn write_matrix(f: &mut fmt::Formatter<'_>, matrix: &MatrixSelector) -> fmt::Result {
    let selector = &matrix.selector;
    write_series(f, selector)?;
    write!(f, "[{}]{}{}{}", duration_text(&matrix.range), edges_text(selector.edges), at_text(selector.at), offset_text(&selector.offset))
}

fn write_series(f: &mut fmt::Formatter<'_>, selector: &VectorSelector) -> fmt::Result {
    let name = selector.name.as_deref().unwrap_or("");
    f.write_str(name)?;
    let is_name = |matcher: &Matcher| matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal && matcher.value == name && !name.is_empty();
    let mut matchers: Vec<String> = selector.matchers.iter().filter(|matcher| !is_name(matcher)).map(matcher_text).collect();
    matchers.sort_unstable();
    // Without a name even no matcher at all needs its braces: `info(x, {})`.
    if matchers.is_empty() && !name.is_empty() { Ok(()) } else { write!(f, "{{{}}}", matchers.join(",")) }
}

fn at_text(at: Option<At>) -> String {
    match at {
        None => String::new(),
        Some(At::Start) => " @ start()".into(),
        Some(At::End) => " @ end()".into(),
        Some(At::Timestamp(milliseconds)) => {
            let (sign, absolute) = (if milliseconds < 0 { "-" } else { "" }, milliseconds.unsigned_abs());
            format!(" @ {sign}{}.{:03}", absolute / 1000, absolute % 1000)
        }
    }
}

fn edges_text(edges: RangeEdges) -> &'static str {
    match edges {
        RangeEdges::Plain => "",
        RangeEdges::Anchored => " anchored",
        RangeEdges::Smoothed => " smoothed",
    }
}

fn offset_text(offset: &DurationValue) -> String {
    if *offset == DurationValue::ZERO { String::new() } else { format!(" offset {}", duration_text(offset)) }
}

fn duration_text(duration: &DurationValue) -> String {
    match duration {
        DurationValue::Literal(milliseconds) => format_ms(*milliseconds),
        DurationValue::Expression(expr) => expr.to_string(),
    }
}

/// `[1h:5m] @ 1.000 offset 5m`.
pub(super) fn subquery_suffix(subquery: &Subquery) -> String {
    let step = subquery.step.as_ref().map(duration_text).unwrap_or_default();
    format!("[{}:{step}]{}{}", duration_text(&subquery.range), at_text(subquery.at), offset_text(&subquery.offset))
}

/// `sum by (job) `: all before the parenthesis.
pub(super) fn aggregate_head(aggregate: &Aggregate) -> String {
    let name = aggregate.op.as_str();
    match (aggregate.without, aggregate.grouping.is_empty()) {
        (true, _) => format!("{name} without ({}) ", labels_text(&aggregate.grouping)),
        (false, false) => format!("{name} by ({}) ", labels_text(&aggregate.grouping)),
        (false, true) => name.into(),
    }
}

/// The operator with its modifiers: `== bool`, `+ on (job) group_left ()`.
pub(super) fn operator_text(binary: &Binary) -> String {
    let return_bool = if binary.return_bool { " bool" } else { "" };
    let matching = binary.matching.as_ref().map(matching_text).unwrap_or_default();
    format!("{}{return_bool}{matching}", binary.op.as_str())
}

fn matching_text(matching: &VectorMatching) -> String {
    let mut text = String::new();
    let group = match matching.cardinality {
        Cardinality::ManyToOne => Some("group_left"),
        Cardinality::OneToMany => Some("group_right"),
        Cardinality::OneToOne | Cardinality::ManyToMany => None,
    };
    if !matching.labels.is_empty() || matching.on || group.is_some() {
        text.push_str(if matching.on { " on (" } else { " ignoring (" });
        text.push_str(&labels_text(&matching.labels));
        text.push(')');
    }
    if let Some(group) = group {
        text.push_str(&format!(" {group} ({})", labels_text(&matching.include)));
    }
    match (matching.fill_left, matching.fill_right) {
        (Some(left), Some(right)) if left.to_bits() == right.to_bits() => text.push_str(&format!(" fill ({})", fill_text(left))),
        (left, right) => {
            if let Some(left) = left {
                text.push_str(&format!(" fill_left ({})", fill_text(left)));
            }
            if let Some(right) = right {
                text.push_str(&format!(" fill_right ({})", fill_text(right)));
            }
        }
    }
    text
}

impl fmt::Display for DurationExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            DurationKind::Number { seconds, is_duration } => f.write_str(&number_text(NumberLiteral { value: *seconds, is_duration: *is_duration })),
            DurationKind::Step => f.write_str("step()"),
            DurationKind::Range => f.write_str("range()"),
            DurationKind::Negated(expr) => write!(f, "-{expr}"),
            DurationKind::Binary { op: op @ (DurationOp::MinOf | DurationOp::MaxOf), lhs, rhs } => write!(f, "{}({lhs}, {rhs})", op.as_str()),
            DurationKind::Binary { op, lhs, rhs } => write!(f, "{lhs} {} {rhs}", op.as_str()),
            DurationKind::Paren(expr) => write!(f, "({expr})"),
        }
    }
}
