//! Templates of labels and annotations: Go's `text/template` as Prometheus uses it.
//!
//! [`signalbox_lang::template`] reads and runs them; here are the functions of Prometheus and what a template sees. Expansion
//! is pure: time comes in, and a query is not asked but named ([`Expansion::Needs`]); the caller answers it and expands again,
//! which gives the same text up to there.

pub mod limits;

mod functions;
mod objects;

use std::sync::Arc;

use signalbox_lang::template::{self, Interruption, Value};
use signalbox_model::Labels;

use functions::{Answers, Surroundings};
use objects::{Root, Samples, texts};

pub use objects::{Sample, SampleValue};
pub(crate) use template::query_escape;

/// What Prometheus puts before every template; positions in its errors count it.
const PRELUDE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// A parsed template of an alerting rule. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Template {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    source: String,
    /// With the prelude.
    template: template::Template,
}

/// What a template sees.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Labels of the element of the vector, the metric name among them.
    pub labels: &'a Labels,
    /// Value of the element.
    pub value: &'a SampleValue,
    /// The instant of the evaluation, milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// Labels of this server.
    pub external_labels: &'a Labels,
    /// Where this server is reached.
    pub external_url: &'a str,
}

/// Answers to the queries of templates, for one instant.
#[derive(Debug, Clone, Default)]
pub struct QueryAnswers(Answers);

impl QueryAnswers {
    /// Adds the answer to a query: its elements, or why it failed.
    pub fn insert(&mut self, query: String, answer: Result<Vec<Sample>, String>) {
        self.0.insert(query, answer.map(|samples| Arc::new(Samples(samples.into_iter().map(Arc::new).collect()))));
    }
}

/// What an expansion came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expansion {
    /// The text.
    Done(String),
    /// This query must be answered first; then expand again.
    Needs(String),
    /// It failed, in the words of Prometheus.
    Failed(String),
}

impl Template {
    /// Parses a template of the alert with a name.
    ///
    /// # Errors
    /// The first thing that is wrong, in Go's words.
    pub fn parse(alert: &str, source: &str) -> Result<Self, String> {
        let name = format!("__alert_{alert}");
        let template = template::Template::parse(&name, &format!("{PRELUDE}{source}"), &NOWHERE)?;
        Ok(Self { inner: Arc::new(Inner { name, source: source.to_owned(), template }) })
    }

    /// The text that was parsed.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// Expands the template.
    pub fn expand(&self, context: &Context<'_>, answers: &QueryAnswers) -> Expansion {
        let root = Root {
            labels: texts(context.labels),
            external_labels: texts(context.external_labels),
            external_url: Arc::from(context.external_url),
            value: context.value.to_value(),
        };
        self.run(&Value::object(root), context.now_ms, context.external_url, answers)
    }

    fn run(&self, dot: &Value, now_ms: i64, external_url: &str, answers: &QueryAnswers) -> Expansion {
        let Inner { name, template, .. } = &*self.inner;
        match template.run(dot, &Surroundings { now_ms, external_url, answers: &answers.0 }) {
            Ok(text) => Expansion::Done(text),
            Err(Interruption::Needs(query)) => Expansion::Needs(query),
            Err(Interruption::Failed(message)) => Expansion::Failed(format!("error executing template {name}: {message}")),
        }
    }
}

/// Surroundings while a template is parsed, when only the names of functions matter.
static NOWHERE: Surroundings<'static> = Surroundings { now_ms: 0, external_url: "", answers: &Answers::new() };

#[cfg(test)]
mod tests;
