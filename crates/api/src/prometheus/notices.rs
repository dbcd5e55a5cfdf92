//! What operators should know: `GET /notifications` and, as it happens, `GET /notifications/live`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::render;
use crate::ApiState;

/// The words of Prometheus, because its UI and people look for them.
const RELOAD_FAILED: &str = "Configuration reload has failed.";
/// Clients of the live stream at a time, as in Prometheus.
const LISTENERS_MAX: usize = 16;
/// News that a slow client may be behind.
const BEHIND_MAX: usize = 16;
/// How often a silent stream shows that it lives: a connection on which no byte moves is closed.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// What operators should know. Clones share it.
#[derive(Debug, Clone)]
pub struct Notices(Arc<Mutex<Board>>);

#[derive(Debug)]
struct Board {
    /// When the configuration was read last, in nanoseconds since the Unix epoch.
    configured_at_ns: i64,
    /// When reading it failed, unless it has been read since.
    failed_at_ns: Option<i64>,
    /// `None` when the server stops: streams end then.
    news: Option<broadcast::Sender<Value>>,
}

impl Notices {
    pub(super) fn new(started_ns: i64) -> Self {
        let news = Some(broadcast::Sender::new(BEHIND_MAX));
        Self(Arc::new(Mutex::new(Board { configured_at_ns: started_ns, failed_at_ns: None, news })))
    }

    /// The configuration was read again at an instant (nanoseconds since the Unix epoch), or could not be.
    pub fn reloaded(&self, at_ns: i64, went_well: bool) {
        let mut board = self.0.lock();
        let had_failed = board.failed_at_ns.is_some();
        if went_well {
            board.configured_at_ns = at_ns;
            board.failed_at_ns = None;
        } else {
            board.failed_at_ns = Some(at_ns);
        }
        if (had_failed || !went_well)
            && let Some(news) = &board.news
        {
            // Nobody may be listening.
            let _listeners = news.send(notice(at_ns, !went_well));
        }
    }

    /// Ends all live streams, because the server stops.
    pub fn close(&self) {
        self.0.lock().news = None;
    }

    /// When the configuration was read last, and whether the latest attempt went well.
    pub(super) fn configured(&self) -> (i64, bool) {
        let board = self.0.lock();
        (board.configured_at_ns, board.failed_at_ns.is_none())
    }

    fn active(&self) -> Vec<Value> {
        self.0.lock().failed_at_ns.map(|at_ns| notice(at_ns, true)).into_iter().collect()
    }

    /// What is active, and what comes; `None` if there are too many listeners or the server stops.
    fn listen(&self) -> Option<(Vec<Value>, broadcast::Receiver<Value>)> {
        let board = self.0.lock();
        let news = board.news.as_ref().filter(|news| news.receiver_count() < LISTENERS_MAX)?;
        Some((board.failed_at_ns.map(|at_ns| notice(at_ns, true)).into_iter().collect(), news.subscribe()))
    }
}

fn notice(at_ns: i64, is_active: bool) -> Value {
    let date = jiff::Timestamp::from_nanosecond(i128::from(at_ns)).unwrap_or_default().to_string();
    json!({ "text": RELOAD_FAILED, "date": date, "active": is_active })
}

/// `GET /notifications`
pub(super) async fn list(State(state): State<ApiState>) -> Response {
    render::success(&Value::Array(state.prometheus.notices.active()).to_string())
}

/// `GET /notifications/live`: server-sent events, one a notice. 204 if there are too many listeners, as in Prometheus.
pub(super) async fn live(State(state): State<ApiState>) -> Response {
    let Some((active, news)) = state.prometheus.notices.listen() else { return StatusCode::NO_CONTENT.into_response() };
    let news = stream::unfold(news, async |mut news| {
        loop {
            match news.recv().await {
                Ok(notice) => return Some((notice, news)),
                // What was missed is outdated by what comes.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let events = stream::iter(active).chain(news).fuse().map(|notice| Ok::<_, Infallible>(Event::default().data(notice.to_string())));
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_that_failed_is_active_until_one_goes_well() {
        let notices = Notices::new(5);
        let (_, mut news) = notices.listen().unwrap();
        notices.reloaded(7, true);
        assert_eq!((notices.configured(), notices.active().len()), ((7, true), 0));
        notices.reloaded(1_000_000_000, false);
        assert_eq!(notices.configured(), (7, false));
        assert_eq!(notices.active(), [json!({ "text": "Configuration reload has failed.", "date": "1970-01-01T00:00:01Z", "active": true })]);
        notices.reloaded(2_000_000_000, true);
        assert_eq!((notices.configured(), notices.active().len()), ((2_000_000_000, true), 0));
        let told: Vec<bool> = std::iter::from_fn(|| news.try_recv().ok()).map(|notice| notice["active"] == true).collect();
        assert_eq!(told, [true, false]);
    }

    #[test]
    fn listeners_are_few_and_end_with_the_server() {
        let notices = Notices::new(0);
        let mut listeners: Vec<_> = (0..LISTENERS_MAX).map(|_| notices.listen().unwrap().1).collect();
        assert!(notices.listen().is_none());
        listeners.pop();
        assert!(notices.listen().is_some());
        notices.close();
        assert!(notices.listen().is_none());
        assert!(matches!(listeners[0].try_recv(), Err(broadcast::error::TryRecvError::Closed)));
    }
}
