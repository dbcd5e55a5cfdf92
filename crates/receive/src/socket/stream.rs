//! Connections: read, decode, write, reply, in this order.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use signalbox_model::{Error, Result, Tenant};
use signalbox_telemetry::{Gauge, names, registry};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::delivery::Delivery;
use super::listen::Listening;
use crate::door::{Context, Decoded, Entry, Share};
use crate::http::Protocol;

/// Bytes that are read in one go: the first of a connection, and the most when more waits than was asked for.
const READ_BYTES_MIN: usize = 8 << 10;
const READ_BYTES_MAX: usize = 256 << 10;
/// More than this is decoded on a thread of its own, so that it does not delay others of the same runtime thread.
const INLINE_BYTES_MAX: usize = 256 << 10;
/// Pause until memory is asked for again.
const MEMORY_PAUSE: Duration = Duration::from_millis(50);
/// Pause after a failed accept: nearly always a lack of file descriptors, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A connection that is silent this long while the server stops is done.
const QUIET: Duration = Duration::from_millis(50);
/// How long a client may take for a handshake of TLS, or to take a reply.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that has been silent this long is asked by the system whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// What one connection says: bytes to rows and replies. Pure; MUST bound by itself what it leaves in the input.
pub trait Conversation: Send + 'static {
    /// What the server says first.
    fn greeting(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// Takes whatever is complete from the front of `input`. `is_last` says that nothing will follow.
    fn read(&mut self, input: &mut BytesMut, is_last: bool, context: &Context<'_>) -> Turn;
}

/// What became of some bytes of a connection.
#[derive(Debug, Default)]
pub struct Turn {
    /// Rows.
    pub decoded: Decoded,
    /// What the client is told once the rows are durable.
    pub reply: Vec<u8>,
    /// Whether the client sends again what was not acknowledged: then a refusal of the sink ends the connection.
    pub is_resent: bool,
    /// Why the connection cannot go on.
    pub end: Option<Error>,
    /// What is to be done before the next turn.
    pub next: Next,
    /// Memory behind the rows.
    pub share: Option<Share>,
}

/// A door of connections.
pub(crate) struct Streams {
    /// What it is called in output.
    pub(crate) door: &'static str,
    /// What it is called in metrics.
    pub(crate) protocol: Protocol,
    /// Whose its rows are.
    pub(crate) tenant: Tenant,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<TlsAcceptor>,
}

/// What a conversation waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Next {
    /// More bytes.
    #[default]
    Bytes,
    /// Nothing: these were enough for one write, and more are complete.
    Turn,
    /// Memory, of which none is left now.
    Memory,
}

impl Streams {
    /// On an address; `make` gives what a connection from there says.
    pub(crate) fn listen<C, F>(self, (tcp, address): (TcpListener, SocketAddr), make: F) -> Listening
    where
        C: Conversation,
        F: Fn(&Entry, IpAddr) -> C + Send + Sync + 'static,
    {
        let door = self.door;
        Listening::new(door, address, Box::new(move |entry, stop| Box::pin(serve(self, tcp, entry, stop, make))))
    }
}

async fn serve<C, F>(streams: Streams, tcp: TcpListener, entry: Entry, stop: CancellationToken, make: F)
where
    C: Conversation,
    F: Fn(&Entry, IpAddr) -> C + Send + Sync + 'static,
{
    let Streams { door, protocol, tenant, limits, tls } = streams;
    let connections_max = limits.connections_max.clamp(1, Semaphore::MAX_PERMITS);
    let connections = Arc::new(Semaphore::new(connections_max));
    let open = registry().gauge(names::RECEIVE_CONNECTIONS, &[("listener", door)]);
    let delivery = Arc::new(Delivery::new(entry, protocol, tenant));
    let idle = Duration::from_secs(limits.idle_timeout_seconds.max(1));
    let mut running = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_ended) = running.join_next() => continue,
            accepted = accept(&tcp, &connections) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                let count = Count { permit: Some(permit), open: open.clone(), connections: Arc::clone(&connections), max: connections_max };
                count.show();
                let conversation = make(&delivery.entry, peer.ip().to_canonical());
                let connection = Connection { delivery: Arc::clone(&delivery), peer, idle, stop: stop.clone() };
                let tls = tls.clone();
                running.spawn(async move {
                    match tls {
                        None => connection.run(stream, conversation).await,
                        Some(acceptor) => match tokio::time::timeout(REPLY_TIMEOUT, acceptor.accept(stream)).await {
                            Ok(Ok(stream)) => connection.run(stream, conversation).await,
                            Ok(Err(error)) => connection.complain(&Error::invalid(format!("no TLS: {error}"))),
                            Err(_) => connection.complain(&Error::invalid("no handshake of TLS in time")),
                        },
                    }
                    drop(count);
                });
            }
            Err(error) => {
                tracing::warn!(door, "cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(tcp);
    let all = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(limits.drain_seconds), all).await.is_err() {
        tracing::warn!(door, "cut off {} connections that did not end in {} seconds", running.len(), limits.drain_seconds);
    }
}

/// One open connection, counted until it is dropped.
struct Count {
    permit: Option<OwnedSemaphorePermit>,
    open: Gauge,
    connections: Arc<Semaphore>,
    max: usize,
}

impl Count {
    fn show(&self) {
        self.open.set(self.max.saturating_sub(self.connections.available_permits()) as f64);
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.show();
    }
}

