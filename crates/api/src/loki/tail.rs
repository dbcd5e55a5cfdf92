//! `tail`: a query followed over a WebSocket.
//!
//! Each message is an object with `streams`, as in an answer to a query, and `dropped_entries` if records came faster than the
//! client took them: how many and which is not known, so there is one without labels. A client that is slower than the store
//! loses records, never the store its speed.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use signalbox_lang::logql::{Expr, LogExpr};
use signalbox_model::{Error, ErrorKind, Owners, Result};
use signalbox_query::logql::{LogEntry, Tail, TailRequest, Tailed};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, MissedTickBehavior};

use super::params::{self, HOUR_NS, Refusal};
use super::render::{Encoding, write_streams};
use crate::ApiState;
use crate::http::{Askers, Params};

/// Seconds that a client may have records held back, for those that arrive late.
const DELAY_SECONDS_MAX: u64 = 5;
/// Records that are held back at most; then they are sent before their time.
const HELD_BACK_MAX: usize = 10_000;
/// Records of one message at most.
const MESSAGE_ENTRIES_MAX: usize = 1_000;
/// How often a silent connection is asked whether it lives: one on which no byte moves is closed.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// How long a client may take to take a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a message from a client, which has nothing to say.
const RECEIVED_BYTES_MAX: usize = 4 << 10;

/// `GET /tail?query=&delay_for=&limit=&start=`
pub(super) async fn tail(
    State(state): State<ApiState>,
    Askers(owners): Askers,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
    params: Params,
) -> Result<Response, Refusal> {
    let request = Request::read(&state, &params)?;
    let delay = Duration::from_secs(delay_seconds(&params)?);
    let encoding = Encoding::of(&headers);
    let Ok(place) = state.loki.tails.clone().try_acquire_owned() else {
        let message = format!("max concurrent tail requests limit exceeded, count > limit ({})", state.loki.settings.tails_max);
        return Ok((StatusCode::TOO_MANY_REQUESTS, message).into_response());
    };
    let upgrade = upgrade.max_message_size(RECEIVED_BYTES_MAX).max_frame_size(RECEIVED_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| follow(state, owners, socket, request, delay, encoding, place)))
}

struct Request {
    expr: LogExpr,
    start_ns: i64,
    limit: usize,
}

impl Request {
    fn read(state: &ApiState, params: &Params) -> Result<Self> {
        let Expr::Logs(expr) = params::query(params)? else {
            return Err(Error::invalid("cannot follow a metric query: want a query for log records"));
        };
        let range = params::range(params, state.engine.clock().now_ns(), HOUR_NS)?;
        Ok(Self { expr, start_ns: range.start_ns, limit: params::limit(params, state.engine.settings().results_max)? })
    }
}

fn delay_seconds(params: &Params) -> Result<u64> {
    let Some(text) = params.get("delay_for") else { return Ok(0) };
    let seconds: u64 = text.parse().map_err(|_| Error::invalid(format!("cannot parse delay_for {text:?}: want seconds")))?;
    if seconds > DELAY_SECONDS_MAX {
        return Err(Error::invalid(format!("delay_for can't be greater than {DELAY_SECONDS_MAX}")));
    }
    Ok(seconds)
}

async fn follow(state: ApiState, owners: Owners, mut socket: WebSocket, request: Request, delay: Duration, encoding: Encoding, _place: OwnedSemaphorePermit) {
    let Request { expr, start_ns, limit } = request;
    let ended = match state.engine.tail(&owners, TailRequest { expr, start_ns, limit }).await {
        Ok(tail) => pass_on(&state, &mut socket, tail, delay, encoding).await,
        Err(error) => Err(error),
    };
    let (code, reason) = match ended {
        Ok(()) => (close_code::NORMAL, String::new()),
        Err(error) => {
            if matches!(error.kind(), ErrorKind::Internal | ErrorKind::Corrupt) {
                tracing::error!(?error, "cannot follow a log query: {error}");
            }
            (close_code::ERROR, shortened(error.message()))
        }
    };
    // The client may have gone: then there is nobody to tell.
    let _told = tokio::time::timeout(SEND_TIMEOUT, socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() })))).await;
}

/// A reason of a close frame has 123 bytes at most.
fn shortened(reason: &str) -> String {
    let mut end = reason.len().min(120);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].to_owned()
}

