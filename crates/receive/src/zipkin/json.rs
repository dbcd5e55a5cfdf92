//! Lists of spans in JSON, of Zipkin's second model and of its first.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use signalbox_model::{Error, Result, SpanId, TraceId};

use super::first::{self, BinaryAnnotation};
use super::span::{Endpoint, Id, Span};
use crate::spans::{Assembler, kind};

/// Longest spelling of an address.
const IP_BYTES_MAX: usize = 45;

/// A whole number: also in quotes, or with a point that nothing follows.
#[derive(Debug, Clone, Copy, Default)]
struct Whole(u64);

/// Text; numbers and truth are taken as they are spelled.
#[derive(Debug, Clone, Default)]
struct Text<'a>(Cow<'a, str>);

/// The value of a binary annotation.
#[derive(Debug, Clone)]
enum Any<'a> {
    Bool(bool),
    Text(Cow<'a, str>),
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number or a bool")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Any<'de>, E> {
        Ok(Any::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Owned(value.to_string())))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Owned(value.to_string())))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Owned(value.to_string())))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Borrowed("")))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Any<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Any::deserialize(deserializer)? {
            Any::Text(text) => Self(text),
            Any::Bool(value) => Self(Cow::Borrowed(if value { "true" } else { "false" })),
        })
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        let whole = match text.parse::<u64>() {
            Ok(whole) => Some(whole),
            Err(_) if text.is_empty() => Some(0),
            // Negative times are none.
            Err(_) => match text.parse::<f64>() {
                Ok(value) if value.fract() == 0.0 && value < 9e18 => Some(value.max(0.0) as u64),
                _ => None,
            },
        };
        whole.map(Self).ok_or_else(|| de::Error::custom(format!("want a whole number, not {text:?}")))
    }
}

/// Entries in the order they came.
#[derive(Debug, Default)]
struct Tags<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Tags<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Tags<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tags")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Tags<'de>, E> {
                Ok(Tags::default())
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Tags<'de>, A::Error> {
                let mut tags = Tags::default();
                while let Some((Text(key), Text(value))) = map.next_entry()? {
                    tags.0.push((key, value));
                }
                Ok(tags)
            }
        }
        deserializer.deserialize_any(Entries)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JsonEndpoint<'a> {
    #[serde(borrow)]
    service_name: Option<Text<'a>>,
    #[serde(borrow)]
    ipv4: Option<Text<'a>>,
    #[serde(borrow)]
    ipv6: Option<Text<'a>>,
    port: Option<Whole>,
}

impl<'a> JsonEndpoint<'a> {
    /// An address that is none is left out, as Zipkin does.
    fn endpoint(self) -> Endpoint<'a> {
        let text = |text: Option<Text<'a>>| text.map(|Text(text)| text).unwrap_or_default();
        let is_ipv4 = |ip: &str| !ip.is_empty() && ip.len() <= IP_BYTES_MAX && ip.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let is_ipv6 = |ip: &str| ip.contains(':') && ip.len() <= IP_BYTES_MAX && ip.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte));
        let mapped = |ip: &str| ip.parse::<Ipv6Addr>().ok().and_then(|ip| ip.to_ipv4_mapped());
        let (ipv4, ipv6) = (Some(text(self.ipv4)).filter(|ip| is_ipv4(ip)), Some(text(self.ipv6)).filter(|ip| is_ipv6(ip)));
        let of_ipv6 = ipv6.as_deref().and_then(mapped);
        Endpoint {
            service: text(self.service_name),
            ipv4: ipv4.or_else(|| of_ipv6.map(|ip| ip.to_string().into())),
            ipv6: ipv6.filter(|_| of_ipv6.is_none()),
            port: self.port.and_then(|Whole(port)| u16::try_from(port).ok()).unwrap_or(0),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JsonAnnotation<'a> {
    timestamp: Option<Whole>,
    #[serde(borrow)]
    value: Option<Text<'a>>,
    #[serde(borrow)]
    endpoint: Option<JsonEndpoint<'a>>,
}

#[derive(Debug, Deserialize)]
struct JsonBinaryAnnotation<'a> {
    #[serde(borrow)]
    key: Text<'a>,
    #[serde(borrow)]
    value: Option<Any<'a>>,
    #[serde(borrow, default)]
    endpoint: Option<JsonEndpoint<'a>>,
}

