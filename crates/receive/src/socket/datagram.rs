//! Datagrams: whatever waits becomes one batch and one write. While it is written, more are taken in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use signalbox_model::Tenant;
use signalbox_telemetry::{Counter, names, registry};
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::delivery::Delivery;
use super::listen::Listening;
use super::quiet::Quiet;
use crate::door::{Context, Decoded, Entry, Share};
use crate::http::Protocol;
use crate::{logs, spans};

/// How long the first datagram of a batch waits for others.
const LINGER: Duration = Duration::from_millis(5);
/// The largest datagram that there is.
const DATAGRAM_BYTES_MAX: usize = 64 << 10;
/// Bytes of one batch.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// What a datagram in the queue costs besides its bytes.
const PACKET_BYTES: usize = size_of::<(usize, IpAddr)>();
/// Datagrams that are read before others get their turn.
const READS_IN_A_ROW: usize = 256;

/// What datagrams say: bytes to rows. Pure; MUST bound what it remembers between two datagrams.
pub trait Datagrams: Send + 'static {
    /// What gathers the rows of a batch.
    type Rows<'c>: Gather<'c>;

    /// Reads one datagram.
    fn take(&mut self, datagram: &[u8], peer: IpAddr, context: &Context<'_>, rows: &mut Self::Rows<'_>);

    /// What is sent back at once, before anything is read: for heartbeats.
    fn answer(_datagram: &[u8]) -> Option<&'static [u8]> {
        None
    }
}

/// Gathers rows.
pub trait Gather<'c>: Send {
    /// None yet.
    fn begin(context: &Context<'c>) -> Self;

    /// What a door hands on.
    fn finish(self) -> Decoded;
}

impl<'c> Gather<'c> for logs::Assembler<'c> {
    fn begin(context: &Context<'c>) -> Self {
        Self::new(context)
    }

    fn finish(self) -> Decoded {
        Self::finish(self)
    }
}

impl<'c> Gather<'c> for spans::Assembler<'c> {
    fn begin(context: &Context<'c>) -> Self {
        Self::new(context)
    }

    fn finish(self) -> Decoded {
        Self::finish(self)
    }
}

/// A door of datagrams.
pub(crate) struct Socket {
    /// What it is called in output.
    pub(crate) door: &'static str,
    /// What it is called in metrics.
    pub(crate) protocol: Protocol,
    /// Whose its rows are.
    pub(crate) tenant: Tenant,
    pub(crate) limits: Limits,
}

impl Socket {
    /// On an address.
    pub(crate) fn listen<D: Datagrams>(self, (udp, address): (UdpSocket, SocketAddr), make: impl FnOnce(&Entry) -> D + Send + Sync + 'static) -> Listening {
        let door = self.door;
        Listening::new(
            door,
            address,
            Box::new(move |entry, stop| {
                let datagrams = make(&entry);
                Box::pin(serve(self, udp, entry, stop, datagrams))
            }),
        )
    }
}

/// Datagrams that were read and not yet decoded.
#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    /// Where each ends, and who sent it.
    packets: Vec<(usize, IpAddr)>,
    share: Option<Share>,
    is_closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    arrived: Notify,
    delivery: Delivery,
    dropped: Counter,
    quiet: Quiet,
    bytes_max: usize,
}

async fn serve<D: Datagrams>(socket: Socket, udp: UdpSocket, entry: Entry, stop: CancellationToken, datagrams: D) {
    let Socket { door, protocol, tenant, limits } = socket;
    // The system gives what it allows; less is not an error.
    if let Err(error) = SockRef::from(&udp).set_recv_buffer_size(limits.datagram_socket_bytes) {
        tracing::debug!(door, "cannot have a receive buffer of {} bytes: {error}", limits.datagram_socket_bytes);
    }
    let shared = Arc::new(Shared {
        queue: Mutex::default(),
        arrived: Notify::new(),
        delivery: Delivery::new(entry, protocol, tenant),
        dropped: registry().counter(names::RECEIVE_DROPPED_DATAGRAMS_TOTAL, &[("protocol", protocol.0)]),
        quiet: Quiet::default(),
        bytes_max: limits.datagram_queue_bytes.max(DATAGRAM_BYTES_MAX),
    });
    let writer = tokio::spawn(write(Arc::clone(&shared), datagrams));
    receive::<D>(&udp, &shared, &stop).await;
    shared.queue.lock().is_closed = true;
    shared.arrived.notify_one();
    let abort = writer.abort_handle();
    if tokio::time::timeout(Duration::from_secs(limits.drain_seconds), writer).await.is_err() {
        abort.abort();
        tracing::error!(door, "lost records: datagrams could not be written in {} seconds", limits.drain_seconds);
    }
}

