//! Syslog: RFC 5424 and RFC 3164, over UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425).
//!
//! Which format a message has and how it is framed is seen from each message. Nothing is refused: what is not understood
//! becomes text. There are no replies; a sender over TCP or TLS is slowed down while the store cannot write.
//!
//! | wire | column |
//! |---|---|
//! | severity | severity number (emerg 21, alert 19, crit 18, err 17, warning 13, notice 10, info 9, debug 5) and its name |
//! | facility | attribute `syslog.facility`: `kern`, `user`, …, `local7` |
//! | version, unless 1 | attribute `syslog.version` |
//! | timestamp | timestamp; without a year the latest one that fits, without a zone that of [`Settings::time_zone`] |
//! | no timestamp, or one that the store does not take | arrival; the latter stays in attribute `syslog.timestamp` |
//! | hostname, else the address of the sender | `host.name` of the resource |
//! | app name, tag | `service.name` of the resource |
//! | process id | attribute `process.pid` if it is a number, else `syslog.procid` |
//! | message id | attribute `syslog.msgid` |
//! | structured data `[id name="value"]` | attribute `id.name`; `id` with the value true for an element without parameters |
//! | text | body, without byte order mark and without a single space before it |
//! | text or name that is not UTF-8 | repaired; attribute `log.repaired` |
//! | a message beyond [`Settings::message_bytes_max`] or cut short | its beginning; attribute `log.truncated` |
//! | a message that breaks the rules of its format | what could be read; attribute `syslog.malformed` says why |
//!
//! ## Metrics
//! See [`crate::socket`]; `protocol` is `syslog`.

pub mod framing;
mod message;
mod record;
mod rfc3164;
mod rfc5424;
mod time;

use std::net::IpAddr;

use bytes::{Buf as _, BytesMut};
use serde::{Deserialize, Serialize};
use signalbox_model::{Result, Tenant};

use self::framing::{Frame, Framing};
pub use self::message::{Element, FACILITIES, Fault, Message};
use self::record::Records;
pub use self::rfc3164::parse as parse_3164;
pub use self::rfc5424::parse as parse_5424;
pub use self::time::{Local, When};
use crate::door::Context;
use crate::http::Protocol;
use crate::logs::Assembler;
use crate::socket::{self, Conversation, Datagrams, Limits, Listening, Socket, Streams, Tls, Turn};

const PROTOCOL: Protocol = Protocol("syslog");

/// Settings of syslog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port for TCP and UDP; port 0 takes a free one, the empty text listens nowhere. Port 514, where senders
    /// look by default, needs privileges.
    pub listen: String,
    /// Address and port for TLS, usually port 6514; it needs the files of `tls`. Empty: none.
    pub tls_listen: String,
    /// Certificate, key, and who may connect.
    pub tls: Tls,
    /// The tenant whose records all of these are, whatever the address: there is no header that could name one.
    pub tenant: String,
    /// Zone of times without one, as RFC 3164 has them: `UTC`, `local`, an offset such as `+02:00`, or a name such as
    /// `Europe/Berlin`.
    pub time_zone: String,
    /// Longest message in bytes; of longer ones the beginning is kept.
    pub message_bytes_max: usize,
    /// Limits of connections and datagrams.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:1514".to_owned(),
            tls_listen: String::new(),
            tls: Tls::default(),
            tenant: Tenant::DEFAULT.to_owned(),
            time_zone: "UTC".to_owned(),
            message_bytes_max: 64 << 10,
            limits: Limits::default(),
        }
    }
}

/// Binds the addresses.
///
/// # Errors
/// If an address cannot be had or a setting makes no sense; the message names it.
pub async fn listen(settings: &Settings) -> Result<Vec<Listening>> {
    // Complains now about a zone that is none.
    Messages::new(settings)?;
    let tenant = socket::tenant(&settings.tenant, "receive.syslog.tenant")?;
    let streams = |door, tls| Streams { door, protocol: PROTOCOL, tenant: tenant.clone(), limits: settings.limits.clone(), tls };
    let own = settings.clone();
    let converse = move |_: &_, peer| Lines::new(&own, peer);
    let mut listening = Vec::new();
    if !settings.listen.is_empty() {
        let (tcp, udp, address) = socket::bind_both(&settings.listen, "receive.syslog.listen").await?;
        listening.push(streams("syslog", None).listen((tcp, address), converse.clone()));
        let (own, limits) = (settings.clone(), settings.limits.clone());
        let datagrams = Socket { door: "syslog-udp", protocol: PROTOCOL, tenant: tenant.clone(), limits };
        listening.push(datagrams.listen((udp, address), move |_| Messages::of(&own)));
    }
    if !settings.tls_listen.is_empty() {
        let acceptor = settings.tls.acceptor("receive.syslog.tls")?;
        let bound = socket::bind(&settings.tls_listen, "receive.syslog.tls_listen").await?;
        listening.push(streams("syslog-tls", Some(acceptor)).listen(bound, converse));
    }
    Ok(listening)
}

/// Messages, one a datagram.
#[derive(Debug)]
pub struct Messages {
    message_bytes_max: usize,
    records: Records,
}

impl Messages {
    /// With these settings.
    ///
    /// # Errors
    /// If there is no such time zone.
    pub fn new(settings: &Settings) -> Result<Self> {
        Ok(Self { message_bytes_max: settings.message_bytes_max, records: Records::new(time::zone(&settings.time_zone)?) })
    }

    /// With settings that have been looked at.
    fn of(settings: &Settings) -> Self {
        let zone = time::zone(&settings.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
        Self { message_bytes_max: settings.message_bytes_max, records: Records::new(zone) }
    }

    fn push(&mut self, frame: Frame<'_>, peer: IpAddr, context: &Context<'_>, assembler: &mut Assembler<'_>) {
        let end = frame.bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).map_or(0, |last| last + 1);
        let bytes = frame.bytes.get(..end).unwrap_or_default();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        self.records.push(&Frame { bytes, ..frame }, peer, context, assembler);
    }
}

impl Datagrams for Messages {
    type Rows<'c> = Assembler<'c>;

    fn take(&mut self, datagram: &[u8], peer: IpAddr, context: &Context<'_>, assembler: &mut Assembler<'_>) {
        let bytes = datagram.get(..self.message_bytes_max).unwrap_or(datagram);
        self.push(Frame { bytes, is_truncated: bytes.len() < datagram.len() }, peer, context, assembler);
    }
}

/// Messages of one connection.
#[derive(Debug)]
pub struct Lines {
    framing: Framing,
    messages: Messages,
    peer: IpAddr,
}

impl Lines {
    /// From this sender. An unknown time zone counts as UTC: [`listen`] complains about it.
    pub fn new(settings: &Settings, peer: IpAddr) -> Self {
        Self { framing: Framing::new(settings.message_bytes_max), messages: Messages::of(settings), peer }
    }
}

impl Conversation for Lines {
    fn read(&mut self, input: &mut BytesMut, is_last: bool, context: &Context<'_>) -> Turn {
        let mut assembler = Assembler::new(context);
        while let Some(step) = self.framing.next(input, is_last) {
            if let Some(frame) = step.frame {
                self.messages.push(frame, self.peer, context, &mut assembler);
            }
            let consumed = step.consumed;
            input.advance(consumed);
        }
        Turn { decoded: assembler.finish(), ..Turn::default() }
    }
}
