//! Listening and serving HTTP/1.1 and HTTP/2 without TLS: bounds on connections, on silence, on draining.
//!
//! A connection that moves no byte for a while is closed, whatever state it is in; a listener at its bound of connections
//! leaves new ones in the queue of the system. What a client has sent is taken even when it does not wait for the answer;
//! its questions end with it.

mod gate;
mod idle;
mod peer;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use serde::{Deserialize, Serialize};
use signalbox_api::http::RemoteAddress;
use signalbox_model::{Error, Result};
use signalbox_telemetry::{Gauge, names, registry};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

pub(crate) use gate::{Gate, not_now};
pub(crate) use peer::{Answer, Peer};

/// HTTP/2 streams of one connection at a time: what common servers allow.
const STREAMS_MAX: u32 = 256;
/// How long an HTTP/2 connection may be silent before it is asked whether it lives, and how long it may take to answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Pause after a failed accept: nearly always a lack of file descriptors, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Settings of the main address and of serving in general.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port of the API, the UI, Prometheus remote write, InfluxDB's line protocol and OTLP/HTTP; port 0 takes a free one. There is no
    /// authentication: listen on other addresses than the local one only in a trusted network.
    pub listen: String,
    /// Connections of each address at a time; more wait in the queue of the system.
    pub connections_max: usize,
    /// A connection on which no byte moves for so many seconds is closed. It MUST be longer than the longest query.
    pub idle_timeout_seconds: u64,
    /// Largest body of a request to the query APIs, in bytes. What senders of telemetry may send is set in `receive`.
    pub body_bytes_max: usize,
    /// How long requests under way may take to finish when the server stops, in seconds.
    pub drain_seconds: u64,
    /// Whether the header `X-Scope-OrgID` names the tenant of a request. Without it everything belongs to the tenant
    /// `default`. Questions of Prometheus', Loki's and Tempo's APIs may name several with `|` between them, and are answered
    /// from all of them. Turn it on only behind a proxy that sets the header: whoever can set it can read any tenant.
    pub trust_tenant_header: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4400".to_owned(),
            connections_max: 4096,
            idle_timeout_seconds: 180,
            body_bytes_max: 4 << 20,
            drain_seconds: 15,
            trust_tenant_header: false,
        }
    }
}

/// An address that is bound and not yet served.
#[derive(Debug)]
pub(crate) struct Listener {
    /// What it is called in output: `http`, `otlp-grpc`, `otlp-http`, `influx`.
    pub door: &'static str,
    /// The address, with the port that the system chose.
    pub address: SocketAddr,
    tcp: TcpListener,
}

impl Listener {
    /// Binds an address; `flag` is the one that changes it.
    ///
    /// # Errors
    /// `Invalid` if the address makes no sense, `Unavailable` if it cannot be had; both name the flag.
    pub(crate) async fn bind(door: &'static str, listen: &str, flag: &str) -> Result<Self> {
        let bound = match TcpListener::bind(listen).await {
            Ok(tcp) => tcp.local_addr().map(|address| Self { door, address, tcp }),
            Err(error) => Err(error),
        };
        bound.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => {
                Error::unavailable(format!("cannot listen on {listen}: another process does; stop it or choose another address with {flag}"))
            }
            ErrorKind::InvalidInput => Error::invalid(format!("cannot listen on {listen:?}: want ADDRESS:PORT in {flag}")).with_source(error),
            _ => Error::unavailable(format!("cannot listen on {listen}; {flag} chooses another address")).with_source(error),
        })
    }
}

/// Serves connections until `stop`, then lets requests under way finish, for `drain_seconds` at most.
pub(crate) async fn serve(listener: Listener, gate: Gate, settings: Settings, stop: CancellationToken) {
    let Listener { door, tcp, .. } = listener;
    let connections_max = settings.connections_max.clamp(1, Semaphore::MAX_PERMITS);
    let connections = Arc::new(Semaphore::new(connections_max));
    let open = registry().gauge(names::HTTP_CONNECTIONS, &[("listener", door)]);
    let graceful = GracefulShutdown::new();
    let protocol = Arc::new(protocol(&settings));
    let idle = Duration::from_secs(settings.idle_timeout_seconds.max(1));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&tcp, &connections) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => {
                let count = Count { permit: Some(permit), open: open.clone(), connections: Arc::clone(&connections), max: connections_max };
                count.show();
                let address = stream.peer_addr().ok().map(RemoteAddress);
                let (gate, peer) = (gate.clone(), Peer::new(stream));
                let asking = peer.clone();
                let answer = hyper::service::service_fn(move |mut request: Request<Incoming>| {
                    let gate = gate.clone();
                    request.extensions_mut().insert(asking.clone());
                    if let Some(address) = address {
                        request.extensions_mut().insert(address);
                    }
                    async move { gate.answer(request.map(Body::new)).await }
                });
                let io = TokioIo::new(idle::IdleStream::new(peer.clone(), idle));
                let connection = graceful.watch(protocol.serve_connection_with_upgrades(io, answer).into_owned());
                tokio::spawn(async move {
                    tokio::select! {
                        // How a client ends its connection is its own affair.
                        ended = connection => if let Err(error) = ended {
                            tracing::debug!("connection ended: {error}");
                        },
                        () = peer.abandons_a_question() => {}
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
    if tokio::time::timeout(Duration::from_secs(settings.drain_seconds), graceful.shutdown()).await.is_err() {
        tracing::warn!(door, "cut off the requests that did not finish in {} seconds", settings.drain_seconds);
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

async fn accept(tcp: &TcpListener, connections: &Arc<Semaphore>) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = tcp.accept().await?;
    if let Err(error) = stream.set_nodelay(true) {
        // Of one that has closed already; what it sent is there.
        tracing::debug!("cannot turn off delays: {error}");
    }
    Ok((stream, permit))
}

fn protocol(settings: &Settings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Some senders close without waiting for the answer. Without `half_close` what they sent is thrown away with them, often before a
    // handler has seen it; with it, `Peer` must end what is done for those who only ask.
    builder.http1().half_close(true).timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(settings.idle_timeout_seconds.max(1)));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .max_concurrent_streams(STREAMS_MAX)
        .adaptive_window(true);
    builder
}
