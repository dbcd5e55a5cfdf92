//! What a template sees of a message, in the names of Alertmanager.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use signalbox_lang::template::{Object, Texts, Value, moment};

use crate::message::{Alert, Message, Pairs, Status, alert_name_first};

/// Labels or annotations, with the methods that take them apart.
#[derive(Debug, Clone)]
pub(super) struct Kv(pub(super) Texts);

/// A list of names and values.
#[derive(Debug)]
struct PairList(Vec<(String, String)>);

/// One name and its value.
#[derive(Debug)]
struct Pair(String, String);

/// Texts that `join` and `.Remove` take.
#[derive(Debug)]
pub(super) struct Strings(pub(super) Vec<String>);

/// Alerts.
#[derive(Debug)]
pub(super) struct Alerts(pub(super) Vec<Arc<AlertData>>);

/// One alert.
#[derive(Debug)]
pub(super) struct AlertData {
    pub(super) status: String,
    pub(super) labels: Value,
    pub(super) annotations: Value,
    pub(super) starts_at: Value,
    pub(super) ends_at: Value,
    pub(super) generator_url: String,
    pub(super) fingerprint: String,
}

/// Fields by their names, as `.` is.
#[derive(Debug)]
pub(super) struct Data(pub(super) BTreeMap<&'static str, Value>);

/// Go's zero time, the end of an alert that has none: the year 1, which nanoseconds since 1970 do not reach.
#[derive(Debug)]
pub(super) struct ZeroTime;

/// A year whose calendar is that of the year 1.
const LIKE_YEAR_ONE_NS: i64 = 978_307_200_000_000_000;

pub(super) fn kv(pairs: &Pairs) -> Value {
    Value::object(Kv(Arc::new(pairs.clone())))
}

/// What `.` is when a text is expanded.
pub(super) fn root(message: &Message, route_labels: &Pairs, reason: &str) -> Value {
    let alerts = message.alerts.iter().map(|alert| Arc::new(AlertData::new(alert))).collect();
    let fields = [
        // Alertmanager escapes it, so that it matches itself in the filter of its UI.
        ("Receiver", Value::text(regex::escape(&message.receiver))),
        ("Status", Value::text(message.status().as_str())),
        ("Alerts", Value::object(Alerts(alerts))),
        ("GroupLabels", kv(&message.group_labels)),
        ("CommonLabels", kv(&message.common_labels())),
        ("CommonAnnotations", kv(&message.common_annotations())),
        ("RouteLabels", kv(route_labels)),
        ("ExternalURL", Value::text(&message.external_url)),
        ("GroupKey", Value::text(&message.group_key)),
        ("NotificationReason", Value::text(reason)),
        ("TruncatedAlerts", Value::Int(i64::try_from(message.truncated_alerts).unwrap_or(i64::MAX))),
    ];
    Value::object(Data(fields.into()))
}

impl AlertData {
    fn new(alert: &Alert) -> Self {
        Self {
            status: alert.status.as_str().to_owned(),
            labels: kv(&alert.labels),
            annotations: kv(&alert.annotations),
            starts_at: Value::Time(alert.starts_at_ns),
            ends_at: alert.ends_at_ns.map_or_else(|| Value::object(ZeroTime), Value::Time),
            generator_url: alert.generator_url.clone(),
            fingerprint: format!("{:016x}", alert.fingerprint()),
        }
    }
}

fn strings<'a>(texts: impl Iterator<Item = &'a String>) -> Value {
    Value::object(Strings(texts.cloned().collect()))
}

/// A method without arguments.
fn plain(args: &[Value], value: impl FnOnce() -> Value) -> Option<Result<Value, String>> {
    Some(if args.is_empty() { Ok(value()) } else { Err(format!("wrong number of args: want 0 got {}", args.len())) })
}

