//! What templates of alerts compute with besides the types of Go: samples, histograms, and what `.` is.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use signalbox_lang::template::{Object, Texts, Value, number, print_texts};
use signalbox_model::{Histogram, Labels};

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
            Self::Histogram(histogram) => Value::object(HistogramObject(Arc::clone(histogram))),
        }
    }
}

/// The answer to a query.
#[derive(Debug)]
pub(super) struct Samples(pub(super) Vec<Arc<Sample>>);

/// A native histogram.
#[derive(Debug)]
struct HistogramObject(Arc<Histogram>);

/// What `.` is when the template of an alert starts.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) labels: Texts,
    pub(super) external_labels: Texts,
    pub(super) external_url: Arc<str>,
    pub(super) value: Value,
}

pub(super) fn texts(labels: &Labels) -> Texts {
    Arc::new(labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

impl Object for Sample {
    fn type_name(&self) -> &'static str {
        "*template.sample"
    }

    fn print(&self) -> String {
        format!("{{{} {}}}", print_texts(&texts(&self.labels)), self.value.to_value().print())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Labels" => Some(Value::Texts(texts(&self.labels))),
            "Value" => Some(self.value.to_value()),
            _ => None,
        }
    }
}

impl Object for Samples {
    fn type_name(&self) -> &'static str {
        "template.queryResult"
    }

    fn print(&self) -> String {
        format!("[{}]", self.0.iter().map(|sample| sample.print()).collect::<Vec<_>>().join(" "))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn count(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn elements(&self) -> Option<Vec<Value>> {
        Some(self.0.iter().map(|sample| Value::Object(Arc::clone(sample) as Arc<dyn Object>)).collect())
    }

    fn slice(&self, range: Range<usize>) -> Option<Value> {
        self.0.get(range).map(|samples| Value::object(Self(samples.to_vec())))
    }
}

impl Object for HistogramObject {
    fn type_name(&self) -> &'static str {
        "*histogram.FloatHistogram"
    }

    fn print(&self) -> String {
        format!("{{count:{}, sum:{}}}", number::general(self.0.count, None), number::general(self.0.sum, None))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn prints_as_text(&self) -> bool {
        true
    }
}

impl Object for Root {
    fn type_name(&self) -> &'static str {
        "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }"
    }

    fn print(&self) -> String {
        format!("{{{} {} {} {}}}", print_texts(&self.labels), print_texts(&self.external_labels), self.external_url, self.value.print())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Labels" => Some(Value::Texts(Arc::clone(&self.labels))),
            "ExternalLabels" => Some(Value::Texts(Arc::clone(&self.external_labels))),
            "ExternalURL" => Some(Value::Text(Arc::clone(&self.external_url))),
            "Value" => Some(self.value.clone()),
            _ => None,
        }
    }
}
