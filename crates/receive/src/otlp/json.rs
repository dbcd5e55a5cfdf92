//! OTLP/JSON: transcoded to the binary form in one pass, so that one decoder per signal decides what a request means.
//!
//! The differences to ProtoJSON are the specification's: identifiers are hexadecimal, enums are integers only, unknown keys
//! are ignored. 64-bit integers may be numbers or strings, `null` means absent. Keys are lowerCamelCase; the names of the
//! protobuf fields are understood too, as the OpenTelemetry collector does: who sends them would lose data in silence.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use signalbox_model::{Error, Result};

use super::json_schema::{FieldSpec, Kind, Schema};

/// ProtoJSON accepts base64 with or without padding, in both alphabets.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The binary form of a message in JSON.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if the text is no JSON or a known field has a value of the wrong kind.
pub(crate) fn to_protobuf(json: &[u8], schema: &'static Schema) -> Result<Vec<u8>> {
    // Binary is shorter than JSON; a quarter is usual.
    let mut out = Vec::with_capacity(json.len() / 4);
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let seed = MessageSeed { schema, out: &mut out };
    let parsed = seed.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    parsed.map_err(|error| Error::invalid(format!("cannot decode JSON: {error}")))?;
    Ok(out)
}

struct MessageSeed<'o> {
    schema: &'static Schema,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match self.schema.fields().iter().find(|field| is_key(field.key, &key)) {
                Some(field) => map.next_value_seed(FieldSeed { field, out: self.out, is_item: false })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The value of a field: a list if the field is repeated, else one item.
struct FieldSeed<'o> {
    field: &'static FieldSpec,
    out: &'o mut Vec<u8>,
    is_item: bool,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl FieldSeed<'_> {
    fn is_list(&self) -> bool {
        self.field.is_repeated && !self.is_item
    }

    fn wrong<E: serde::de::Error>(&self, what: &str) -> E {
        E::custom(format!("field {:?} cannot be {what}", self.field.key))
    }

    fn tag(&mut self, wire_type: u32) {
        varint(self.out, u64::from(self.field.number << 3 | wire_type));
    }

    fn block(&mut self, bytes: &[u8]) {
        self.tag(2);
        varint(self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn integer<E: serde::de::Error>(mut self, value: i128) -> Result<(), E> {
        let (low, high) = match self.field.kind {
            Kind::Enum => (i32::MIN.into(), i32::MAX.into()),
            Kind::Sint32 => (i32::MIN.into(), i32::MAX.into()),
            Kind::Uint32 | Kind::Fixed32 => (0, u32::MAX.into()),
            Kind::Int64 | Kind::Sfixed64 => (i64::MIN.into(), i64::MAX.into()),
            Kind::Uint64 | Kind::Fixed64 => (0, u64::MAX.into()),
            Kind::Double => return self.double(value as f64),
            _ => return Err(self.wrong("a number")),
        };
        if self.is_list() || value < low || value > high {
            return Err(self.wrong("this number"));
        }
        match self.field.kind {
            Kind::Fixed64 | Kind::Sfixed64 => {
                self.tag(1);
                self.out.extend_from_slice(&(value as u64).to_le_bytes());
            }
            Kind::Fixed32 => {
                self.tag(5);
                self.out.extend_from_slice(&(value as u32).to_le_bytes());
            }
            Kind::Sint32 => {
                self.tag(0);
                let value = value as i32;
                varint(self.out, u64::from(((value << 1) ^ (value >> 31)) as u32));
            }
            _ => {
                self.tag(0);
                varint(self.out, value as i64 as u64);
            }
        }
        Ok(())
    }

    fn double<E: serde::de::Error>(mut self, value: f64) -> Result<(), E> {
        match self.field.kind {
            Kind::Double if !self.is_list() => {
                self.tag(1);
                self.out.extend_from_slice(&value.to_le_bytes());
                Ok(())
            }
            // ProtoJSON lets integers have a fraction of zero or an exponent.
            Kind::Enum | Kind::Text | Kind::Bytes | Kind::Hex | Kind::Bool | Kind::Message(_) | Kind::Double => Err(self.wrong("a fraction")),
            _ if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 => self.integer(value as i128),
            _ => Err(self.wrong("a fraction")),
        }
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value for field {:?}", self.field.key)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(mut self, value: bool) -> Result<(), E> {
        if self.is_list() || !matches!(self.field.kind, Kind::Bool) {
            return Err(self.wrong("a bool"));
        }
        self.tag(0);
        self.out.push(u8::from(value));
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.integer(value.into())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.integer(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.double(value)
    }

    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<(), E> {
        if self.is_list() {
            return Err(self.wrong("a string"));
        }
        match self.field.kind {
            Kind::Text => self.block(text.as_bytes()),
            Kind::Hex => {
                let bytes = hex::decode(text).map_err(|_| self.wrong::<E>("other than hexadecimal"))?;
                self.block(&bytes);
            }
            Kind::Bytes => {
                let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).map_err(|_| self.wrong::<E>("other than base64"))?;
                self.block(&bytes);
            }
            Kind::Double => {
                let value = match text {
                    "NaN" => f64::NAN,
                    "Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    _ => text.parse().map_err(|_| self.wrong::<E>("this string"))?,
                };
                return self.double(value);
            }
            // OTLP-055: names of enum values are not allowed.
            Kind::Enum | Kind::Bool | Kind::Message(_) => return Err(self.wrong("a string")),
            _ => {
                let value = text.parse().map_err(|_| self.wrong::<E>("this string"))?;
                return self.integer(value);
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if !self.is_list() {
            return Err(self.wrong("a list"));
        }
        while list.next_element_seed(FieldSeed { field: self.field, out: self.out, is_item: true })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        let Kind::Message(schema) = self.field.kind else { return Err(A::Error::custom(format!("field {:?} cannot be an object", self.field.key))) };
        if self.is_list() {
            return Err(self.wrong("an object"));
        }
        self.tag(2);
        let start = self.out.len();
        MessageSeed { schema, out: self.out }.visit_map(map)?;
        let mut length = Vec::with_capacity(10);
        varint(&mut length, (self.out.len() - start) as u64);
        self.out.splice(start..start, length);
        Ok(())
    }
}

/// Whether a key is this one in lowerCamelCase, or with underscores.
fn is_key(camel: &str, key: &str) -> bool {
    if camel.len() == key.len() {
        return camel == key;
    }
    let mut rest = camel.bytes();
    let mut after_underscore = false;
    for byte in key.bytes() {
        if byte == b'_' {
            after_underscore = true;
        } else if rest.next() == Some(if after_underscore { byte.to_ascii_uppercase() } else { byte }) {
            after_underscore = false;
        } else {
            return false;
        }
    }
    rest.next().is_none() && !after_underscore
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests;
