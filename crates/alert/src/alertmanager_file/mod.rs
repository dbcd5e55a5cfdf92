//! `alertmanager.yml` as people have it: routing tree, inhibition, time intervals, templates, and the receivers, which
//! `notify` reads further.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/>. What is wrong is said in the words of Alertmanager, before
//! anything starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_norway::Value;
use signalbox_lang::{matchers, promql};
use signalbox_model::{Error, MatchOp, Matcher, Result};

use crate::inhibit::Inhibition;
use crate::intervals::{RawInterval, TimeInterval};
use crate::limits::FILE_BYTES_MAX;
use crate::routing::{Names, RawRoute, Route};

/// Alertmanager's, where nothing is said.
const RESOLVE_TIMEOUT_MS: i64 = 5 * 60_000;

/// A file, read.
#[derive(Debug, Clone)]
pub struct AlertmanagerFile {
    /// The text as it stands there.
    pub original: String,
    /// The tree of routes.
    pub route: Arc<Route>,
    /// Which alerts are not told while others fire.
    pub inhibitions: Vec<Inhibition>,
    /// Time intervals by name.
    pub intervals: BTreeMap<String, Vec<TimeInterval>>,
    /// Patterns of the files with templates; relative ones are below the folder of the file.
    pub templates: Vec<PathBuf>,
    /// How long an alert of another ruler goes on that has no end of its own, in milliseconds.
    pub resolve_timeout_ms: i64,
    /// Defaults of the channels, for `notify`.
    pub global: Value,
    /// The receivers, for `notify`.
    pub receivers: Vec<Value>,
    /// Labels of receivers that have some, by name.
    pub receiver_labels: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    global: Option<Value>,
    route: Option<RawRoute>,
    inhibit_rules: Option<Vec<RawInhibition>>,
    receivers: Option<Vec<Value>>,
    templates: Option<Vec<String>>,
    mute_time_intervals: Option<Vec<Named>>,
    time_intervals: Option<Vec<Named>>,
    tracing: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawInhibition {
    name: Option<String>,
    source_match: Option<BTreeMap<String, String>>,
    source_match_re: Option<BTreeMap<String, String>>,
    source_matchers: Option<Vec<String>>,
    target_match: Option<BTreeMap<String, String>>,
    target_match_re: Option<BTreeMap<String, String>>,
    target_matchers: Option<Vec<String>>,
    equal: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    #[serde(default)]
    time_intervals: Option<Vec<RawInterval>>,
}

impl AlertmanagerFile {
    /// Reads a file.
    ///
    /// # Errors
    /// `NotFound` if it cannot be read; `Invalid` with what is wrong.
    pub fn load(path: &Path) -> Result<Self> {
        let cannot = |why: &dyn std::fmt::Display| format!("cannot read {}: {why}", path.display());
        let size = std::fs::metadata(path).map_err(|error| Error::new(signalbox_model::ErrorKind::NotFound, cannot(&error)))?.len();
        if size > FILE_BYTES_MAX {
            return Err(Error::invalid(cannot(&format!("{size} bytes: want at most {FILE_BYTES_MAX}"))));
        }
        let text = std::fs::read_to_string(path).map_err(|error| Error::invalid(cannot(&error)))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(|error| Error::invalid(format!("{}: {}", path.display(), error.message())))
    }

    /// Reads the text of a file that lies in a folder.
    ///
    /// # Errors
    /// `Invalid` with what is wrong.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let document: Document = serde_norway::from_str(text).map_err(|error| Error::invalid(error.to_string()))?;
        if document.tracing.is_some() {
            tracing::warn!("tracing in alertmanager.yml has no effect: this server traces itself, see telemetry in its own configuration");
        }
        let receivers = document.receivers.unwrap_or_default();
        let receiver_names = names(&receivers)?;
        let intervals = intervals(document.time_intervals.into_iter().flatten(), document.mute_time_intervals.into_iter().flatten())?;
        let route = document.route.ok_or_else(|| Error::invalid("no route provided in config"))?;
        let interval_names = intervals.keys().cloned().collect();
        let inhibitions = document.inhibit_rules.iter().flatten().map(RawInhibition::read).collect::<Result<_>>()?;
        let global = document.global.unwrap_or(Value::Null);
        Ok(Self {
            original: text.to_owned(),
            resolve_timeout_ms: resolve_timeout_ms(&global)?,
            route: Arc::new(route.read(&Names { receivers: &receiver_names, intervals: &interval_names })?),
            inhibitions,
            intervals,
            templates: document.templates.iter().flatten().map(|pattern| folder.join(pattern)).collect(),
            global,
            receiver_labels: receivers.iter().filter_map(labels).collect::<Result<_>>()?,
            receivers,
        })
    }
}

fn resolve_timeout_ms(global: &Value) -> Result<i64> {
    let Some(text) = global.get("resolve_timeout").and_then(Value::as_str) else { return Ok(RESOLVE_TIMEOUT_MS) };
    promql::parse_duration(text).map_err(|error| Error::invalid(format!("resolve_timeout: {}", error.message())))
}

/// The labels of a receiver, if it has any.
fn labels(receiver: &Value) -> Option<Result<(String, BTreeMap<String, String>)>> {
    let name = receiver.get("name").and_then(Value::as_str).unwrap_or_default();
    let labels = receiver.get("labels").filter(|labels| !labels.is_null())?;
    let read = serde_norway::from_value(labels.clone()).map_err(|error| Error::invalid(format!("receiver {name:?}: labels: {error}")));
    Some(read.map(|labels| (name.to_owned(), labels)))
}

fn names(receivers: &[Value]) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for receiver in receivers {
        let name = receiver.get("name").and_then(Value::as_str).unwrap_or_default();
        if name.is_empty() {
            return Err(Error::invalid("missing name in receiver"));
        }
        if !names.insert(name.to_owned()) {
            return Err(Error::invalid(format!("notification config name {name:?} is not unique")));
        }
    }
    Ok(names)
}

fn intervals(current: impl Iterator<Item = Named>, former: impl Iterator<Item = Named>) -> Result<BTreeMap<String, Vec<TimeInterval>>> {
    let mut intervals = BTreeMap::new();
    for named in former.chain(current) {
        if named.name.is_empty() {
            return Err(Error::invalid("missing name in time interval"));
        }
        let read = named.time_intervals.iter().flatten().map(RawInterval::read).collect::<Result<_>>()?;
        if intervals.insert(named.name.clone(), read).is_some() {
            return Err(Error::invalid(format!("time interval {:?} is not unique", named.name)));
        }
    }
    Ok(intervals)
}

impl RawInhibition {
    fn read(&self) -> Result<Inhibition> {
        let side = |equal: &Option<BTreeMap<String, String>>, regex: &Option<BTreeMap<String, String>>, lists: &Option<Vec<String>>| -> Result<Vec<Matcher>> {
            let mut side = Vec::new();
            for (name, value) in equal.iter().flatten() {
                side.push(Matcher::new(name, MatchOp::Equal, value)?);
            }
            for (name, pattern) in regex.iter().flatten() {
                side.push(Matcher::new(name, MatchOp::Regex, pattern)?);
            }
            for list in lists.iter().flatten() {
                side.extend(matchers::parse(list)?);
            }
            Ok(side)
        };
        Ok(Inhibition {
            name: self.name.clone().unwrap_or_default(),
            source: side(&self.source_match, &self.source_match_re, &self.source_matchers)?,
            target: side(&self.target_match, &self.target_match_re, &self.target_matchers)?,
            equal: self.equal.iter().flatten().cloned().collect(),
        })
    }
}

#[cfg(test)]
mod tests;
