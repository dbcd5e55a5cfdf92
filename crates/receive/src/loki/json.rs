//! Push requests in JSON: of `/loki/api/v1/push` (`stream` and `values`) and of the API before it (`labels` and `entries`).

use std::fmt::Write as _;

use signalbox_model::attributes::write_json_string;
use signalbox_model::{Error, Result};

use super::entries::Entries;
use crate::logs::json::{Cursor, Fault, Piece, Value};
use crate::logs::timestamp;

/// Reads a request.
pub(super) fn read(bytes: &[u8], entries: &mut Entries<'_>) -> Result<()> {
    let text = std::str::from_utf8(bytes).map_err(|source| Error::invalid(format!("cannot read JSON: {source}")).with_source(source))?;
    let mut decoder = Decoder { arena: String::new(), labels: String::new(), metadata: Vec::new() };
    let mut cursor = Cursor::new(text);
    decoder.request(&mut cursor, entries)?;
    if cursor.is_at_end() { Ok(()) } else { Err(refuse(cursor.fault("want the end of the request"))) }
}

fn refuse(fault: Fault) -> Error {
    Error::invalid(format!("cannot read JSON: {fault}"))
}

struct Decoder<'a> {
    arena: String,
    labels: String,
    metadata: Vec<(Piece<'a>, Piece<'a>)>,
}

impl<'a> Decoder<'a> {
    fn request(&mut self, cursor: &mut Cursor<'a>, entries: &mut Entries<'_>) -> Result<()> {
        if self.value(cursor)? != Value::Object {
            return Err(refuse(cursor.fault("want an object with streams")));
        }
        let mut is_first = true;
        while let Some(key) = self.key(cursor, is_first)? {
            is_first = false;
            let is_streams = key.get(&self.arena) == "streams";
            match self.value(cursor)? {
                Value::Array if is_streams => {
                    let mut is_first = true;
                    while cursor.item(is_first).map_err(refuse)? {
                        is_first = false;
                        self.stream(cursor, entries)?;
                    }
                }
                Value::Null => {}
                _ if is_streams => return Err(refuse(cursor.fault("want an array of streams"))),
                value => skip(cursor, &value)?,
            }
        }
        Ok(())
    }

    fn stream(&mut self, cursor: &mut Cursor<'a>, entries: &mut Entries<'_>) -> Result<()> {
        if self.value(cursor)? != Value::Object {
            return Err(refuse(cursor.fault("want a stream")));
        }
        self.labels.clear();
        self.labels.push_str("{}");
        // Entries may stand before the labels: they are read once those are known.
        let mut lists = Vec::new();
        let mut is_first = true;
        while let Some(key) = self.key(cursor, is_first)? {
            is_first = false;
            let value = self.value(cursor)?;
            match (key.get(&self.arena), value) {
                ("stream", Value::Object) => self.label_object(cursor)?,
                ("labels", Value::Text(piece)) => {
                    self.labels.clear();
                    self.labels.push_str(piece.get(&self.arena));
                }
                ("stream" | "labels", _) => return Err(refuse(cursor.fault("want the labels of the stream"))),
                ("values" | "entries", Value::Array) => {
                    lists.push(cursor.clone());
                    skip(cursor, &Value::Array)?;
                }
                ("values" | "entries", Value::Null) => {}
                ("values" | "entries", _) => return Err(refuse(cursor.fault("want an array of entries"))),
                (_, value) => skip(cursor, &value)?,
            }
        }
        entries.enter(&self.labels)?;
        for mut list in lists {
            let mut is_first = true;
            while list.item(is_first).map_err(refuse)? {
                is_first = false;
                self.entry(&mut list, entries)?;
            }
        }
        Ok(())
    }

    /// `{"app":"shop"}` as the text that labels have in protobuf.
    fn label_object(&mut self, cursor: &mut Cursor<'a>) -> Result<()> {
        self.labels.clear();
        let mut is_first = true;
        while let Some(key) = self.key(cursor, is_first)? {
            self.labels.push_str(if is_first { "{" } else { ", " });
            is_first = false;
            let value = self.value(cursor)?;
            // Loki takes numbers and truths as they are spelled.
            let text = match &value {
                Value::Text(piece) => piece.get(&self.arena),
                Value::Number(text) => text,
                Value::Bool(true) => "true",
                Value::Bool(false) => "false",
                _ => return Err(refuse(cursor.fault("want the value of a label"))),
            };
            self.labels.push_str(key.get(&self.arena));
            self.labels.push('=');
            write_go_string(&mut self.labels, text);
        }
        self.labels.push_str(if is_first { "{}" } else { "}" });
        Ok(())
    }

