//! Pipeline stages: compiled, and run on one record after the other.
//!
//! As in promtail, stages that parse fill a map of what was extracted, and later stages make labels, the time or the line of it. What a
//! stage cannot do leaves the record as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use serde_json::Value as Json;
use serde_norway::Value;
use signalbox_model::Tenant;
use signalbox_model::attributes::AttributeValue;

use super::super::{LineFormat, container};
use super::expression::Expression;
use super::layout::Layout;
use super::relabel::set;
use super::selector::Selector;
use super::stage::{self, Names};
use super::template::Template;
use crate::logs::{Origin, Record};
use crate::transform::{Verdict, Zone, compile, flag, logfmt_fields};

/// Stages within `match` stages.
const DEPTH_MAX: usize = 8;
/// Stages of one list.
const STAGES_MAX: usize = 128;
/// Bytes of an escape sequence of a terminal start with this.
const ESCAPE: &str = r"\x1b\[[0-9;:]*[A-Za-z]";

/// The stages of a source.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    stages: Vec<Stage>,
}

#[derive(Debug)]
enum Stage {
    Container(LineFormat),
    Json { expressions: Vec<(String, Expression)>, source: Option<String>, drops: bool },
    Logfmt { mapping: Names, source: Option<String> },
    Regex { regex: Regex, source: Option<String>, makes_labels: bool },
    Replace { regex: Regex, source: Option<String>, template: Template },
    Template { source: String, template: Template },
    Match { selector: Selector, drops: bool, stages: Stages },
    Timestamp { source: String, layouts: Vec<Layout>, zone: Zone },
    Output(String),
    Labels(Names),
    LabelDrop(Vec<String>),
    LabelAllow(Vec<String>),
    Metadata(Names),
    StaticLabels(BTreeMap<String, Option<String>>),
    Drop { sources: Vec<String>, separator: String, expression: Option<Regex>, value: Option<String>, older: Option<Duration>, longer: Option<usize> },
    Limit { rate: f64, burst: f64, tokens: f64, before_ns: Option<i64> },
    Pack { labels: Vec<String>, takes_now: bool },
    Tenant { value: Option<String>, source: Option<String>, label: Option<String> },
    Decolorize(Regex),
}

/// A record between stages.
struct Entry {
    line: String,
    labels: Vec<(String, String)>,
    metadata: Vec<(String, String)>,
    extracted: BTreeMap<String, Json>,
    timestamp_ns: Option<i64>,
    tenant: Option<String>,
}

impl Entry {
    /// The text of what was extracted. A `null` has none, as in promtail: what would take it leaves everything as it is.
    fn text(&self, name: &str) -> Option<String> {
        match self.extracted.get(name)? {
            Json::String(text) => Some(text.clone()),
            Json::Null => None,
            // Numbers with a fraction or an exponent are written as promtail does: `1.0` is 1, `1e3` is 1000.
            Json::Number(number) if number.is_f64() => number.as_f64().map(|number| number.to_string()),
            other => Some(other.to_string()),
        }
    }

    /// Looks up names and what they are taken from.
    fn texts<'n>(&self, names: &'n Names) -> Vec<(&'n str, String)> {
        let from = |name: &'n String, from: &'n Option<String>| from.as_ref().filter(|from| !from.is_empty()).unwrap_or(name);
        names.iter().filter_map(|(name, source)| Some((name.as_str(), self.text(from(name, source))?))).collect()
    }

    fn source(&self, source: Option<&String>) -> Option<String> {
        source.map_or_else(|| Some(self.line.clone()), |name| self.text(name))
    }
}

impl Stages {
    /// Compiles stages that stand at `place`, the first of which has the number `first`.
    pub(super) fn new(values: &[Value], place: &str, first: usize) -> Result<Self, String> {
        Self::nested(values, place, first, 0)
    }

    fn nested(values: &[Value], place: &str, first: usize, depth: usize) -> Result<Self, String> {
        if values.len() > STAGES_MAX || depth > DEPTH_MAX {
            return Err(format!("{place}: want at most {STAGES_MAX} stages, nested at most {DEPTH_MAX} deep"));
        }
        let stages = values.iter().enumerate().map(|(number, value)| {
            let place = format!("{place}[{}]", number + first);
            let (name, settings) = stage::named(value, &place)?;
            compile_stage(name, settings, &place, depth)
        });
        Ok(Self { stages: stages.collect::<Result<_, _>>()? })
    }

