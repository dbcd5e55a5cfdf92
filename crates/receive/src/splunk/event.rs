//! Events to rows.

use super::{Code, Metadata};
use crate::door::{Context, Decoded, Rejections};
use crate::logs::document::Document;
use crate::logs::json::{Cursor, Piece, Value};
use crate::logs::leaf::Leaf;
use crate::logs::{Names, Rows, mended, timestamp};

/// How events are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON objects one behind another, or in an array.
    Events,
    /// A line an event.
    Raw,
}

/// What became of the events of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Events that became records.
    pub taken: u64,
    /// The first that did not, from 0, and why; those behind it are not looked at.
    pub fault: Option<(u64, Code)>,
}

/// Names of the resource, as the collector has them.
const HOST: &str = "host.name";
const SOURCE: &str = "com.splunk.source";
const SOURCE_TYPE: &str = "com.splunk.sourcetype";
const INDEX: &str = "com.splunk.index";

/// Of the body, best first: the usual names, then those of Docker's driver, whose lines are text, or what it read as JSON.
const BODY: [&str; 11] = ["message", "msg", "_msg", "log", "body", "MESSAGE", "Body", "line", "line.message", "line.msg", "line.log"];

/// Decodes a body; what stands before a fault is taken.
pub fn decode(format: Format, bytes: &[u8], context: &Context<'_>, metadata: &Metadata) -> (Decoded, Told) {
    let text = mended(bytes);
    let names = Names { body: BODY.map(str::to_owned).to_vec(), ..Names::default() };
    let mut events = Events { context, metadata, document: Document::new(&names), rows: Rows::new(context) };
    let told = match format {
        Format::Events => events.objects(&text),
        Format::Raw => events.lines(&text),
    };
    let mut rejections = Rejections::default();
    if let Some((number, code)) = told.fault {
        rejections.add(1, code.reason(), || format!("event {number}: {}", code.text()));
    }
    (events.rows.finish(rejections), told)
}

struct Events<'c, 'a> {
    context: &'c Context<'c>,
    metadata: &'a Metadata,
    document: Document<'a>,
    rows: Rows<'c>,
}

impl<'a> Events<'_, 'a> {
    fn lines(&mut self, text: &'a str) -> Told {
        let mut taken = 0;
        let time = timestamp::epoch_text(&self.metadata.time);
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            self.document.clear();
            self.document.set_body(Leaf::Text(Piece::Wire(line)));
            if let Err(code) = self.close([None, None, None, None], time) {
                return Told { taken, fault: Some((taken, code)) };
            }
            taken += 1;
        }
        Told { taken, fault: (taken == 0).then_some((0, Code::NoData)) }
    }

    fn objects(&mut self, text: &'a str) -> Told {
        let mut cursor = Cursor::new(text);
        let mut taken = 0;
        let is_array = cursor.passes(b'[');
        loop {
            match cursor.is_at_end() {
                true if is_array => return Told { taken, fault: Some((taken, Code::InvalidFormat)) },
                true => break,
                false if is_array => match cursor.item(taken == 0) {
                    Ok(true) => {}
                    Ok(false) if cursor.is_at_end() => break,
                    Ok(false) | Err(_) => return Told { taken, fault: Some((taken, Code::InvalidFormat)) },
                },
                false => {}
            }
            match self.object(&mut cursor) {
                Ok(()) => taken += 1,
                Err(code) => return Told { taken, fault: Some((taken, code)) },
            }
        }
        Told { taken, fault: (taken == 0).then_some((0, Code::NoData)) }
    }

    fn object(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Code> {
        self.document.clear();
        if !cursor.passes(b'{') {
            return Err(Code::InvalidFormat);
        }
        let mut about: [Option<Piece<'a>>; 4] = [None, None, None, None];
        let (mut time, mut has_event, mut is_first) = (None, false, true);
        while let Some(key) = self.key(cursor, is_first)? {
            is_first = false;
            let start = cursor.at();
            let value = cursor.value(self.document.arena()).map_err(|_| Code::InvalidFormat)?;
            let name = key.get(self.document.arena());
            let place = ["host", "source", "sourcetype", "index"].iter().position(|known| *known == name);
            match (name, value) {
                (_, Value::Text(piece)) if let Some(slot) = place.and_then(|place| about.get_mut(place)) => *slot = Some(piece),
                ("time", Value::Number(text)) => time = Some(timestamp::epoch_text(text).ok_or(Code::InvalidFormat)?),
                ("time", Value::Text(piece)) => {
                    let text = piece.get(self.document.arena()).trim();
                    time = if text.is_empty() { None } else { Some(timestamp::epoch_text(text).ok_or(Code::InvalidFormat)?) };
                }
                ("event", value) => {
                    has_event |= value != Value::Null;
                    self.event(cursor, value, start)?;
                }
                ("fields", Value::Object) => {
                    self.document.read(cursor, self.context.attribute_depth_max).map_err(|_| Code::InvalidFields)?;
                }
                ("fields", Value::Null) => {}
                ("fields", _) => return Err(Code::InvalidFields),
                (_, value) => {
                    cursor.rest_of(&value, start).map_err(|_| Code::InvalidFormat)?;
                }
            }
        }
        if !has_event {
            return Err(Code::EventRequired);
        }
        self.close(about, time)
    }

    fn event(&mut self, cursor: &mut Cursor<'a>, value: Value<'a>, start: usize) -> Result<(), Code> {
        let leaf = match value {
            Value::Null => return Ok(()),
            Value::Object => {
                return self.document.read(cursor, self.context.attribute_depth_max).map_err(|_| Code::InvalidFormat);
            }
            Value::Array => {
                let (json, _depth) = cursor.rest_of(&Value::Array, start).map_err(|_| Code::InvalidFormat)?;
                Leaf::Array(json.trim_start())
            }
            Value::Text(piece) if piece.get(self.document.arena()).trim().is_empty() => return Err(Code::EventBlank),
            Value::Text(piece) => Leaf::Text(piece),
            Value::Number(text) => Leaf::Number(text),
            Value::Bool(value) => Leaf::Bool(value),
        };
        self.document.set_body(leaf);
        Ok(())
    }

    fn key(&mut self, cursor: &mut Cursor<'a>, is_first: bool) -> Result<Option<Piece<'a>>, Code> {
        cursor.key(is_first, self.document.arena()).map_err(|_| Code::InvalidFormat)
    }

    fn close(&mut self, about: [Option<Piece<'a>>; 4], time: Option<i64>) -> Result<(), Code> {
        let Metadata { host, source, sourcetype, index, .. } = self.metadata;
        let of_address = [host, source, sourcetype, index];
        for ((piece, text), name) in about.into_iter().zip(of_address).zip([HOST, SOURCE, SOURCE_TYPE, INDEX]) {
            match piece {
                Some(piece) => self.document.add_resource(name, Leaf::Text(piece)),
                None if !text.is_empty() => self.document.add_resource(name, Leaf::Text(Piece::Wire(text))),
                None => {}
            }
        }
        self.document.close(&mut self.rows, self.context, time).map_err(|_| Code::InvalidFormat)
    }
}
