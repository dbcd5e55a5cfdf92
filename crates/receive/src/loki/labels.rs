//! Labels of streams: parsed once for each distinct text, and what follows from them.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use signalbox_model::attributes::{AttributeValue, write_json_string};

use super::Discovery;
use crate::logs::Origin;

/// Streams that are remembered, and the longest text of one that is. At the bound all are forgotten: whoever has more
/// streams pays for parsing.
const STREAMS_MAX: usize = 20_000;
const STREAM_BYTES_MAX: usize = 4 << 10;
/// Limits of one stream. The bytes are Loki's own; the number is far above its default, since a label costs nothing here.
const LABELS_MAX: usize = 128;
const NAME_BYTES_MAX: usize = 1_024;
const VALUE_BYTES_MAX: usize = 2_048;

const SERVICE_LABEL: &str = "service_name";
const UNKNOWN_SERVICE: &str = "unknown_service";

/// A stream, ready for the columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stream {
    /// The labels as a resource rests.
    pub(crate) resource: String,
    /// The same for rules that change records.
    pub(crate) origin: Arc<Origin>,
    /// Value of `service_name`.
    pub(crate) service: String,
    /// Level that a label tells.
    pub(crate) level: Option<String>,
    /// The labels as Loki writes them in its errors.
    pub(crate) text: String,
}

/// Why entries of a stream are not taken.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StreamFault {
    /// The text is no label set: the whole request is refused.
    Syntax(String),
    /// The labels are not allowed: only their entries are refused.
    Labels(&'static str, String),
}

/// The streams seen lately.
#[derive(Debug)]
pub(crate) struct Streams {
    discovery: Discovery,
    /// The bit of each length that a name of a level has, the last one for all from 63 bytes on: most names differ in that.
    level_lengths: u64,
    known: Mutex<HashMap<Box<str>, Arc<Stream>>>,
}

impl Default for Streams {
    fn default() -> Self {
        Self::new(Discovery::default())
    }
}

impl Streams {
    pub(crate) fn new(discovery: Discovery) -> Self {
        let level_lengths = discovery.level_names().fold(0, |lengths, name| lengths | length_bit(name));
        Self { discovery, level_lengths, known: Mutex::default() }
    }

    pub(crate) fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// The rank of a name among those that tell a level.
    #[inline]
    pub(crate) fn level_position(&self, name: &str) -> Option<usize> {
        if self.level_lengths & length_bit(name) == 0 { None } else { self.discovery.level_position(name) }
    }

    /// The stream of a text such as `{app="shop", zone="a"}`.
    pub(crate) fn of(&self, text: &str) -> Result<Arc<Stream>, StreamFault> {
        if let Some(stream) = self.known.lock().get(text) {
            return Ok(Arc::clone(stream));
        }
        let stream = Arc::new(stream(text, &self.discovery)?);
        if text.len() <= STREAM_BYTES_MAX {
            let mut known = self.known.lock();
            if known.len() >= STREAMS_MAX {
                known.clear();
            }
            known.insert(text.into(), Arc::clone(&stream));
        }
        Ok(stream)
    }
}

fn length_bit(name: &str) -> u64 {
    1 << name.len().min(63)
}

fn stream(text: &str, discovery: &Discovery) -> Result<Stream, StreamFault> {
    let mut labels = parse(text).map_err(StreamFault::Syntax)?;
    // An empty value is as good as no label.
    labels.retain(|(_, value)| !value.is_empty());
    let value_of = |name: &str| labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let level = discovery.level_names().find_map(value_of);
    let mut service = value_of(SERVICE_LABEL);
    if service.is_none() && !discovery.discover_service_name.is_empty() {
        let found = discovery.discover_service_name.iter().find_map(|name| value_of(name)).unwrap_or_else(|| UNKNOWN_SERVICE.to_owned());
        labels.push((SERVICE_LABEL.to_owned(), found.clone()));
        service = Some(found);
    }
    labels.sort();
    let text = canonical(&labels);
    check(&labels, &text)?;
    let mut origin = Origin::default();
    let mut resource = String::from("{");
    for (position, (name, value)) in labels.iter().enumerate() {
        if position > 0 {
            resource.push(',');
        }
        write_json_string(&mut resource, name);
        resource.push(':');
        write_json_string(&mut resource, value);
        origin.attributes.push((name.clone(), AttributeValue::String(value.clone())));
    }
    resource.push('}');
    Ok(Stream { resource, origin: Arc::new(origin), service: service.unwrap_or_default(), level, text })
}