    /// Runs the stages on a record whose labels are its resource.
    pub(in super::super) fn run(&mut self, record: &mut Record<'_>, now_ns: i64) -> (Verdict, Option<Tenant>) {
        let mut labels: Vec<(String, String)> = record.origin.attributes.iter().map(|(name, value)| (name.clone(), value.to_text())).collect();
        for (name, value) in &record.attributes {
            match &**name {
                "log.iostream" => set(&mut labels, "stream", value.to_text()),
                "log.file.path" if labels.iter().all(|(known, _)| known != "filename") => set(&mut labels, "filename", value.to_text()),
                _ => {}
            }
        }
        let extracted = labels.iter().map(|(name, value)| (name.clone(), Json::String(value.clone()))).collect();
        let line = record.body.take().unwrap_or_default().into_owned();
        let mut entry = Entry { line, labels, metadata: Vec::new(), extracted, timestamp_ns: record.timestamp_ns, tenant: None };
        let verdict = self.run_entry(&mut entry, now_ns);
        record.timestamp_ns = entry.timestamp_ns;
        record.body = Some(Cow::Owned(entry.line));
        let attributes: Vec<_> = entry.labels.into_iter().map(|(name, value)| (name, AttributeValue::String(value))).collect();
        if record.origin.attributes != attributes {
            record.origin = Arc::new(Origin { attributes });
        }
        // The labels say it.
        record.attributes.retain(|(name, _)| name != "log.iostream" && name != "log.file.path");
        for (name, value) in entry.metadata {
            record.attributes.push((Cow::Owned(name), AttributeValue::String(value)));
        }
        let tenant = entry.tenant.map(|name| Tenant::new(&name)).transpose().unwrap_or_else(|error| {
            flag(record, "tenant", &error.to_string());
            None
        });
        (verdict, tenant)
    }

    fn run_entry(&mut self, entry: &mut Entry, now_ns: i64) -> Verdict {
        for stage in &mut self.stages {
            if stage.run(entry, now_ns) == Verdict::Drop {
                return Verdict::Drop;
            }
        }
        Verdict::Keep
    }
}

fn expression(text: &str, place: &str) -> Result<Regex, String> {
    compile(text, place).map_err(|error| error.to_string())
}

