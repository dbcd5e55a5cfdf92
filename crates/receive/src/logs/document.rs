//! A JSON object as a log record: which field means what, and the row that it becomes.
//!
//! Nested objects are flattened with dots, arrays stay arrays. What the usual names mean is the same for every protocol:
//!
//! | field, the first that is there | column |
//! |---|---|
//! | `@timestamp`, `timestamp`, `_time`, `time`, `ts`, `datetime`, `Timestamp` | timestamp, in any format of [`super::timestamp`] |
//! | `message`, `msg`, `_msg`, `log`, `body`, `MESSAGE`, `Body` | body |
//! | `log.level`, `level`, `severity`, `severity_text`, `lvl`, `log_level`, `loglevel`, `levelname` and other cases of them | severity |
//! | `trace.id`, `trace_id`, `traceId`, `traceID`, `TraceId`: 32 hexadecimal digits | trace id |
//! | `span.id`, `span_id`, `spanId`, `spanID`, `SpanId`: 16 hexadecimal digits | span id |
//! | `service.name`, `service_name`, `service` | resource, as `service.name` |
//! | `host`, `hostname`, and what begins with `service.`, `host.`, `kubernetes.`, `k8s.`, `container.`, `docker.`, `agent.`, `cloud.` | resource |
//! | any other | attribute, with its type |
//! | a level in the body, if no field tells one | severity, see `level` |
//!
//! A time that cannot be read stays an attribute and the record gets the time of arrival; if it is in `@timestamp` or in a
//! field that the sender named, the record is refused.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

use signalbox_model::attributes::{AttributeValue, write_json_string};
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{SpanId, TimeRange, TraceId};

use super::json::{Cursor, Fault, Piece, Value};
use super::leaf::{Leaf, append, text_of, value_of, write_leaf};
use super::{Origin, Record, Rows, TraceLink, hex, level, severity, timestamp};
use crate::door::Context;

/// Which fields mean what, where the sender says so. An empty list leaves it to the usual names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Names {
    /// Of the timestamp, best first.
    pub timestamp: Vec<String>,
    /// Of the body, best first.
    pub body: Vec<String>,
    /// Of the severity, best first.
    pub severity: Vec<String>,
    /// Of what belongs to the resource, besides the usual ones.
    pub resource: Vec<String>,
    /// Of what is left out.
    pub ignored: Vec<String>,
    /// Attributes that every resource gets, with their values.
    pub extra: Vec<(String, String)>,
}

/// What a field means. Numbers are ranks: the lowest is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Timestamp(u8),
    Body(u8),
    Severity(u8),
    TraceId,
    SpanId,
    Service(u8),
    Resource,
    Attribute,
    Ignored,
}

impl Names {
    fn role(&self, name: &str) -> Role {
        let named = |list: &[String]| list.iter().position(|known| known == name).map(|position| position.min(250) as u8);
        if self.ignored.iter().any(|known| known == name) {
            return Role::Ignored;
        }
        if self.resource.iter().any(|known| known == name) {
            return if name == "service.name" { Role::Service(0) } else { Role::Resource };
        }
        match usual(name) {
            Role::Timestamp(_) if !self.timestamp.is_empty() => named(&self.timestamp).map_or(Role::Attribute, Role::Timestamp),
            Role::Body(_) if !self.body.is_empty() => named(&self.body).map_or(Role::Attribute, Role::Body),
            Role::Severity(_) if !self.severity.is_empty() => named(&self.severity).map_or(Role::Attribute, Role::Severity),
            role => {
                let timestamp = named(&self.timestamp).map(Role::Timestamp);
                timestamp.or_else(|| named(&self.body).map(Role::Body)).or_else(|| named(&self.severity).map(Role::Severity)).unwrap_or(role)
            }
        }
    }
}

