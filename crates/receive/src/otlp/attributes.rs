//! Attribute values, resources and scopes, read in place from their wire form.

use signalbox_model::attributes::{
    DROPPED_COUNT, SCHEMA_URL, SCOPE_NAME, SCOPE_VERSION, bytes_text, double_text, write_json_bytes, write_json_double, write_json_string,
};
use signalbox_model::builder::AttributesBuilder;
use signalbox_model::{Error, Result};

use crate::wire::{Reader, WireError};

/// A value of any type; arrays and maps stay in their wire form until they are written out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum AnyValue<'a> {
    Empty,
    String(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    Array(&'a [u8]),
    Map(&'a [u8]),
    Bytes(&'a [u8]),
}

/// A key and its value.
pub(crate) type Attribute<'a> = (&'a str, AnyValue<'a>);

/// Reads a `KeyValue`.
pub(crate) fn attribute(message: &[u8]) -> Result<Attribute<'_>, WireError> {
    let (mut key, mut value) = ("", AnyValue::Empty);
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        match field.number {
            1 => key = field.text()?,
            2 => value = any_value(field.bytes()?)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// Reads an `AnyValue`; of several values the last counts.
pub(crate) fn any_value(message: &[u8]) -> Result<AnyValue<'_>, WireError> {
    let mut value = AnyValue::Empty;
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        value = match field.number {
            1 => AnyValue::String(field.text()?),
            2 => AnyValue::Bool(field.varint()? != 0),
            3 => AnyValue::Int(field.int64()?),
            4 => AnyValue::Double(field.double()?),
            5 => AnyValue::Array(field.bytes()?),
            6 => AnyValue::Map(field.bytes()?),
            7 => AnyValue::Bytes(field.bytes()?),
            _ => continue,
        };
    }
    Ok(value)
}

impl<'a> AnyValue<'a> {
    /// Whether arrays and maps nest at most this deep.
    pub(crate) fn fits_depth(&self, depth_max: usize) -> Result<bool, WireError> {
        let (Self::Array(message) | Self::Map(message)) = self else { return Ok(true) };
        let Some(depth_max) = depth_max.checked_sub(1) else { return Ok(false) };
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            if field.number != 1 {
                continue;
            }
            let item = if matches!(self, Self::Array(_)) { any_value(field.bytes()?)? } else { attribute(field.bytes()?)?.1 };
            if !item.fits_depth(depth_max)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The letter of the type, see `signalbox_model::attributes`.
    pub(crate) fn letter(&self) -> char {
        match self {
            Self::Empty => 'n',
            Self::String(_) => 's',
            Self::Bool(_) => 'b',
            Self::Int(_) => 'i',
            Self::Double(_) => 'd',
            Self::Array(_) => 'a',
            Self::Map(_) => 'm',
            Self::Bytes(_) => 'y',
        }
    }

    /// Appends the text form that rests under the letter.
    pub(crate) fn write_text(&self, out: &mut String) -> Result<(), WireError> {
        match self {
            Self::Empty => {}
            Self::String(text) => out.push_str(text),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Double(value) => out.push_str(&double_text(*value)),
            Self::Bytes(bytes) => out.push_str(&bytes_text(bytes)),
            Self::Array(_) | Self::Map(_) => self.write_json(out)?,
        }
        Ok(())
    }

    /// Appends the JSON form that resources, scopes, arrays and maps rest in.
    pub(crate) fn write_json(&self, out: &mut String) -> Result<(), WireError> {
        match self {
            Self::Empty => out.push_str("null"),
            Self::String(text) => write_json_string(out, text),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Double(value) => write_json_double(out, *value),
            Self::Bytes(bytes) => write_json_bytes(out, bytes),
            Self::Array(message) => {
                let mut separator = '[';
                let mut reader = Reader::new(message);
                while let Some(field) = reader.next_field()? {
                    if field.number == 1 {
                        out.push(separator);
                        separator = ',';
                        any_value(field.bytes()?)?.write_json(out)?;
                    }
                }
                out.push_str(if separator == '[' { "[]" } else { "]" });
            }
            Self::Map(message) => {
                let mut object = JsonObject::open(out);
                let mut reader = Reader::new(message);
                while let Some(field) = reader.next_field()? {
                    if field.number == 1 {
                        object.entry(&attribute(field.bytes()?)?)?;
                    }
                }
                object.close();
            }
        }
        Ok(())
    }

    /// Appends the attribute to the open row.
    pub(crate) fn append(&self, builder: &mut AttributesBuilder, key: &str, scratch: &mut String) -> Result<(), WireError> {
        match self {
            Self::String(text) => builder.append_string(key, text),
            Self::Bool(value) => builder.append_bool(key, *value),
            Self::Int(value) => builder.append_int(key, *value),
            Self::Double(value) => builder.append_double(key, *value),
            Self::Bytes(bytes) => builder.append_bytes(key, bytes),
            Self::Empty => builder.append_text(key, 'n', ""),
            Self::Array(_) | Self::Map(_) => {
                scratch.clear();
                self.write_json(scratch)?;
                builder.append_text(key, self.letter(), scratch);
            }
        }
        Ok(())
    }
}

struct JsonObject<'o> {
    out: &'o mut String,
    is_empty: bool,
}

impl<'o> JsonObject<'o> {
    fn open(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, is_empty: true }
    }

    fn entry(&mut self, (key, value): &Attribute<'_>) -> Result<(), WireError> {
        if !self.is_empty {
            self.out.push(',');
        }
        self.is_empty = false;
        write_json_string(self.out, key);
        self.out.push(':');
        value.write_json(self.out)
    }

    fn text_entry(&mut self, key: &str, text: &str) -> Result<(), WireError> {
        if text.is_empty() { Ok(()) } else { self.entry(&(key, AnyValue::String(text))) }
    }

    fn count_entry(&mut self, key: &str, count: u32) -> Result<(), WireError> {
        if count == 0 { Ok(()) } else { self.entry(&(key, AnyValue::Int(count.into()))) }
    }

    fn close(self) {
        self.out.push('}');
    }
}

/// What the messages `ResourceLogs`, `ScopeLogs` and their sisters have in common: field 1 says where the contents of
/// field 2 come from, field 3 is a schema URL. Field 3 follows the contents on the wire, so this is read first; to pass
/// over the contents costs one length each.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Envelope<'a> {
    pub(crate) origin: &'a [u8],
    pub(crate) schema_url: &'a str,
}

