//! What a template computes with: the few Go types that a template of Prometheus can meet.

use std::collections::BTreeMap;
use std::sync::Arc;

use signalbox_model::{Histogram, Labels};

use super::{moment, number};

/// Labels as a template sees them; a missing one is the empty text.
pub(super) type Texts = Arc<BTreeMap<String, String>>;

/// One element of the answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Labels, the metric name among them.
    pub labels: Labels,
    /// Value.
    pub value: SampleValue,
}

/// Value of a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleValue {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

impl SampleValue {
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Float(value) => Value::Float(*value),
            Self::Histogram(histogram) => Value::Histogram(Arc::clone(histogram)),
        }
    }
}

/// What `.` is when the template of an alert starts.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) labels: Texts,
    pub(super) external_labels: Texts,
    pub(super) external_url: Arc<str>,
    pub(super) value: Value,
}

/// A value; cloning is cheap.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Nothing: the zero value of an interface.
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    /// `map[string]string`.
    Texts(Texts),
    /// `map[string]any`, what `args` makes.
    Map(Arc<BTreeMap<String, Value>>),
    /// A list. No template of an alert meets one; those of the conformance suite get them as input.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests make lists"))]
    List(Arc<Vec<Value>>),
    Sample(Arc<Sample>),
    Samples(Arc<Vec<Arc<Sample>>>),
    Histogram(Arc<Histogram>),
    /// Nanoseconds since the Unix epoch.
    Time(i64),
    /// Nanoseconds.
    Duration(i64),
    Root(Arc<Root>),
}

pub(super) fn texts(labels: &Labels) -> Texts {
    Arc::new(labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

impl Value {
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Arc::from(text.as_ref()))
    }

    /// The name of the Go type, as errors and `%T` show it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Texts(_) => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
            Self::List(_) => "[]interface {}",
            Self::Sample(_) => "*template.sample",
            Self::Samples(_) => "template.queryResult",
            Self::Histogram(_) => "*histogram.FloatHistogram",
            Self::Time(_) => "*time.Time",
            Self::Duration(_) => "*time.Duration",
            Self::Root(_) => "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }",
        }
    }

    /// Go's truth: not zero, not empty, not nil.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Texts(map) => !map.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Samples(samples) => !samples.is_empty(),
            Self::Sample(_) | Self::Histogram(_) | Self::Time(_) | Self::Duration(_) | Self::Root(_) => true,
        }
    }

    /// Elements of a text (bytes), map or list.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Self::Text(text) => Some(text.len()),
            Self::Texts(map) => Some(map.len()),
            Self::Map(map) => Some(map.len()),
            Self::List(list) => Some(list.len()),
            Self::Samples(samples) => Some(samples.len()),
            _ => None,
        }
    }

    /// As `%v` prints it.
    pub(super) fn print(&self) -> String {
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
            Self::Sample(sample) => print_sample(sample),
            Self::Samples(samples) => format!("[{}]", samples.iter().map(|sample| print_sample(sample)).collect::<Vec<_>>().join(" ")),
            Self::Histogram(histogram) => format!("{{count:{}, sum:{}}}", number::general(histogram.count, None), number::general(histogram.sum, None)),
            Self::Time(nanoseconds) => moment::print(*nanoseconds),
            Self::Duration(nanoseconds) => moment::print_duration(*nanoseconds),
            Self::Root(root) => {
                format!("{{{} {} {} {}}}", print_texts(&root.labels), print_texts(&root.external_labels), root.external_url, root.value.print())
            }
        }
    }
}

fn print_texts(map: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = map.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("map[{}]", pairs.join(" "))
}

fn print_sample(sample: &Sample) -> String {
    format!("{{{} {}}}", print_texts(&texts(&sample.labels)), sample.value.to_value().print())
}
