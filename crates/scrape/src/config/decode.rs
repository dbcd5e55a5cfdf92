//! From a document to types, for serde: strict, and with the path and line of what does not fit.
//!
//! Structs may hold others in line, as Go's do: a field whose name starts with a dollar takes the keys of its group that the
//! struct does not have itself. Serde's own `flatten` would lose unknown keys and places.

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::complaint::Complaint;
use super::document::{self, Node, Value};

/// Reads a text into a type.
pub(crate) fn from_text<'de, T: Deserialize<'de>>(text: &str) -> Result<(T, Node), Complaint> {
    let document = document::read(text)?;
    let value = from_node(&document)?;
    Ok((value, document))
}

/// Reads a document into a type.
pub(crate) fn from_node<'de, T: Deserialize<'de>>(document: &Node) -> Result<T, Complaint> {
    T::deserialize(Decoder { node: document, is_element: false }).map_err(|complaint| complaint.on_line(document.line))
}

/// Keys of the groups that structs hold in line.
const PROXY: [&str; 4] = ["proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header"];
const HTTP: [&str; 9] =
    ["basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file", "tls_config", "follow_redirects", "enable_http2", "http_headers"];

/// The field of a struct that takes a key which the struct does not have itself.
fn group_of(key: &str, fields: &[&'static str]) -> Option<&'static str> {
    let has = |group: &str| fields.iter().copied().find(|field| *field == group);
    if PROXY.contains(&key) {
        has("$proxy").or_else(|| has("$http"))
    } else if HTTP.contains(&key) {
        has("$http")
    } else if key == "static_configs" || key.ends_with("_sd_configs") {
        has("$sd")
    } else {
        None
    }
}

#[derive(Clone, Copy)]
struct Decoder<'a> {
    node: &'a Node,
    /// Whether it stands in a list, where nothing is no value.
    is_element: bool,
}

impl Decoder<'_> {
    fn mismatch(&self, wanted: &str) -> Complaint {
        Complaint::new(format!("found {}: want {wanted}", self.node.kind())).on_line(self.node.line)
    }

    /// The text of a scalar; the empty one for nothing.
    fn text(&self, wanted: &str) -> Result<&str, Complaint> {
        match &self.node.value {
            Value::Null => Ok(""),
            Value::Scalar { text, .. } => Ok(text),
            _ => Err(self.mismatch(wanted)),
        }
    }

    fn number<T: std::str::FromStr>(&self, wanted: &str) -> Result<T, Complaint> {
        let text = self.text(wanted)?;
        let compact = if text.is_empty() { "0".to_owned() } else { text.replace('_', "") };
        // `1e3` and `0x10` are numbers to YAML too.
        let integral = || compact.parse::<f64>().ok().filter(|number| number.fract() == 0.0 && number.abs() < 1e15).map(|number| format!("{number:.0}"));
        let hexadecimal = || compact.strip_prefix("0x").and_then(|digits| i64::from_str_radix(digits, 16).ok()).map(|number| number.to_string());
        let parsed = compact.parse().ok().or_else(|| integral()?.parse().ok()).or_else(|| hexadecimal()?.parse().ok());
        parsed.ok_or_else(|| Complaint::new(format!("found {text:?}: want {wanted}")).on_line(self.node.line))
    }

    fn entries(&self) -> Result<Vec<&(Node, Node)>, Complaint> {
        match &self.node.value {
            Value::Map(entries) => Ok(entries.iter().collect()),
            Value::Null if self.is_element => Err(Complaint::new("empty or null section").on_line(self.node.line)),
            Value::Null => Ok(Vec::new()),
            _ => Err(self.mismatch("a map")),
        }
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $wide:ty, $wanted:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
            visitor.$visit(self.number::<$wide>($wanted)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = Complaint;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
            Value::Scalar { text, is_plain: true } => match (truth(text), text.parse::<i64>(), text.parse::<f64>()) {
                (Some(truth), _, _) => visitor.visit_bool(truth),
                (_, Ok(number), _) => visitor.visit_i64(number),
                (_, _, Ok(number)) => visitor.visit_f64(number),
                _ => visitor.visit_str(text),
            },
            Value::Scalar { text, .. } => visitor.visit_str(text),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match &self.node.value {
            Value::Null => visitor.visit_bool(false),
            Value::Scalar { text, .. } => match truth(text) {
                Some(truth) => visitor.visit_bool(truth),
                None => Err(Complaint::new(format!("found {text:?}: want true or false")).on_line(self.node.line)),
            },
            _ => Err(self.mismatch("true or false")),
        }
    }

    numbers! {
        deserialize_i8 visit_i64 i64, "a whole number";
        deserialize_i16 visit_i64 i64, "a whole number";
        deserialize_i32 visit_i64 i64, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
        deserialize_u8 visit_u64 u64, "a whole number from 0";
        deserialize_u16 visit_u64 u64, "a whole number from 0";
        deserialize_u32 visit_u64 u64, "a whole number from 0";
        deserialize_u64 visit_u64 u64, "a whole number from 0";
        deserialize_f32 visit_f64 f64, "a number";
        deserialize_f64 visit_f64 f64, "a number";
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        visitor.visit_str(self.text("a text")?).map_err(|complaint: Complaint| complaint.on_line(self.node.line))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Complaint> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match &self.node.value {
            Value::List(elements) => visitor.visit_seq(Elements { elements, next: 0 }),
            Value::Null => visitor.visit_seq(Elements { elements: &[], next: 0 }),
            _ => Err(self.mismatch("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        visitor.visit_map(Entries { entries: self.entries()?, next: 0 })
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Complaint> {
        visitor.visit_map(Fields::new(self.entries()?, fields))
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Complaint> {
        let text: StrDeserializer<'_, Complaint> = self.text("a text")?.into_deserializer();
        visitor.visit_enum(text).map_err(|complaint| complaint.on_line(self.node.line))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct }
}

struct Elements<'a> {
    elements: &'a [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Complaint;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Complaint> {
        let (index, Some(node)) = (self.next, self.elements.get(self.next)) else { return Ok(None) };
        self.next += 1;
        let element = seed.deserialize(Decoder { node, is_element: true });
        element.map(Some).map_err(|complaint| complaint.on_line(node.line).at_index(index))
    }
}

struct Entries<'a> {
    entries: Vec<&'a (Node, Node)>,
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Complaint;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Complaint> {
        let Some((key, _)) = self.entries.get(self.next) else { return Ok(None) };
        self.next += 1;
        let key_read = seed.deserialize(Decoder { node: key, is_element: false });
        key_read.map(Some).map_err(|complaint| complaint.on_line(key.line))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Complaint> {
        let at = self.next.saturating_sub(1);
        let (key, value) = self.entries.get(at).ok_or_else(|| Complaint::new("a value without a key"))?;
        let value_read = seed.deserialize(Decoder { node: value, is_element: false });
        value_read.map_err(|complaint| complaint.on_line(value.line).at(key.text().unwrap_or_default()))
    }
}

/// The fields of a struct, and behind them the groups it holds in line.
struct Fields<'a> {
    own: Entries<'a>,
    groups: Vec<(&'static str, Vec<&'a (Node, Node)>)>,
    /// The group whose name was given out and whose value comes next.
    current: Option<Vec<&'a (Node, Node)>>,
}

impl<'a> Fields<'a> {
    fn new(entries: Vec<&'a (Node, Node)>, fields: &[&'static str]) -> Self {
        let (mut own, mut groups) = (Vec::new(), Vec::<(&'static str, Vec<_>)>::new());
        for entry in entries {
            let key = entry.0.text().unwrap_or_default();
            match group_of(key, fields).filter(|_| !fields.contains(&key)) {
                None => own.push(entry),
                Some(group) => match groups.iter_mut().find(|(known, _)| *known == group) {
                    Some((_, entries)) => entries.push(entry),
                    None => groups.push((group, vec![entry])),
                },
            }
        }
        Self { own: Entries { entries: own, next: 0 }, groups, current: None }
    }
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Complaint;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Complaint> {
        if self.own.next < self.own.entries.len() {
            let key = &self.own.entries[self.own.next].0;
            if key.text().is_some_and(|name| name.starts_with('$')) {
                return Err(<Complaint as de::Error>::unknown_field(key.text().unwrap_or_default(), &[]).on_line(key.line));
            }
            return self.own.next_key_seed(seed);
        }
        let Some((group, entries)) = self.groups.pop() else { return Ok(None) };
        self.current = Some(entries);
        seed.deserialize(IntoDeserializer::<Complaint>::into_deserializer(group)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Complaint> {
        match self.current.take() {
            Some(entries) => seed.deserialize(Group(entries)),
            None => self.own.next_value_seed(seed),
        }
    }
}

/// Some entries of a map, as if they were a map of their own.
struct Group<'a>(Vec<&'a (Node, Node)>);

impl<'de> Deserializer<'de> for Group<'_> {
    type Error = Complaint;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        visitor.visit_map(Entries { entries: self.0, next: 0 })
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Complaint> {
        visitor.visit_map(Fields::new(self.0, fields))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
