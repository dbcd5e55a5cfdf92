//! Fluent forward, the protocol of Fluentd and Fluent Bit, over TCP and TLS; heartbeats over UDP are answered.
//!
//! Specification: <https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1>.
//!
//! All modes: Message, Forward, PackedForward, CompressedPackedForward (gzip, or zstd as Fluentd has it since 1.19). A message
//! with the option `chunk` is answered with `ack` once its events are durable; while the store refuses, such a connection is
//! closed without an answer, and the client sends again. What has no `chunk` waits.
//!
//! | wire | column |
//! |---|---|
//! | tag | attribute `fluent.tag`; `service.name` of the resource with [`Mapping::service_from_tag`] |
//! | time: seconds, or `EventTime` | timestamp |
//! | no time, or one that the store does not take | arrival; the latter stays in attribute `fluent.timestamp` |
//! | the first of [`Mapping::message_keys`] that a record has | body |
//! | a record without any of them | body, as JSON, and its fields as attributes |
//! | `level`, `severity`, `log.level`, if it is a word or number for one | severity |
//! | `service.name`, `service_name` | `service.name` of the resource |
//! | other fields, and metadata of Fluent Bit | attributes |
//!
//! ## Metrics
//! See [`crate::socket`]; `protocol` is `forward`.

mod event;
pub mod handshake;
mod message;
pub mod msgpack;
mod secret;

use std::net::IpAddr;

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result, Tenant};

use self::handshake::{Guard, NONCE_BYTES};
pub use self::message::Messages;
pub use self::secret::Secret;
use crate::door::{Budget, Context, Entry};
use crate::http::Protocol;
use crate::logs::Assembler;
use crate::socket::{self, Datagrams, Limits, Listening, Socket, Streams, Tls};

const PROTOCOL: Protocol = Protocol("forward");

/// Settings of Fluent forward.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port for TCP, and for heartbeats over UDP; port 0 takes a free one, the empty text listens nowhere.
    pub listen: String,
    /// Address and port for TLS; it needs the files of `tls`. Empty: none.
    pub tls_listen: String,
    /// Certificate, key, and who may connect.
    pub tls: Tls,
    /// The tenant whose records all of these are, whatever the address: there is no header that could name one.
    pub tenant: String,
    /// Key that clients must know (`shared_key` of Fluentd, `Shared_Key` of Fluent Bit). Empty: everybody may send.
    pub shared_key: Secret,
    /// Users, one of which a client must be; they need `shared_key`. None: the key is enough.
    pub users: Vec<User>,
    /// Name of this server in the handshake. It MUST be another one than that of each client.
    pub self_hostname: String,
    /// Largest message in bytes, both as it arrives and decompressed.
    pub message_bytes_max: usize,
    /// How events become records.
    pub mapping: Mapping,
    /// Limits of connections.
    pub limits: Limits,
}

/// Who may send.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct User {
    /// Name.
    pub name: String,
    /// Password.
    pub password: Secret,
}

/// How events become records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Keys of a record whose value is the body, the first that is there.
    pub message_keys: Vec<String>,
    /// Whether the tag names the service of records that do not name it themselves.
    pub service_from_tag: bool,
}

impl Default for Mapping {
    fn default() -> Self {
        Self { message_keys: ["log", "message", "msg"].map(str::to_owned).to_vec(), service_from_tag: false }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:24224".to_owned(),
            tls_listen: String::new(),
            tls: Tls::default(),
            tenant: Tenant::DEFAULT.to_owned(),
            shared_key: Secret::default(),
            users: Vec::new(),
            self_hostname: "signalbox".to_owned(),
            message_bytes_max: 64 << 20,
            mapping: Mapping::default(),
            limits: Limits::default(),
        }
    }
}

/// Binds the addresses.
///
/// # Errors
/// If an address cannot be had or a setting makes no sense; the message names it.
pub async fn listen(settings: &Settings) -> Result<Vec<Listening>> {
    if !settings.users.is_empty() && settings.shared_key.reveal().is_empty() {
        return Err(Error::invalid("cannot know users without a key: want receive.forward.shared_key beside receive.forward.users"));
    }
    let tenant = socket::tenant(&settings.tenant, "receive.forward.tenant")?;
    let streams = |door, tls| Streams { door, protocol: PROTOCOL, tenant: tenant.clone(), limits: settings.limits.clone(), tls };
    let own = settings.clone();
    let converse = move |entry: &Entry, _| of_connection(&own, &entry.budget);
    let mut listening = Vec::new();
    if !settings.listen.is_empty() {
        let (tcp, udp, address) = socket::bind_both(&settings.listen, "receive.forward.listen").await?;
        listening.push(streams("forward", None).listen((tcp, address), converse.clone()));
        let heartbeats = Socket { door: "forward-udp", protocol: PROTOCOL, tenant: tenant.clone(), limits: settings.limits.clone() };
        listening.push(heartbeats.listen((udp, address), |_| Heartbeats));
    }
    if !settings.tls_listen.is_empty() {
        let acceptor = settings.tls.acceptor("receive.forward.tls")?;
        let bound = socket::bind(&settings.tls_listen, "receive.forward.tls_listen").await?;
        listening.push(streams("forward-tls", Some(acceptor)).listen(bound, converse));
    }
    Ok(listening)
}

fn of_connection(settings: &Settings, budget: &Budget) -> Messages {
    let messages = Messages::new(settings, budget.clone());
    if settings.shared_key.reveal().is_empty() {
        return messages;
    }
    let (mut nonce, mut salt) = ([0; NONCE_BYTES], [0; NONCE_BYTES]);
    let random = SystemRandom::new();
    if random.fill(&mut nonce).and_then(|()| random.fill(&mut salt)).is_err() {
        tracing::error!("cannot greet a client of Fluent forward: the system has no random bytes");
        return messages.closed();
    }
    messages.guarded(Guard::new(&settings.shared_key, &settings.self_hostname, &settings.users, nonce, salt))
}

/// Datagrams that ask whether the server lives.
#[derive(Debug)]
struct Heartbeats;

impl Datagrams for Heartbeats {
    type Rows<'c> = Assembler<'c>;

    fn take(&mut self, _datagram: &[u8], _peer: IpAddr, _context: &Context<'_>, _assembler: &mut Assembler<'_>) {}

    /// One NUL, as Fluentd answers. Nothing larger than a question is sent back, so that nobody is flooded by it.
    fn answer(datagram: &[u8]) -> Option<&'static [u8]> {
        (!datagram.is_empty()).then_some(b"\0")
    }
}