/// Until the client goes, or the store.
async fn pass_on(state: &ApiState, socket: &mut WebSocket, mut tail: Tail, delay: Duration, encoding: Encoding) -> Result<()> {
    let mut held = Held { delay, entries: Vec::new() };
    let mut ping = tokio::time::interval(PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = held.due();
        let message = tokio::select! {
            told = tail.next() => match told? {
                None => return Ok(()),
                Some(Tailed::Entries(entries)) => {
                    held.take(entries);
                    continue;
                }
                Some(Tailed::Missed(_)) => dropped(state.engine.clock().now_ns(), encoding),
            },
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let entries = held.ripe();
                for entries in entries.chunks(MESSAGE_ENTRIES_MAX) {
                    if !send(socket, Message::text(streams(entries, encoding))).await {
                        return Ok(());
                    }
                }
                continue;
            }
            received = socket.recv() => match received {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => continue,
            },
            _ = ping.tick() => Message::Ping(bytes::Bytes::new()),
        };
        if !send(socket, message).await {
            return Ok(());
        }
    }
}

/// Whether the client took it.
async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_TIMEOUT, socket.send(message)).await, Ok(Ok(())))
}

/// Records that wait for those that are late.
struct Held {
    delay: Duration,
    /// With the instant at which they are told, ascending.
    entries: Vec<(Instant, LogEntry)>,
}

impl Held {
    fn take(&mut self, entries: Vec<LogEntry>) {
        let due = now() + self.delay;
        self.entries.extend(entries.into_iter().map(|entry| (due, entry)));
    }

    fn due(&self) -> Option<Instant> {
        let (due, _) = self.entries.first()?;
        Some(if self.entries.len() > HELD_BACK_MAX { now() } else { *due })
    }

    /// Takes what has waited long enough, in the order of time.
    fn ripe(&mut self) -> Vec<LogEntry> {
        let count = if self.entries.len() > HELD_BACK_MAX { self.entries.len() } else { self.entries.partition_point(|(due, _)| *due <= now()) };
        let mut ripe: Vec<LogEntry> = self.entries.drain(..count).map(|(_, entry)| entry).collect();
        ripe.sort_by_key(|entry| (entry.record.timestamp_ns, entry.record.sequence));
        ripe
    }
}

/// Of the timer that wakes what waits: no answer depends on it.
fn now() -> Instant {
    Instant::now()
}

fn streams(entries: &[LogEntry], encoding: Encoding) -> String {
    let mut out = String::from("{\"streams\":");
    write_streams(&mut out, entries, encoding);
    out.push_str(flags(encoding));
    out.push('}');
    out
}

fn dropped(now_ns: i64, encoding: Encoding) -> Message {
    Message::text(format!("{{\"streams\":[],\"dropped_entries\":[{{\"timestamp\":\"{now_ns}\",\"labels\":{{}}}}]{}}}", flags(encoding)))
}

fn flags(encoding: Encoding) -> &'static str {
    if encoding == Encoding::Categorized { ",\"encodingFlags\":[\"categorize-labels\"]" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_close_frames_are_short() {
        assert_eq!(shortened("no"), "no");
        let long = "ü".repeat(100);
        assert_eq!(shortened(&long), "ü".repeat(60));
        assert_eq!(shortened(&format!("x{long}")).len(), 119);
    }

    #[test]
    fn messages_are_objects() {
        for encoding in [Encoding::Flat, Encoding::Categorized] {
            let message: serde_json::Value = serde_json::from_str(&streams(&[], encoding)).unwrap();
            assert_eq!(message["streams"], serde_json::json!([]));
            assert_eq!(message.get("encodingFlags").is_some(), encoding == Encoding::Categorized);
            let message: serde_json::Value = serde_json::from_str(dropped(7, encoding).to_text().unwrap()).unwrap();
            assert_eq!(message["dropped_entries"], serde_json::json!([{ "timestamp": "7", "labels": {} }]));
        }
    }

    #[test]
    fn delays_are_a_few_seconds() {
        let delay = |text: &str| delay_seconds(&Params::parse(text)).ok();
        assert_eq!([delay(""), delay("delay_for=5"), delay("delay_for=6"), delay("delay_for=-1"), delay("delay_for=x")], [Some(0), Some(5), None, None, None]);
    }
}
