//! `line_format` and `label_format`: Go templates over the labels of a record.
//!
//! A template that only puts labels between texts runs without the interpreter, which most do.

use std::collections::BTreeMap;
use std::sync::Arc;

use signalbox_lang::logql::ast::{LabelFormat, LabelFormatValue};
use signalbox_lang::template::{Interruption, Piece, Template, Value};
use signalbox_model::{Error, Result};

mod functions;
mod numbers;
#[cfg(test)]
mod tests;
mod texts;
mod times;

use functions::{RegexCache, Surroundings};

use super::labels::LabelSet;
use super::{Flow, Record};

const FORMAT_ERROR: &str = "TemplateFormatErr";

type Texts = Arc<BTreeMap<String, String>>;

/// A template, ready to run.
#[derive(Debug)]
struct Formatter {
    template: Template,
    /// What it is made of, if it only puts labels between texts.
    pieces: Option<Vec<Piece>>,
    regexes: RegexCache,
}

impl Formatter {
    fn new(name: &str, text: &str) -> Result<Self, String> {
        let regexes = RegexCache::default();
        let template = Template::parse(name, text, &Surroundings::nowhere(&regexes))?;
        Ok(Self { pieces: template.pieces(), template, regexes })
    }

    fn run(&self, labels: &Texts, line: &str, record: Record) -> Result<String, String> {
        let surroundings = Surroundings { line, timestamp_ns: record.timestamp_ns, now_ns: record.now_ns, regexes: &self.regexes };
        match self.template.run(&Value::Texts(Arc::clone(labels)), &surroundings) {
            Ok(text) => Ok(text),
            Err(Interruption::Failed(message) | Interruption::Needs(message)) => Err(message),
        }
    }
}

/// Labels as templates see them, errors among them.
fn texts_of(labels: &LabelSet) -> Texts {
    Arc::new(labels.iter().map(|(name, value, _)| (name.to_owned(), value.to_owned())).collect())
}

fn append_pieces<'l>(pieces: &[Piece], text: &mut String, value: impl Fn(&str) -> Option<&'l str>) {
    for piece in pieces {
        match piece {
            Piece::Text(literal) => text.push_str(literal),
            Piece::Field(name) => text.push_str(value(name).unwrap_or_default()),
        }
    }
}

/// `line_format`.
#[derive(Debug)]
pub(super) struct LineFormatter(Formatter);

impl LineFormatter {
    pub(super) fn new(text: &str) -> Result<Self> {
        Formatter::new("line", text).map(Self).map_err(|reason| Error::invalid(format!("invalid line template: {reason}")))
    }

    pub(super) fn run(&self, line: &str, written: &mut String, labels: &mut LabelSet, record: Record) -> Flow {
        if let Some(pieces) = &self.0.pieces {
            written.clear();
            append_pieces(pieces, written, |name| labels.get(name));
            return Flow::Rewritten;
        }
        match self.0.run(&texts_of(labels), line, record) {
            Ok(text) => {
                *written = text;
                Flow::Rewritten
            }
            Err(reason) => {
                labels.set_error(FORMAT_ERROR, &reason);
                Flow::Stay
            }
        }
    }

    /// Adds the names of labels that it looks at.
    pub(super) fn labels(&self, names: &mut Vec<String>) {
        names.extend(self.0.template.fields());
    }
}

/// `label_format`. All its templates see the labels as they were before the first of them.
#[derive(Debug)]
pub(super) struct LabelFormatter(Vec<(String, Source)>);

#[derive(Debug)]
enum Source {
    Label(String),
    Template(Box<Formatter>),
}

impl LabelFormatter {
    pub(super) fn new(formats: &[LabelFormat]) -> Result<Self> {
        let source = |format: &LabelFormat| {
            let source = match &format.value {
                LabelFormatValue::Rename(from) => Source::Label(from.clone()),
                LabelFormatValue::Template(text) => {
                    let invalid = |reason| Error::invalid(format!("invalid template for label '{}': {reason}", format.label));
                    Source::Template(Box::new(Formatter::new("label", text).map_err(invalid)?))
                }
            };
            Ok((format.label.clone(), source))
        };
        formats.iter().map(source).collect::<Result<_>>().map(Self)
    }

    pub(super) fn run(&self, line: &str, labels: &mut LabelSet, record: Record) {
        let mut seen: Option<Texts> = None;
        for (label, source) in &self.0 {
            match source {
                Source::Label(from) => labels.rename(from, label),
                Source::Template(formatter) => {
                    // One alone need not be told what the labels were.
                    if let (Some(pieces), [_]) = (&formatter.pieces, self.0.as_slice()) {
                        let mut text = String::new();
                        append_pieces(pieces, &mut text, |name| labels.get(name));
                        labels.set(label, &text);
                        continue;
                    }
                    let seen = seen.get_or_insert_with(|| texts_of(labels));
                    match formatter.run(seen, line, record) {
                        Ok(text) => labels.set(label, &text),
                        Err(reason) => labels.set_error(FORMAT_ERROR, &reason),
                    }
                }
            }
        }
    }

    /// Adds the names of labels that it looks at.
    pub(super) fn labels(&self, names: &mut Vec<String>) {
        for (_, source) in &self.0 {
            match source {
                Source::Label(from) => names.push(from.clone()),
                Source::Template(formatter) => names.extend(formatter.template.fields()),
            }
        }
    }
}
