//! Drives the outbox: one task a channel takes the message that is due, tries, and records what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use signalbox_model::{Clock, ErrorKind, Result};
use signalbox_telemetry::{names, registry};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::breaker::Breaker;
use crate::channel::{Channel, Delivery, Receipt};
use crate::message::Message;
use crate::outbox::{Attempt, Next, Outbox, Pending};
use crate::retry::{self, Decision, Failure};
use crate::settings::Fallback;

/// How long a task waits at most before it looks into the outbox again: bounds what a step of the clock can do.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How long a task waits after the outbox itself failed.
const OUTBOX_RETRY_AFTER: Duration = Duration::from_secs(5);
/// How long an attempt may go on after [`Deliverer::stop`]. One that takes longer is made again after the next start.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// What wakes each channel's task, by the channel's name.
type Wakers = Arc<BTreeMap<String, Notify>>;

/// The running tasks. Dropping it ends them at once; [`Deliverer::stop`] lets attempts come to their end.
#[derive(Debug)]
pub struct Deliverer {
    wakers: Wakers,
    stopping: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Deliverer {
    /// Starts a task for each channel, with what is told instead of those that fail, by their names. Messages for channels that are no longer configured become dead letters: nobody would
    /// ever take them.
    ///
    /// # Errors
    /// `Unavailable` if the outbox cannot be read or written, `Corrupt` if it is damaged.
    pub async fn start(
        channels: Vec<(String, Channel)>,
        mut fallbacks: BTreeMap<String, Fallback>,
        outbox: Arc<dyn Outbox>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        bury_orphans(&channels, &*outbox, &*clock).await?;
        let (stopping, is_stopping) = watch::channel(false);
        let wakers: Wakers = Arc::new(channels.iter().map(|(name, _)| (name.clone(), Notify::new())).collect());
        let mut deliverer = Self { wakers: Arc::clone(&wakers), stopping, tasks: JoinSet::new() };
        for (name, channel) in channels {
            let mut fallback = fallbacks.remove(&name);
            if let Some(fallback) = &mut fallback {
                // A message for a channel that nobody drives would wait for ever.
                fallback.channels.retain(|other| *other != name && wakers.contains_key(other));
            }
            let fallback = fallback.filter(|fallback| !fallback.channels.is_empty());
            let (outbox, clock, wakers) = (Arc::clone(&outbox), Arc::clone(&clock), Arc::clone(&wakers));
            let task =
                Task { name, channel, fallback, outbox, clock, wakers, breaker: Breaker::default(), failing_since_ns: None, is_stopping: is_stopping.clone() };
            deliverer.tasks.spawn(task.run());
        }
        Ok(deliverer)
    }

    /// Says that messages were enqueued. Without it they are found within a minute.
    pub fn wake(&self) {
        for waker in self.wakers.values() {
            waker.notify_one();
        }
    }

    /// Starts no further attempt, waits for those that run (10 seconds at most) and for the records of their outcome.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
            tracing::warn!("a notification is still on its way: it will be sent again after the next start");
        }
    }
}

async fn bury_orphans(channels: &[(String, Channel)], outbox: &dyn Outbox, clock: &dyn Clock) -> Result<()> {
    for orphaned in outbox.waiting_channels().await? {
        if channels.iter().any(|(name, _)| *name == orphaned) {
            continue;
        }
        // A message that waits for its next attempt is found by asking from the end of time.
        while let Next::Due(pending) = outbox.next(&orphaned, i64::MAX).await? {
            outbox.gave_up(pending.id, &attempt(clock.now_ns(), false, "its channel is not configured any more")).await?;
            registry().counter(names::NOTIFY_MESSAGES_TOTAL, &[("channel", "none"), ("outcome", "dead"), ("receiver", receiver_of(&orphaned))]).add(1);
            tracing::error!(channel = %orphaned, id = pending.id, "cannot deliver message {}: its channel is not configured any more", pending.id);
        }
    }
    Ok(())
}

/// One channel and its queue.
struct Task {
    name: String,
    channel: Channel,
    fallback: Option<Fallback>,
    outbox: Arc<dyn Outbox>,
    clock: Arc<dyn Clock>,
    wakers: Wakers,
    breaker: Breaker,
    /// When the oldest of the messages was enqueued that the channel failed to deliver since it last took one.
    failing_since_ns: Option<i64>,
    is_stopping: watch::Receiver<bool>,
}

