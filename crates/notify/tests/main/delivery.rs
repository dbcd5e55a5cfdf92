//! Delivery drives the outbox: order of calls, retries by the clock, restarts, stopping.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use signalbox_model::{Clock, Error, Result};
use signalbox_notify::message::{Message, Status};
use signalbox_notify::template::Templates;
use signalbox_notify::webhook::{self, Webhook};
use signalbox_notify::{Attempt, Channel, Deliverer, Fallback, Next, Outbox, Pending, Secret};
use signalbox_telemetry::{names, registry};
use signalbox_testkit::ManualClock;
use tokio::sync::watch;

use crate::http_peer::HttpPeer;
use crate::{START_NS, message};

const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const GONE: &str = "HTTP/1.1 410 Gone\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// An outbox in memory, which tells what was recorded.
#[derive(Debug)]
struct MemoryOutbox {
    waiting: Mutex<Vec<(String, Pending, i64)>>,
    records: watch::Sender<Vec<String>>,
    /// Messages that were handed over, and to which channels.
    handed: Mutex<BTreeSet<(i64, String)>>,
    /// Whether no other channel takes any more.
    is_full: Mutex<bool>,
}

impl MemoryOutbox {
    fn with(messages: Vec<(&str, i64, std::result::Result<Message, String>)>) -> Arc<Self> {
        let pending = |(channel, id, message): (&str, i64, _)| {
            let pending = Pending { id, message, enqueued_at_ns: START_NS, attempts: 0, handle: None };
            (channel.to_owned(), pending, START_NS)
        };
        Arc::new(Self {
            waiting: Mutex::new(messages.into_iter().map(pending).collect()),
            records: watch::channel(Vec::new()).0,
            handed: Mutex::default(),
            is_full: Mutex::default(),
        })
    }

    fn end(&self, id: i64, record: String) -> Result<()> {
        self.waiting.lock().retain(|(_, pending, _)| pending.id != id);
        self.records.send_modify(|records| records.push(record));
        Ok(())
    }

    /// Until so many records were made.
    async fn records(&self, count: usize) -> Vec<String> {
        self.records.subscribe().wait_for(|records| records.len() >= count).await.unwrap().clone()
    }
}

#[async_trait]
impl Outbox for MemoryOutbox {
    async fn next(&self, channel: &str, now_ns: i64) -> Result<Next> {
        let waiting = self.waiting.lock();
        let first = waiting.iter().filter(|(name, _, _)| name == channel).min_by_key(|(_, pending, at_ns)| (*at_ns, pending.id));
        Ok(match first {
            None => Next::Empty,
            Some((_, _, at_ns)) if *at_ns > now_ns => Next::At(*at_ns),
            Some((_, pending, _)) => Next::Due(Box::new(pending.clone())),
        })
    }

    async fn delivered(&self, id: i64, attempt: &Attempt) -> Result<()> {
        assert!(attempt.is_ok);
        self.end(id, format!("{id} delivered"))
    }

    async fn failed(&self, id: i64, attempt: &Attempt, next_attempt_at_ns: i64) -> Result<()> {
        for (_, pending, at_ns) in self.waiting.lock().iter_mut().filter(|(_, pending, _)| pending.id == id) {
            pending.attempts += 1;
            *at_ns = next_attempt_at_ns;
        }
        self.records.send_modify(|records| records.push(format!("{id} failed: {}", attempt.answer)));
        Ok(())
    }

    async fn gave_up(&self, id: i64, attempt: &Attempt) -> Result<()> {
        self.end(id, format!("{id} gave up: {}", attempt.answer))
    }

    async fn refused(&self, id: i64, attempt: &Attempt) -> Result<()> {
        self.end(id, format!("{id} refused: {}", attempt.answer))
    }

    async fn hand_over(&self, pending: &Pending, channels: &[String], at_ns: i64) -> Result<()> {
        if *self.is_full.lock() {
            return Err(Error::limit("too many messages wait"));
        }
        let mut handed = self.handed.lock();
        for channel in channels.iter().filter(|channel| handed.insert((pending.id, (*channel).clone()))) {
            let pending = Pending { id: pending.id + 100, attempts: 0, enqueued_at_ns: at_ns, ..pending.clone() };
            self.waiting.lock().push((channel.clone(), pending, at_ns));
        }
        Ok(())
    }