impl Kv {
    fn sorted(&self) -> PairList {
        PairList(alert_name_first(&self.0).map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl Object for Kv {
    fn type_name(&self) -> &'static str {
        "template.KV"
    }

    fn print(&self) -> String {
        self.sorted().print()
    }

    fn prints_as_text(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn texts(&self) -> Option<&Texts> {
        Some(&self.0)
    }

    fn method(&self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        let sorted = || self.sorted();
        match name {
            "SortedPairs" => plain(args, || Value::object(sorted())),
            "String" => plain(args, || Value::text(self.print())),
            "Names" => plain(args, || strings(sorted().0.iter().map(|(name, _)| name))),
            "Values" => plain(args, || strings(sorted().0.iter().map(|(_, value)| value))),
            "Remove" => Some(match args {
                [names] => texts_of(names).map(|removed| {
                    let rest = self.0.iter().filter(|(name, _)| !removed.contains(name)).map(|(name, value)| (name.clone(), value.clone()));
                    Value::object(Self(Arc::new(rest.collect())))
                }),
                _ => Err(format!("wrong number of args for Remove: want 1 got {}", args.len())),
            }),
            _ => None,
        }
    }
}

/// The texts of a list of texts.
pub(super) fn texts_of(value: &Value) -> Result<Vec<String>, String> {
    let wrong = |value: &Value| format!("wrong type for value; expected []string; got {}", value.type_name());
    if let Some(Strings(texts)) = value.downcast() {
        return Ok(texts.clone());
    }
    let Value::List(list) = value else { return Err(wrong(value)) };
    list.iter().map(|element| if let Value::Text(text) = element { Ok(text.to_string()) } else { Err(wrong(element)) }).collect()
}

impl Object for PairList {
    fn type_name(&self) -> &'static str {
        "template.Pairs"
    }

    fn print(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn prints_as_text(&self) -> bool {
        true
    }

    fn count(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn elements(&self) -> Option<Vec<Value>> {
        Some(self.0.iter().map(|(name, value)| Value::object(Pair(name.clone(), value.clone()))).collect())
    }

    fn slice(&self, range: Range<usize>) -> Option<Value> {
        self.0.get(range).map(|pairs| Value::object(Self(pairs.to_vec())))
    }

    fn method(&self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        match name {
            "Names" => plain(args, || strings(self.0.iter().map(|(name, _)| name))),
            "Values" => plain(args, || strings(self.0.iter().map(|(_, value)| value))),
            "String" => plain(args, || Value::text(self.print())),
            _ => None,
        }
    }
}

impl Object for Pair {
    fn type_name(&self) -> &'static str {
        "template.Pair"
    }

    fn print(&self) -> String {
        format!("{{{} {}}}", self.0, self.1)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Name" => Some(Value::text(&self.0)),
            "Value" => Some(Value::text(&self.1)),
            _ => None,
        }
    }
}

impl Object for Strings {
    fn type_name(&self) -> &'static str {
        "[]string"
    }

    fn print(&self) -> String {
        format!("[{}]", self.0.join(" "))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn count(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn elements(&self) -> Option<Vec<Value>> {
        Some(self.0.iter().map(Value::text).collect())
    }

    fn slice(&self, range: Range<usize>) -> Option<Value> {
        self.0.get(range).map(|texts| Value::object(Self(texts.to_vec())))
    }

    fn method(&self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        match (name, args) {
            ("Join", [Value::Text(separator)]) => Some(Ok(Value::text(self.0.join(separator)))),
            _ => None,
        }
    }
}

impl Object for Alerts {
    fn type_name(&self) -> &'static str {
        "template.Alerts"
    }

    fn print(&self) -> String {
        format!("[{}]", self.0.iter().map(|alert| alert.print()).collect::<Vec<_>>().join(" "))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn count(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn elements(&self) -> Option<Vec<Value>> {
        Some(self.0.iter().map(|alert| Value::Object(Arc::clone(alert) as Arc<dyn Object>)).collect())
    }

    fn slice(&self, range: Range<usize>) -> Option<Value> {
        self.0.get(range).map(|alerts| Value::object(Self(alerts.to_vec())))
    }

    fn method(&self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        let with = |status: Status| Value::object(Self(self.0.iter().filter(|alert| alert.status == status.as_str()).cloned().collect()));
        match name {
            "Firing" => plain(args, || with(Status::Firing)),
            "Resolved" => plain(args, || with(Status::Resolved)),
            _ => None,
        }
    }
}

impl Object for AlertData {
    fn type_name(&self) -> &'static str {
        "template.Alert"
    }

    fn print(&self) -> String {
        let Self { status, labels, annotations, starts_at, ends_at, generator_url, fingerprint } = self;
        let values = [labels, annotations, starts_at, ends_at].map(Value::print).join(" ");
        format!("{{{status} {values} {generator_url} {fingerprint}}}")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "Status" => Value::text(&self.status),
            "Labels" => self.labels.clone(),
            "Annotations" => self.annotations.clone(),
            "StartsAt" => self.starts_at.clone(),
            "EndsAt" => self.ends_at.clone(),
            "GeneratorURL" => Value::text(&self.generator_url),
            "Fingerprint" => Value::text(&self.fingerprint),
            _ => return None,
        })
    }
}

impl Object for Data {
    fn type_name(&self) -> &'static str {
        "*template.Data"
    }

    fn print(&self) -> String {
        format!("&{{{}}}", self.0.values().map(Value::print).collect::<Vec<_>>().join(" "))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }
}

impl ZeroTime {
    pub(super) fn format(layout: &str) -> String {
        // `0001` says in Go's layouts "two zeros and the month".
        moment::format(LIKE_YEAR_ONE_NS, &layout.replace("2006", "0001"))
    }
}

impl Object for ZeroTime {
    fn type_name(&self) -> &'static str {
        "time.Time"
    }

    fn print(&self) -> String {
        "0001-01-01 00:00:00 +0000 UTC".to_owned()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn prints_as_text(&self) -> bool {
        true
    }

    fn method(&self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        match (name, args) {
            ("Format", [Value::Text(layout)]) => Some(Ok(Value::text(Self::format(layout)))),
            ("IsZero", _) => plain(args, || Value::Bool(true)),
            ("Before", [other]) => Some(Ok(Value::Bool(matches!(other, Value::Time(_))))),
            ("After" | "Equal", [other]) => Some(Ok(Value::Bool(name == "Equal" && other.downcast::<Self>().is_some()))),
            ("Unix", _) => plain(args, || Value::Int(-62_135_596_800)),
            ("UTC" | "Local", _) => plain(args, || Value::object(Self)),
            ("String", _) => plain(args, || Value::text(self.print())),
            _ => None,
        }
    }
}
