//! Arithmetic of templates: whole numbers and floats, from whatever reads as one.

use signalbox_lang::template::{CallError, Value};

/// Calls a function; `None` if it is none of these.
pub(super) fn call(name: &str, args: &[Value]) -> Option<Result<Value, CallError>> {
    let ints = || args.iter().map(to_int);
    let floats = || args.iter().map(to_float);
    let fold = |values: &mut dyn Iterator<Item = f64>, with: fn(f64, f64) -> f64| Value::Float(tidied(values.reduce(with).unwrap_or(0.0)));
    let by_zero = || CallError::Failed("runtime error: integer divide by zero".into());
    let value = match (name, args) {
        ("int", [value]) => Value::Int(to_int(value)),
        ("float64", [value]) => Value::Float(to_float(value)),
        ("add", _) => Value::Int(ints().fold(0, i64::wrapping_add)),
        ("sub", [left, right]) => Value::Int(to_int(left).wrapping_sub(to_int(right))),
        ("mul", _) => Value::Int(ints().fold(1, i64::wrapping_mul)),
        ("div", [left, right]) => match to_int(right) {
            0 => return Some(Err(by_zero())),
            divisor => Value::Int(to_int(left).wrapping_div(divisor)),
        },
        ("mod", [left, right]) => match to_int(right) {
            0 => return Some(Err(by_zero())),
            divisor => Value::Int(to_int(left).wrapping_rem(divisor)),
        },
        ("max", _) => Value::Int(ints().max().unwrap_or(0)),
        ("min", _) => Value::Int(ints().min().unwrap_or(0)),
        ("addf", _) => fold(&mut floats(), |left, right| left + right),
        ("subf", _) => fold(&mut floats(), |left, right| left - right),
        ("mulf", _) => fold(&mut floats(), |left, right| left * right),
        ("divf", [_, divisors @ ..]) if divisors.iter().any(|divisor| to_float(divisor) == 0.0) => {
            return Some(Err(CallError::Failed("decimal division by 0".into())));
        }
        ("divf", _) => fold(&mut floats(), |left, right| left / right),
        ("maxf", _) => Value::Float(floats().fold(f64::NEG_INFINITY, f64::max)),
        ("minf", _) => Value::Float(floats().fold(f64::INFINITY, f64::min)),
        ("ceil", [value]) => Value::Float(to_float(value).ceil()),
        ("floor", [value]) => Value::Float(to_float(value).floor()),
        ("round", [value, places, rest @ ..]) => Value::Float(round(to_float(value), to_int(places), rest.first().map_or(0.5, to_float))),
        _ => return None,
    };
    Some(Ok(value))
}

/// Up from a fraction of `round_on`.
fn round(value: f64, places: i64, round_on: f64) -> f64 {
    let power = 10f64.powi(i32::try_from(places).unwrap_or(0));
    let digits = value * power;
    let rounded = if digits.fract() >= round_on { digits.ceil() } else { digits.floor() };
    rounded / power
}

/// Without what binary fractions add to decimal ones.
fn tidied(value: f64) -> f64 {
    if value.is_finite() { format!("{value:.14e}").parse().unwrap_or(value) } else { value }
}

fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(value) | Value::Duration(value) => *value,
        // Saturates where Go's conversion is undefined.
        Value::Float(value) => *value as i64,
        Value::Bool(truth) => i64::from(*truth),
        Value::Text(text) => parse_int(text).unwrap_or(0),
        _ => 0,
    }
}

/// A whole number, also in the bases of Go, also with zeros behind a point.
fn parse_int(text: &str) -> Option<i64> {
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    let (sign, unsigned) = match whole.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", whole.strip_prefix('+').unwrap_or(whole)),
    };
    let lower = unsigned.to_ascii_lowercase();
    let in_base = |digits: &str, base: u32| i64::from_str_radix(&format!("{sign}{digits}"), base).ok();
    match lower.as_bytes() {
        [b'0', b'x', ..] => in_base(&lower[2..], 16),
        [b'0', b'o', ..] => in_base(&lower[2..], 8),
        [b'0', b'b', ..] => in_base(&lower[2..], 2),
        [b'0', _, ..] => in_base(&lower[1..], 8),
        _ => in_base(&lower, 10),
    }
}

fn to_float(value: &Value) -> f64 {
    match value {
        Value::Float(value) => *value,
        Value::Int(value) | Value::Duration(value) => *value as f64,
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        Value::Text(text) => text.parse().unwrap_or(0.0),
        _ => 0.0,
    }
}