/// What both models share, and what each has for itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JsonSpan<'a> {
    #[serde(borrow)]
    trace_id: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    parent_id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    timestamp: Option<Whole>,
    duration: Option<Whole>,
    #[serde(borrow)]
    local_endpoint: Option<JsonEndpoint<'a>>,
    #[serde(borrow)]
    remote_endpoint: Option<JsonEndpoint<'a>>,
    #[serde(borrow)]
    annotations: Option<Vec<JsonAnnotation<'a>>>,
    #[serde(borrow)]
    binary_annotations: Option<Vec<JsonBinaryAnnotation<'a>>>,
    #[serde(borrow)]
    tags: Option<Tags<'a>>,
    debug: Option<bool>,
    shared: Option<bool>,
}

fn id<T>(text: Option<&Text<'_>>, parse: impl Fn(&str) -> Option<T>) -> Id<T> {
    match text {
        // Some clients write a parent of zeros instead of none.
        None => Id::Missing,
        Some(Text(text)) if text.bytes().all(|byte| byte == b'0') => Id::Missing,
        Some(Text(text)) => parse(text).map_or(Id::Bad, Id::Good),
    }
}

/// Which model a body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    First,
    Second,
}

/// Reads a list of spans, or one.
///
/// # Errors
/// `Invalid` if the bytes are none.
pub(super) fn read(bytes: &[u8], model: Model, assembler: &mut Assembler<'_>) -> Result<()> {
    let wrong = |source: serde_json::Error| Error::invalid(format!("cannot read list of spans: {source}"));
    let spans = if bytes.trim_ascii_start().first() == Some(&b'{') {
        vec![serde_json::from_slice(bytes).map_err(wrong)?]
    } else {
        serde_json::from_slice::<Vec<JsonSpan<'_>>>(bytes).map_err(wrong)?
    };
    for span in spans {
        match model {
            Model::Second => second(span).push(assembler),
            Model::First => super::first::push(first(span), assembler),
        }
    }
    Ok(())
}

fn second(json: JsonSpan<'_>) -> Span<'_> {
    let number = |whole: Option<Whole>| whole.unwrap_or_default().0;
    let kind = match json.kind.unwrap_or_default().0.as_ref() {
        "CLIENT" => kind::CLIENT,
        "SERVER" => kind::SERVER,
        "PRODUCER" => kind::PRODUCER,
        "CONSUMER" => kind::CONSUMER,
        _ => kind::UNSPECIFIED,
    };
    Span {
        trace_id: id(json.trace_id.as_ref(), TraceId::from_hex),
        id: id(json.id.as_ref(), SpanId::from_hex),
        parent_id: id(json.parent_id.as_ref(), SpanId::from_hex),
        kind,
        name: json.name.unwrap_or_default().0,
        timestamp: number(json.timestamp),
        duration: number(json.duration),
        local: json.local_endpoint.unwrap_or_default().endpoint(),
        remote: json.remote_endpoint.unwrap_or_default().endpoint(),
        annotations: json.annotations.unwrap_or_default().into_iter().map(|one| (number(one.timestamp), one.value.unwrap_or_default().0)).collect(),
        tags: json.tags.unwrap_or_default().0,
        is_debug: json.debug.unwrap_or(false),
        is_shared: json.shared.unwrap_or(false),
    }
}

fn first(json: JsonSpan<'_>) -> first::Span<'_> {
    let number = |whole: Option<Whole>| whole.unwrap_or_default().0;
    let annotations = json.annotations.unwrap_or_default().into_iter().map(|one| first::Annotation {
        timestamp: number(one.timestamp),
        value: one.value.unwrap_or_default().0,
        endpoint: one.endpoint.map(JsonEndpoint::endpoint),
    });
    let binary_annotations = json.binary_annotations.unwrap_or_default().into_iter().map(|one| BinaryAnnotation {
        key: one.key.0,
        value: match one.value {
            Some(Any::Bool(value)) => first::Value::Bool(value),
            Some(Any::Text(text)) => first::Value::Text(text),
            None => first::Value::Text(Cow::Borrowed("")),
        },
        endpoint: one.endpoint.map(JsonEndpoint::endpoint),
    });
    first::Span {
        trace_id: id(json.trace_id.as_ref(), TraceId::from_hex),
        id: id(json.id.as_ref(), SpanId::from_hex),
        parent_id: id(json.parent_id.as_ref(), SpanId::from_hex),
        name: json.name.unwrap_or_default().0,
        timestamp: number(json.timestamp),
        duration: number(json.duration),
        annotations: annotations.collect(),
        binary_annotations: binary_annotations.collect(),
        is_debug: json.debug.unwrap_or(false),
    }
}
