//! What a template computes with: a few Go types, and what the user of the template adds.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::{moment, number};

/// Labels as a template sees them; a missing one is the empty text.
pub type Texts = Arc<BTreeMap<String, String>>;

/// A value of a type that only the user of the template knows.
pub trait Object: fmt::Debug + Send + Sync {
    /// The name of the Go type, as errors and `%T` show it.
    fn type_name(&self) -> &'static str;
    /// As `%v` prints it.
    fn print(&self) -> String;
    /// Itself, for functions that know the type.
    fn as_any(&self) -> &dyn Any;
    /// Whether Go's `%q` and such take it for text, because it has a method `String`.
    fn prints_as_text(&self) -> bool {
        false
    }
    /// Number of elements, of a list.
    fn count(&self) -> Option<usize> {
        None
    }
    /// The elements, of a list.
    fn elements(&self) -> Option<Vec<Value>> {
        None
    }
    /// Some of the elements, which are that many, of a list.
    fn slice(&self, _range: Range<usize>) -> Option<Value> {
        None
    }
    /// A field.
    fn field(&self, _name: &str) -> Option<Value> {
        None
    }
    /// What a method gives; `None` if there is none of this name. Asked before fields.
    fn method(&self, _name: &str, _args: &[Value]) -> Option<Result<Value, String>> {
        None
    }
    /// The texts by name, of a map that has methods too: `index`, `range` and `len` look at these, and so do fields.
    fn texts(&self) -> Option<&Texts> {
        None
    }
}

/// A value; cloning is cheap.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing: the zero value of an interface.
    Nil,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `float64`.
    Float(f64),
    /// `string`.
    Text(Arc<str>),
    /// `map[string]string`.
    Texts(Texts),
    /// `map[string]any`.
    Map(Arc<BTreeMap<String, Value>>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// Nanoseconds since the Unix epoch.
    Time(i64),
    /// Nanoseconds.
    Duration(i64),
    /// Something else.
    Object(Arc<dyn Object>),
}

impl Value {
    /// A text.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Arc::from(text.as_ref()))
    }

    /// A value of a type of one's own.
    pub fn object(object: impl Object + 'static) -> Self {
        Self::Object(Arc::new(object))
    }

    /// The value as a type of one's own.
    pub fn downcast<T: 'static>(&self) -> Option<&T> {
        if let Self::Object(object) = self { object.as_any().downcast_ref() } else { None }
    }

    /// The name of the Go type, as errors and `%T` show it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Texts(_) => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
            Self::List(_) => "[]interface {}",
            Self::Time(_) => "*time.Time",
            Self::Duration(_) => "*time.Duration",
            Self::Object(object) => object.type_name(),
        }
    }

    /// Go's truth: not zero, not empty, not nil.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Texts(map) => !map.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Time(_) | Self::Duration(_) => true,
            Self::Object(object) => object.texts().map_or(object.count() != Some(0), |map| !map.is_empty()),
        }
    }

    /// Elements of a text (bytes), map or list.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Self::Text(text) => Some(text.len()),
            Self::Texts(map) => Some(map.len()),
            Self::Map(map) => Some(map.len()),
            Self::List(list) => Some(list.len()),
            Self::Object(object) => object.texts().map(|map| map.len()).or_else(|| object.count()),
            _ => None,
        }
    }

    /// As `%v` prints it.
    pub fn print(&self) -> String {
        match self {
            Self::Nil => "<nil>".into(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => number::general(*value, None),
            Self::Text(text) => text.to_string(),
            Self::Texts(map) => print_texts(map),
            Self::Map(map) => {
                let pairs: Vec<String> = map.iter().map(|(name, value)| format!("{name}:{}", value.print())).collect();
                format!("map[{}]", pairs.join(" "))
            }
            Self::List(list) => format!("[{}]", list.iter().map(Self::print).collect::<Vec<_>>().join(" ")),
            Self::Time(nanoseconds) => moment::print(*nanoseconds),
            Self::Duration(nanoseconds) => moment::print_duration(*nanoseconds),
            Self::Object(object) => object.print(),
        }
    }
}

/// `map[a:b c:d]`.
pub fn print_texts(map: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = map.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("map[{}]", pairs.join(" "))
}