fn compile_stage(name: &str, value: &Value, place: &str, depth: usize) -> Result<Stage, String> {
    let inner = format!("{place}.{name}");
    Ok(match name {
        "docker" => Stage::Container(LineFormat::Docker),
        "cri" => Stage::Container(LineFormat::Cri),
        "json" => {
            let settings: stage::Json = stage::settings(value, place, name)?;
            let read = |(name, text): (&String, &Option<String>)| {
                let text = text.as_deref().filter(|text| !text.is_empty()).unwrap_or(name);
                Expression::new(text).map(|read| (name.clone(), read)).map_err(|problem| format!("{inner}.expressions.{name}: {problem}"))
            };
            Stage::Json {
                expressions: settings.expressions.iter().map(read).collect::<Result<_, _>>()?,
                source: settings.source,
                drops: settings.drop_malformed,
            }
        }
        "logfmt" => {
            let settings: stage::Logfmt = stage::settings(value, place, name)?;
            Stage::Logfmt { mapping: settings.mapping, source: settings.source }
        }
        "regex" => {
            let settings: stage::RegexStage = stage::settings(value, place, name)?;
            let regex = expression(&settings.expression, &format!("{inner}.expression"))?;
            if regex.capture_names().flatten().next().is_none() {
                return Err(format!("{inner}.expression: no named group in {:?}", settings.expression));
            }
            Stage::Regex { regex, source: settings.source, makes_labels: settings.labels_from_groups }
        }
        "replace" => {
            let settings: stage::Replace = stage::settings(value, place, name)?;
            let regex = expression(&settings.expression, &format!("{inner}.expression"))?;
            Stage::Replace { regex, source: settings.source, template: Template::new(&settings.replace, &format!("{inner}.replace"))? }
        }
        "template" => {
            let settings: stage::TemplateStage = stage::settings(value, place, name)?;
            Stage::Template { source: settings.source, template: Template::new(&settings.template, &format!("{inner}.template"))? }
        }
        "match" => {
            let settings: stage::Match = stage::settings(value, place, name)?;
            let drops = match settings.action.as_deref() {
                None | Some("keep") => false,
                Some("drop") => true,
                Some(other) => return Err(format!("{inner}.action: {other:?}: want keep or drop")),
            };
            let stages = Stages::nested(&settings.stages, &format!("{inner}.stages"), 0, depth + 1)?;
            Stage::Match { selector: Selector::new(&settings.selector, &format!("{inner}.selector"))?, drops, stages }
        }
        "timestamp" => timestamp(stage::settings(value, place, name)?, &inner)?,
        "output" => Stage::Output(stage::settings::<stage::Source>(value, place, name)?.source),
        "labels" => Stage::Labels(label_names(stage::settings(value, place, name)?, &inner)?),
        "labeldrop" => Stage::LabelDrop(stage::settings(value, place, name)?),
        "labelallow" => Stage::LabelAllow(stage::settings(value, place, name)?),
        "structured_metadata" => Stage::Metadata(label_names(stage::settings(value, place, name)?, &inner)?),
        "static_labels" => Stage::StaticLabels(stage::settings(value, place, name)?),
        "drop" => drop_stage(stage::settings(value, place, name)?, &inner)?,
        "limit" => {
            let settings: stage::Limit = stage::settings(value, place, name)?;
            if !settings.drop {
                return Err(format!("{inner}.drop: want true: reading never waits for a rate"));
            }
            if settings.by_label_name.is_some() {
                return Err(format!("{inner}.by_label_name: not supported"));
            }
            if !settings.rate.is_finite() || settings.rate <= 0.0 || settings.burst == 0 {
                return Err(format!("{inner}: want rate and burst above 0"));
            }
            Stage::Limit { rate: settings.rate, burst: settings.burst.into(), tokens: settings.burst.into(), before_ns: None }
        }
        "pack" => {
            let settings: stage::Pack = stage::settings(value, place, name)?;
            Stage::Pack { labels: settings.labels, takes_now: settings.ingest_timestamp.unwrap_or(true) }
        }
        "tenant" => {
            let settings: stage::TenantStage = stage::settings(value, place, name)?;
            if [&settings.value, &settings.source, &settings.label].into_iter().flatten().count() != 1 {
                return Err(format!("{inner}: want one of value, source, label"));
            }
            if let Some(value) = &settings.value {
                Tenant::new(value).map_err(|error| format!("{inner}.value: {error}"))?;
            }
            Stage::Tenant { value: settings.value, source: settings.source, label: settings.label }
        }
        "decolorize" => Stage::Decolorize(expression(ESCAPE, &inner)?),
        "multiline" => return Err(format!("{inner}: want it first, or right after docker or cri")),
        "metrics" => return Err(format!("{inner}: not supported: count lines with a query, such as `count_over_time`, or a recording rule")),
        "geoip" | "eventlogmessage" | "sampling" => return Err(format!("{inner}: not supported")),
        _ => return Err(format!("{place}: no stage {name:?}")),
    })
}

/// Names that labels can have.
fn label_names(names: Names, place: &str) -> Result<Names, String> {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') && name.chars().all(|byte| byte.is_ascii_alphanumeric() || byte == '_')
    };
    match names.keys().find(|name| !is_name(name)) {
        Some(name) => Err(format!("{place}: {name:?} is no name of a label")),
        None if names.is_empty() => Err(format!("{place}: want at least one")),
        None => Ok(names),
    }
}

fn timestamp(settings: stage::Timestamp, place: &str) -> Result<Stage, String> {
    if let Some(action) = settings.action_on_failure.as_deref().filter(|action| !matches!(*action, "fudge" | "skip")) {
        return Err(format!("{place}.action_on_failure: {action:?}: want fudge or skip"));
    }
    let mut layouts = vec![Layout::new(&settings.format, &format!("{place}.format"))?];
    for (number, format) in settings.fallback_formats.iter().enumerate() {
        layouts.push(Layout::new(format, &format!("{place}.fallback_formats[{number}]"))?);
    }
    let zone = Zone::new(settings.location.as_deref().unwrap_or_default(), &format!("{place}.location")).map_err(|error| error.to_string())?;
    Ok(Stage::Timestamp { source: settings.source, layouts, zone })
}

fn drop_stage(settings: stage::Drop, place: &str) -> Result<Stage, String> {
    let older = settings.older_than.as_deref().map(|text| stage::duration(text, &format!("{place}.older_than"))).transpose()?;
    let longer = settings.longer_than.as_ref().map(|value| size(value).ok_or_else(|| format!("{place}.longer_than: want a size such as 8kb"))).transpose()?;
    let regex = settings.expression.as_deref().map(|text| expression(text, &format!("{place}.expression"))).transpose()?;
    if settings.source.is_empty() && regex.is_none() && older.is_none() && longer.is_none() {
        return Err(format!("{place}: want source, expression, older_than or longer_than"));
    }
    if settings.value.is_some() && (regex.is_some() || settings.source.is_empty()) {
        return Err(format!("{place}.value: want it with source and without expression"));
    }
    Ok(Stage::Drop {
        sources: settings.source,
        separator: settings.separator.unwrap_or_else(|| ";".to_owned()),
        expression: regex,
        value: settings.value,
        older,
        longer,
    })
}

