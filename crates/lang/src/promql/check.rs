//! Proves the types of a tree and settles how its vectors match. Complaints come in the order in which Prometheus makes them.

use signalbox_model::labels::METRIC_NAME;

use super::ast::{Aggregate, Binary, Call, Cardinality, Expr, ExprKind, ValueType, VectorSelector};
use super::failure::{Failure, Parsed};
use super::functions::{Arity, Function};
use crate::Span;
use crate::text::quote;

/// The type of a tree. Afterwards `matching` is set exactly where both operands are vectors.
pub(super) fn check(expr: &mut Expr, text: &str) -> Parsed<ValueType> {
    let span = expr.span;
    match &mut expr.kind {
        ExprKind::Number(_) => Ok(ValueType::Scalar),
        ExprKind::String(_) => Ok(ValueType::String),
        ExprKind::VectorSelector(selector) => {
            check_name(selector, span)?;
            check_not_empty(selector, span)?;
            Ok(ValueType::Vector)
        }
        ExprKind::MatrixSelector(matrix) => {
            check_name(&matrix.selector, span)?;
            check_not_empty(&matrix.selector, span)?;
            Ok(ValueType::Matrix)
        }
        ExprKind::Subquery(subquery) => match check(&mut subquery.expr, text)? {
            ValueType::Vector => Ok(ValueType::Matrix),
            other => Err(Failure::new(span, format!("subquery is only allowed on instant vector, got {} instead", short_name(other)))),
        },
        ExprKind::Call(call) => check_call(call, span, text),
        ExprKind::Aggregate(aggregate) => check_aggregate(aggregate, text),
        ExprKind::Binary(binary) => check_binary(binary, span, text),
        ExprKind::Unary(unary) => match check(&mut unary.expr, text)? {
            operand @ (ValueType::Scalar | ValueType::Vector) => Ok(operand),
            other => {
                let message = format!("unary expression only allowed on expressions of type scalar or instant vector, got {}", quote(other.as_str()));
                Err(Failure::new(span, message))
            }
        },
        ExprKind::Paren(inner) => check(inner, text),
    }
}

/// As Prometheus names the types in its code; one message shows those names.
fn short_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Scalar => "scalar",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
        ValueType::String => "string",
    }
}

fn check_name(selector: &VectorSelector, span: Span) -> Parsed<()> {
    let Some(name) = &selector.name else { return Ok(()) };
    // The last matcher is the name itself.
    let written = selector.matchers.split_last().map_or(&[][..], |(_, written)| written);
    match written.iter().find(|matcher| matcher.name == METRIC_NAME) {
        Some(second) => Err(Failure::new(span, format!("metric name must not be set twice: {} or {}", quote(name), quote(&second.value)))),
        None => Ok(()),
    }
}

/// Guards against selecting everything, most often by a typo.
fn check_not_empty(selector: &VectorSelector, span: Span) -> Parsed<()> {
    if selector.name.is_none() && selector.matchers.iter().all(signalbox_model::Matcher::matches_empty) {
        return Err(Failure::new(span, "vector selector must contain at least one non-empty matcher"));
    }
    Ok(())
}

fn expect(expr: &mut Expr, want: ValueType, place: &str, text: &str) -> Parsed<()> {
    let found = check(expr, text)?;
    if found == want { Ok(()) } else { Err(Failure::new(expr.span, type_mismatch(want, place, found))) }
}

fn type_mismatch(want: ValueType, place: &str, found: ValueType) -> String {
    format!("expected type {} in {place}, got {}", want.as_str(), found.as_str())
}

fn check_aggregate(aggregate: &mut Aggregate, text: &str) -> Parsed<ValueType> {
    expect(&mut aggregate.expr, ValueType::Vector, "aggregation expression", text)?;
    if let (Some(want), Some(param)) = (aggregate.op.param_type(), &mut aggregate.param) {
        expect(param, want, "aggregation parameter", text)?;
    }
    Ok(ValueType::Vector)
}

