//! Typed attribute values as text.
//!
//! Attributes rest as a map of text to text, which every Parquet reader can search, and a second column of letters that
//! keeps their types: one letter an attribute, in the order of the map, null when all are strings.
//!
//! | letter | type | text |
//! |---|---|---|
//! | `s` | string | as it is |
//! | `b` | bool | `true`, `false` |
//! | `i` | int | decimal |
//! | `d` | double | shortest that reads back equal; `NaN`, `Infinity`, `-Infinity` |
//! | `y` | bytes | base64 |
//! | `a` | array | JSON |
//! | `m` | map | JSON |
//! | `n` | empty | the empty text |
//!
//! Resources and scopes rest as JSON objects of their attributes: `{"service.name":"checkout","pid":7}`. JSON's own types
//! carry string, bool, int (no point), double (a point or exponent), array and map; the rest is an object of one key:
//! `{"$bytes":"<base64>"}`, `{"$double":"NaN"}`, and null is the empty value. What is not an attribute has a key with `$`:
//! `$schema_url`, `$dropped_attributes_count`, and for scopes `$name`, `$version`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Key of the schema URL in the JSON of a resource or scope.
pub const SCHEMA_URL: &str = "$schema_url";
/// Key of the dropped count in the JSON of a resource or scope.
pub const DROPPED_COUNT: &str = "$dropped_attributes_count";
/// Key of the scope's name in the JSON of a scope.
pub const SCOPE_NAME: &str = "$name";
/// Key of the scope's version in the JSON of a scope.
pub const SCOPE_VERSION: &str = "$version";

/// A typed attribute value, owned.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// Text.
    String(String),
    /// Truth.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// Floating point.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Ordered values.
    Array(Vec<AttributeValue>),
    /// Named values, order kept.
    Map(Vec<(String, AttributeValue)>),
    /// No value at all.
    Empty,
}

impl AttributeValue {
    /// The letter of the type.
    pub fn letter(&self) -> char {
        match self {
            Self::String(_) => 's',
            Self::Bool(_) => 'b',
            Self::Int(_) => 'i',
            Self::Double(_) => 'd',
            Self::Bytes(_) => 'y',
            Self::Array(_) => 'a',
            Self::Map(_) => 'm',
            Self::Empty => 'n',
        }
    }

    /// The text form under that letter.
    pub fn to_text(&self) -> String {
        match self {
            Self::String(text) => text.clone(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Double(value) => double_text(*value),
            Self::Bytes(bytes) => BASE64.encode(bytes),
            Self::Array(_) | Self::Map(_) => {
                let mut json = String::new();
                write_json(&mut json, self);
                json
            }
            Self::Empty => String::new(),
        }
    }

    /// The inverse of [`AttributeValue::to_text`]. Text that does not fit its letter reads as a string, so that a damaged
    /// type never hides a value.
    pub fn from_text(letter: char, text: &str) -> Self {
        let parsed = match letter {
            'b' => text.parse().ok().map(Self::Bool),
            'i' => text.parse().ok().map(Self::Int),
            'd' => double_from_text(text).map(Self::Double),
            'y' => BASE64.decode(text).ok().map(Self::Bytes),
            'a' | 'm' => serde_json::from_str(text).ok().map(|json| Self::from_json(&json)),
            'n' => Some(Self::Empty),
            _ => None,
        };
        parsed.unwrap_or_else(|| Self::String(text.to_owned()))
    }

    /// From the JSON form that resources, scopes, arrays and maps rest in.
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Empty,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(value) => Self::Int(value),
                None => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Self::String(text.clone()),
            serde_json::Value::Array(items) => Self::Array(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(entries) => {
                if let (1, Some(serde_json::Value::String(text))) = (entries.len(), entries.get("$bytes")) {
                    return BASE64.decode(text).map_or_else(|_| Self::String(text.clone()), Self::Bytes);
                }
                if let (1, Some(serde_json::Value::String(text))) = (entries.len(), entries.get("$double")) {
                    return double_from_text(text).map_or_else(|| Self::String(text.clone()), Self::Double);
                }
                Self::Map(entries.iter().map(|(key, value)| (key.clone(), Self::from_json(value))).collect())
            }
        }
    }
}

/// Appends the JSON form of a value.
pub fn write_json(out: &mut String, value: &AttributeValue) {
    match value {
        AttributeValue::String(text) => write_json_string(out, text),
        AttributeValue::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        AttributeValue::Int(value) => out.push_str(&value.to_string()),
        AttributeValue::Double(value) => write_json_double(out, *value),
        AttributeValue::Bytes(bytes) => write_json_bytes(out, bytes),
        AttributeValue::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        AttributeValue::Map(entries) => {
            out.push('{');
            for (position, (key, entry)) in entries.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_json_string(out, key);
                out.push(':');
                write_json(out, entry);
            }
            out.push('}');
        }
        AttributeValue::Empty => out.push_str("null"),
    }
}

/// Appends a JSON string.
pub fn write_json_string(out: &mut String, text: &str) {
    out.push('"');
    let mut clean_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[clean_from..at]);
        clean_from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => out.push_str(&format!("\\u{byte:04x}")),
        }
    }
    out.push_str(&text[clean_from..]);
    out.push('"');
}

/// Appends the JSON form of a double, which always differs from that of an integer.
pub fn write_json_double(out: &mut String, value: f64) {
    if value.is_finite() {
        out.push_str(&double_text(value));
    } else {
        out.push_str("{\"$double\":\"");
        out.push_str(&double_text(value));
        out.push_str("\"}");
    }
}

/// Appends the JSON form of bytes.
pub fn write_json_bytes(out: &mut String, bytes: &[u8]) {
    out.push_str("{\"$bytes\":\"");
    BASE64.encode_string(bytes, out);
    out.push_str("\"}");
}

/// Shortest text that reads back equal, with a point or an exponent.
pub fn double_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        format!("{value:?}")
    }
}

/// Base64 of bytes, the text under the letter `y`.
pub fn bytes_text(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

fn double_from_text(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok(),
    }
}

/// Pairs the entries of an attribute map with their types.
pub fn typed<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>, types: Option<&'a str>) -> impl Iterator<Item = (&'a str, AttributeValue)> {
    let mut letters = types.map(str::chars);
    entries.map(move |(key, text)| {
        let letter = letters.as_mut().and_then(Iterator::next).unwrap_or('s');
        (key, AttributeValue::from_text(letter, text))
    })
}
