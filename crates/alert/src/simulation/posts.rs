//! The receivers of a simulation: channels that are slow, refuse, lose their answers; and what they were told.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use signalbox_model::{Clock, Labels, Result};
use signalbox_notify::retry::Failure;
use signalbox_notify::{Attempt, Carrier, Delivery, Message, Next, Outbox, Pending, Receipt};
use signalbox_testkit::ManualClock;
use signalbox_testkit::mutate::Random;
use tokio::sync::Notify;

use crate::outbox::MetaOutbox;
use crate::silence::{Phase, Silence};

/// How a channel behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    /// It takes everything.
    Fair,
    /// It is out of order: 5xx, 429.
    Down,
    /// Anything may happen.
    Rough,
}

/// What a channel is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// It works, or was woken.
    Work,
    /// It waits to be woken; there is something to do at an instant, nanoseconds of the wall clock.
    Rest(Option<i64>),
    /// It takes long, until an instant of the monotonic clock in milliseconds.
    Slow(u128),
}

/// A message that a receiver got.
#[derive(Debug, Clone)]
pub(super) struct Got {
    pub(super) id: i64,
    pub(super) enqueued_at_ns: i64,
    pub(super) message: Message,
    /// Labels of firing alerts that a silence covered when the attempt began.
    pub(super) silenced: Vec<Labels>,
    /// Whether an earlier attempt may have been heard: the process died, or the answer was lost.
    pub(super) may_be_known: bool,
}

#[derive(Debug)]
struct Inner {
    random: Random,
    weather: Weather,
    doing: Doing,
    got: Vec<Got>,
    /// Messages that were heard, but the database does not know.
    unrecorded: BTreeSet<i64>,
    /// Messages among them that may be heard again.
    doubtful: BTreeSet<i64>,
    /// Silences that were acknowledged.
    silences: Vec<Silence>,
}

/// A channel, and its view of the outbox.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) name: String,
    sends_resolved: bool,
    clock: ManualClock,
    inner: Mutex<Inner>,
    changed: Notify,
    release: Notify,
}

impl Post {
    pub(super) fn new(name: &str, sends_resolved: bool, clock: &ManualClock, seed: u64) -> Self {
        let inner = Inner {
            random: Random::new(seed),
            weather: Weather::Fair,
            doing: Doing::Work,
            got: Vec::new(),
            unrecorded: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            silences: Vec::new(),
        };
        Self { name: name.to_owned(), sends_resolved, clock: clock.clone(), inner: Mutex::new(inner), changed: Notify::new(), release: Notify::new() }
    }

    pub(super) fn sends_resolved(&self) -> bool {
        self.sends_resolved
    }

    pub(super) fn weather(&self, weather: Weather) {
        self.inner.lock().weather = weather;
    }

    /// The silences that are known to be durable.
    pub(super) fn silences(&self, silences: Vec<Silence>) {
        self.inner.lock().silences = silences;
    }

    /// What it was told since this was last asked.
    pub(super) fn take_got(&self) -> Vec<Got> {
        std::mem::take(&mut self.inner.lock().got)
    }

    /// The process died, and another one starts.
    pub(super) fn restart(&self) {
        let mut inner = self.inner.lock();
        let unrecorded = inner.unrecorded.clone();
        inner.doubtful.extend(unrecorded);
        inner.doing = Doing::Work;
    }

    /// Whether it heard a message, and the database does not know.
    pub(super) fn is_unrecorded(&self, id: i64) -> bool {
        self.inner.lock().unrecorded.contains(&id)
    }

    pub(super) fn is_slow(&self) -> bool {
        matches!(self.inner.lock().doing, Doing::Slow(_))
    }

    /// Wakes it if there may be something to do. `false` if there is nothing.
    pub(super) fn wake(&self, has_news: bool, wake: impl FnOnce()) -> bool {
        let mut inner = self.inner.lock();
        match inner.doing {
            Doing::Work => return true,
            Doing::Rest(at_ns) if has_news || at_ns.is_some_and(|at_ns| at_ns <= self.clock.now_ns()) => wake(),
            Doing::Slow(until_ms) if self.clock.monotonic().as_millis() >= until_ms => self.release.notify_one(),
            Doing::Rest(_) | Doing::Slow(_) => return false,
        }
        inner.doing = Doing::Work;
        true
    }

    /// Until it rests or takes long.
    pub(super) async fn settled(&self) {
        while self.inner.lock().doing == Doing::Work {
            self.changed.notified().await;
        }
    }

    fn does(&self, doing: Doing) {
        self.inner.lock().doing = doing;
        self.changed.notify_one();
    }

