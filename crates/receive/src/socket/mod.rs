//! One harness for all doors that are no HTTP: TCP, TLS and UDP, with bounds on connections, silence, memory and draining.
//!
//! A protocol hands in a [`Conversation`] (the bytes of one connection) or [`Datagrams`], both pure: bytes and time in, rows
//! and replies out. Everything that waits is here.
//!
//! Nothing that a sender cannot send again is dropped on a connection: while the store refuses or memory is used up, the
//! harness does not read, and the sender's own window fills. Datagrams have nobody who waits: past
//! [`Limits::datagram_queue_bytes`] they are dropped and counted.
//!
//! ## Metrics
//! `signalbox_receive_*` with the `protocol` of the door, where a request is what was read in one go;
//! `signalbox_receive_connections`, `signalbox_receive_dropped_datagrams_total`.

mod datagram;
mod delivery;
mod listen;
mod quiet;
mod stream;
mod tls;

use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result, Tenant};

pub(crate) use datagram::Socket;
pub use datagram::{Datagrams, Gather};
pub use listen::Listening;
pub(crate) use listen::{bind, bind_both, bind_datagrams};
pub(crate) use stream::Streams;
pub use stream::{Conversation, Next, Turn};
pub use tls::Tls;

/// The tenant that a setting names: a door that is no HTTP has no header that could say it.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Invalid`] if it is no name of a tenant; the message names the setting.
pub(crate) fn tenant(name: &str, setting: &str) -> Result<Tenant> {
    Tenant::new(name).map_err(|error| Error::invalid(format!("{setting}: {error}")))
}

/// Limits of a door that is no HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections of each address at a time; more wait in the queue of the system.
    pub connections_max: usize,
    /// A connection on which nothing arrives for so many seconds is closed. Long, because senders keep connections open and
    /// many notice only with their next message that one was closed; connections whose other end is gone are found sooner.
    pub idle_timeout_seconds: u64,
    /// Bytes of datagrams that may wait to be written; more are dropped.
    pub datagram_queue_bytes: usize,
    /// Bytes that the system may keep of datagrams that were not read yet. The system's own limit, such as
    /// `net.core.rmem_max`, holds as well.
    pub datagram_socket_bytes: usize,
    /// How long what has arrived may take to be written when the server stops, in seconds.
    pub drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections_max: 1024, idle_timeout_seconds: 3600, datagram_queue_bytes: 32 << 20, datagram_socket_bytes: 8 << 20, drain_seconds: 10 }
    }
}
