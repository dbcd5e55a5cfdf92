//! Log files that grow: found by patterns, followed through rotation, read on after a restart where the last one stopped.
//!
//! A file is known by device, inode and a hash of its first bytes, so that a new name (rotation) changes nothing and a new file
//! under an old name is one. How far a file was read is written to `files/positions.json` in the data folder, atomically, after the
//! store has acknowledged the records: after a crash nothing is missing, and only what was not acknowledged is read again. When the store
//! refuses, reading waits.
//!
//! | of the file | of the record |
//! |---|---|
//! | a line, or several by `multiline`, repaired to UTF-8 | body |
//! | time of the container's runtime, else the time of reading | timestamp |
//! | stream of the container's runtime | attribute `log.iostream` |
//! | path | attribute `log.file.path` |
//! | `/var/log/pods/<namespace>_<pod>_<uid>/<container>/N.log` | resource `k8s.namespace.name`, `k8s.pod.name`, `k8s.pod.uid`, `k8s.container.name` |
//! | `/var/log/containers/<pod>_<namespace>_<container>-<id>.log` | the same, and `container.id` |
//! | `/var/lib/docker/containers/<id>/…` | resource `container.id` |
//!
//! Files that a rotation compressed (`.gz`, `.bz2`, `.xz`, `.zst`) are passed over. With `compressed: once` those of gzip are read,
//! once: one that holds a file that was followed goes on where that one stopped, known by its first bytes. A file that was
//! renamed while nobody read it is found again beside its old path; one that was renamed twice is only found if a pattern
//! matches its name.
//!
//! ## Metrics
//! `signalbox_receive_rows_total{protocol="files"}`, `signalbox_receive_bytes_total{protocol="files"}`, `signalbox_receive_files`.

mod container;
mod join;
mod paths;
mod positions;
pub mod promtail;
mod run;
mod source;
mod tail;
mod unpack;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use signalbox_model::{Result, Tenant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::door::Entry;
use crate::transform::Step;
use positions::Takeover;
use source::Compiled;
use watch::Watch;

/// What is read, in metrics and in `match: doors` of rules.
const DOOR: &str = "files";

/// Files that are read in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Source {
    /// Patterns of paths: `*`, `?`, `[abc]`, `{a,b}`, and `**` for any folders.
    pub paths: Vec<String>,
    /// Patterns of paths that are passed over.
    pub exclude: Vec<String>,
    /// What a line is: `plain`, `cri`, `docker`, or `container` for either of the two.
    pub format: LineFormat,
    /// How lines become records of several lines.
    pub multiline: Option<Multiline>,
    /// Attributes of the resource.
    pub attributes: BTreeMap<String, String>,
    /// The service (`service.name`). Empty: the name of the container, if there is one.
    pub service: String,
    /// The tenant whose records these are.
    pub tenant: String,
    /// Where reading starts in a file that was not read before: `beginning` or `end`.
    pub start: Start,
    /// What is done with files that a rotation compressed: `ignore`, or `once` to read those of gzip (`.gz`) once.
    pub compressed: Compressed,
    /// Longest line in bytes; of longer ones the beginning is kept.
    pub line_bytes_max: usize,
    /// Steps that records go through, see `receive.transform`; before the rules for all doors.
    pub transform: Vec<Step>,
}

impl Default for Source {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            exclude: Vec::new(),
            format: LineFormat::Plain,
            multiline: None,
            attributes: BTreeMap::new(),
            service: String::new(),
            tenant: Tenant::DEFAULT.to_owned(),
            start: Start::Beginning,
            compressed: Compressed::Ignore,
            line_bytes_max: 256 << 10,
            transform: Vec::new(),
        }
    }
}

/// What a line of a file is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineFormat {
    /// Text.
    #[default]
    Plain,
    /// `<time> <stream> <P|F> <text>`, as containerd and CRI-O write.
    Cri,
    /// JSON objects with `log`, `stream` and `time`, as Docker writes.
    Docker,
    /// Either of the two, told apart line by line.
    Container,
}

/// Where reading starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// With the first line.
    #[default]
    Beginning,
    /// With what is written from now on. Files that appear later are read from their beginning.
    End,
}

/// What is done with compressed files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compressed {
    /// They are passed over.
    #[default]
    Ignore,
    /// Those of gzip are read once, to their end.
    Once,
}

/// Records of several lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Multiline {
    /// Expression that the first line of a record matches.
    pub firstline: String,
    /// Lines of one record; then the next begins.
    pub lines_max: usize,
    /// A record ends when no line came for so many milliseconds.
    pub wait_ms: u64,
}

impl Default for Multiline {
    fn default() -> Self {
        Self { firstline: String::new(), lines_max: 128, wait_ms: 3_000 }
    }
}

/// The records that lines make, joined, none longer than `bytes_max`; for tests and fuzzing.
#[doc(hidden)]
pub fn records_of(format: LineFormat, multiline: Option<&Multiline>, text: &str, bytes_max: usize) -> Result<Vec<String>> {
    let lines = multiline.map(|multiline| source::Lines::new(multiline, "multiline")).transpose()?;
    let (mut joiner, mut pieces) = (join::Joiner::default(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        joiner.push(container::read(format, line), number as u64, lines.as_ref(), bytes_max, std::time::Duration::ZERO, &mut pieces);
    }
    joiner.flush(&mut pieces);
    Ok(pieces.into_iter().map(|piece| piece.text).collect())
}

/// The sources of files, compiled.
#[derive(Debug, Default)]
pub struct Sources {
    sources: Vec<Compiled>,
    /// Where promtail stopped.
    takeover: Option<Takeover>,
    /// What was understood and is not done: for people.
    notes: Vec<String>,
}

impl Sources {
    /// Compiles `receive.files` and reads a `promtail.yaml` if one is named.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Invalid`], with the place of what makes no sense.
    pub fn new(files: &[Source], promtail_config: &Path) -> Result<Self> {
        let mut all = Self::default();
        for (number, source) in files.iter().enumerate() {
            all.sources.push(Compiled::new(source, &format!("receive.files[{number}]"))?);
        }
        if !promtail_config.as_os_str().is_empty() {
            let loaded = promtail::load(promtail_config)?;
            all.sources.extend(loaded.sources);
            all.takeover = loaded.takeover;
            all.notes = loaded.notes;
        }
        Ok(all)
    }

    /// What was understood and is not done, one a line.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Starts reading; `None` when there is nothing to read. Positions are kept below `data_dir`.
    pub fn start(self, entry: Entry, data_dir: &Path) -> Option<Files> {
        if self.sources.is_empty() {
            return None;
        }
        for note in &self.notes {
            tracing::info!("{note}");
        }
        let watch = Watch::new(self.sources, data_dir.join("files/positions.json"), self.takeover);
        let stop = CancellationToken::new();
        let reading = tokio::spawn(run::run(entry, watch, stop.clone()));
        Some(Files { stop, reading })
    }
}

/// Files being read.
#[derive(Debug)]
pub struct Files {
    stop: CancellationToken,
    reading: JoinHandle<()>,
}

impl Files {
    /// Stops after the records under way are written.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.reading.await {
            tracing::error!("reading of files has ended early: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