    /// What comes of an attempt, and how long it takes.
    fn outcome(&self, id: i64) -> (u64, bool, Result<(), Failure>) {
        let mut inner = self.inner.lock();
        let refused = |text: &str| Err(Failure::transient(text));
        match (inner.weather, inner.random.below(10)) {
            (Weather::Fair, _) => (0, true, Ok(())),
            (Weather::Down, 0) => (0, false, Err(Failure { retry_after: Some(std::time::Duration::from_secs(30)), ..Failure::transient("429") })),
            (Weather::Down, 1) => (30, false, refused("no answer")),
            (Weather::Down, _) => (0, false, refused("503")),
            (Weather::Rough, 0 | 1) => (0, false, refused("500")),
            (Weather::Rough, 2) => (10, false, refused("no answer")),
            // Heard, but the answer got lost on its way.
            (Weather::Rough, 3) => (0, true, refused("connection reset")),
            (Weather::Rough, 4) if !inner.doubtful.contains(&id) => (0, false, Err(Failure::permanent("400"))),
            (Weather::Rough, 5) => (20, true, Ok(())),
            (Weather::Rough, _) => (0, true, Ok(())),
        }
    }

    fn silenced(&self, message: &Message) -> Vec<Labels> {
        let (inner, now_ms) = (self.inner.lock(), self.clock.now_ms());
        let is_silenced = |labels: &Labels| inner.silences.iter().any(|silence| silence.phase(now_ms) == Phase::Active && silence.covers(labels));
        message.firing().map(|alert| Labels::from_pairs(&alert.labels)).filter(is_silenced).collect()
    }
}

/// The channel of a post.
#[derive(Debug)]
pub(super) struct Way(pub(super) Arc<Post>);

#[async_trait]
impl Carrier for Way {
    fn kind(&self) -> &'static str {
        "simulated"
    }

    fn sends_resolved(&self) -> bool {
        self.0.sends_resolved
    }

    async fn deliver(&self, delivery: Delivery<'_>) -> Result<Receipt, Failure> {
        let (post, id) = (&self.0, delivery.id);
        let (seconds, is_heard, answer) = post.outcome(id);
        let silenced = post.silenced(delivery.message);
        if is_heard {
            let mut inner = post.inner.lock();
            let may_be_known = inner.doubtful.contains(&id);
            let (enqueued_at_ns, message) = (delivery.enqueued_at_ns, delivery.message.clone());
            inner.got.push(Got { id, enqueued_at_ns, message, silenced, may_be_known });
            inner.unrecorded.insert(id);
            if answer.is_err() {
                inner.doubtful.insert(id);
            }
        }
        if seconds > 0 {
            let until_ms = post.clock.monotonic().as_millis() + u128::from(seconds) * 1000;
            post.does(Doing::Slow(until_ms));
            while post.clock.monotonic().as_millis() < until_ms {
                post.release.notified().await;
            }
        }
        answer.map(|()| Receipt { answer: "200".to_owned(), handle: None })
    }
}

/// The outbox as the task of a post sees it.
#[derive(Debug)]
pub(super) struct PostOutbox {
    pub(super) post: Arc<Post>,
    pub(super) outbox: MetaOutbox,
}

impl PostOutbox {
    fn recorded(&self, id: Option<i64>, result: Result<()>) -> Result<()> {
        match (&result, id) {
            (Ok(()), Some(id)) => {
                self.post.inner.lock().unrecorded.remove(&id);
            }
            (Ok(()), None) => {}
            (Err(_), _) => self.post.does(Doing::Rest(Some(i64::MIN))),
        }
        result
    }
}

#[async_trait]
impl Outbox for PostOutbox {
    async fn next(&self, channel: &str, now_ns: i64) -> Result<Next> {
        let next = self.outbox.next(channel, now_ns).await;
        match &next {
            Ok(Next::Due(_)) => {}
            Ok(Next::At(at_ns)) => self.post.does(Doing::Rest(Some(*at_ns))),
            Ok(Next::Empty) => self.post.does(Doing::Rest(None)),
            Err(_) => self.post.does(Doing::Rest(Some(i64::MIN))),
        }
        next
    }

    async fn delivered(&self, id: i64, attempt: &Attempt) -> Result<()> {
        self.recorded(Some(id), self.outbox.delivered(id, attempt).await)
    }

    async fn failed(&self, id: i64, attempt: &Attempt, next_attempt_at_ns: i64) -> Result<()> {
        self.recorded(None, self.outbox.failed(id, attempt, next_attempt_at_ns).await)
    }

    async fn gave_up(&self, id: i64, attempt: &Attempt) -> Result<()> {
        self.recorded(None, self.outbox.gave_up(id, attempt).await)
    }

    async fn refused(&self, id: i64, attempt: &Attempt) -> Result<()> {
        self.recorded(None, self.outbox.refused(id, attempt).await)
    }

    async fn hand_over(&self, pending: &Pending, channels: &[String], at_ns: i64) -> Result<()> {
        self.outbox.hand_over(pending, channels, at_ns).await
    }

    fn rests(&self, until_ns: i64) {
        self.post.does(Doing::Rest(Some(until_ns)));
    }

    /// Those of channels that are gone are buried before the posts are opened.
    async fn waiting_channels(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}