impl Task {
    async fn run(mut self) {
        self.show_waiting(self.clock.now_ns());
        while !*self.is_stopping.borrow() {
            let now_ns = self.clock.now_ns();
            if let Some(wait) = self.breaker.wait(now_ns) {
                self.outbox.rests(now_ns.saturating_add(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX)));
                self.wait(wait.min(LOOK_AGAIN_AFTER)).await;
                continue;
            }
            match self.outbox.next(&self.name, self.clock.now_ns()).await {
                Ok(Next::Due(pending)) => self.deliver(&pending).await,
                Ok(Next::At(instant_ns)) => {
                    let wait_ns = u64::try_from(instant_ns.saturating_sub(self.clock.now_ns())).unwrap_or(0);
                    self.wait(Duration::from_nanos(wait_ns).min(LOOK_AGAIN_AFTER)).await;
                }
                Ok(Next::Empty) => self.wait(LOOK_AGAIN_AFTER).await,
                Err(error) => {
                    tracing::error!(channel = %self.name, error = &error as &dyn std::error::Error, "cannot read the outbox, trying again");
                    self.wait(OUTBOX_RETRY_AFTER).await;
                }
            }
        }
    }

    /// Until there may be something to do.
    async fn wait(&mut self, longest: Duration) {
        let mut is_stopping = self.is_stopping.clone();
        tokio::select! {
            () = tokio::time::sleep(longest) => {}
            () = self.woken() => {}
            // An error means that nobody can stop the task any more but by dropping it.
            _ = is_stopping.changed() => {}
        }
        self.is_stopping = is_stopping;
    }

    /// Until somebody says that there is something to do.
    async fn woken(&self) {
        match self.wakers.get(&self.name) {
            Some(waker) => waker.notified().await,
            None => std::future::pending().await,
        }
    }

    async fn deliver(&mut self, pending: &Pending) {
        let result = match &pending.message {
            Ok(message) => self.attempt(pending, message).await,
            Err(error) => Err(Failure::permanent(error)),
        };
        let failure = match result {
            Ok((outcome, receipt)) => {
                if self.breaker.is_open() {
                    tracing::info!(channel = %self.name, "channel {} takes messages again", self.name);
                }
                self.breaker.heard();
                self.failing_since_ns = None;
                self.show_waiting(self.clock.now_ns());
                tracing::debug!(channel = %self.name, id = pending.id, outcome, "message {} delivered", pending.id);
                let attempt = Attempt { handle: receipt.handle, ..attempt(self.clock.now_ns(), true, &receipt.answer) };
                self.record(|task| task.outbox.delivered(pending.id, &attempt)).await;
                // Who reads the count knows that a crash will not send it again.
                return self.count(outcome);
            }
            Err(failure) => failure,
        };
        let attempts = pending.attempts.saturating_add(1);
        let failed = attempt(self.clock.now_ns(), false, &failure.error);
        let (now_ns, seed) = (self.clock.now_ns(), pending.id.cast_unsigned() ^ pending.enqueued_at_ns.cast_unsigned());
        self.note(&failure, now_ns, seed);
        let oldest_ns = self.failing_since_ns.map_or(pending.enqueued_at_ns, |oldest_ns| oldest_ns.min(pending.enqueued_at_ns));
        self.failing_since_ns = failure.is_transient.then_some(oldest_ns);
        self.show_waiting(now_ns);
        let age_ns = u64::try_from(now_ns.saturating_sub(pending.enqueued_at_ns)).unwrap_or(0);
        match retry::decide(&failure, attempts, pending.enqueued_at_ns, now_ns, seed) {
            Decision::RetryAt(instant_ns) => {
                self.count("retried");
                tracing::warn!(channel = %self.name, id = pending.id, attempts, error = %failure.error, "cannot deliver message {}, trying again", pending.id);
                // Where the outbox fails for long, the wait begins when it works again, by whatever the clock shows then.
                let wait_ns = instant_ns.saturating_sub(now_ns);
                self.record(|task| task.outbox.failed(pending.id, &failed, task.clock.now_ns().saturating_add(wait_ns))).await;
                if self.fallback.as_ref().is_some_and(|fallback| Duration::from_nanos(age_ns) >= fallback.after) {
                    self.hand_over(pending).await;
                }
            }
            Decision::GiveUp => {
                self.count("dead");
                tracing::error!(channel = %self.name, id = pending.id, attempts, error = %failure.error, "cannot deliver message {}, giving up", pending.id);
                // First, so that a crash in between does it again and loses nothing.
                self.hand_over(pending).await;
                if failure.is_transient || pending.message.is_err() {
                    self.record(|task| task.outbox.gave_up(pending.id, &failed)).await;
                } else {
                    self.record(|task| task.outbox.refused(pending.id, &failed)).await;
                }
            }
        }
    }

    /// What a failure says about the channel itself.
    fn note(&mut self, failure: &Failure, now_ns: i64, seed: u64) {
        if !failure.is_transient {
            return self.breaker.heard();
        }
        let was_open = self.breaker.is_open();
        self.breaker.failed(failure, now_ns, seed);
        if self.breaker.is_open() && !was_open {
            tracing::warn!(channel = %self.name, "channel {} does not answer, probing it with one message at a time", self.name);
        }
    }

    /// Lets the fallback tell it, if there is one.
    async fn hand_over(&self, pending: &Pending) {
        let Some(fallback) = &self.fallback else { return };
        if pending.message.is_err() {
            return;
        }
        tracing::warn!(channel = %self.name, id = pending.id, "telling message {} through {} instead", pending.id, fallback.channels.join(", "));
        while let Err(error) = self.outbox.hand_over(pending, &fallback.channels, self.clock.now_ns()).await {
            tracing::error!(channel = %self.name, error = &error as &dyn std::error::Error, "cannot hand message {} over", pending.id);
            // The fallback is as dead as the channel: waiting for it would hold up all other messages of this one.
            if error.kind() == ErrorKind::Limit {
                return;
            }
            tokio::time::sleep(OUTBOX_RETRY_AFTER).await;
        }
        for waker in fallback.channels.iter().filter_map(|name| self.wakers.get(name)) {
            waker.notify_one();
        }
    }

    /// Tries once, or finds that the receiver does not want to know.
    async fn attempt(&self, pending: &Pending, message: &Message) -> Result<(&'static str, Receipt), Failure> {
        let (id, enqueued_at_ns, now_ns, handle) = (pending.id, pending.enqueued_at_ns, self.clock.now_ns(), pending.handle.as_deref());
        if self.channel.sends_resolved() {
            return self.channel.deliver(Delivery { message, id, enqueued_at_ns, now_ns, handle }).await.map(|receipt| ("delivered", receipt));
        }
        let firing = Message { alerts: message.firing().cloned().collect(), ..message.clone() };
        if firing.alerts.is_empty() {
            let answer = "not sent: the channel does not want to know what is resolved".to_owned();
            return Ok(("skipped", Receipt { answer, handle: None }));
        }
        self.channel.deliver(Delivery { message: &firing, id, enqueued_at_ns, now_ns, handle }).await.map(|receipt| ("delivered", receipt))
    }

    /// Records an outcome, whatever it takes: a message whose delivery is not recorded would be sent again.
    async fn record<'a, F>(&'a self, change: impl Fn(&'a Self) -> F)
    where
        F: Future<Output = Result<()>>,
    {
        while let Err(error) = change(self).await {
            tracing::error!(channel = %self.name, error = &error as &dyn std::error::Error, "cannot record in the outbox, trying again");
            tokio::select! {
                () = tokio::time::sleep(OUTBOX_RETRY_AFTER) => {}
                () = self.woken() => {}
            }
        }
    }

    fn count(&self, outcome: &str) {
        let labels = [("channel", self.channel.kind()), ("outcome", outcome), ("receiver", receiver_of(&self.name))];
        registry().counter(names::NOTIFY_MESSAGES_TOTAL, &labels).add(1);
    }

    /// Shows how long the oldest of the messages has waited that the channel failed to deliver since it took one.
    fn show_waiting(&self, now_ns: i64) {
        let waiting_ns = self.failing_since_ns.map_or(0, |since_ns| now_ns.saturating_sub(since_ns).max(0));
        let labels = [("channel", self.channel.kind()), ("receiver", receiver_of(&self.name))];
        registry().gauge(names::NOTIFY_WAITING_SECONDS, &labels).set(waiting_ns as f64 / 1e9);
    }
}

/// The receiver of a channel, whose name begins with it.
fn receiver_of(channel: &str) -> &str {
    channel.rsplit_once('/').map_or(channel, |(receiver, _)| receiver)
}

fn attempt(at_ns: i64, is_ok: bool, answer: &str) -> Attempt {
    Attempt { at_ns, is_ok, answer: answer.to_owned(), handle: None }
}
