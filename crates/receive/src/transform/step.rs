//! The steps: their settings, and what they are compiled to.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use signalbox_model::{Error, Result};

use super::Verdict;
use super::condition::Condition;
use super::edit::Edit;
use super::instant::TimestampStep;
use super::parse::Parser;
use super::redact::Redactor;
use crate::logs::Record;

/// One step: exactly one of the keys that name what it does, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Fields of a JSON object.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub json: Option<Json>,
    /// Fields of `key=value` text.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub logfmt: Option<Logfmt>,
    /// Named groups of a regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<Regex>,
    /// Named parts of a pattern made of the usual library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grok: Option<Grok>,
    /// The severity, from a field.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The time, from a field.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// The field whose text becomes the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Fields and their names from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rename: Option<BTreeMap<String, String>>,
    /// Fields that become attributes of the resource, and their names there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<BTreeMap<String, String>>,
    /// Attributes that are taken away; `*` and `?` stand for any text and any character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove: Option<Vec<String>>,
    /// The only attributes that stay; `*` and `?` stand for any text and any character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<Vec<String>>,
    /// Fields and the texts that they get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add: Option<BTreeMap<String, String>>,
    /// Secrets and personal data that are made unreadable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redact: Option<Redact>,
    /// Longest texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncate: Option<Truncate>,
    /// Drops the record. Give it a condition.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub drop: Option<Drop>,
    /// Which records the step is for; all when it says nothing.
    pub when: Condition,
    /// Whether a record that the step could not work on is flagged. Turn it off where not every record is meant to fit.
    pub flag_errors: bool,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            json: None,
            logfmt: None,
            regex: None,
            grok: None,
            severity: None,
            timestamp: None,
            body: None,
            rename: None,
            resource: None,
            remove: None,
            keep: None,
            add: None,
            redact: None,
            truncate: None,
            drop: None,
            when: Condition::default(),
            flag_errors: true,
        }
    }
}

/// A key without a value, as in `json:`, means the defaults.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Some(Option::<T>::deserialize(deserializer)?.unwrap_or_default()))
}

/// Settings of the step `json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Json {
    /// The field that is read.
    pub source: String,
    /// What is put before the names.
    pub prefix: String,
    /// What stands between the names of nested objects.
    pub separator: String,
}

impl Default for Json {
    fn default() -> Self {
        Self { source: "body".to_owned(), prefix: String::new(), separator: ".".to_owned() }
    }
}

/// Settings of the step `logfmt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logfmt {
    /// The field that is read.
    pub source: String,
    /// What is put before the names.
    pub prefix: String,
}

impl Default for Logfmt {
    fn default() -> Self {
        Self { source: "body".to_owned(), prefix: String::new() }
    }
}

/// Settings of the step `regex`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Regex {
    /// The field that is read.
    pub source: String,
    /// The expression; it must have a named group.
    pub pattern: String,
}

impl Default for Regex {
    fn default() -> Self {
        Self { source: "body".to_owned(), pattern: String::new() }
    }
}

/// Settings of the step `grok`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grok {
    /// The field that is read.
    pub source: String,
    /// Patterns such as `%{IP:client.address} %{NUMBER:bytes:int}`; the first that matches counts.
    pub patterns: Vec<String>,
    /// Patterns of your own, by their names.
    pub definitions: BTreeMap<String, String>,
}

impl Default for Grok {
    fn default() -> Self {
        Self { source: "body".to_owned(), patterns: Vec::new(), definitions: BTreeMap::new() }
    }
}

/// Settings of the step `severity`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Severity {
    /// The field that is read. Empty: the first there is of `level`, `severity`, `log.level`, `loglevel`, `lvl`, `severity_text`.
    pub from: String,
    /// Words that mean something else than usual, and the usual word, such as `{"broken": error}`.
    pub words: BTreeMap<String, String>,
    /// Whether an attribute that was understood is taken away.
    pub remove: bool,
}

/// Settings of the step `timestamp`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timestamp {
    /// The field that is read. Empty: the first there is of `timestamp`, `time`, `ts`, `@timestamp`, `datetime`.
    pub from: String,
    /// Formats, the first that fits counts: `auto`, `rfc3339`, `unix`, `unix_ms`, `unix_us`, `unix_ns`, or one of strptime such as
    /// `%d.%m.%Y %H:%M:%S`. Empty: `auto`.
    pub formats: Vec<String>,
    /// Time zone of times that name none, such as `Europe/Zurich`. Empty: UTC. Formats of strptime and RFC 3339 alone look at it.
    pub timezone: String,
    /// Whether an attribute that was understood is taken away.
    pub remove: bool,
}

