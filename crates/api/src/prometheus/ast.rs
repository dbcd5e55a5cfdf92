//! The tree of a query in the shape that Prometheus' UI draws.

use serde_json::{Value, json};
use signalbox_lang::promql::functions::Arity;
use signalbox_lang::promql::{At, Binary, Call, DurationValue, Expr, ExprKind, RangeEdges, UnaryOp, ValueType, VectorSelector};
use signalbox_model::Matcher;

use super::number::write_plain;

/// The tree. Durations that are computed when the query runs are 0, as in Prometheus.
pub(super) fn to_json(expr: &Expr) -> Value {
    match &expr.kind {
        ExprKind::Number(number) => {
            let mut text = String::new();
            write_plain(&mut text, number.value);
            json!({ "type": "numberLiteral", "val": text })
        }
        ExprKind::String(text) => json!({ "type": "stringLiteral", "val": text.value }),
        ExprKind::VectorSelector(selector) => selector_json("vectorSelector", selector),
        ExprKind::MatrixSelector(matrix) => {
            let mut json = selector_json("matrixSelector", &matrix.selector);
            json["range"] = milliseconds(&matrix.range);
            json
        }
        ExprKind::Subquery(subquery) => json!({
            "type": "subquery",
            "expr": to_json(&subquery.expr),
            "range": milliseconds(&subquery.range),
            "offset": milliseconds(&subquery.offset),
            "step": subquery.step.as_ref().map_or(json!(0), milliseconds),
            "timestamp": timestamp(subquery.at),
            "startOrEnd": start_or_end(subquery.at),
        }),
        ExprKind::Call(call) => call_json(call),
        ExprKind::Aggregate(aggregate) => json!({
            "type": "aggregation",
            "op": aggregate.op.as_str(),
            "expr": to_json(&aggregate.expr),
            "param": aggregate.param.as_deref().map(to_json),
            "grouping": aggregate.grouping,
            "without": aggregate.without,
        }),
        ExprKind::Binary(binary) => binary_json(binary),
        ExprKind::Unary(unary) => json!({
            "type": "unaryExpr",
            "op": match unary.op { UnaryOp::Plus => "+", UnaryOp::Minus => "-" },
            "expr": to_json(&unary.expr),
        }),
        ExprKind::Paren(inner) => json!({ "type": "parenExpr", "expr": to_json(inner) }),
    }
}

fn selector_json(kind: &str, selector: &VectorSelector) -> Value {
    let matcher = |matcher: &Matcher| json!({ "name": matcher.name, "value": matcher.value, "type": matcher.op.as_str() });
    json!({
        "type": kind,
        "name": selector.name.as_deref().unwrap_or(""),
        "offset": milliseconds(&selector.offset),
        "matchers": selector.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "timestamp": timestamp(selector.at),
        "startOrEnd": start_or_end(selector.at),
        "anchored": selector.edges == RangeEdges::Anchored,
        "smoothed": selector.edges == RangeEdges::Smoothed,
    })
}

fn call_json(call: &Call) -> Value {
    let signature = call.function.signature();
    let variadic = match signature.arity {
        Arity::Fixed => 0,
        Arity::Optional => 1,
        Arity::AtMost(count) => i64::try_from(count).unwrap_or(i64::MAX),
        Arity::Any => -1,
    };
    json!({
        "type": "call",
        "func": {
            "name": signature.name,
            "argTypes": signature.args.iter().map(|kind| type_word(*kind)).collect::<Vec<_>>(),
            "variadic": variadic,
            "returnType": type_word(signature.returns),
        },
        "args": call.args.iter().map(to_json).collect::<Vec<_>>(),
    })
}

fn binary_json(binary: &Binary) -> Value {
    let matching = binary.matching.as_ref().map(|matching| {
        json!({
            "card": matching.cardinality.as_str(),
            "labels": matching.labels,
            "on": matching.on,
            "include": matching.include,
            "fillValues": { "lhs": matching.fill_left, "rhs": matching.fill_right },
        })
    });
    json!({
        "type": "binaryExpr",
        "op": binary.op.as_str(),
        "lhs": to_json(&binary.lhs),
        "rhs": to_json(&binary.rhs),
        "matching": matching,
        "bool": binary.return_bool,
    })
}

fn milliseconds(duration: &DurationValue) -> Value {
    match duration {
        DurationValue::Literal(milliseconds) => json!(milliseconds),
        DurationValue::Expression(_) => json!(0),
    }
}

fn timestamp(at: Option<At>) -> Option<i64> {
    match at {
        Some(At::Timestamp(milliseconds)) => Some(milliseconds),
        _ => None,
    }
}

fn start_or_end(at: Option<At>) -> Option<&'static str> {
    match at {
        Some(At::Start) => Some("start"),
        Some(At::End) => Some("end"),
        _ => None,
    }
}

fn type_word(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Scalar => "scalar",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
        ValueType::String => "string",
    }
}