fn check(labels: &[(String, String)], text: &str) -> Result<(), StreamFault> {
    if labels.is_empty() {
        return Err(StreamFault::Labels("missing_labels", "error at least one label pair is required per stream".to_owned()));
    }
    if labels.len() > LABELS_MAX {
        let message = format!("entry for stream '{text}' has {} label names; limit {LABELS_MAX}", labels.len());
        return Err(StreamFault::Labels("max_label_names_per_series", message));
    }
    for (position, (name, value)) in labels.iter().enumerate() {
        if name.len() > NAME_BYTES_MAX {
            return Err(StreamFault::Labels("label_name_too_long", format!("stream '{text}' has label name too long: '{name}'")));
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(StreamFault::Labels("label_value_too_long", format!("stream '{text}' has label value too long: '{value}'")));
        }
        if labels.get(position + 1).is_some_and(|(next, _)| next == name) {
            return Err(StreamFault::Labels("duplicate_label_names", format!("stream '{text}' has duplicate label name: '{name}'")));
        }
    }
    Ok(())
}

fn canonical(labels: &[(String, String)]) -> String {
    let mut text = String::from("{");
    for (position, (name, value)) in labels.iter().enumerate() {
        if position > 0 {
            text.push_str(", ");
        }
        let is_plain = !name.is_empty() && name.bytes().enumerate().all(|(at, byte)| is_name_byte(byte, at == 0));
        if is_plain {
            text.push_str(name);
        } else {
            write_json_string(&mut text, name);
        }
        text.push('=');
        write_json_string(&mut text, value);
    }
    text.push('}');
    text
}

fn is_name_byte(byte: u8, is_first: bool) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || (!is_first && byte.is_ascii_digit())
}

