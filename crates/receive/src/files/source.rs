//! A source, compiled: which files, what their lines are, and what is done to their records.

use std::path::PathBuf;
use std::time::Duration;

use glob::Pattern;
use regex::Regex;
use signalbox_model::{Error, Result, Tenant};

use super::promtail::Stages;
use super::{Compressed, DOOR, LineFormat, Multiline, Source, Start, paths};
use crate::logs::Record;
use crate::transform::{Pipeline, Transform, Verdict, compile};

/// Bytes that a line may be allowed to have.
const LINE_BYTES_MAX: usize = 1 << 20;

/// A source that can be read.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(super) patterns: Vec<String>,
    pub(super) exclude: Vec<Pattern>,
    pub(super) format: LineFormat,
    pub(super) multiline: Option<Lines>,
    /// Attributes of the resource.
    pub(super) labels: Vec<(String, String)>,
    /// Whether names that a path tells become attributes.
    pub(super) reads_path: bool,
    pub(super) service: String,
    /// Whose its records are, unless a stage says so.
    pub(super) tenant: Tenant,
    pub(super) start: Start,
    pub(super) compressed: Compressed,
    pub(super) line_bytes_max: usize,
    pub(super) work: Work,
}

/// How lines become records of several lines.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    pub(super) firstline: Regex,
    pub(super) lines_max: usize,
    pub(super) wait: Duration,
}

/// What is done to the records of a source before the rules of all doors.
#[derive(Debug)]
pub(super) enum Work {
    Nothing,
    Steps(Pipeline),
    Stages(Stages),
}

impl Work {
    /// Whether the record stays, and whose it is if that is said.
    pub(super) fn run(&mut self, record: &mut Record<'_>, now_ns: i64) -> (Verdict, Option<Tenant>) {
        match self {
            Self::Nothing => (Verdict::Keep, None),
            Self::Steps(pipeline) => (pipeline.apply(record, now_ns), None),
            Self::Stages(stages) => stages.run(record, now_ns),
        }
    }
}

impl Compiled {
    pub(super) fn new(source: &Source, place: &str) -> Result<Self> {
        if source.paths.is_empty() {
            return Err(Error::invalid(format!("{place}.paths: want at least one")));
        }
        if !(1..=LINE_BYTES_MAX).contains(&source.line_bytes_max) {
            return Err(Error::invalid(format!("{place}.line_bytes_max: want 1 to {LINE_BYTES_MAX}")));
        }
        let multiline = source.multiline.as_ref().map(|multiline| Lines::new(multiline, &format!("{place}.multiline"))).transpose()?;
        let steps = Transform::of_steps(&source.transform, &format!("{place}.transform"))?;
        Ok(Self {
            patterns: paths::checked(&source.paths, &format!("{place}.paths"))?,
            exclude: paths::patterns(&source.exclude, &format!("{place}.exclude"))?,
            format: source.format,
            multiline,
            labels: source.attributes.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            reads_path: true,
            service: source.service.clone(),
            tenant: Tenant::new(&source.tenant).map_err(|error| Error::invalid(format!("{place}.tenant: {error}")))?,
            start: source.start,
            compressed: source.compressed,
            line_bytes_max: source.line_bytes_max,
            work: steps.pipeline(DOOR).map_or(Work::Nothing, Work::Steps),
        })
    }

    /// Paths that exist now.
    pub(super) fn find(&self, out: &mut Vec<PathBuf>) {
        for pattern in &self.patterns {
            paths::find(pattern, &self.exclude, self.compressed, out);
        }
    }
}

impl Lines {
    pub(super) fn new(settings: &Multiline, place: &str) -> Result<Self> {
        if settings.firstline.is_empty() || settings.lines_max == 0 {
            return Err(Error::invalid(format!("{place}: want firstline, and lines_max above 0")));
        }
        let firstline = compile(&settings.firstline, &format!("{place}.firstline"))?;
        Ok(Self { firstline, lines_max: settings.lines_max, wait: Duration::from_millis(settings.wait_ms) })
    }
}
