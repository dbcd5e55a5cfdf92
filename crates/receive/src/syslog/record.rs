//! Messages to records.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::tz::TimeZone;
use signalbox_model::attributes::AttributeValue;

use super::framing::Frame;
use super::message::{FACILITIES, Fault, Message};
use crate::door::Context;
use crate::logs::severity::{of_syslog, syslog_word};
use crate::logs::{Assembler, Attributes, Origins, Record, mended};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Makes records, and remembers who sent.
#[derive(Debug)]
pub(super) struct Records {
    zone: TimeZone,
    origins: Origins,
}

impl Records {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, origins: Origins::default() }
    }

    /// Reads a message and hands it on.
    pub(super) fn push(&mut self, frame: &Frame<'_>, peer: IpAddr, context: &Context<'_>, assembler: &mut Assembler<'_>) {
        let text = mended(frame.bytes);
        let message = Message::parse(&text);
        let mut attributes: Attributes<'_> = Vec::with_capacity(4 + message.elements.len());
        attributes
            .push(("syslog.facility".into(), AttributeValue::String(FACILITIES.get(usize::from(message.facility)).copied().unwrap_or_default().to_owned())));
        if message.version > 1 {
            attributes.push(("syslog.version".into(), AttributeValue::Int(message.version.into())));
        }
        if let Some(procid) = message.procid {
            attributes.push(match procid.parse::<u32>() {
                Ok(pid) => ("process.pid".into(), AttributeValue::Int(pid.into())),
                Err(_) => ("syslog.procid".into(), AttributeValue::String(procid.to_owned())),
            });
        }
        if let Some(msgid) = message.msgid {
            attributes.push(("syslog.msgid".into(), AttributeValue::String(msgid.to_owned())));
        }
        for element in &message.elements {
            if element.params.is_empty() {
                attributes.push((element.id.into(), AttributeValue::Bool(true)));
            }
            for (name, value) in &element.params {
                attributes.push((format!("{}.{name}", element.id).into(), AttributeValue::String(value.clone().into_owned())));
            }
        }
        let mut timestamp_ns = message.when.and_then(|when| when.resolve(&self.zone, context.now_ns));
        if let Some(strange) = timestamp_ns.filter(|instant_ns| !context.accepted_time.contains_ns(*instant_ns)) {
            let told = jiff::Timestamp::from_nanosecond(strange.into()).map_or_else(|_| strange.to_string(), |instant| instant.to_string());
            attributes.push(("syslog.timestamp".into(), AttributeValue::String(told)));
            timestamp_ns = None;
        }
        if let Some(Fault::Unreadable(why)) = message.fault {
            attributes.push(("syslog.malformed".into(), AttributeValue::String(why.to_owned())));
        }
        if frame.is_truncated {
            attributes.push(("log.truncated".into(), AttributeValue::Bool(true)));
        }
        if matches!(text, Cow::Owned(_)) {
            attributes.push(("log.repaired".into(), AttributeValue::Bool(true)));
        }
        let body = message.text.map(|text| without_one_space(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)));
        let service = message.appname.unwrap_or_default();
        assembler.push(Record {
            origin: match message.hostname {
                Some(hostname) => self.origins.of(hostname, service),
                None => self.origins.of(&peer.to_string(), service),
            },
            timestamp_ns,
            severity_number: of_syslog(message.severity),
            severity_text: syslog_word(message.severity).into(),
            body: body.map(Cow::Borrowed),
            attributes,
            ..Record::default()
        });
    }
}

/// rsyslog puts the space behind a tag before the text of RFC 5424; more than one are an indent.
fn without_one_space(text: &str) -> &str {
    text.strip_prefix(' ').filter(|rest| !rest.starts_with(' ')).unwrap_or(text)
}
