//! Drives the outbox: one task a channel takes the message that is due, tries, and records what came of it.

use std::sync::Arc;
use std::time::Duration;

use signalbox_model::{Clock, Result};
use signalbox_telemetry::{names, registry};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::channel::{Channel, Delivery};
use crate::message::Message;
use crate::outbox::{Attempt, Next, Outbox, Pending};
use crate::retry::{self, Decision, Failure};

/// How long a task waits at most before it looks into the outbox again: bounds what a step of the clock can do.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How long a task waits after the outbox itself failed.
const OUTBOX_RETRY_AFTER: Duration = Duration::from_secs(5);
/// How long an attempt may go on after [`Deliverer::stop`]. One that takes longer is made again after the next start.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// The running tasks. Dropping it ends them at once; [`Deliverer::stop`] lets attempts come to their end.
#[derive(Debug)]
pub struct Deliverer {
    wakers: Vec<Arc<Notify>>,
    stopping: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Deliverer {
    /// Starts a task for each channel. Messages for channels that are no longer configured become dead letters: nobody would
    /// ever take them.
    ///
    /// # Errors
    /// `Unavailable` if the outbox cannot be read or written, `Corrupt` if it is damaged.
    pub async fn start(channels: Vec<(String, Channel)>, outbox: Arc<dyn Outbox>, clock: Arc<dyn Clock>) -> Result<Self> {
        bury_orphans(&channels, &*outbox, &*clock).await?;
        let (stopping, is_stopping) = watch::channel(false);
        let mut deliverer = Self { wakers: Vec::new(), stopping, tasks: JoinSet::new() };
        for (name, channel) in channels {
            let waker = Arc::new(Notify::new());
            deliverer.wakers.push(Arc::clone(&waker));
            let task = Task { name, channel, outbox: Arc::clone(&outbox), clock: Arc::clone(&clock), waker, is_stopping: is_stopping.clone() };
            deliverer.tasks.spawn(task.run());
        }
        Ok(deliverer)
    }

    /// Says that messages were enqueued. Without it they are found within a minute.
    pub fn wake(&self) {
        for waker in &self.wakers {
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
            registry().counter(names::NOTIFY_MESSAGES_TOTAL, &[("channel", "none"), ("outcome", "dead")]).add(1);
            tracing::error!(channel = %orphaned, id = pending.id, "cannot deliver message {}: its channel is not configured any more", pending.id);
        }
    }
    Ok(())
}

/// One channel and its queue.
struct Task {
    name: String,
    channel: Channel,
    outbox: Arc<dyn Outbox>,
    clock: Arc<dyn Clock>,
    waker: Arc<Notify>,
    is_stopping: watch::Receiver<bool>,
}

impl Task {
    async fn run(mut self) {
        while !*self.is_stopping.borrow() {
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
        tokio::select! {
            () = tokio::time::sleep(longest) => {}
            () = self.waker.notified() => {}
            // An error means that nobody can stop the task any more but by dropping it.
            _ = self.is_stopping.changed() => {}
        }
    }

    async fn deliver(&mut self, pending: &Pending) {
        let result = match &pending.message {
            Ok(message) => self.attempt(pending, message).await,
            Err(error) => Err(Failure::permanent(error)),
        };
        let failure = match result {
            Ok((outcome, answer)) => {
                tracing::debug!(channel = %self.name, id = pending.id, outcome, "message {} delivered", pending.id);
                let attempt = attempt(self.clock.now_ns(), true, &answer);
                self.record(|task| task.outbox.delivered(pending.id, &attempt)).await;
                // Who reads the count knows that a crash will not send it again.
                return self.count(outcome);
            }
            Err(failure) => failure,
        };
        let attempts = pending.attempts.saturating_add(1);
        let failed = attempt(self.clock.now_ns(), false, &failure.error);
        let (now_ns, seed) = (self.clock.now_ns(), pending.id.cast_unsigned() ^ pending.enqueued_at_ns.cast_unsigned());
        match retry::decide(&failure, attempts, pending.enqueued_at_ns, now_ns, seed) {
            Decision::RetryAt(instant_ns) => {
                self.count("retried");
                tracing::warn!(channel = %self.name, id = pending.id, attempts, error = %failure.error, "cannot deliver message {}, trying again", pending.id);
                self.record(|task| task.outbox.failed(pending.id, &failed, instant_ns)).await;
            }
            Decision::GiveUp => {
                self.count("dead");
                tracing::error!(channel = %self.name, id = pending.id, attempts, error = %failure.error, "cannot deliver message {}, giving up", pending.id);
                self.record(|task| task.outbox.gave_up(pending.id, &failed)).await;
            }
        }
    }

    /// Tries once, or finds that the receiver does not want to know.
    async fn attempt(&self, pending: &Pending, message: &Message) -> Result<(&'static str, String), Failure> {
        let (id, enqueued_at_ns, now_ns) = (pending.id, pending.enqueued_at_ns, self.clock.now_ns());
        if self.channel.sends_resolved() {
            return self.channel.deliver(Delivery { message, id, enqueued_at_ns, now_ns }).await.map(|receipt| ("delivered", receipt.answer));
        }
        let firing = Message { alerts: message.firing().cloned().collect(), ..message.clone() };
        if firing.alerts.is_empty() {
            return Ok(("skipped", "not sent: the channel does not want to know what is resolved".to_owned()));
        }
        self.channel.deliver(Delivery { message: &firing, id, enqueued_at_ns, now_ns }).await.map(|receipt| ("delivered", receipt.answer))
    }

    /// Records an outcome, whatever it takes: a message whose delivery is not recorded would be sent again.
    async fn record<'a, F>(&'a self, change: impl Fn(&'a Self) -> F)
    where
        F: Future<Output = Result<()>>,
    {
        while let Err(error) = change(self).await {
            tracing::error!(channel = %self.name, error = &error as &dyn std::error::Error, "cannot record in the outbox, trying again");
            tokio::time::sleep(OUTBOX_RETRY_AFTER).await;
        }
    }

    fn count(&self, outcome: &str) {
        registry().counter(names::NOTIFY_MESSAGES_TOTAL, &[("channel", self.channel.kind()), ("outcome", outcome)]).add(1);
    }
}

fn attempt(at_ns: i64, is_ok: bool, answer: &str) -> Attempt {
    Attempt { at_ns, is_ok, answer: answer.to_owned() }
}