async fn accept(tcp: &TcpListener, connections: &Arc<Semaphore>) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = tcp.accept().await?;
    if let Err(error) = stream.set_nodelay(true).and_then(|()| SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))) {
        // Of one that has closed already; what it sent is there.
        tracing::debug!("cannot set up a connection: {error}");
    }
    Ok((stream, peer, permit))
}

struct Connection {
    delivery: Arc<Delivery>,
    peer: SocketAddr,
    idle: Duration,
    stop: CancellationToken,
}

impl Connection {
    fn complain(&self, error: &Error) {
        self.delivery.complain(&self.peer, error);
    }

    async fn run<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, conversation: impl Conversation) {
        if let Err(error) = self.converse(stream, conversation).await {
            self.complain(&error);
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S, mut conversation: impl Conversation) -> Result<()> {
        let mut hearing = send(&mut stream, &conversation.greeting()).await;
        let (mut buffer, mut step, mut memory) = (BytesMut::new(), READ_BYTES_MIN, Memory::default());
        loop {
            buffer.reserve(step);
            let room = buffer.capacity() - buffer.len();
            let bytes = self.receive(&mut stream, &mut buffer).await;
            step = if bytes == room { (step * 2).min(READ_BYTES_MAX) } else { step };
            memory.cover(&self.delivery.entry, buffer.capacity()).await;
            loop {
                let turn;
                (turn, conversation, buffer) = self.decode(conversation, buffer, bytes == 0).await?;
                let Turn { decoded, reply, is_resent, end, next, share } = turn;
                let is_idle = next == Next::Memory && decoded.batches.is_empty() && decoded.rejected.is_empty();
                if is_resent && !is_idle {
                    if self.delivery.offer(&decoded, bytes).await.is_err() {
                        return Ok(());
                    }
                } else if !is_idle {
                    self.delivery.insist(decoded, bytes).await;
                }
                drop(share);
                // Who is gone may have sent more before, and that is here.
                if hearing == Hearing::Listens {
                    hearing = send(&mut stream, &reply).await;
                }
                if hearing == Hearing::Blocks {
                    return Ok(());
                }
                if let Some(error) = end {
                    return Err(error);
                }
                match next {
                    Next::Bytes => break,
                    Next::Turn => {}
                    Next::Memory => tokio::time::sleep(MEMORY_PAUSE).await,
                }
            }
            if bytes == 0 {
                // How a client ends its connection is its own affair.
                let _ended = stream.shutdown().await;
                return Ok(());
            }
            if buffer.is_empty() {
                memory = Memory::default();
                if step > READ_BYTES_MIN && buffer.capacity() > READ_BYTES_MAX {
                    (buffer, step) = (BytesMut::new(), READ_BYTES_MIN);
                }
            }
        }
    }

    /// Reads once; 0 when nothing will follow: the end, a failure, silence, or the stop of the server.
    async fn receive<S: AsyncRead + Unpin>(&self, stream: &mut S, buffer: &mut BytesMut) -> usize {
        let read = if self.stop.is_cancelled() {
            tokio::time::timeout(QUIET, stream.read_buf(buffer)).await
        } else {
            tokio::select! {
                read = tokio::time::timeout(self.idle, stream.read_buf(buffer)) => read,
                () = self.stop.cancelled() => tokio::time::timeout(QUIET, stream.read_buf(buffer)).await,
            }
        };
        match read {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => {
                tracing::debug!(peer = %self.peer, "connection ended: {error}");
                0
            }
            Err(_) => 0,
        }
    }

    async fn decode<C: Conversation>(&self, mut conversation: C, mut buffer: BytesMut, is_last: bool) -> Result<(Turn, C, BytesMut)> {
        let delivery = Arc::clone(&self.delivery);
        let is_small = buffer.len() <= INLINE_BYTES_MAX;
        let work = move || {
            let turn = delivery.decode(|context| conversation.read(&mut buffer, is_last, context));
            (turn, conversation, buffer)
        };
        if is_small {
            return Ok(work());
        }
        tokio::task::spawn_blocking(work).await.map_err(|source| Error::internal("cannot decode: the decoder stopped").with_source(source))
    }
}

/// Memory of one connection's buffer.
#[derive(Default)]
struct Memory {
    share: Option<Share>,
    bytes: usize,
}

impl Memory {
    /// Takes what a buffer of this size needs, as soon as it is there. Small buffers are bounded by the number of
    /// connections.
    async fn cover(&mut self, entry: &Entry, bytes: usize) {
        if bytes <= READ_BYTES_MIN.max(self.bytes) {
            return;
        }
        let share = self.share.get_or_insert_with(|| entry.budget.share());
        while share.grow(bytes - self.bytes).is_err() {
            tokio::time::sleep(MEMORY_PAUSE).await;
        }
        self.bytes = bytes;
    }
}

/// What a client does with replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hearing {
    /// Takes them.
    Listens,
    /// Is gone.
    Gone,
    /// Is there and does not take them.
    Blocks,
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, reply: &[u8]) -> Hearing {
    if reply.is_empty() {
        return Hearing::Listens;
    }
    let sent = async {
        stream.write_all(reply).await?;
        stream.flush().await
    };
    match tokio::time::timeout(REPLY_TIMEOUT, sent).await {
        Ok(Ok(())) => Hearing::Listens,
        Ok(Err(_)) => Hearing::Gone,
        Err(_) => Hearing::Blocks,
    }
}
