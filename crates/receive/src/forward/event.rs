//! One event, a time and a map, to a record.

use std::borrow::Cow;

use signalbox_model::attributes::{AttributeValue, write_json};

use super::Mapping;
use super::msgpack::{Fault, Item, Reader};
use crate::door::Context;
use crate::logs::severity::{of_number, of_word};
use crate::logs::timestamp::epoch_float;
use crate::logs::{Assembler, Attributes, Origins, Record};

/// Keys that tell how bad something is.
const LEVELS: [&str; 3] = ["level", "severity", "log.level"];
/// Keys that name the service.
const SERVICES: [&str; 2] = ["service.name", "service_name"];

/// Reads `[time, record]`, or `[[time, metadata], record]` as Fluent Bit has it since 2.1, and hands it on.
///
/// # Errors
/// If the bytes are no such thing.
pub(super) fn entry(reader: &mut Reader<'_>, tag: &str, hand: &mut Hand<'_, '_, '_>) -> Result<(), Fault> {
    const WANTED: &str = "[time, record]";
    if reader.item()? != Item::Array(2) {
        return Err(Fault::Unexpected(WANTED));
    }
    let mut head = *reader;
    if head.item()? == Item::Array(2) {
        let time = time(&mut head)?;
        let metadata = head.value()?;
        *reader = head;
        return event(reader, time, metadata, tag, hand);
    }
    let time = time(reader)?;
    event(reader, time, AttributeValue::Empty, tag, hand)
}

/// Where events go.
pub(super) struct Hand<'h, 'x, 'c> {
    pub(super) mapping: &'h Mapping,
    pub(super) origins: &'h mut Origins,
    pub(super) context: &'h Context<'x>,
    pub(super) assembler: &'h mut Assembler<'c>,
}

/// Nanoseconds since the Unix epoch: whole seconds, seconds with a fraction, or an `EventTime`; nothing for nil.
pub(super) fn time(reader: &mut Reader<'_>) -> Result<Option<i64>, Fault> {
    match reader.item()? {
        Item::Nil => Ok(None),
        Item::Int(seconds) => Ok(seconds.checked_mul(1_000_000_000)),
        Item::Large(_) => Ok(None),
        Item::Float(seconds) => Ok(epoch_float(seconds)),
        Item::Ext(0, [s1, s2, s3, s4, n1, n2, n3, n4]) => {
            let (seconds, nanoseconds) = (u32::from_be_bytes([*s1, *s2, *s3, *s4]), u32::from_be_bytes([*n1, *n2, *n3, *n4]));
            Ok(Some(i64::from(seconds) * 1_000_000_000 + i64::from(nanoseconds)))
        }
        _ => Err(Fault::Unexpected("a time")),
    }
}

/// Reads a record and hands it on; one that is no map is counted.
pub(super) fn event(reader: &mut Reader<'_>, time: Option<i64>, metadata: AttributeValue, tag: &str, hand: &mut Hand<'_, '_, '_>) -> Result<(), Fault> {
    let AttributeValue::Map(fields) = reader.value()? else {
        hand.assembler.reject(1, "invalid", || "a record of Fluent forward is no map".to_owned());
        return Ok(());
    };
    let mapping = hand.mapping;
    let mut attributes: Attributes<'_> = vec![("fluent.tag".into(), AttributeValue::String(tag.to_owned()))];
    let body_key = mapping.message_keys.iter().find(|key| fields.iter().any(|(name, _)| name == *key));
    let mut whole = None;
    if body_key.is_none() {
        let mut json = String::new();
        let record = AttributeValue::Map(fields.clone());
        write_json(&mut json, &record);
        whole = Some(json);
    }
    let (mut body, mut service, mut severity) = (whole, None, None);
    for (name, value) in fields {
        if Some(&name) == body_key {
            body = Some(without_newline(text(value)));
        } else if SERVICES.contains(&name.as_str()) {
            service = Some(text(value));
        } else if severity.is_none()
            && LEVELS.contains(&name.as_str())
            && let Some(found) = level(&value)
        {
            severity = Some(found);
        } else {
            attributes.push((name.into(), value));
        }
    }
    if let AttributeValue::Map(entries) = metadata {
        attributes.extend(entries.into_iter().map(|(name, value)| (Cow::Owned(name), value)));
    }
    let mut timestamp_ns = time;
    if let Some(strange) = time.filter(|instant_ns| !hand.context.accepted_time.contains_ns(*instant_ns)) {
        attributes.push(("fluent.timestamp".into(), AttributeValue::Double(strange as f64 / 1e9)));
        timestamp_ns = None;
    }
    let service = service.unwrap_or_else(|| if mapping.service_from_tag { tag.to_owned() } else { String::new() });
    let (severity_number, severity_text) = severity.unwrap_or_default();
    hand.assembler.push(Record {
        origin: hand.origins.of("", &service),
        timestamp_ns,
        severity_number,
        severity_text: severity_text.into(),
        body: body.map(Cow::Owned),
        attributes,
        ..Record::default()
    });
    Ok(())
}

fn level(value: &AttributeValue) -> Option<(i32, String)> {
    match value {
        AttributeValue::String(word) => Some((of_word(word)?, word.clone())),
        AttributeValue::Int(number) => Some((of_number(*number)?, number.to_string())),
        _ => None,
    }
}

fn text(value: AttributeValue) -> String {
    match value {
        AttributeValue::String(text) => text,
        other => other.to_text(),
    }
}

/// Log drivers keep the end of a line.
fn without_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
