//! Finds the two sides of a call: a client span, and the server span whose parent it is; so too a producer and a consumer.
//!
//! The sides arrive in any order, so the first waits for the other, for some seconds, and not too many wait. A side that waits in
//! vain may say itself who the other was: a client names its peer, and a server without a parent was called from outside. Calls
//! of databases wait for nobody, for databases send no spans.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use signalbox_model::{SpanId, TraceId};

use super::columns::{ERROR, Lengths, Spans};
use super::dimensions::{Dimension, Dimensions, clipped};
use super::settings::SpanMetricsSettings;

/// Who calls a server whose span has no parent and names no peer.
const USER: &str = "user";
/// What makes a client span the call of a database, and names it if nothing better does: the first that it has.
const DATABASE_ATTRIBUTES: [&str; 4] = ["db.namespace", "db.name", "db.system.name", "db.system"];
/// What tells where a database is.
const ADDRESS_ATTRIBUTES: [&str; 4] = ["peer.service", "server.address", "network.peer.address", "network.peer.port"];

/// How two services are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Connection {
    Request,
    Messaging,
    Database,
    /// One side is not instrumented.
    Virtual,
}

impl Connection {
    /// The value of the label `connection_type`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Request => "",
            Self::Messaging => "messaging_system",
            Self::Database => "database",
            Self::Virtual => "virtual_node",
        }
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) client: Arc<str>,
    pub(super) server: Arc<str>,
    pub(super) connection: Connection,
    pub(super) is_failed: bool,
    /// As the client saw it, if it was seen.
    pub(super) client_ns: Option<u64>,
    /// As the server saw it.
    pub(super) server_ns: Option<u64>,
    /// From the end of the producer to the start of the consumer.
    pub(super) queue_ns: Option<u64>,
    pub(super) trace_id: Option<TraceId>,
    pub(super) span_id: Option<SpanId>,
    pub(super) end_ms: i64,
    /// What the client's span says of the dimensions, and the server's; nothing of a side without a span.
    pub(super) dimensions: [Texts; 2],
}

/// Texts of dimensions in the order of these; `None` without dimensions.
pub(super) type Texts = Option<Arc<[Box<str>]>>;

/// Takes calls as they are found.
pub(super) type Found<'a> = &'a mut dyn FnMut(Call);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// A side that waits.
#[derive(Debug)]
struct Waiting {
    side: Side,
    service: Arc<str>,
    peer: Option<Arc<str>>,
    duration_ns: u64,
    /// End of a client, start of a server.
    instant_ns: i64,
    end_ms: i64,
    is_failed: bool,
    is_messaging: bool,
    trace_id: Option<TraceId>,
    span_id: Option<SpanId>,
    dimensions: Texts,
    /// Arrival number.
    number: u64,
    ticket: u64,
}

/// What became of sides without the other.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unpaired {
    /// They waited in vain, and do not say who the other is.
    pub(super) expired: u64,
    /// Too many waited.
    pub(super) dropped: u64,
}

/// The sides of calls that wait, of one tenant.
#[derive(Debug)]
pub(super) struct Pairs {
    waiting: HashMap<[u8; 24], Waiting>,
    /// In the order of their coming: key, ticket, when.
    order: VecDeque<([u8; 24], u64, Duration)>,
    peer_attributes: Vec<String>,
    dimensions: Vec<Dimension>,
    /// Lengths of all attributes that say something.
    lengths: Lengths,
    waiting_max: usize,
    wait: Duration,
    next_ticket: u64,
    pub(super) unpaired: Unpaired,
}

impl Pairs {
    pub(super) fn new(settings: &SpanMetricsSettings) -> Self {
        Self {
            waiting: HashMap::new(),
            order: VecDeque::new(),
            peer_attributes: settings.peer_attributes.clone(),
            dimensions: settings.edge_dimensions.iter().map(|attribute| Dimension::new(attribute, &[])).collect(),
            lengths: Lengths::of(DATABASE_ATTRIBUTES.into_iter().chain(ADDRESS_ATTRIBUTES).chain(settings.peer_attributes.iter().map(String::as_str))),
            waiting_max: settings.waiting_max,
            wait: Duration::from_secs(settings.wait_seconds),
            next_ticket: 0,
            unpaired: Unpaired::default(),
        }
    }