fn usual(name: &str) -> Role {
    match name {
        "@timestamp" => Role::Timestamp(0),
        "timestamp" => Role::Timestamp(1),
        "_time" => Role::Timestamp(2),
        "time" => Role::Timestamp(3),
        "ts" => Role::Timestamp(4),
        "datetime" => Role::Timestamp(5),
        "Timestamp" => Role::Timestamp(6),
        "message" => Role::Body(0),
        "msg" => Role::Body(1),
        "_msg" => Role::Body(2),
        "log" => Role::Body(3),
        "body" => Role::Body(4),
        "MESSAGE" => Role::Body(5),
        "Body" => Role::Body(6),
        "log.level" => Role::Severity(0),
        "level" => Role::Severity(1),
        "severity" => Role::Severity(2),
        "severity_text" => Role::Severity(3),
        "lvl" => Role::Severity(4),
        "log_level" | "loglevel" | "levelname" => Role::Severity(5),
        "Level" | "LEVEL" | "Severity" | "SEVERITY" | "SeverityText" | "severityText" => Role::Severity(6),
        "trace.id" | "trace_id" | "traceId" | "traceID" | "TraceId" => Role::TraceId,
        "span.id" | "span_id" | "spanId" | "spanID" | "SpanId" => Role::SpanId,
        "service.name" => Role::Service(0),
        "service_name" => Role::Service(1),
        "service" => Role::Service(2),
        "host" | "hostname" => Role::Resource,
        _ => match name.split_once('.') {
            Some(("service" | "host" | "kubernetes" | "k8s" | "container" | "docker" | "agent" | "cloud", _)) => Role::Resource,
            _ => Role::Attribute,
        },
    }
}

type Entry<'a> = (Piece<'a>, Leaf<'a>);

/// Why a document is no record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DocumentFault {
    /// It is no JSON object.
    Json(Fault),
    /// An array nests too deep.
    TooDeep(usize),
    /// The time in the field that holds it cannot be read.
    Timestamp(String),
    /// The time is none that rows may have.
    OutOfTime(&'static str),
}

impl From<Fault> for DocumentFault {
    fn from(fault: Fault) -> Self {
        Self::Json(fault)
    }
}

impl DocumentFault {
    /// The word in metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Json(_) => "invalid_json",
            Self::TooDeep(_) => "too_deep",
            Self::Timestamp(_) => "invalid_timestamp",
            Self::OutOfTime(reason) => reason,
        }
    }
}

impl std::fmt::Display for DocumentFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(fault) => fault.fmt(f),
            Self::TooDeep(depth_max) => write!(f, "an attribute is nested deeper than {depth_max}"),
            Self::Timestamp(text) => write!(f, "cannot read the time {text:?}"),
            Self::OutOfTime(reason) => write!(f, "the time is {}", reason.replace('_', " ")),
        }
    }
}

/// Name and value of the fields that became columns, for whoever must give documents back as they came.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Columns<'d> {
    pub(crate) timestamp: Option<&'d str>,
    pub(crate) body: Option<&'d str>,
    pub(crate) severity: Option<&'d str>,
    pub(crate) trace_id: Option<&'d str>,
    pub(crate) span_id: Option<&'d str>,
    pub(crate) service: Option<&'d str>,
}

