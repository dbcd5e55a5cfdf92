//! Filters in JSON, as the third API takes them in `query.filter`.

use serde_json::{Map, Value};
use signalbox_model::{Error, Result};
use signalbox_proto::jaeger::expression::{AttributeReference, Call, Expression, FieldReference, List, NestedReference, Scalar, Term};

/// A filter: `{"op": "eq", "args": [{"attr": {"key": "a"}}, {"scalar": {"value": "1"}}]}`.
///
/// # Errors
/// `Invalid` if it is none. Nesting is bounded by the parser of JSON.
pub(in super::super) fn of_json(text: &str) -> Result<Call> {
    let value: Value = serde_json::from_str(text).map_err(|error| Error::invalid(format!("cannot read JSON: {error}")))?;
    call(&value)
}

fn call(value: &Value) -> Result<Call> {
    let object = object(value, &["op", "args"])?;
    let args = match object.get("args") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(args)) => args.iter().map(expression).collect::<Result<_>>()?,
        Some(_) => return Err(Error::invalid("args of a filter is no list")),
    };
    Ok(Call { op: text(object, "op")?, args })
}

fn expression(value: &Value) -> Result<Expression> {
    let terms = object(value, &["attr", "field", "nested", "scalar", "list", "call"])?;
    let mut terms = terms.iter();
    let (Some((kind, value)), None) = (terms.next(), terms.next()) else {
        return Err(Error::invalid("an argument of a filter is one of attr, field, nested, scalar, list, call"));
    };
    let term = match kind.as_str() {
        "attr" => {
            let parts = object(value, &["key", "level"])?;
            Term::Attr(AttributeReference { key: text(parts, "key")?, level: text(parts, "level")? })
        }
        "field" => {
            let parts = object(value, &["name", "level"])?;
            Term::Field(FieldReference { name: text(parts, "name")?, level: text(parts, "level")? })
        }
        "nested" => Term::Nested(NestedReference { level: text(object(value, &["level"])?, "level")? }),
        "scalar" => {
            let parts = object(value, &["value", "type"])?;
            Term::Scalar(Scalar { value: text(parts, "value")?, r#type: text(parts, "type")? })
        }
        "list" => {
            let parts = object(value, &["values", "type"])?;
            let none = Value::Array(Vec::new());
            let values = parts.get("values").unwrap_or(&none).as_array().ok_or_else(|| Error::invalid("values of a filter is no list"))?;
            let values = values.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<_>>();
            Term::List(List { values: values.ok_or_else(|| Error::invalid("values of a filter are texts"))?, r#type: text(parts, "type")? })
        }
        _ => Term::Call(call(value)?),
    };
    Ok(Expression { term: Some(term) })
}

fn object<'v>(value: &'v Value, known: &[&str]) -> Result<&'v Map<String, Value>> {
    let object = value.as_object().ok_or_else(|| Error::invalid(format!("a part of a filter is no object: want {}", known.join(", "))))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Error::invalid(format!("unknown key {key:?} in a filter: want {}", known.join(", ")))),
        None => Ok(object),
    }
}

/// The empty text if there is none, as protobuf has it.
fn text(object: &Map<String, Value>, name: &str) -> Result<String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(Error::invalid(format!("{name} of a filter is no text"))),
    }
}
