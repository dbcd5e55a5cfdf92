//! The two ends of a span.

use serde::Serialize;
use signalbox_lang::traceql::tree::{Attribute, CompareOp, FieldExpr, Scope, Static};
use signalbox_model::attributes::AttributeValue;
use signalbox_query::rows::{Attributes, Span};

use crate::trace_search::{any, compare};

/// Names that conventions gave the peer, the best first, as OpenTelemetry's specification ranks them.
pub(super) const PEER_NAMES: [&str; 7] =
    ["peer.service", "server.address", "net.peer.name", "server.socket.domain", "net.sock.peer.name", "peer.hostname", "db.name"];
/// Where the peer's address is, and the port beside it.
const PEER_ADDRESSES: [(&str, &str); 4] = [
    ("net.peer.ip", "net.peer.port"),
    ("network.peer.address", "network.peer.port"),
    ("server.socket.address", "server.socket.port"),
    ("net.sock.peer.addr", "net.sock.peer.port"),
];
/// Attributes that are in an endpoint and in no tag.
pub(super) const CONSUMED: [&str; 9] =
    ["peer.service", "net.host.ip", "net.host.port", "net.peer.ip", "net.peer.port", HOST_IPV6, PEER_IPV6, "zipkin.debug", "zipkin.shared"];
/// Where an endpoint has addresses of both kinds, the second.
const HOST_IPV6: &str = "net.host.ipv6";
const PEER_IPV6: &str = "net.peer.ipv6";

/// One end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Endpoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    service_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ipv4: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ipv6: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

impl Endpoint {
    fn given(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }

    fn with_address(mut self, address: Option<String>, port: Option<u16>) -> Self {
        match address {
            Some(address) if address.contains(':') => self.ipv6 = Some(address),
            Some(address) => self.ipv4 = Some(address),
            None => {}
        }
        self.port = port.filter(|port| *port > 0);
        self
    }
}

/// Who recorded the span.
pub(super) fn local(span: &Span) -> Option<Endpoint> {
    let service_name = (!span.service.is_empty()).then(|| span.service.clone());
    let mut endpoint =
        Endpoint { service_name, ..Endpoint::default() }.with_address(text(&span.attributes, "net.host.ip"), port(&span.attributes, "net.host.port"));
    endpoint.ipv6 = text(&span.attributes, HOST_IPV6).or(endpoint.ipv6);
    endpoint.given()
}

/// Who is at the other end.
pub(super) fn remote(span: &Span) -> Option<Endpoint> {
    const CLIENT: i32 = 3;
    const PRODUCER: i32 = 4;
    let attributes = &span.attributes;
    // Newer conventions name the server of the span itself there unless it calls another.
    let names = if matches!(span.kind, CLIENT | PRODUCER) { &PEER_NAMES[..] } else { &PEER_NAMES[..1] };
    let service_name = names.iter().find_map(|name| text(attributes, name)).filter(|name| !name.is_empty());
    let address = PEER_ADDRESSES.iter().find_map(|(address, port)| Some((text(attributes, address)?, *port)));
    let (address, port_key) = address.map_or((None, "net.peer.port"), |(address, port)| (Some(address), port));
    // A host that is no address is in no field of Zipkin's. What came in as Zipkin is shown as it came: some write `10.0.0.04`.
    let is_like = |address: &String| address.bytes().all(|byte| byte.is_ascii_hexdigit() || b".:".contains(&byte));
    let address = address.filter(|address| if port_key == "net.peer.port" { is_like(address) } else { address.parse::<std::net::IpAddr>().is_ok() });
    let mut endpoint = Endpoint { service_name, ..Endpoint::default() }.with_address(address, port(attributes, port_key));
    endpoint.ipv6 = text(attributes, PEER_IPV6).or(endpoint.ipv6);
    endpoint.given()
}

/// A span whose other end has this name.
pub(super) fn is_called(name: &str) -> FieldExpr {
    let named = |key: &&str| compare(Attribute::Named(Scope::Span, (*key).to_owned()), CompareOp::Equal, Static::Text(name.to_owned()));
    any(PEER_NAMES.iter().map(named).collect())
}

fn text(attributes: &Attributes, key: &str) -> Option<String> {
    attributes.iter().find(|(candidate, _)| candidate == key).map(|(_, value)| value.to_text())
}

fn port(attributes: &Attributes, key: &str) -> Option<u16> {
    match attributes.iter().find(|(candidate, _)| candidate == key)? {
        (_, AttributeValue::Int(port)) => u16::try_from(*port).ok(),
        (_, other) => other.to_text().parse().ok(),
    }
}