    async fn waiting_channels(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.waiting.lock().iter().map(|(name, _, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}

fn hook(name: &str, peer: &HttpPeer) -> (String, Channel) {
    let settings = webhook::Settings { url: Some(Secret::new(peer.url())), ..webhook::Settings::default() };
    (name.to_owned(), Channel::Webhook(Arc::new(Webhook::new(&settings, Templates::load(&[]).unwrap(), &signalbox_notify::Policy::default()).unwrap())))
}

async fn start(channels: Vec<(String, Channel)>, outbox: &Arc<MemoryOutbox>, clock: &ManualClock) -> Deliverer {
    let (outbox, clock): (Arc<dyn Outbox>, Arc<dyn Clock>) = (outbox.clone(), Arc::new(clock.clone()));
    Deliverer::start(channels, BTreeMap::new(), outbox, clock).await.unwrap()
}

#[tokio::test]
async fn what_waits_is_delivered_in_order() {
    let (peer, clock) = (HttpPeer::start(&[OK, OK]), ManualClock::at_ns(START_NS));
    let outbox = MemoryOutbox::with(vec![("ops", 1, Ok(message())), ("ops", 2, Ok(message()))]);
    let deliverer = start(vec![hook("ops", &peer)], &outbox, &clock).await;
    assert_eq!(outbox.records(2).await, ["1 delivered", "2 delivered"]);
    deliverer.stop().await;
    assert_eq!(peer.requests.try_iter().count(), 2);
}

#[tokio::test]
async fn a_message_is_retried_when_its_time_has_come_and_not_before() {
    let (peer, clock) = (HttpPeer::start(&[BUSY, BUSY, OK]), ManualClock::at_ns(START_NS));
    let outbox = MemoryOutbox::with(vec![("ops", 1, Ok(message()))]);
    let deliverer = start(vec![hook("ops", &peer)], &outbox, &clock).await;
    assert_eq!(outbox.records(1).await, ["1 failed: unexpected status code 503"]);
    deliverer.wake();
    assert!(matches!(outbox.next("ops", START_NS).await.unwrap(), Next::At(at_ns) if at_ns > START_NS));
    assert_eq!(peer.requests.try_iter().count(), 1, "the clock stands still");
    for count in [2, 3] {
        clock.advance(Duration::from_secs(2));
        deliverer.wake();
        outbox.records(count).await;
    }
    assert_eq!(outbox.records(3).await[2], "1 delivered");
    deliverer.stop().await;
}

#[tokio::test]
async fn an_attempt_after_a_day_is_the_last() {
    let (peer, clock) = (HttpPeer::start(&[BUSY]), ManualClock::at_ns(START_NS));
    clock.advance(signalbox_notify::retry::GIVE_UP_AFTER);
    let outbox = MemoryOutbox::with(vec![("ops", 1, Ok(message()))]);
    let deliverer = start(vec![hook("ops", &peer)], &outbox, &clock).await;
    assert_eq!(outbox.records(1).await, ["1 gave up: unexpected status code 503"]);
    deliverer.stop().await;
}

#[tokio::test]
async fn what_nobody_can_take_is_given_up_and_holds_up_nothing() {
    let (peer, clock) = (HttpPeer::start(&[GONE, OK]), ManualClock::at_ns(START_NS));
    let outbox =
        MemoryOutbox::with(vec![("ops", 1, Ok(message())), ("ops", 2, Err("cannot read it".into())), ("ops", 3, Ok(message())), ("old", 4, Ok(message()))]);
    let deliverer = start(vec![hook("ops", &peer)], &outbox, &clock).await;
    let expected = ["4 gave up: its channel is not configured any more", "1 refused: unexpected status code 410", "2 gave up: cannot read it", "3 delivered"];
    assert_eq!(outbox.records(4).await, expected);
    deliverer.stop().await;
}

#[tokio::test]
async fn a_dead_channel_delays_no_other() {
    let (dead, alive, clock) = (HttpPeer::start(&["", OK]), HttpPeer::start(&[OK]), ManualClock::at_ns(START_NS));
    let outbox = MemoryOutbox::with(vec![("dead", 1, Ok(message())), ("alive", 2, Ok(message()))]);
    let deliverer = start(vec![hook("dead", &dead), hook("alive", &alive)], &outbox, &clock).await;
    assert_eq!(outbox.records(1).await, ["2 delivered"]);
    drop(deliverer);
}

#[tokio::test]
async fn a_channel_that_does_not_want_to_know_is_not_told_that_all_is_over() {
    let (peer, clock) = (HttpPeer::start(&[OK]), ManualClock::at_ns(START_NS));
    let settings = webhook::Settings { url: Some(Secret::new(peer.url())), send_resolved: false, ..webhook::Settings::default() };
    let mut over = message();
    over.alerts.retain(|alert| alert.status == Status::Resolved);
    let outbox = MemoryOutbox::with(vec![("ops", 1, Ok(over)), ("ops", 2, Ok(message()))]);
    let deliverer = start(
        vec![("ops".into(), Channel::Webhook(Arc::new(Webhook::new(&settings, Templates::load(&[]).unwrap(), &signalbox_notify::Policy::default()).unwrap())))],
        &outbox,
        &clock,
    )
    .await;
    assert_eq!(outbox.records(2).await, ["1 delivered", "2 delivered"]);
    deliverer.stop().await;
    let bodies: Vec<String> = peer.requests.try_iter().map(|request| request.body).collect();
    assert!(bodies.len() == 1 && !bodies[0].contains("\"resolved\""), "{bodies:?}");
}

/// Takes a message, and fails to record that it was delivered the first time.
#[derive(Debug)]
struct ForgetfulOutbox(Arc<MemoryOutbox>, Mutex<u32>);

#[async_trait]
impl Outbox for ForgetfulOutbox {
    async fn next(&self, channel: &str, now_ns: i64) -> Result<Next> {
        self.0.next(channel, now_ns).await
    }

    async fn delivered(&self, id: i64, attempt: &Attempt) -> Result<()> {
        let failures = std::mem::take(&mut *self.1.lock());
        if failures > 0 { Err(Error::unavailable("the disk is full")) } else { self.0.delivered(id, attempt).await }
    }

    async fn failed(&self, id: i64, attempt: &Attempt, next_attempt_at_ns: i64) -> Result<()> {
        self.0.failed(id, attempt, next_attempt_at_ns).await
    }

    async fn gave_up(&self, id: i64, attempt: &Attempt) -> Result<()> {
        self.0.gave_up(id, attempt).await
    }

    async fn refused(&self, id: i64, attempt: &Attempt) -> Result<()> {
        self.0.refused(id, attempt).await
    }

    async fn hand_over(&self, pending: &Pending, channels: &[String], at_ns: i64) -> Result<()> {
        self.0.hand_over(pending, channels, at_ns).await
    }

    async fn waiting_channels(&self) -> Result<Vec<String>> {
        self.0.waiting_channels().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_could_not_be_recorded_is_recorded_later_not_repeated() {
    let (peer, clock) = (HttpPeer::start(&[OK, OK]), ManualClock::at_ns(START_NS));
    let memory = MemoryOutbox::with(vec![("ops", 1, Ok(message()))]);
    let outbox: Arc<dyn Outbox> = Arc::new(ForgetfulOutbox(memory.clone(), Mutex::new(1)));
    let deliverer = Deliverer::start(vec![hook("ops", &peer)], BTreeMap::new(), outbox, Arc::new(clock)).await.unwrap();
    // Stopping waits for the record.
    peer.requests.recv().unwrap();
    deliverer.stop().await;
    assert_eq!(memory.records(1).await, ["1 delivered"]);
    assert_eq!(peer.requests.try_iter().count(), 0);
}

#[tokio::test]
async fn a_test_says_what_came_of_each_channel() {
    let (taker, refuser) = (HttpPeer::start(&["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nthanks"]), HttpPeer::start(&[GONE]));
    let limiter = HttpPeer::start(&["HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"]);
    let silent = HttpPeer::start(&["", OK]);
    let channels = [hook("a", &taker), hook("b", &refuser), hook("c", &limiter), hook("d", &silent)];
    let told = signalbox_notify::test::message("ops", &crate::pairs(&[("team", "x")]), &crate::pairs(&[]), "http://sb", START_NS);
    let outcomes = signalbox_notify::test::send(&channels, &told, START_NS, Duration::from_millis(500)).await;
    let found: Vec<_> = outcomes.iter().map(|outcome| (outcome.channel.as_str(), outcome.is_ok, outcome.is_transient, outcome.answer.as_str())).collect();
    let expected = [
        ("a", true, false, "200: thanks"),
        ("b", false, false, "unexpected status code 410"),
        ("c", false, true, "unexpected status code 429"),
        ("d", false, true, "no answer within 500 ms"),
    ];
    assert_eq!(found, expected);
    assert_eq!((outcomes[2].retry_after, outcomes[0].kind), (Some(Duration::from_secs(7)), "webhook"));
    let body: serde_json::Value = serde_json::from_str(&taker.requests.recv().unwrap().body).unwrap();
    assert_eq!(body["groupLabels"], serde_json::json!({"alertname": "SignalboxTest"}));
    assert_eq!(body["commonLabels"], serde_json::json!({"alertname": "SignalboxTest", "severity": "none", "team": "x"}));
}

fn fallback(after_s: u64) -> BTreeMap<String, Fallback> {
    [("ops".to_owned(), Fallback { channels: vec!["mail".to_owned()], after: Duration::from_secs(after_s) })].into()
}

#[tokio::test]
async fn the_fallback_is_told_once_when_a_message_is_given_up() {
    let (refuser, taker, clock) = (HttpPeer::start(&[GONE]), HttpPeer::start(&[OK]), ManualClock::at_ns(START_NS));
    let outbox = MemoryOutbox::with(vec![("ops", 1, Ok(message()))]);
    let dynamic: (Arc<dyn Outbox>, Arc<dyn Clock>) = (outbox.clone(), Arc::new(clock.clone()));
    let channels = vec![hook("ops", &refuser), hook("mail", &taker)];
    let deliverer = Deliverer::start(channels, fallback(900), dynamic.0, dynamic.1).await.unwrap();
    let mut records = outbox.records(2).await;
    records.sort();
    assert_eq!(records, ["1 refused: unexpected status code 410", "101 delivered"]);
    deliverer.stop().await;
    assert_eq!(taker.requests.try_iter().count(), 1);
}

#[tokio::test]
async fn the_fallback_is_told_when_a_channel_fails_for_long_and_the_channel_is_tried_on() {
    let (peer, taker, clock) = (HttpPeer::start(&[BUSY, BUSY, BUSY, OK]), HttpPeer::start(&[OK, OK]), ManualClock::at_ns(START_NS));
    let outbox = MemoryOutbox::with(vec![("ops", 1, Ok(message()))]);
    let dynamic: (Arc<dyn Outbox>, Arc<dyn Clock>) = (outbox.clone(), Arc::new(clock.clone()));
    let deliverer = Deliverer::start(vec![hook("ops", &peer), hook("mail", &taker)], fallback(60), dynamic.0, dynamic.1).await.unwrap();
    assert_eq!(outbox.records(1).await, ["1 failed: unexpected status code 503"], "not at once");
    clock.advance(Duration::from_secs(70));
    deliverer.wake();
    assert!(outbox.records(3).await.contains(&"101 delivered".to_owned()));
    for count in [4, 5] {
        clock.advance(Duration::from_secs(600));
        deliverer.wake();
        outbox.records(count).await;
    }
    assert_eq!(outbox.records(5).await.last().unwrap(), "1 delivered");
    deliverer.stop().await;
    assert_eq!(taker.requests.try_iter().count(), 1, "once, however often the channel fails");
}

#[tokio::test]
async fn how_long_messages_wait_is_shown_by_receiver() {
    let (peer, clock) = (HttpPeer::start(&[BUSY, BUSY, OK]), ManualClock::at_ns(START_NS));
    let outbox = MemoryOutbox::with(vec![("waiting/webhook[0]", 1, Ok(message()))]);
    let deliverer = start(vec![hook("waiting/webhook[0]", &peer)], &outbox, &clock).await;
    let labels = [("channel", "webhook"), ("receiver", "waiting")];
    let waiting = || registry().gauge(names::NOTIFY_WAITING_SECONDS, &labels).get();
    assert_eq!((outbox.records(1).await.len(), waiting()), (1, 0.0));
    clock.advance(Duration::from_secs(301));
    deliverer.wake();
    assert_eq!((outbox.records(2).await.len(), waiting()), (2, 301.0));
    clock.advance(Duration::from_secs(301));
    deliverer.wake();
    assert_eq!((outbox.records(3).await.len(), waiting()), (3, 0.0), "it was taken");
    deliverer.stop().await;
    let count = |outcome| registry().counter(names::NOTIFY_MESSAGES_TOTAL, &[labels[0], ("outcome", outcome), labels[1]]).get();
    assert_eq!(["retried", "delivered", "dead"].map(count), [2, 1, 0]);
}

#[tokio::test]
async fn a_dead_channel_is_probed_with_one_message_at_a_time() {
    let (peer, clock) = (HttpPeer::start(&[BUSY, BUSY, BUSY, BUSY, BUSY, OK, OK, OK, OK, OK, OK, OK, OK]), ManualClock::at_ns(START_NS));
    let outbox = MemoryOutbox::with((1..=8).map(|id| ("ops", id, Ok(message()))).collect());
    let deliverer = start(vec![hook("ops", &peer)], &outbox, &clock).await;
    assert_eq!(outbox.records(5).await.len(), 5);
    deliverer.wake();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(peer.requests.try_iter().count(), 5, "the other three wait for the probe");
    clock.advance(Duration::from_secs(60));
    deliverer.wake();
    let records = outbox.records(13).await;
    assert_eq!(records.iter().filter(|record| record.ends_with("delivered")).count(), 8);
    deliverer.stop().await;
}

#[tokio::test]
async fn what_a_receiver_asks_for_holds_for_all_messages_to_it() {
    let slow_down = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let (peer, clock) = (HttpPeer::start(&[slow_down, OK, OK]), ManualClock::at_ns(START_NS));
    let outbox = MemoryOutbox::with(vec![("ops", 1, Ok(message())), ("ops", 2, Ok(message()))]);
    let deliverer = start(vec![hook("ops", &peer)], &outbox, &clock).await;
    assert_eq!(outbox.records(1).await, ["1 failed: unexpected status code 429"]);
    clock.advance(Duration::from_secs(29));
    deliverer.wake();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(peer.requests.try_iter().count(), 1);
    clock.advance(Duration::from_secs(1));
    deliverer.wake();
    outbox.records(3).await;
    deliverer.stop().await;
}

#[tokio::test]
async fn a_fallback_that_is_full_holds_up_nothing() {
    let (refuser, taker, clock) = (HttpPeer::start(&[GONE, OK]), HttpPeer::start(&[OK]), ManualClock::at_ns(START_NS));
    let outbox = MemoryOutbox::with(vec![("ops", 1, Ok(message())), ("ops", 2, Ok(message()))]);
    *outbox.is_full.lock() = true;
    let dynamic: (Arc<dyn Outbox>, Arc<dyn Clock>) = (outbox.clone(), Arc::new(clock.clone()));
    let deliverer = Deliverer::start(vec![hook("ops", &refuser), hook("mail", &taker)], fallback(900), dynamic.0, dynamic.1).await.unwrap();
    assert_eq!(outbox.records(2).await, ["1 refused: unexpected status code 410", "2 delivered"]);
    deliverer.stop().await;
}