/// Reads until `stop`, then what waits with the system.
async fn receive<D: Datagrams>(udp: &UdpSocket, shared: &Shared, stop: &CancellationToken) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let is_last = tokio::select! {
            biased;
            () = stop.cancelled() => true,
            // Should the socket fail, reading tells.
            _ready = udp.readable() => false,
        };
        loop {
            let mut has_more = false;
            for _ in 0..READS_IN_A_ROW {
                match udp.try_recv_from(&mut buffer) {
                    Ok((length, peer)) => {
                        let datagram = buffer.get(..length).unwrap_or_default();
                        if let Some(answer) = D::answer(datagram) {
                            // A lost answer is like a lost question.
                            let _sent = udp.try_send_to(answer, peer);
                        }
                        shared.push(datagram, peer.ip().to_canonical());
                        has_more = true;
                    }
                    Err(_) => {
                        has_more = false;
                        break;
                    }
                }
            }
            if !has_more {
                break;
            }
            tokio::task::yield_now().await;
        }
        if is_last {
            return;
        }
    }
}

impl Shared {
    fn push(&self, datagram: &[u8], peer: IpAddr) {
        let mut queue = self.queue.lock();
        let cost = datagram.len() + PACKET_BYTES;
        let is_full = queue.bytes.len() + queue.packets.len() * PACKET_BYTES + cost > self.bytes_max;
        if is_full || queue.share.get_or_insert_with(|| self.delivery.entry.budget.share()).grow(cost).is_err() {
            drop(queue);
            self.dropped.add(1);
            if let Some(unsaid) = self.quiet.speak(self.delivery.entry.clock.monotonic()) {
                tracing::error!(protocol = self.delivery.protocol.0, unsaid, "lost records: datagrams arrive faster than they are written");
            }
            return;
        }
        queue.bytes.extend_from_slice(datagram);
        let end = queue.bytes.len();
        queue.packets.push((end, peer));
        drop(queue);
        self.arrived.notify_one();
    }

    /// What waits; `None` at the end.
    async fn next(&self) -> Option<Queue> {
        loop {
            {
                let mut queue = self.queue.lock();
                let is_closed = queue.is_closed;
                if !queue.packets.is_empty() {
                    return Some(std::mem::replace(&mut *queue, Queue { is_closed, ..Queue::default() }));
                }
                if is_closed {
                    return None;
                }
            }
            self.arrived.notified().await;
            let is_closed = self.queue.lock().is_closed;
            if !is_closed {
                tokio::time::sleep(LINGER).await;
            }
        }
    }
}

async fn write<D: Datagrams>(shared: Arc<Shared>, mut datagrams: D) {
    while let Some(Queue { bytes, packets, share, .. }) = shared.next().await {
        let (mut start, mut rest) = (0, packets.as_slice());
        while !rest.is_empty() {
            // A batch is of a size that the store takes in one go.
            let end = rest.iter().position(|(end, _)| end - start > BATCH_BYTES_MAX).unwrap_or(rest.len()).max(1);
            let (now, later) = rest.split_at(end);
            let from = start;
            let decoded = shared.delivery.decode(|context| {
                let mut rows = D::Rows::begin(context);
                for (end, peer) in now {
                    datagrams.take(bytes.get(start..*end).unwrap_or_default(), *peer, context, &mut rows);
                    start = *end;
                }
                rows.finish()
            });
            if !is_empty(&decoded) {
                shared.delivery.insist(decoded, start - from).await;
            }
            rest = later;
        }
        drop(share);
    }
}

/// Whether there is nothing to say: heartbeats, and pieces of messages that are not complete.
fn is_empty(decoded: &Decoded) -> bool {
    decoded.batches.is_empty() && decoded.rejected.is_empty()
}