    fn entry(&mut self, cursor: &mut Cursor<'a>, entries: &mut Entries<'_>) -> Result<()> {
        self.arena.clear();
        self.metadata.clear();
        let (instant, line) = match self.value(cursor)? {
            Value::Array => self.entry_array(cursor)?,
            Value::Object => self.entry_object(cursor)?,
            _ => return Err(refuse(cursor.fault("want an entry"))),
        };
        let metadata = self.metadata.iter().map(|(name, value)| (name.get(&self.arena), value.get(&self.arena)));
        match instant {
            Some(timestamp_ns) => entries.push(timestamp_ns, line.get(&self.arena), metadata),
            None => entries.refuse_instant(),
        }
        Ok(())
    }

    /// `["1700000000000000000", "line", {"name": "value"}]`.
    fn entry_array(&mut self, cursor: &mut Cursor<'a>) -> Result<(Option<i64>, Piece<'a>)> {
        let (mut instant, mut line, mut position) = (None, None, 0);
        while cursor.item(position == 0).map_err(refuse)? {
            match (position, self.value(cursor)?) {
                (0, Value::Text(piece)) => {
                    let text = piece.get(&self.arena);
                    instant = Some(text.parse().map_err(|_| Error::invalid(format!("error reading entry timestamp: {text:?} is no number of nanoseconds")))?);
                }
                (0, _) => return Err(refuse(cursor.fault("error reading entry timestamp: want a text of nanoseconds"))),
                (1, Value::Text(piece)) => line = Some(piece),
                (1, _) => return Err(refuse(cursor.fault("want the line of the entry"))),
                (2, Value::Object) => self.metadata(cursor)?,
                (2, Value::Null) => {}
                (2, _) => return Err(refuse(cursor.fault("want an object of structured metadata"))),
                _ => return Err(refuse(cursor.fault("error reading entry: array must have at least 2 and up to 3 values"))),
            }
            position += 1;
        }
        match (instant, line) {
            (Some(instant), Some(line)) => Ok((Some(instant), line)),
            _ => Err(refuse(cursor.fault("error reading entry: array must have at least 2 and up to 3 values"))),
        }
    }

    /// `{"ts": "2018-12-18T08:28:06.801064-04:00", "line": "line"}`.
    fn entry_object(&mut self, cursor: &mut Cursor<'a>) -> Result<(Option<i64>, Piece<'a>)> {
        let (mut instant, mut line, mut is_first) = (None, Piece::Wire(""), true);
        while let Some(key) = self.key(cursor, is_first)? {
            is_first = false;
            let value = self.value(cursor)?;
            match (key.get(&self.arena), value) {
                ("ts", Value::Text(piece)) => {
                    let text = piece.get(&self.arena);
                    instant = timestamp::rfc3339(text);
                    if instant.is_none() {
                        return Err(Error::invalid(format!("error reading entry timestamp: cannot parse {text:?} as RFC 3339")));
                    }
                }
                ("ts", _) => return Err(refuse(cursor.fault("error reading entry timestamp: want a text"))),
                ("line", Value::Text(piece)) => line = piece,
                ("line", _) => return Err(refuse(cursor.fault("want the line of the entry"))),
                (_, value) => skip(cursor, &value)?,
            }
        }
        Ok((instant, line))
    }

    fn metadata(&mut self, cursor: &mut Cursor<'a>) -> Result<()> {
        let mut is_first = true;
        while let Some(key) = self.key(cursor, is_first)? {
            is_first = false;
            match self.value(cursor)? {
                Value::Text(piece) => self.metadata.push((key, piece)),
                _ => return Err(refuse(cursor.fault("want a text in structured metadata"))),
            }
        }
        Ok(())
    }

    fn value(&mut self, cursor: &mut Cursor<'a>) -> Result<Value<'a>> {
        cursor.value(&mut self.arena).map_err(refuse)
    }

    fn key(&mut self, cursor: &mut Cursor<'a>, is_first: bool) -> Result<Option<Piece<'a>>> {
        cursor.key(is_first, &mut self.arena).map_err(refuse)
    }
}

fn skip<'a>(cursor: &mut Cursor<'a>, value: &Value<'a>) -> Result<()> {
    let at = cursor.at();
    cursor.rest_of(value, at).map(drop).map_err(refuse)
}

/// A text in Go's quotes, which know no `\/` and write control characters in hexadecimal.
fn write_go_string(out: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < 0x20) {
        out.push('"');
        for letter in text.chars() {
            match letter {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                letter if u32::from(letter) < 0x20 => {
                    // Writing into a string cannot fail.
                    let _ok = write!(out, "\\x{:02x}", u32::from(letter));
                }
                letter => out.push(letter),
            }
        }
        out.push('"');
    } else {
        write_json_string(out, text);
    }
}
