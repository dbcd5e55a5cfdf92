//! The functions that Go's templates have by themselves, and the door for others. `and`, `or` and `tmpl` are the evaluator's:
//! they decide what is evaluated at all.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::Arc;

use super::printf::{sprint, sprintf, sprintln};
use super::value::Value;

/// Any number of arguments.
pub const MANY: usize = usize::MAX;

/// Name and how many arguments at least and at most.
const FUNCTIONS: [(&str, usize, usize); 18] = [
    ("and", 1, MANY),
    ("eq", 1, MANY),
    ("ge", 2, 2),
    ("gt", 2, 2),
    ("html", 0, MANY),
    ("index", 1, MANY),
    ("js", 0, MANY),
    ("le", 2, 2),
    ("len", 1, 1),
    ("lt", 2, 2),
    ("ne", 2, 2),
    ("not", 1, 1),
    ("or", 1, MANY),
    ("print", 0, MANY),
    ("printf", 1, MANY),
    ("println", 0, MANY),
    ("slice", 1, 4),
    ("urlquery", 0, MANY),
];

/// Functions that templates have besides those of Go.
pub trait Functions {
    /// How many arguments a function takes, at least and at most; `None` if there is none of this name. `tmpl`, if it is known,
    /// is the evaluator's: it runs a template by name.
    fn arity(&self, name: &str) -> Option<(usize, usize)>;

    /// Calls a function of [`Functions::arity`], with as many arguments.
    ///
    /// # Errors
    /// Why the call failed.
    fn call(&self, name: &str, args: &[Value]) -> Result<Value, CallError>;

    /// What an action puts into the text after what is written of it: the value as Go prints it, unless the text is of a kind in
    /// which it must be escaped.
    fn show(&self, value: &Value, _written: &str) -> String {
        value.print()
    }
}

/// Why a call failed.
#[derive(Debug, PartialEq, Eq)]
pub enum CallError {
    /// The function said so.
    Failed(String),
    /// It was called wrongly.
    Wrong(String),
    /// The template cannot go on before this is known.
    Needs(String),
}

/// How many arguments a function takes.
pub(super) fn arity(name: &str, functions: &dyn Functions) -> Option<(usize, usize)> {
    functions.arity(name).or_else(|| FUNCTIONS.iter().find(|(known, ..)| *known == name).map(|(_, min, max)| (*min, *max)))
}

/// Whether a function may have so many arguments.
pub(super) fn check_arity(name: &str, count: usize, functions: &dyn Functions) -> Result<(), CallError> {
    let (min, max) = arity(name, functions).unwrap_or((0, MANY));
    if (min..=max).contains(&count) {
        return Ok(());
    }
    let want = if max == MANY { format!("at least {min}") } else { max.to_string() };
    Err(CallError::Wrong(format!("wrong number of args for {name}: want {want} got {count}")))
}

/// Calls a function.
pub(super) fn call(name: &str, args: &[Value], functions: &dyn Functions) -> Result<Value, CallError> {
    check_arity(name, args.len(), functions)?;
    if functions.arity(name).is_some() {
        return functions.call(name, args);
    }
    match (name, args) {
        ("eq" | "ne" | "lt" | "le" | "gt" | "ge", _) => compare(name, args),
        ("not", [value]) => Ok(Value::Bool(!value.is_true())),
        ("print", _) => Ok(Value::text(sprint(args))),
        ("println", _) => Ok(Value::text(sprintln(args))),
        ("printf", [format, args @ ..]) => Ok(Value::text(sprintf(text(format)?, args))),
        ("html", _) => Ok(Value::text(escape_html(&joined(args)))),
        ("js", _) => Ok(Value::text(escape_js(&joined(args)))),
        ("urlquery", _) => Ok(Value::text(query_escape(&joined(args)))),
        ("len", [value]) => {
            let length = value.len().ok_or_else(|| CallError::Failed(format!("len of type {}", value.type_name())))?;
            Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
        }
        ("slice", [value, indices @ ..]) => slice(value, indices),
        ("index", [value, indices @ ..]) => {
            let mut found = value.clone();
            for at in indices {
                found = index(&found, at)?;
            }
            Ok(found)
        }
        _ => Err(CallError::Wrong(format!("{name} is not defined"))),
    }
}

/// The error for an argument of another type.
pub fn wrong_type(want: &str, got: &Value) -> CallError {
    CallError::Wrong(format!("wrong type for value; expected {want}; got {}", got.type_name()))
}

/// The text that an argument must be.
///
/// # Errors
/// It is none.
pub fn text(value: &Value) -> Result<&str, CallError> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(wrong_type("string", value)),
    }
}