/// Settings of the step `redact`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redact {
    /// What is looked for: `credit_card`, `email`, `ipv4`, `ipv6`, `bearer_token`, `jwt`, `aws_key`, `private_key`, `password`.
    pub detect: Vec<String>,
    /// Expressions of your own.
    pub patterns: Vec<RedactPattern>,
    /// Attributes whose whole value is secret; `*` and `?` stand for any text and any character.
    pub names: Vec<String>,
    /// Fields that are looked at. Empty: the body and all attributes of the record, values within arrays and maps too.
    pub fields: Vec<String>,
    /// What becomes of what is found.
    pub action: RedactAction,
    /// What `replace` writes. Empty: the name of what was found in brackets, such as `[email]`.
    pub replacement: String,
    /// Key of the hashes: without it whoever guesses a value can prove it.
    pub hash_key: String,
}

/// An expression of the step `redact`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedactPattern {
    /// What it finds, in a word.
    pub name: String,
    /// The expression. If it has groups, what they match is made unreadable, else the whole match.
    pub pattern: String,
}

/// What becomes of what `redact` finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedactAction {
    /// A replacement stands for it.
    #[default]
    Replace,
    /// A keyed hash stands for it: equal values stay equal.
    Hash,
    /// It is cut out.
    Drop,
}

/// Settings of the step `truncate`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Truncate {
    /// Longest body, in bytes; 0: any.
    pub body_bytes_max: usize,
    /// Longest text of an attribute, in bytes; 0: any.
    pub attribute_bytes_max: usize,
}

/// Settings of the step `drop`: there are none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drop {}

/// A step that can run.
#[derive(Debug)]
pub(super) enum Compiled {
    Parse(Parser),
    Timestamp(TimestampStep),
    Edit(Edit),
    Redact(Redactor),
    Drop,
}

impl Compiled {
    /// The name of the step and what it does.
    pub(super) fn new(step: &Step, place: &str) -> Result<(&'static str, Self)> {
        let mut found = Vec::new();
        let at = |name: &str| format!("{place}.{name}");
        if let Some(json) = &step.json {
            found.push(("json", Self::Parse(Parser::json(json))));
        }
        if let Some(logfmt) = &step.logfmt {
            found.push(("logfmt", Self::Parse(Parser::logfmt(logfmt))));
        }
        if let Some(regex) = &step.regex {
            found.push(("regex", Self::Parse(Parser::regex(regex, &at("regex"))?)));
        }
        if let Some(grok) = &step.grok {
            found.push(("grok", Self::Parse(Parser::grok(grok, &at("grok"))?)));
        }
        if let Some(severity) = &step.severity {
            found.push(("severity", Self::Edit(Edit::severity(severity, &at("severity"))?)));
        }
        if let Some(timestamp) = &step.timestamp {
            found.push(("timestamp", Self::Timestamp(TimestampStep::new(timestamp, &at("timestamp"))?)));
        }
        if let Some(body) = &step.body {
            found.push(("body", Self::Edit(Edit::body(body))));
        }
        if let Some(names) = &step.rename {
            found.push(("rename", Self::Edit(Edit::rename(names))));
        }
        if let Some(names) = &step.resource {
            found.push(("resource", Self::Edit(Edit::resource(names))));
        }
        if let Some(names) = &step.remove {
            found.push(("remove", Self::Edit(Edit::remove(names, &at("remove"))?)));
        }
        if let Some(names) = &step.keep {
            found.push(("keep", Self::Edit(Edit::keep(names, &at("keep"))?)));
        }
        if let Some(texts) = &step.add {
            found.push(("add", Self::Edit(Edit::add(texts))));
        }
        if let Some(redact) = &step.redact {
            found.push(("redact", Self::Redact(Redactor::new(redact, &at("redact"))?)));
        }
        if let Some(truncate) = &step.truncate {
            found.push(("truncate", Self::Edit(Edit::truncate(truncate))));
        }
        if step.drop.is_some() {
            found.push(("drop", Self::Drop));
        }
        let count = found.len();
        match (found.pop(), count) {
            (Some(only), 1) => Ok(only),
            (Some((last, _)), _) => Err(Error::invalid(format!("{place}: {last} and {} more in one step: want one", count - 1))),
            (None, _) => Err(Error::invalid(format!(
                "{place}: the step does nothing: want one of json, logfmt, regex, grok, severity, timestamp, body, rename, resource, remove, keep, add, redact, truncate, drop"
            ))),
        }
    }

    /// Runs the step.
    ///
    /// # Errors
    /// What is wrong with the record; it is as it was, or further on its way.
    pub(super) fn run(&self, record: &mut Record<'_>, now_ns: i64) -> std::result::Result<Verdict, String> {
        match self {
            Self::Parse(parser) => parser.run(record)?,
            Self::Timestamp(step) => step.run(record, now_ns)?,
            Self::Edit(edit) => edit.run(record)?,
            Self::Redact(redactor) => redactor.run(record),
            Self::Drop => return Ok(Verdict::Drop),
        }
        Ok(Verdict::Keep)
    }
}
