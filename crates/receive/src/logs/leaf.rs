//! Values of the fields of a document, and what they become.

use signalbox_model::attributes::{AttributeValue, write_json_double, write_json_string};
use signalbox_model::builder::AttributesBuilder;

use super::json::Piece;

/// A value that is no object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Leaf<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Piece<'a>),
    /// JSON of an array, or of an object without entries.
    Array(&'a str),
    Map(&'a str),
}

/// The text of a value, as it is on the wire.
pub(super) fn text_of<'s>(leaf: &'s Leaf<'_>, arena: &'s str) -> &'s str {
    match leaf {
        Leaf::Null => "",
        Leaf::Bool(true) => "true",
        Leaf::Bool(false) => "false",
        Leaf::Number(text) | Leaf::Array(text) | Leaf::Map(text) => text,
        Leaf::Text(piece) => piece.get(arena),
    }
}

/// Appends an attribute to the open row.
pub(crate) fn append(builder: &mut AttributesBuilder, name: &str, leaf: &Leaf<'_>, arena: &str) {
    match leaf {
        Leaf::Null => builder.append_text(name, 'n', ""),
        Leaf::Bool(value) => builder.append_bool(name, *value),
        Leaf::Text(piece) => builder.append_string(name, piece.get(arena)),
        Leaf::Array(json) => builder.append_text(name, 'a', json),
        Leaf::Map(json) => builder.append_text(name, 'm', json),
        Leaf::Number(text) => {
            // A whole number is its own text, unless it is a spelling of zero or does not fit.
            let is_whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && *text != "-0";
            if is_whole && (text.len() < 19 || text.parse::<i64>().is_ok()) {
                return builder.append_text(name, 'i', text);
            }
            match text.parse::<f64>() {
                Ok(value) => builder.append_double(name, value),
                Err(_) => builder.append_string(name, text),
            }
        }
    }
}

/// The value for those who change records.
pub(super) fn value_of(leaf: &Leaf<'_>, arena: &str) -> AttributeValue {
    match leaf {
        Leaf::Null => AttributeValue::Empty,
        Leaf::Bool(value) => AttributeValue::Bool(*value),
        Leaf::Text(piece) => AttributeValue::String(piece.get(arena).to_owned()),
        Leaf::Number(text) => match (text.parse(), text.parse()) {
            (Ok(whole), _) => AttributeValue::Int(whole),
            (_, Ok(value)) => AttributeValue::Double(value),
            _ => AttributeValue::String((*text).to_owned()),
        },
        Leaf::Array(json) => AttributeValue::from_text('a', json),
        Leaf::Map(json) => AttributeValue::from_text('m', json),
    }
}

/// Appends the JSON of a value.
pub(super) fn write_leaf(out: &mut String, leaf: &Leaf<'_>, arena: &str) {
    match leaf {
        Leaf::Null => out.push_str("null"),
        Leaf::Text(piece) => write_json_string(out, piece.get(arena)),
        Leaf::Number(text) if text.contains(['.', 'e', 'E']) => write_json_double(out, text.parse().unwrap_or(f64::NAN)),
        leaf => out.push_str(text_of(leaf, arena)),
    }
}