    /// Takes the spans with arrival numbers from `taken` on. Calls of which neither side has one from `first` on were found before.
    pub(super) fn add(&mut self, spans: &Spans<'_>, (taken, first): (u64, u64), now: Duration, found: Found<'_>) {
        let mut services: Vec<Option<Arc<str>>> = vec![None; spans.services.len()];
        let (mut dimensions, mut texts): (_, Vec<Texts>) = (Dimensions::new(&self.dimensions), Vec::new());
        for row in 0..spans.len() {
            if spans.numbers[row] < taken {
                continue;
            }
            // Spans of other kinds are no side of a call.
            let (side, is_messaging) = match spans.kinds[row] {
                2 => (Side::Server, false),
                3 => (Side::Client, false),
                4 => (Side::Client, true),
                5 => (Side::Server, true),
                _ => continue,
            };
            let code = spans.services.codes[row];
            let Some(service) = services.get_mut(code as usize) else { continue };
            let service = service.get_or_insert_with(|| clipped(spans.services.text(code)).into());
            // Without a name it is nobody.
            if service.is_empty() {
                continue;
            }
            let own_texts = if self.dimensions.is_empty() {
                None
            } else {
                let code = dimensions.code(&self.dimensions, spans, row) as usize;
                texts.resize(texts.len().max(code + 1), None);
                Some(Arc::clone(texts[code].get_or_insert_with(|| dimensions.texts(code as u32).into())))
            };
            let own = Waiting {
                side,
                service: Arc::clone(service),
                peer: None,
                duration_ns: spans.duration_ns(row),
                instant_ns: if side == Side::Client { spans.end_ns(row) } else { spans.start_ns(row) },
                end_ms: spans.end_ns(row).div_euclid(1_000_000),
                is_failed: spans.statuses[row] == ERROR,
                is_messaging,
                trace_id: spans.trace_id(row),
                span_id: spans.span_id(row),
                dimensions: own_texts,
                number: spans.numbers[row],
                ticket: 0,
            };
            match side {
                Side::Client => self.client(own, spans, row, first, now, found),
                Side::Server => self.server(own, spans, row, first, now, found),
            }
        }
    }

    fn client(&mut self, own: Waiting, spans: &Spans<'_>, row: usize, first: u64, now: Duration, found: Found<'_>) {
        let mut named = Named::default();
        for (key, value) in spans.attributes(row, self.lengths) {
            named.note(key, value, &self.peer_attributes);
        }
        if let Some(database) = named.database() {
            if own.number >= first {
                found(own.call(Arc::from(clipped(&database)), Connection::Database));
            }
            // A server that has this parent all the same is not part of another call.
            self.waiting.remove(&spans.own_key(row));
            return;
        }
        let own = Waiting { peer: named.peer.map(|(_, peer)| clipped(peer).into()), ..own };
        self.meet(spans.own_key(row), own, first, now, found);
    }

    fn server(&mut self, own: Waiting, spans: &Spans<'_>, row: usize, first: u64, now: Duration, found: Found<'_>) {
        if let Some(key) = spans.parent_key(row) {
            return self.meet(key, own, first, now, found);
        }
        if own.number < first {
            return;
        }
        let mut named = Named::default();
        for (key, value) in spans.attributes(row, self.lengths) {
            named.note(key, value, &self.peer_attributes);
        }
        let caller = named.peer.map_or(USER, |(_, peer)| clipped(peer));
        found(own.call(caller.into(), Connection::Virtual));
    }

    /// Finds the other side, or waits for it.
    fn meet(&mut self, key: [u8; 24], own: Waiting, first: u64, now: Duration, found: Found<'_>) {
        let is_full = self.waiting.len() >= self.waiting_max;
        match self.waiting.entry(key) {
            Entry::Occupied(other) if other.get().side != own.side => {
                let other = other.remove();
                if own.number.max(other.number) >= first {
                    found(together(own, other));
                }
            }
            // The same side again: that of a span sent twice, or the second of several that were called by one.
            Entry::Occupied(mut same) => {
                let ticket = same.get().ticket;
                same.insert(Waiting { ticket, ..own });
                self.unpaired.expired += 1;
            }
            Entry::Vacant(_) if is_full => self.unpaired.dropped += 1,
            Entry::Vacant(vacant) => {
                self.next_ticket += 1;
                vacant.insert(Waiting { ticket: self.next_ticket, ..own });
                self.order.push_back((key, self.next_ticket, now));
            }
        }
    }