fn check_call(call: &mut Call, span: Span, text: &str) -> Parsed<ValueType> {
    let signature = call.function.signature();
    let (name, given) = (quote(signature.name), call.args.len());
    let wrong_count = |bound: &str, count: usize| Failure::new(span, format!("expected {bound}{count} argument(s) in call to {name}, got {given}"));
    if signature.arity == Arity::Fixed && given != signature.args.len() {
        return Err(wrong_count("", signature.args.len()));
    }
    if given < signature.args_min() {
        return Err(wrong_count("at least ", signature.args_min()));
    }
    if let Some(most) = signature.args_max().filter(|most| given > *most) {
        return Err(wrong_count("at most ", most));
    }
    let place = format!("call to function {name}");
    if call.function == Function::Info && given > 1 {
        check_info_labels(call, span, &place)?;
    }
    for (index, arg) in call.args.iter_mut().enumerate() {
        if call.function == Function::Info && index == 1 {
            continue;
        }
        let want = signature.arg_type(index).unwrap_or(ValueType::Vector);
        expect(arg, want, &place, text)?;
    }
    Ok(signature.returns)
}

/// The second argument of `info` only carries label matchers, which may match the empty text.
fn check_info_labels(call: &Call, span: Span, place: &str) -> Parsed<()> {
    let arg = &call.args[1];
    let message = match &arg.kind {
        ExprKind::VectorSelector(selector) if selector.name.is_none() => return Ok(()),
        ExprKind::VectorSelector(_) => "expected label selectors only, got vector selector instead",
        _ if arg.value_type() != ValueType::Vector => return Err(Failure::new(span, type_mismatch(ValueType::Vector, place, arg.value_type()))),
        _ => "expected label selectors only",
    };
    Err(Failure::new(arg.span, message))
}

fn check_binary(binary: &mut Binary, span: Span, text: &str) -> Parsed<ValueType> {
    let lhs = check(&mut binary.lhs, text)?;
    let rhs = check(&mut binary.rhs, text)?;
    let (op, operator) = (binary.op, operator_span(binary, text));
    if binary.return_bool && !op.is_comparison() {
        return Err(Failure::new(operator, "bool modifier can only be used on comparison operators"));
    }
    let scalars = lhs == ValueType::Scalar && rhs == ValueType::Scalar;
    if op.is_comparison() && !binary.return_bool && scalars {
        return Err(Failure::new(operator, "comparisons between scalars must use BOOL modifier"));
    }
    if let Some(matching) = &binary.matching
        && matching.on
        && let Some(label) = matching.labels.iter().find(|label| matching.include.contains(label))
    {
        return Err(Failure::new(operator, format!("label {} must not occur in ON and GROUP clause at once", quote(label))));
    }
    for (operand, found) in [(&binary.lhs, lhs), (&binary.rhs, rhs)] {
        if !matches!(found, ValueType::Scalar | ValueType::Vector) {
            return Err(Failure::new(operand.span, "binary expression must contain only scalar and instant vector types"));
        }
    }
    if lhs == ValueType::Vector && rhs == ValueType::Vector {
        check_set(binary, span)?;
    } else {
        check_without_matching(binary, span)?;
    }
    Ok(if scalars { ValueType::Scalar } else { ValueType::Vector })
}

fn check_set(binary: &mut Binary, span: Span) -> Parsed<()> {
    let Some(matching) = binary.matching.as_mut().filter(|_| binary.op.is_set()) else { return Ok(()) };
    if matching.cardinality != Cardinality::OneToOne {
        return Err(Failure::new(span, format!("no grouping allowed for {} operation", quote(binary.op.as_str()))));
    }
    if matching.fill_left.is_some() || matching.fill_right.is_some() {
        return Err(Failure::new(span, "filling in missing series not allowed for set operators"));
    }
    matching.cardinality = Cardinality::ManyToMany;
    Ok(())
}

fn check_without_matching(binary: &mut Binary, span: Span) -> Parsed<()> {
    if let Some(matching) = binary.matching.take() {
        if !matching.labels.is_empty() {
            return Err(Failure::new(span, "vector matching only allowed between instant vectors"));
        }
        if matching.fill_left.is_some() || matching.fill_right.is_some() {
            return Err(Failure::new(span, "filling in missing series only allowed between instant vectors"));
        }
    }
    if binary.op.is_set() {
        return Err(Failure::new(span, format!("set operator {} not allowed in binary scalar expression", quote(binary.op.as_str()))));
    }
    Ok(())
}

/// Where the operator stands: after the left operand and the space behind it.
fn operator_span(binary: &Binary, text: &str) -> Span {
    let (start, end) = (binary.lhs.span.end as usize, binary.rhs.span.start as usize);
    let between = text.get(start..end).unwrap_or("");
    Span::new(start + between.len() - between.trim_start().len(), start + between.trim_end().len())
}