/// Reads `{name="value", "quoted.name"='value', raw=`value`}`.
///
/// # Errors
/// What was found, in the words of Prometheus' parser.
pub(crate) fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut parser = Parser { text, at: 0 };
    parser.labels()
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl Parser<'_> {
    fn labels(&mut self) -> Result<Vec<(String, String)>, String> {
        let mut labels = Vec::new();
        self.expect(b'{')?;
        while self.peek() != Some(b'}') {
            let name = match self.peek() {
                Some(b'"' | b'\'' | b'`') => self.quoted()?,
                _ => self.name()?,
            };
            self.expect(b'=')?;
            labels.push((name, self.quoted()?));
            if self.peek() == Some(b',') {
                self.at += 1;
            } else if self.peek() != Some(b'}') {
                return Err(self.fault("want a comma or \"}\""));
            }
        }
        self.at += 1;
        match self.peek() {
            None => Ok(labels),
            Some(_) => Err(self.fault("want the end of the labels")),
        }
    }

    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.peek() != Some(byte) {
            return Err(self.fault(&format!("want {:?}", char::from(byte).to_string())));
        }
        self.at += 1;
        Ok(())
    }

    fn name(&mut self) -> Result<String, String> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.bytes().enumerate().take_while(|(at, byte)| is_name_byte(*byte, *at == 0)).count();
        if length == 0 {
            return Err(self.fault("want the name of a label"));
        }
        self.at += length;
        Ok(rest.get(..length).unwrap_or_default().to_owned())
    }

    fn quoted(&mut self) -> Result<String, String> {
        let Some(quote @ (b'"' | b'\'' | b'`')) = self.peek() else { return Err(self.fault("want a text in quotes")) };
        self.at += 1;
        let mut value = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let stop = |byte: u8| byte == quote || (byte == b'\\' && quote != b'`');
            let plain = rest.bytes().position(stop).unwrap_or(rest.len());
            value.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match rest.as_bytes().get(plain) {
                None => return Err(self.fault("unterminated quoted string")),
                Some(byte) if *byte == quote => {
                    self.at += 1;
                    return Ok(value);
                }
                Some(_) => self.escape(&mut value)?,
            }
        }
    }

    /// An escape of Go.
    fn escape(&mut self, value: &mut String) -> Result<(), String> {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let Some(letter) = rest.bytes().next() else { return Err(self.fault("unterminated quoted string")) };
        let plain = match letter {
            b'a' => '\u{7}',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'v' => '\u{b}',
            b'\\' | b'"' | b'\'' => char::from(letter),
            b'x' => return self.coded(value, 1, 2, 16),
            b'u' => return self.coded(value, 1, 4, 16),
            b'U' => return self.coded(value, 1, 8, 16),
            b'0'..=b'7' => return self.coded(value, 0, 3, 8),
            _ => return Err(self.fault("unknown escape sequence")),
        };
        value.push(plain);
        self.at += 2;
        Ok(())
    }

    fn coded(&mut self, value: &mut String, prefix: usize, digits: usize, radix: u32) -> Result<(), String> {
        let start = self.at + 1 + prefix;
        let code = self.text.get(start..start + digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let letter = code.and_then(|text| u32::from_str_radix(text, radix).ok()).and_then(char::from_u32);
        value.push(letter.ok_or_else(|| self.fault("unknown escape sequence"))?);
        self.at = start + digits;
        Ok(())
    }

    fn fault(&self, what: &str) -> String {
        format!("1:{}: parse error: {what}", self.at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap_or_default()
    }

    #[test]
    fn labels_are_read_in_every_notation() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(labels("{}"), []);
        assert_eq!(labels(r#"{app="shop"}"#), [pair("app", "shop")]);
        assert_eq!(labels(r#" { a = "b" , "c.d"='e' , f=`g\n` , } "#), [pair("a", "b"), pair("c.d", "e"), pair("f", "g\\n")]);
        assert_eq!(labels(r#"{a="\"\\\n\t\x41\u00e9\U0001F600\101"}"#), [pair("a", "\"\\\n\tAé😀A")]);
    }

    #[test]
    fn what_is_no_label_set_is_refused_with_its_place() {
        for text in [
            "",
            "{",
            "}",
            "{a}",
            "{a=}",
            "{a=b}",
            "{a=\"b\"",
            "{a=\"b\" c=\"d\"}",
            "{a=\"b\"} x",
            "{1a=\"b\"}",
            "{a=\"\\q\"}",
            "{a=\"\\ud800\"}",
            "{a=\"b",
            "{a=\"\\",
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.starts_with("1:") && fault.contains("parse error: "), "{text}: {fault}");
        }
        assert_eq!(parse("{app=shop}").unwrap_err(), "1:6: parse error: want a text in quotes");
    }

    #[test]
    fn the_service_is_discovered_and_known_streams_are_kept() {
        let streams = Streams::new(Discovery::default());
        let stream = streams.of(r#"{zone="b", job="billing", container=""}"#).unwrap();
        assert_eq!(stream.resource, r#"{"job":"billing","service_name":"billing","zone":"b"}"#);
        assert_eq!((stream.service.as_str(), stream.text.as_str()), ("billing", r#"{job="billing", service_name="billing", zone="b"}"#));
        assert!(Arc::ptr_eq(&stream, &streams.of(r#"{zone="b", job="billing", container=""}"#).unwrap()));
        assert_eq!(streams.of("{zone=\"b\"}").unwrap().service, "unknown_service");
        assert_eq!(streams.of("{service_name=\"x\",app=\"y\",level=\"warn\"}").unwrap().level.as_deref(), Some("warn"));
        let silent = Streams::new(Discovery { discover_service_name: Vec::new(), ..Discovery::default() });
        assert_eq!(silent.of("{zone=\"b\"}").unwrap().resource, r#"{"zone":"b"}"#);
        assert!(matches!(silent.of("{}"), Err(StreamFault::Labels("missing_labels", _))));
        assert!(matches!(silent.of("{a=\"1\",a=\"2\"}"), Err(StreamFault::Labels("duplicate_label_names", _))));
        assert!(matches!(silent.of("{a"), Err(StreamFault::Syntax(_))));
    }
}