    /// Gives up on those that waited too long.
    pub(super) fn expire(&mut self, now: Duration, found: Found<'_>) {
        while let Some((key, ticket, _)) = self.order.pop_front_if(|(_, _, since)| now.saturating_sub(*since) >= self.wait) {
            let Entry::Occupied(waiting) = self.waiting.entry(key) else { continue };
            if waiting.get().ticket != ticket {
                continue;
            }
            let own = waiting.remove();
            match (own.side, own.peer.clone()) {
                (Side::Client, Some(peer)) => found(own.call(peer, Connection::Virtual)),
                _ => self.unpaired.expired += 1,
            }
        }
    }

    /// The lowest arrival number of those that wait.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.waiting.values().map(|waiting| waiting.number).min()
    }
}

impl Waiting {
    /// The call whose other side sent no span.
    fn call(self, other: Arc<str>, connection: Connection) -> Call {
        let Self { side, service, duration_ns, is_failed, trace_id, span_id, end_ms, dimensions, .. } = self;
        let dimensions = if side == Side::Client { [dimensions, None] } else { [None, dimensions] };
        let duration_ns = Some(duration_ns);
        let (client, server, client_ns, server_ns) = match (side, connection) {
            // What the client waited for is all that is known of a database.
            (Side::Client, Connection::Database) => (service, other, duration_ns, duration_ns),
            (Side::Client, _) => (service, other, duration_ns, None),
            (Side::Server, _) => (other, service, None, duration_ns),
        };
        Call { client, server, connection, is_failed, client_ns, server_ns, queue_ns: None, trace_id, span_id, end_ms, dimensions }
    }
}

fn together(own: Waiting, other: Waiting) -> Call {
    let (client, server) = if own.side == Side::Client { (own, other) } else { (other, own) };
    let is_messaging = client.is_messaging || server.is_messaging;
    let queue_ns = u64::try_from(server.instant_ns.saturating_sub(client.instant_ns)).ok().filter(|queue_ns| is_messaging && *queue_ns > 0);
    Call {
        connection: if is_messaging { Connection::Messaging } else { Connection::Request },
        is_failed: client.is_failed || server.is_failed,
        client_ns: Some(client.duration_ns),
        server_ns: Some(server.duration_ns),
        queue_ns,
        trace_id: server.trace_id,
        span_id: server.span_id,
        end_ms: server.end_ms,
        dimensions: [client.dimensions, server.dimensions],
        client: client.service,
        server: server.service,
    }
}

/// What attributes say of the other side. Empty texts say nothing.
#[derive(Debug, Default)]
struct Named<'a> {
    /// With its place in the settings.
    peer: Option<(usize, &'a str)>,
    /// With its place in [`DATABASE_ATTRIBUTES`].
    database: Option<(usize, &'a str)>,
    peer_service: Option<&'a str>,
    server_address: Option<&'a str>,
    network_address: Option<&'a str>,
    network_port: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn note(&mut self, key: &str, value: &'a str, peer_attributes: &[String]) {
        if value.is_empty() {
            return;
        }
        if let Some(place) = peer_attributes.iter().position(|attribute| attribute == key)
            && self.peer.is_none_or(|(other, _)| place < other)
        {
            self.peer = Some((place, value));
        }
        match key {
            "peer.service" => self.peer_service = Some(value),
            "server.address" => self.server_address = Some(value),
            "network.peer.address" => self.network_address = Some(value),
            "network.peer.port" => self.network_port = Some(value),
            _ if key.starts_with("db.") => {
                if let Some(place) = DATABASE_ATTRIBUTES.iter().position(|attribute| *attribute == key)
                    && self.database.is_none_or(|(other, _)| place < other)
                {
                    self.database = Some((place, value));
                }
            }
            _ => {}
        }
    }

    /// The name of the database, if this is the call of one.
    fn database(&self) -> Option<String> {
        let (_, name) = self.database?;
        let network = || match (self.network_address?, self.network_port) {
            (address, Some(port)) => Some(format!("{address}:{port}")),
            (address, None) => Some(address.to_owned()),
        };
        let address = || self.peer_service.or(self.server_address).map(str::to_owned);
        Some(address().or_else(network).unwrap_or_else(|| name.to_owned()))
    }
}