fn size(value: &Value) -> Option<usize> {
    if let Some(number) = value.as_u64() {
        return usize::try_from(number).ok();
    }
    let text = value.as_str()?.trim().to_ascii_lowercase();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let unit = match text[digits..].trim() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        _ => return None,
    };
    text[..digits].parse::<usize>().ok()?.checked_mul(unit)
}

impl Stage {
    fn run(&mut self, entry: &mut Entry, now_ns: i64) -> Verdict {
        match self {
            Self::Container(format) => container_line(*format, entry),
            Self::Json { expressions, source, drops } => {
                let Some(text) = entry.source(source.as_ref()) else { return Verdict::Keep };
                match serde_json::from_str::<Json>(&text) {
                    Ok(value) => {
                        for (name, expression) in expressions {
                            let found = expression.find(&value).cloned().unwrap_or(Json::Null);
                            entry.extracted.insert(name.clone(), found);
                        }
                    }
                    Err(_) if *drops => return Verdict::Drop,
                    Err(_) => {}
                }
            }
            Self::Logfmt { mapping, source } => {
                let Some(text) = entry.source(source.as_ref()) else { return Verdict::Keep };
                let fields = logfmt_fields(&text);
                for (name, from) in mapping {
                    let from = from.as_deref().filter(|from| !from.is_empty()).unwrap_or(name);
                    if let Some((_, value)) = fields.iter().find(|(known, _)| *known == from) {
                        entry.extracted.insert(name.clone(), Json::String(value.to_string()));
                    }
                }
            }
            Self::Regex { regex, source, makes_labels } => run_regex(regex, source.as_ref(), *makes_labels, entry),
            Self::Replace { regex, source, template } => replace(regex, source.as_ref(), template, entry),
            Self::Template { source, template } => {
                let value = entry.text(source).unwrap_or_default();
                let rendered = template.render(&|name| match name {
                    "Value" => Some(value.clone()),
                    "Entry" => Some(entry.line.clone()),
                    _ => entry.text(name),
                });
                if rendered.is_empty() {
                    entry.extracted.remove(source)
                } else {
                    entry.extracted.insert(source.clone(), Json::String(rendered))
                };
            }
            Self::Match { selector, drops, stages } => {
                if selector.holds(&entry.labels, &entry.line) {
                    return if *drops { Verdict::Drop } else { stages.run_entry(entry, now_ns) };
                }
            }
            Self::Timestamp { source, layouts, zone } => {
                if let Some(text) = entry.text(source) {
                    entry.timestamp_ns = layouts.iter().find_map(|layout| layout.read(&text, zone, now_ns)).or(entry.timestamp_ns);
                }
            }
            Self::Output(source) => entry.line = entry.text(source).unwrap_or_else(|| std::mem::take(&mut entry.line)),
            Self::Labels(names) => {
                for (name, value) in entry.texts(names) {
                    set(&mut entry.labels, name, value);
                }
            }
            Self::LabelDrop(names) => entry.labels.retain(|(name, _)| !names.contains(name)),
            Self::LabelAllow(names) => entry.labels.retain(|(name, _)| names.contains(name)),
            Self::Metadata(names) => {
                for (name, value) in entry.texts(names) {
                    set(&mut entry.metadata, name, value);
                }
            }
            Self::StaticLabels(labels) => {
                for (name, value) in labels.iter().filter_map(|(name, value)| Some((name, value.clone()?))) {
                    set(&mut entry.labels, name, value);
                }
            }
            Self::Drop { sources, separator, expression, value, older, longer } => {
                let is_over = |older: &Duration| entry.timestamp_ns.is_some_and(|ns| i128::from(now_ns) - i128::from(ns) > older.as_nanos().cast_signed());
                let is_old = older.as_ref().is_none_or(is_over);
                let is_long = longer.is_none_or(|bytes| entry.line.len() > bytes);
                if is_old && is_long && source_matches(entry, sources, separator, expression.as_ref(), value.as_deref()) {
                    return Verdict::Drop;
                }
            }
            Self::Limit { rate, burst, tokens, before_ns } => {
                let passed = before_ns.map_or(0.0, |before| (now_ns - before).max(0) as f64 / 1e9);
                *before_ns = Some(now_ns);
                *tokens = (*tokens + passed * *rate).min(*burst);
                if *tokens < 1.0 {
                    return Verdict::Drop;
                }
                *tokens -= 1.0;
            }
            Self::Pack { labels, takes_now } => pack(labels, entry, takes_now.then_some(now_ns)),
            Self::Tenant { value, source, label } => {
                let of_label = |name: &String| entry.labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
                let found = value.clone().or_else(|| source.as_ref().and_then(|name| entry.text(name))).or_else(|| label.as_ref().and_then(of_label));
                entry.tenant = found.or(entry.tenant.take());
            }
            Self::Decolorize(regex) => {
                if let Cow::Owned(plain) = regex.replace_all(&entry.line, "") {
                    entry.line = plain;
                }
            }
        }
        Verdict::Keep
    }
}