impl<'a> Envelope<'a> {
    pub(crate) fn read(message: &'a [u8]) -> Result<Self, WireError> {
        let mut envelope = Self::default();
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => envelope.origin = field.bytes()?,
                3 => envelope.schema_url = field.text()?,
                _ => {}
            }
        }
        Ok(envelope)
    }

    /// The origin as a resource.
    pub(crate) fn resource(&self, depth_max: usize) -> Result<Origin<'a>> {
        self.read_origin(depth_max, OriginFields { name: None, version: None, attributes: 1, dropped: 2 })
    }

    /// The origin as an instrumentation scope.
    pub(crate) fn scope(&self, depth_max: usize) -> Result<Origin<'a>> {
        self.read_origin(depth_max, OriginFields { name: Some(1), version: Some(2), attributes: 3, dropped: 4 })
    }

    fn read_origin(&self, depth_max: usize, fields: OriginFields) -> Result<Origin<'a>> {
        let mut origin = Origin { schema_url: self.schema_url, ..Origin::default() };
        let mut reader = Reader::new(self.origin);
        while let Some(field) = reader.next_field()? {
            if Some(field.number) == fields.name {
                origin.name = field.text()?;
            } else if Some(field.number) == fields.version {
                origin.version = field.text()?;
            } else if field.number == fields.attributes {
                let attribute = attribute(field.bytes()?)?;
                if !attribute.1.fits_depth(depth_max)? {
                    return Err(Error::invalid(format!("cannot decode attribute {:?} of resource or scope: nested deeper than {depth_max}", attribute.0)));
                }
                origin.attributes.push(attribute);
            } else if field.number == fields.dropped {
                origin.dropped = field.uint32()?;
            }
        }
        Ok(origin)
    }
}

struct OriginFields {
    name: Option<u32>,
    version: Option<u32>,
    attributes: u32,
    dropped: u32,
}

/// A resource, or a scope (which alone has a name and a version).
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) attributes: Vec<Attribute<'a>>,
    pub(crate) dropped: u32,
    pub(crate) schema_url: &'a str,
}

impl Origin<'_> {
    /// The JSON form that it rests in.
    pub(crate) fn write_json(&self, out: &mut String) -> Result<(), WireError> {
        out.clear();
        let mut object = JsonObject::open(out);
        object.text_entry(SCOPE_NAME, self.name)?;
        object.text_entry(SCOPE_VERSION, self.version)?;
        for attribute in &self.attributes {
            object.entry(attribute)?;
        }
        object.text_entry(SCHEMA_URL, self.schema_url)?;
        object.count_entry(DROPPED_COUNT, self.dropped)?;
        object.close();
        Ok(())
    }

    /// The text form of an attribute, empty when there is none.
    pub(crate) fn text_of(&self, key: &str) -> Result<String, WireError> {
        let mut text = String::new();
        if let Some((_, value)) = self.attributes.iter().find(|(candidate, _)| *candidate == key) {
            value.write_text(&mut text)?;
        }
        Ok(text)
    }
}