/// The document at hand. Kept between documents, so that its memory is.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    names: &'a Names,
    arena: String,
    timestamp: Option<(u8, Entry<'a>)>,
    body: Option<(u8, Entry<'a>)>,
    severity: Option<(u8, Entry<'a>)>,
    trace_id: Option<(TraceId, Entry<'a>)>,
    span_id: Option<(SpanId, Entry<'a>)>,
    service: Option<(u8, Entry<'a>)>,
    resource: Vec<Entry<'a>>,
    attributes: Vec<Entry<'a>>,
    /// What the fields of the document before meant, in their order: documents of one sender look alike.
    shape: Vec<(String, Role)>,
    at: usize,
    /// The depth that an array went past: the rest is read all the same, so that the next document is found.
    too_deep: Option<usize>,
    json: String,
    /// The service and the fields of the resource that is announced: documents of one sender follow each other.
    announced: Option<(Option<String>, Vec<Field<'a>>)>,
    scratch: String,
}

/// Name, kind and text of a field.
type Field<'a> = (String, Discriminant<Leaf<'a>>, String);

impl<'a> Document<'a> {
    pub(crate) fn new(names: &'a Names) -> Self {
        Self {
            names,
            arena: String::new(),
            timestamp: None,
            body: None,
            severity: None,
            trace_id: None,
            span_id: None,
            service: None,
            resource: Vec::new(),
            attributes: Vec::new(),
            shape: Vec::new(),
            at: 0,
            too_deep: None,
            json: String::new(),
            announced: None,
            scratch: String::new(),
        }
    }

    /// Forgets the fields.
    pub(crate) fn clear(&mut self) {
        self.arena.clear();
        (self.timestamp, self.body, self.severity, self.trace_id, self.span_id, self.service) = (None, None, None, None, None, None);
        self.resource.clear();
        self.attributes.clear();
        self.at = 0;
        self.too_deep = None;
    }

    /// The arena that texts of [`Cursor::value`] are written into.
    pub(crate) fn arena(&mut self) -> &mut String {
        &mut self.arena
    }

    /// Reads the fields of an object whose bracket was passed over.
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'a>, depth_max: usize) -> Result<(), DocumentFault> {
        self.object(cursor, None, depth_max, 0)
    }

    fn object(&mut self, cursor: &mut Cursor<'a>, prefix: Option<std::ops::Range<usize>>, depth_max: usize, depth: usize) -> Result<(), DocumentFault> {
        if depth > super::json::DEPTH_MAX {
            return Err(cursor.fault("the JSON is nested too deep").into());
        }
        let mut is_first = true;
        while let Some(key) = cursor.key(is_first, &mut self.arena)? {
            is_first = false;
            let name = match &prefix {
                None => key,
                Some(prefix) => Piece::Kept(self.joined(prefix.clone(), &key)),
            };
            let start = cursor.at();
            match cursor.value(&mut self.arena)? {
                Value::Object if cursor.passes(b'}') => self.place(name, Leaf::Map("{}")),
                Value::Object => {
                    let prefix = match name {
                        Piece::Kept(range) => range,
                        Piece::Wire(text) => {
                            let from = self.arena.len();
                            self.arena.push_str(text);
                            from..self.arena.len()
                        }
                    };
                    self.object(cursor, Some(prefix), depth_max, depth + 1)?;
                }
                Value::Array => {
                    let (json, depth) = cursor.rest_of(&Value::Array, start)?;
                    if depth > depth_max {
                        self.too_deep = Some(depth_max);
                    }
                    self.place(name, Leaf::Array(json.trim_start()));
                }
                Value::Null => self.place(name, Leaf::Null),
                Value::Bool(value) => self.place(name, Leaf::Bool(value)),
                Value::Number(text) => self.place(name, Leaf::Number(text)),
                Value::Text(piece) => self.place(name, Leaf::Text(piece)),
            }
        }
        Ok(())
    }

    fn joined(&mut self, prefix: std::ops::Range<usize>, key: &Piece<'a>) -> std::ops::Range<usize> {
        let from = self.arena.len();
        self.arena.extend_from_within(prefix);
        self.arena.push('.');
        match key {
            Piece::Wire(text) => self.arena.push_str(text),
            Piece::Kept(range) => self.arena.extend_from_within(range.clone()),
        }
        from..self.arena.len()
    }

    /// Adds a field by the meaning of its name.
    fn place(&mut self, name: Piece<'a>, leaf: Leaf<'a>) {
        let role = self.role(&name);
        match role {
            Role::Timestamp(rank) if !matches!(leaf, Leaf::Null | Leaf::Array(_) | Leaf::Map(_)) => {
                keep_best(&mut self.timestamp, &mut self.attributes, rank, (name, leaf));
            }
            Role::Body(rank) if matches!(leaf, Leaf::Text(_)) => keep_best(&mut self.body, &mut self.attributes, rank, (name, leaf)),
            Role::Severity(rank) if matches!(leaf, Leaf::Text(_) | Leaf::Number(_)) => {
                keep_best(&mut self.severity, &mut self.attributes, rank, (name, leaf));
            }
            Role::Service(rank) if matches!(leaf, Leaf::Text(_)) => keep_best(&mut self.service, &mut self.attributes, rank, (name, leaf)),
            Role::TraceId => match self.hex::<{ TraceId::LEN }>(&leaf).and_then(|id| TraceId::from_slice(&id)) {
                Some(id) if self.trace_id.is_none() => self.trace_id = Some((id, (name, leaf))),
                _ => self.attributes.push((name, leaf)),
            },
            Role::SpanId => match self.hex::<{ SpanId::LEN }>(&leaf).and_then(|id| SpanId::from_slice(&id)) {
                Some(id) if self.span_id.is_none() => self.span_id = Some((id, (name, leaf))),
                _ => self.attributes.push((name, leaf)),
            },
            Role::Resource => self.resource.push((name, leaf)),
            Role::Ignored => {}
            _ => self.attributes.push((name, leaf)),
        }
    }

    fn role(&mut self, name: &Piece<'a>) -> Role {
        let name = name.get(&self.arena);
        let at = self.at;
        self.at += 1;
        match self.shape.get_mut(at) {
            Some((known, role)) if known == name => *role,
            Some((known, role)) => {
                known.clear();
                known.push_str(name);
                *role = self.names.role(name);
                *role
            }
            None => {
                let role = self.names.role(name);
                self.shape.push((name.to_owned(), role));
                role
            }
        }
    }

    fn hex<const N: usize>(&self, leaf: &Leaf<'a>) -> Option<[u8; N]> {
        match leaf {
            Leaf::Text(piece) => hex::bytes(piece.get(&self.arena).as_bytes()),
            _ => None,
        }
    }

    /// Adds an attribute, whatever its name would mean.
    pub(crate) fn add_attribute(&mut self, name: &'a str, leaf: Leaf<'a>) {
        self.attributes.push((Piece::Wire(name), leaf));
    }

    /// Adds an attribute of the resource.
    pub(crate) fn add_resource(&mut self, name: &'a str, leaf: Leaf<'a>) {
        self.resource.push((Piece::Wire(name), leaf));
    }

    /// Says what the body is.
    pub(crate) fn set_body(&mut self, leaf: Leaf<'a>) {
        if let Some((_, worse)) = self.body.replace((0, (Piece::Wire("message"), leaf))) {
            self.attributes.push(worse);
        }
    }

    /// Names of the fields that the columns are read from.
    pub(crate) fn columns(&self) -> Columns<'_> {
        fn name<'d, T>(found: &'d Option<(T, Entry<'_>)>, arena: &'d str) -> Option<&'d str> {
            found.as_ref().map(|(_, (name, _))| name.get(arena))
        }
        Columns {
            timestamp: name(&self.timestamp, &self.arena),
            body: name(&self.body, &self.arena),
            severity: name(&self.severity, &self.arena),
            trace_id: name(&self.trace_id, &self.arena),
            span_id: name(&self.span_id, &self.arena),
            service: name(&self.service, &self.arena),
        }
    }

    /// Appends the record if its time is one that rows may have, for protocols that must say which document was refused.
    pub(crate) fn close_within(&mut self, rows: &mut Rows<'_>, context: &Context<'_>, accepted: TimeRange) -> Result<(), DocumentFault> {
        let timestamp_ns = self.take_timestamp(context.now_ns)?.unwrap_or(context.now_ns);
        if !accepted.contains_ns(timestamp_ns) {
            return Err(DocumentFault::OutOfTime(if timestamp_ns < accepted.start_ns { "too_old" } else { "too_far_in_future" }));
        }
        self.close(rows, context, Some(timestamp_ns))
    }

    /// Appends the record. `timestamp_ns` is known from elsewhere and wins.
    pub(crate) fn close(&mut self, rows: &mut Rows<'_>, context: &Context<'_>, timestamp_ns: Option<i64>) -> Result<(), DocumentFault> {
        if let Some(depth_max) = self.too_deep {
            return Err(DocumentFault::TooDeep(depth_max));
        }
        let timestamp_ns = match timestamp_ns {
            Some(ns) => Some(ns),
            None => self.take_timestamp(context.now_ns)?,
        };
        let builder = match rows {
            Rows::Direct(builder) => builder,
            Rows::Records(assembler) => {
                assembler.push(self.record(timestamp_ns));
                return Ok(());
            }
        };
        self.enter_resource(builder);
        let mut link = TraceLink { trace_id: self.trace_id.as_ref().map(|(id, _)| *id), span_id: self.span_id.as_ref().map(|(id, _)| *id) };
        let (is_linked, span_id) = (link.trace_id.is_some(), link.span_id);
        for (name, leaf) in &self.attributes {
            let name = name.get(&self.arena);
            append(builder.attributes(), name, leaf, &self.arena);
            match leaf {
                Leaf::Text(piece) if !is_linked => link.see_attribute(name, piece.get(&self.arena)),
                Leaf::Number(text) if !is_linked => text.parse().map_or((), |number| link.see_number(name, number)),
                _ => {}
            }
        }
        let body = self.body.as_ref().map(|(_, (_, leaf))| text_of(leaf, &self.arena));
        let severity_text = match &self.severity {
            Some((_, (_, leaf))) => text_of(leaf, &self.arena),
            None => level::of_line(body.unwrap_or_default(), &level::FIELDS, &mut self.scratch).unwrap_or_default(),
        };
        if !is_linked {
            link = link.or_in_text(body.unwrap_or_default());
        }
        builder.close_row(&LogRow {
            timestamp_ns: timestamp_ns.unwrap_or(context.now_ns),
            severity_number: severity::of_word(severity_text).unwrap_or(0),
            severity_text,
            body,
            trace_id: link.trace_id,
            span_id: span_id.or(link.span_id),
            ..LogRow::default()
        });
        Ok(())
    }

    /// The record for those who change it before it becomes a row.
    fn record(&mut self, timestamp_ns: Option<i64>) -> Record<'_> {
        let Self { names, arena, scratch, .. } = self;
        let arena = arena.as_str();
        let entry = |(name, leaf): &Entry<'_>| (name.get(arena).to_owned(), value_of(leaf, arena));
        let mut origin = Origin::default();
        if let Some((_, (_, leaf))) = &self.service {
            origin.set("service.name", text_of(leaf, arena));
        }
        origin.attributes.extend(names.extra.iter().map(|(name, text)| (name.clone(), AttributeValue::String(text.clone()))));
        origin.attributes.extend(self.resource.iter().map(entry));
        let body = self.body.as_ref().map(|(_, (_, leaf))| text_of(leaf, arena));
        let severity_text = match &self.severity {
            Some((_, (_, leaf))) => text_of(leaf, arena),
            None => level::of_line(body.unwrap_or_default(), &level::FIELDS, scratch).unwrap_or_default(),
        };
        Record {
            origin: Arc::new(origin),
            timestamp_ns,
            severity_number: severity::of_word(severity_text).unwrap_or(0),
            severity_text: severity_text.into(),
            body: body.map(Into::into),
            trace_id: self.trace_id.as_ref().map(|(id, _)| *id),
            span_id: self.span_id.as_ref().map(|(id, _)| *id),
            attributes: self.attributes.iter().map(entry).map(|(name, value)| (name.into(), value)).collect(),
            ..Record::default()
        }
    }

    /// The timestamp; one that was only guessed and cannot be read becomes an attribute.
    fn take_timestamp(&mut self, now_ns: i64) -> Result<Option<i64>, DocumentFault> {
        let Some((rank, (name, leaf))) = self.timestamp.take() else { return Ok(None) };
        let text = text_of(&leaf, &self.arena);
        if matches!(text, "" | "0") {
            return Ok(None);
        }
        let read = match leaf {
            Leaf::Number(text) => timestamp::epoch_text(text),
            _ => timestamp::parse(text, now_ns),
        };
        match read {
            Some(ns) => {
                self.timestamp = Some((rank, (name, leaf)));
                Ok(Some(ns))
            }
            None if rank == 0 => Err(DocumentFault::Timestamp(text.chars().take(64).collect())),
            None => {
                self.attributes.push((name, leaf));
                Ok(None)
            }
        }
    }

    fn enter_resource(&mut self, builder: &mut LogBuilder) {
        let Self { json, arena, .. } = self;
        let service = self.service.as_ref().map(|(_, (_, leaf))| text_of(leaf, arena));
        let is_field = |((name, leaf), (known, kind, text)): (&Entry<'a>, &Field<'a>)| {
            name.get(arena) == known && discriminant(leaf) == *kind && text_of(leaf, arena) == text
        };
        if let Some((known, fields)) = &self.announced
            && known.as_deref() == service
            && fields.len() == self.resource.len()
            && self.resource.iter().zip(fields).all(is_field)
        {
            return;
        }
        json.clear();
        json.push('{');
        if let Some(service) = service {
            json.push_str("\"service.name\":");
            write_json_string(json, service);
        }
        for (name, text) in &self.names.extra {
            json.push_str(if json.len() > 1 { "," } else { "" });
            write_json_string(json, name);
            json.push(':');
            write_json_string(json, text);
        }
        for (name, leaf) in &self.resource {
            if json.len() > 1 {
                json.push(',');
            }
            write_json_string(json, name.get(arena));
            json.push(':');
            write_leaf(json, leaf, arena);
        }
        json.push('}');
        builder.set_resource(json, service.unwrap_or_default());
        let field = |(name, leaf): &Entry<'a>| (name.get(arena).to_owned(), discriminant(leaf), text_of(leaf, arena).to_owned());
        self.announced = Some((service.map(str::to_owned), self.resource.iter().map(field).collect()));
    }
}

/// Keeps the better of two fields; the other becomes an attribute.
fn keep_best<'a>(slot: &mut Option<(u8, Entry<'a>)>, attributes: &mut Vec<Entry<'a>>, rank: u8, entry: Entry<'a>) {
    match slot {
        Some((known, _)) if *known <= rank => attributes.push(entry),
        _ => {
            if let Some((_, worse)) = slot.replace((rank, entry)) {
                attributes.push(worse);
            }
        }
    }
}
