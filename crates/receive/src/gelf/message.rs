//! One message of GELF, a JSON object, to a record.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{SpanId, TraceId};

use crate::door::Context;
use crate::logs::severity::{of_syslog, of_word, syslog_word};
use crate::logs::timestamp::{epoch_text, parse};
use crate::logs::{Assembler, Attributes, Origins, Record};

/// The level of a message that names none: alert, says the specification.
const LEVEL_DEFAULT: u8 = 1;

/// A message as it was written: the fields that the specification knows, and the others.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    host: Option<String>,
    short_message: Option<String>,
    level: Option<Value>,
    timestamp: Option<Value>,
    service: Option<String>,
    trace_id: Option<TraceId>,
    span_id: Option<SpanId>,
    fields: Attributes<'a>,
}

impl<'de> Deserialize<'de> for Message<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Fields {
    type Value = Message<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message<'de>, A::Error> {
        let mut message = Message::default();
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            message.field(key, map.next_value()?);
        }
        Ok(message)
    }
}

impl<'a> Message<'a> {
    fn field(&mut self, key: Cow<'a, str>, value: Value) {
        match &*key {
            "version" | "_id" => {}
            "host" => self.host = text(value),
            "short_message" => self.short_message = text(value),
            "level" => self.level = Some(value),
            "timestamp" => self.timestamp = Some(value),
            "_service.name" | "_service_name" => self.service = text(value),
            _ => {
                let name = match key {
                    Cow::Borrowed(name) => Cow::Borrowed(name.strip_prefix('_').unwrap_or(name)),
                    Cow::Owned(name) => Cow::Owned(name.strip_prefix('_').map(str::to_owned).unwrap_or(name)),
                };
                if !self.is_id(&name, &value) {
                    self.fields.push((name, AttributeValue::from_json(&value)));
                }
            }
        }
    }

    /// Takes what names a trace or a span.
    fn is_id(&mut self, name: &str, value: &Value) -> bool {
        let Some(text) = value.as_str() else { return false };
        match name {
            "trace_id" | "traceId" | "traceID" if text.len() == 2 * TraceId::LEN => {
                self.trace_id = self.trace_id.or_else(|| TraceId::from_hex(text));
                self.trace_id.is_some()
            }
            "span_id" | "spanId" | "spanID" if text.len() == 2 * SpanId::LEN => {
                self.span_id = self.span_id.or_else(|| SpanId::from_hex(text));
                self.span_id.is_some()
            }
            _ => false,
        }
    }

    /// Hands the record on, or counts why there is none.
    pub(super) fn push(mut self, origins: &mut Origins, context: &Context<'_>, assembler: &mut Assembler<'_>) {
        let (Some(host), Some(body)) = (self.host.take(), self.short_message.take()) else {
            assembler.reject(1, "invalid", || "a message of GELF lacks host or short_message".to_owned());
            return;
        };
        let (severity_number, severity_text) = self.severity();
        let timestamp_ns = self.timestamp(context);
        assembler.push(Record {
            origin: origins.of(&host, self.service.as_deref().unwrap_or_default()),
            timestamp_ns,
            severity_number,
            severity_text,
            body: Some(body.into()),
            trace_id: self.trace_id,
            span_id: self.span_id,
            attributes: self.fields,
            ..Record::default()
        });
    }

    fn severity(&mut self) -> (i32, Cow<'static, str>) {
        let number = match &self.level {
            None | Some(Value::Null) => Some(LEVEL_DEFAULT),
            Some(Value::Number(number)) => number.as_f64().filter(|number| (0.0..8.0).contains(number)).map(|number| number as u8),
            Some(Value::String(text)) => text.trim().parse().ok().filter(|number| *number < 8),
            Some(_) => None,
        };
        if let Some(number) = number {
            return (of_syslog(number), syslog_word(number).into());
        }
        let word = self.level.take().and_then(text).unwrap_or_default();
        match of_word(&word) {
            Some(number) => (number, word.into()),
            None => {
                self.fields.push(("level".into(), AttributeValue::String(word)));
                (0, Cow::Borrowed(""))
            }
        }
    }

    /// The time of the message; one that the store would not take becomes a field.
    fn timestamp(&mut self, context: &Context<'_>) -> Option<i64> {
        let told = match self.timestamp.take()? {
            Value::Null => return None,
            value => text(value).unwrap_or_default(),
        };
        let read = epoch_text(told.trim()).or_else(|| parse(told.trim(), context.now_ns)).filter(|instant_ns| context.accepted_time.contains_ns(*instant_ns));
        if read.is_none() {
            self.fields.push(("gelf.timestamp".into(), AttributeValue::String(told)));
        }
        read
    }
}

/// Text, or what a number or truth looks like; `None` of what is no single value.
fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
