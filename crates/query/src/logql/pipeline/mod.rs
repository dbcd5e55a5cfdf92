//! The pipeline of a LogQL query, compiled: stages over one line and its labels.
//!
//! Semantics are those of Loki 3: names that clash, what marks a record with `__error__`, what parsers skip. Nothing is
//! allocated per record where its text needs no rewriting.

use signalbox_lang::logql::Stage;
use signalbox_lang::logql::ast::{Grouping, LabelChoice, Unwrap};
use signalbox_model::Result;

mod choose;
mod condition;
mod decolorize;
mod format;
mod hints;
mod ip;
mod labels;
mod line;
mod needs;
mod parsers;
#[cfg(test)]
mod tests;
mod unwrap;

pub(super) use condition::compare as compare_label;
pub use labels::{Category, ERROR_DETAILS_LABEL, ERROR_LABEL, LabelSet, PRESERVE_ERROR_LABEL};
pub use needs::Needs;
pub(super) use parsers::json_places;
pub(super) use unwrap::{EXTRACTION_ERROR, read as read_number};

use condition::Condition;
use decolorize::Decolorizer;
use format::{LabelFormatter, LineFormatter};
use hints::Hints;
use line::LineTest;
use parsers::LineParser;
use unwrap::Unwrapper;

/// A pipeline, ready to run. Threads share it; each has a [`Runner`].
#[derive(Debug)]
pub struct Pipeline {
    stages: Vec<Compiled>,
    unwrap: Option<Unwrapper>,
    hints: Hints,
    needs: Needs,
}

/// A stage, ready to run.
#[derive(Debug)]
enum Compiled {
    Line(LineTest),
    Label(Condition),
    Parser(LineParser),
    LineFormat(LineFormatter),
    LabelFormat(LabelFormatter),
    Decolorize(Decolorizer),
    Drop(Vec<LabelChoice>),
    Keep(Vec<LabelChoice>),
}

/// What a stage makes of a record.
enum Flow {
    /// It goes on with its line.
    Stay,
    /// It goes on with the line that the stage wrote.
    Rewritten,
    /// It is not wanted.
    Gone,
}

/// What a pipeline made of a record that it lets pass.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The line, which stages may have rewritten.
    pub line: &'a str,
    /// Labels with their categories. What could not be read is marked by [`ERROR_LABEL`]. The label that is unwrapped is
    /// still among them.
    pub labels: &'a LabelSet,
    /// With `unwrap`, the value; 0 if it could not be read, which the error says.
    pub value: Option<f64>,
}

impl Pipeline {
    /// Compiles stages, for all labels.
    ///
    /// # Errors
    /// `Invalid` for what the parser of the language does not check: addresses, paths, templates.
    pub fn new(stages: &[Stage], unwrap: Option<&Unwrap>) -> Result<Self> {
        let compiled = stages.iter().map(Compiled::new).collect::<Result<Vec<_>>>()?;
        let unwrapper = unwrap.map(Unwrapper::new).transpose()?;
        let needs = Needs::of(stages, &compiled, unwrapper.as_ref());
        Ok(Self { stages: compiled, unwrap: unwrapper, hints: Hints::default(), needs })
    }

    /// Compiles stages of a metric query whose innermost aggregation keeps the labels of a grouping only. Parsers read no
    /// other labels than those, the ones that stages look at and the one that is unwrapped; `by ()` needs none.
    ///
    /// # Errors
    /// As [`Pipeline::new`].
    pub fn grouped(stages: &[Stage], unwrap: Option<&Unwrap>, grouping: &Grouping) -> Result<Self> {
        let mut pipeline = Self::new(stages, unwrap)?;
        let mut names = Vec::new();
        pipeline.stages.iter().for_each(|stage| stage.labels(&mut names));
        if let Some(unwrap) = &pipeline.unwrap {
            unwrap.labels(&mut names);
        }
        pipeline.hints = Hints::of(grouping, names);
        pipeline.needs.keep_grouped(grouping);
        Ok(pipeline)
    }