/// The element of a list, byte of a text or value of a map.
fn index(value: &Value, at: &Value) -> Result<Value, CallError> {
    match (value, at) {
        (Value::Texts(map), Value::Text(key)) => Ok(Value::text(map.get(&**key).map_or("", String::as_str))),
        (Value::Map(map), Value::Text(key)) => Ok(map.get(&**key).cloned().unwrap_or(Value::Nil)),
        (Value::Texts(_) | Value::Map(_), _) => Err(CallError::Failed(format!("value has type {}; should be string", at.type_name()))),
        (Value::Nil, _) => Err(CallError::Failed("index of untyped nil".into())),
        (Value::Object(object), _) if object.texts().is_some() => index(&Value::Texts(Arc::clone(object.texts().unwrap_or(&Arc::default()))), at),
        (Value::Object(object), _) => {
            let elements = object.elements().ok_or_else(|| CallError::Failed(format!("can't index item of type {}", value.type_name())))?;
            index(&Value::List(Arc::new(elements)), at)
        }
        (Value::Text(_) | Value::List(_), Value::Int(position)) => {
            let out_of_range = || CallError::Failed(format!("index out of range: {position}"));
            let position = usize::try_from(*position).map_err(|_| out_of_range())?;
            let found = match value {
                Value::Text(text) => text.as_bytes().get(position).map(|byte| Value::Int(i64::from(*byte))),
                Value::List(list) => list.get(position).cloned(),
                _ => None,
            };
            found.ok_or_else(out_of_range)
        }
        (Value::Text(_) | Value::List(_), _) => Err(CallError::Failed(format!("cannot index slice/array with type {}", at.type_name()))),
        _ => Err(CallError::Failed(format!("can't index item of type {}", value.type_name()))),
    }
}

fn slice(value: &Value, indices: &[Value]) -> Result<Value, CallError> {
    let length = match value {
        Value::Text(_) | Value::List(_) => value.len().unwrap_or(0),
        Value::Object(object) if object.slice(0..0).is_some() => value.len().unwrap_or(0),
        _ => return Err(CallError::Failed(format!("can't slice item of type {}", value.type_name()))),
    };
    let mut bounds = [0, length];
    for (bound, at) in bounds.iter_mut().zip(indices) {
        let Value::Int(at) = at else { return Err(CallError::Failed(format!("cannot index slice/array with type {}", at.type_name()))) };
        *bound = usize::try_from(*at).ok().filter(|at| *at <= length).ok_or_else(|| CallError::Failed(format!("index out of range: {at}")))?;
    }
    let [start, end] = bounds;
    if start > end {
        return Err(CallError::Failed(format!("invalid slice index: {start} > {end}")));
    }
    Ok(match value {
        Value::Text(text) => Value::text(String::from_utf8_lossy(&text.as_bytes()[start..end])),
        Value::List(list) => Value::List(Arc::new(list[start..end].to_vec())),
        Value::Object(object) => object.slice(start..end).unwrap_or(Value::Nil),
        other => other.clone(),
    })
}

/// Go compares values of one kind only: `eq 1 1.0` is an error.
fn compare(name: &str, args: &[Value]) -> Result<Value, CallError> {
    let failed = |message: &str| CallError::Failed(message.into());
    let [first, others @ ..] = args else { return Err(failed("missing argument for comparison")) };
    if others.is_empty() {
        return Err(failed("missing argument for comparison"));
    }
    if matches!(name, "eq" | "ne") {
        let mut is_equal = false;
        for other in others {
            is_equal |= equal(first, other)?;
        }
        return Ok(Value::Bool(is_equal == (name == "eq")));
    }
    let order = match (first, &others[0]) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(right)),
        (left, right) if is_basic(left) && is_basic(right) => return Err(failed("incompatible types for comparison")),
        _ => return Err(failed("invalid type for comparison")),
    };
    Ok(Value::Bool(match name {
        "lt" => order == Some(Ordering::Less),
        "gt" => order == Some(Ordering::Greater),
        // Go has `le` as "less or equal" and `ge` as "not less".
        "le" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        _ => order != Some(Ordering::Less),
    }))
}

fn is_basic(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Duration(_))
}

fn equal(left: &Value, right: &Value) -> Result<bool, CallError> {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Int(left), Value::Int(right)) => Ok(left == right),
        (Value::Float(left), Value::Float(right)) => Ok(left == right),
        (Value::Text(left), Value::Text(right)) => Ok(left == right),
        (Value::Duration(left), Value::Duration(right)) | (Value::Time(left), Value::Time(right)) => Ok(left == right),
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        _ if is_basic(left) && is_basic(right) => Err(CallError::Failed("incompatible types for comparison".into())),
        _ => Err(CallError::Failed(format!("non-comparable type {}: {}", left.print(), left.type_name()))),
    }
}

fn joined(args: &[Value]) -> String {
    match args {
        [Value::Text(text)] => text.to_string(),
        [Value::Nil] => "<no value>".into(),
        _ => sprint(args),
    }
}

/// As text or the value of an attribute in HTML.
fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0' => escaped.push(char::REPLACEMENT_CHARACTER),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn escape_js(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '\'' | '"' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '<' | '>' | '&' | '=' | '\0'..=' ' if character != ' ' => {
                // Writing into a text cannot fail.
                let _infallible = write!(escaped, "\\u{:04X}", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// As in a query: a space is `+`, everything but letters, digits and `-_.~` is `%41`.
pub fn query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            b' ' => escaped.push('+'),
            _ => {
                // Writing into a text cannot fail.
                let _infallible = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}