fn container_line(format: LineFormat, entry: &mut Entry) {
    let line = std::mem::take(&mut entry.line);
    let read = container::read(format, &line);
    if !read.stream.is_empty() {
        set(&mut entry.labels, "stream", read.stream.to_owned());
        entry.extracted.insert("stream".to_owned(), Json::String(read.stream.to_owned()));
    }
    entry.timestamp_ns = read.timestamp_ns.or(entry.timestamp_ns);
    entry.line = read.text.into_owned();
}

fn run_regex(regex: &Regex, source: Option<&String>, makes_labels: bool, entry: &mut Entry) {
    let Some(text) = entry.source(source) else { return };
    let Some(captures) = regex.captures(&text) else { return };
    for name in regex.capture_names().flatten() {
        let value = captures.name(name).map_or("", |found| found.as_str());
        entry.extracted.insert(name.to_owned(), Json::String(value.to_owned()));
        if makes_labels {
            set(&mut entry.labels, name, value.to_owned());
        }
    }
}

/// Replaces what the groups of each match hold; without groups the whole match.
fn replace(regex: &Regex, source: Option<&String>, template: &Template, entry: &mut Entry) {
    let Some(text) = entry.source(source) else { return };
    let (mut out, mut end) = (String::with_capacity(text.len()), 0);
    for captures in regex.captures_iter(&text) {
        let first = usize::from(regex.captures_len() > 1);
        for (number, group) in captures.iter().enumerate().skip(first).take(if first == 0 { 1 } else { usize::MAX }) {
            let Some(group) = group.filter(|group| group.start() >= end) else { continue };
            let rendered = template.render(&|name| match name {
                "Value" => Some(group.as_str().to_owned()),
                _ => captures.name(name).map(|found| found.as_str().to_owned()).or_else(|| entry.text(name)),
            });
            if let Some(Some(name)) = regex.capture_names().nth(number) {
                entry.extracted.insert(name.to_owned(), Json::String(rendered.clone()));
            }
            out.push_str(&text[end..group.start()]);
            out.push_str(&rendered);
            end = group.end();
        }
    }
    out.push_str(&text[end..]);
    match source {
        Some(name) => {
            entry.extracted.insert(name.clone(), Json::String(out));
        }
        None => entry.line = out,
    }
}

fn source_matches(entry: &Entry, sources: &[String], separator: &str, expression: Option<&Regex>, value: Option<&str>) -> bool {
    if sources.is_empty() {
        return expression.is_none_or(|regex| regex.is_match(&entry.line));
    }
    let Some(found) = sources.iter().map(|name| entry.text(name)).collect::<Option<Vec<_>>>() else { return false };
    let text = found.join(separator);
    expression.is_none_or(|regex| regex.is_match(&text)) && value.is_none_or(|value| value == text)
}

/// The line and labels as one JSON object, as `| unpack` reads it.
fn pack(labels: &[String], entry: &mut Entry, now_ns: Option<i64>) {
    let mut object = serde_json::Map::new();
    for name in labels {
        let at = entry.labels.iter().position(|(known, _)| known == name);
        if let Some(value) = at.map(|at| entry.labels.remove(at).1).or_else(|| entry.text(name)) {
            object.insert(name.clone(), Json::String(value));
        }
    }
    object.insert("_entry".to_owned(), Json::String(std::mem::take(&mut entry.line)));
    entry.line = Json::Object(object).to_string();
    entry.timestamp_ns = now_ns.or(entry.timestamp_ns);
}