    /// What records must have, and what of them is looked at.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// One that runs records through. `now_ns` is what `now` is in templates, in nanoseconds since the Unix epoch.
    pub fn runner(&self, now_ns: i64) -> Runner<'_> {
        Runner { pipeline: self, labels: LabelSet::new(self.hints.clone()), line: String::new(), spare: String::new(), now_ns }
    }
}

impl Compiled {
    fn new(stage: &Stage) -> Result<Self> {
        Ok(match stage {
            Stage::Line(filter) => Self::Line(LineTest::new(filter)?),
            Stage::Label(filter) => Self::Label(Condition::new(filter)?),
            Stage::Parser(parser) => Self::Parser(LineParser::new(parser)?),
            Stage::Drop(choices) => Self::Drop(choices.clone()),
            Stage::Keep(choices) => Self::Keep(choices.clone()),
            Stage::Decolorize => Self::Decolorize(Decolorizer::new()?),
            Stage::LineFormat(template) => Self::LineFormat(LineFormatter::new(template)?),
            Stage::LabelFormat(formats) => Self::LabelFormat(LabelFormatter::new(formats)?),
        })
    }

    fn run(&self, line: &str, written: &mut String, labels: &mut LabelSet, record: Record) -> Flow {
        let passes = match self {
            Self::Line(test) => test.passes(line),
            Self::Label(condition) => condition.passes(labels),
            Self::Parser(parser) => return parser.run(line, written, labels),
            Self::Decolorize(decolorizer) => return decolorizer.run(line, written),
            Self::LineFormat(formatter) => return formatter.run(line, written, labels, record),
            Self::LabelFormat(formatter) => {
                formatter.run(line, labels, record);
                true
            }
            Self::Drop(choices) => {
                choose::drop_labels(choices, labels);
                true
            }
            Self::Keep(choices) => {
                choose::keep_labels(choices, labels);
                true
            }
        };
        if passes { Flow::Stay } else { Flow::Gone }
    }

    /// Adds the names of labels that the stage looks at.
    fn labels(&self, names: &mut Vec<String>) {
        match self {
            Self::Label(condition) => condition.labels(names),
            Self::LineFormat(formatter) => formatter.labels(names),
            Self::LabelFormat(formatter) => formatter.labels(names),
            Self::Line(_) | Self::Parser(_) | Self::Decolorize(_) | Self::Drop(_) | Self::Keep(_) => {}
        }
    }
}

/// What templates know of a record besides line and labels.
#[derive(Debug, Clone, Copy)]
struct Record {
    timestamp_ns: i64,
    now_ns: i64,
}

/// Runs records through a pipeline, one after the other, with the same memory.
#[derive(Debug)]
pub struct Runner<'p> {
    pipeline: &'p Pipeline,
    labels: LabelSet,
    /// The line as the last stage that wrote one left it.
    line: String,
    spare: String,
    now_ns: i64,
}

impl Runner<'_> {
    /// The records that follow are of the stream with these labels, whose names differ.
    pub fn enter_stream<'a>(&mut self, labels: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.labels.begin_stream(labels);
    }

    /// Runs a record, with its structured metadata. `None` if it does not pass, or if the label that is unwrapped is missing.
    pub fn run<'a, 'm>(&'a mut self, timestamp_ns: i64, line: &'a str, metadata: impl IntoIterator<Item = (&'m str, &'m str)>) -> Option<Outcome<'a>> {
        self.labels.begin_record(metadata);
        let record = Record { timestamp_ns, now_ns: self.now_ns };
        let mut is_rewritten = false;
        for stage in &self.pipeline.stages {
            let current = if is_rewritten { self.line.as_str() } else { line };
            match stage.run(current, &mut self.spare, &mut self.labels, record) {
                Flow::Stay => {}
                Flow::Rewritten => {
                    std::mem::swap(&mut self.line, &mut self.spare);
                    is_rewritten = true;
                }
                Flow::Gone => return None,
            }
        }
        let value = match &self.pipeline.unwrap {
            Some(unwrap) => Some(unwrap.run(&mut self.labels)?),
            None => None,
        };
        Some(Outcome { line: if is_rewritten { &self.line } else { line }, labels: &self.labels, value })
    }
}
