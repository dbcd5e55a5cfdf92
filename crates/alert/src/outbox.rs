//! The outbox of `notify` in the database of `meta`: neither knows the other.

use std::sync::Arc;

use async_trait::async_trait;
use signalbox_meta::{MessageAbout, Meta, NewMessage, Outcome, PendingMessage, ToldAlert};
use signalbox_model::{Error, Labels, Result};
use signalbox_notify::{Alert, Attempt, Message, Next, Outbox, Pending, Status};

use crate::silence::Silences;

/// After how long a fallback is told again about the same alerts.
const AGAIN_AFTER_NS: i64 = 4 * 3_600 * 1_000_000_000;

/// Messages wait in the state database. One whose alerts were silenced while it waited is not sent: when the silence is over,
/// grouping finds that nobody was told.
#[derive(Debug, Clone)]
pub struct MetaOutbox {
    meta: Arc<Meta>,
    silences: Silences,
}

impl MetaOutbox {
    /// The outbox in this database.
    pub fn new(meta: Arc<Meta>, silences: Silences) -> Self {
        Self { meta, silences }
    }

    /// The silence that covers an alert of the message that fires.
    fn silence(&self, message: &Message, now_ns: i64) -> Option<String> {
        let now_ms = now_ns.div_euclid(1_000_000);
        message.firing().find_map(|alert| self.silences.covering(&Labels::from_pairs(&alert.labels), now_ms).into_iter().next())
    }
}

#[async_trait]
impl Outbox for MetaOutbox {
    async fn next(&self, channel: &str, now_ns: i64) -> Result<Next> {
        loop {
            let waiting = match self.meta.next_message(channel, now_ns).await? {
                signalbox_meta::Next::Empty => return Ok(Next::Empty),
                signalbox_meta::Next::At(instant_ns) => return Ok(Next::At(instant_ns)),
                signalbox_meta::Next::Due(waiting) => waiting,
            };
            let message: std::result::Result<Message, String> =
                serde_json::from_str(&waiting.payload).map_err(|error| format!("cannot read message {} in the outbox: {error}", waiting.id));
            if let Some(silence) = message.as_ref().ok().and_then(|message| self.silence(message, now_ns)) {
                tracing::info!(channel, id = waiting.id, "did not send message {}: silence {silence} covers an alert of it", waiting.id);
                self.meta.message_dead(waiting.id, &format!("not sent: silence {silence} covers an alert of it"), now_ns).await?;
                continue;
            }
            let PendingMessage { id, enqueued_at_ns, attempts, handle, .. } = waiting;
            return Ok(Next::Due(Box::new(Pending { id, message, enqueued_at_ns, attempts, handle })));
        }
    }

    async fn delivered(&self, id: i64, attempt: &Attempt) -> Result<()> {
        self.meta.message_delivered_as(id, &attempt.answer, attempt.handle.as_deref(), attempt.at_ns).await
    }

    async fn failed(&self, id: i64, attempt: &Attempt, next_attempt_at_ns: i64) -> Result<()> {
        self.meta.message_failed(id, &attempt.answer, attempt.at_ns, next_attempt_at_ns).await
    }

    async fn gave_up(&self, id: i64, attempt: &Attempt) -> Result<()> {
        self.meta.message_dead(id, &attempt.answer, attempt.at_ns).await
    }

    async fn refused(&self, id: i64, attempt: &Attempt) -> Result<()> {
        self.meta.message_refused(id, &attempt.answer, attempt.at_ns).await
    }

    async fn hand_over(&self, pending: &Pending, channels: &[String], at_ns: i64) -> Result<()> {
        let Ok(message) = &pending.message else { return Ok(()) };
        let alerts = message.alerts.iter().map(told).collect::<Vec<_>>();
        let fingerprints = |is_firing| {
            let mut found: Vec<u64> = alerts.iter().filter(|alert| alert.is_firing == is_firing).map(|alert| alert.fingerprint).collect();
            found.sort_unstable();
            found
        };
        let payload = serde_json::to_string(message).map_err(|error| Error::internal("cannot write a message as JSON").with_source(error))?;
        // Not the group itself: what the channel was told about that on its own account is the dispatcher's memory.
        let group_key = format!("{} (fallback)", message.group_key);
        let mut instead = Vec::new();
        for channel in channels {
            let (firing, resolved) = (fingerprints(true), fingerprints(false));
            let latest = self.meta.latest_notification(channel, &group_key).await?;
            // What a channel refuses is told to it again and again; whoever is told instead hears it once, and then seldom.
            if latest.is_some_and(|latest| {
                let is_recent = at_ns.saturating_sub(latest.created_at_ns) < AGAIN_AFTER_NS;
                latest.outcome != Outcome::Dead && is_recent && latest.firing == firing && latest.resolved == resolved
            }) {
                continue;
            }
            instead.push(NewMessage {
                // Of this message and no other, so that handing it over twice is handing it over once.
                dedup_key: format!("{channel}:instead:{}", pending.id),
                group_key: group_key.clone(),
                receiver: channel.rsplit_once('/').map_or(channel.as_str(), |(receiver, _)| receiver).to_owned(),
                channel: channel.clone(),
                firing,
                resolved,
                payload: payload.clone(),
                created_at_ns: at_ns,
                about: MessageAbout { reason: message.reason.as_str().to_owned(), group_labels: message.group_labels.clone(), alerts: alerts.clone() },
            });
        }
        self.meta.enqueue(&instead).await.map(|_| ())
    }

    async fn waiting_channels(&self) -> Result<Vec<String>> {
        Ok(self.meta.waiting_messages().await?.into_iter().map(|(channel, _)| channel).collect())
    }
}

fn told(alert: &Alert) -> ToldAlert {
    ToldAlert { fingerprint: alert.fingerprint(), labels: alert.labels.clone(), is_firing: alert.status == Status::Firing }
}

#[cfg(test)]
mod tests {
    use signalbox_notify::test;

    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;

    #[tokio::test]
    async fn a_fallback_hears_of_the_same_alerts_once_and_again_after_hours() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = MetaOutbox::new(Arc::new(Meta::open(dir.path().join("state.db")).await.unwrap()), Silences::default());
        let pairs = |value: &str| [("team".to_owned(), value.to_owned())].into();
        let pending = |id, team: &str| {
            let message = test::message("people", &pairs(team), &pairs(team), "http://sb", 0);
            Pending { id, message: Ok(message), enqueued_at_ns: 0, attempts: 1, handle: None }
        };
        let channels = ["duty/webhook".to_owned(), "duty/email".to_owned()];
        let waiting = |outbox: MetaOutbox| async move { outbox.meta.waiting_messages().await.unwrap().into_iter().map(|(_, count)| count).sum::<i64>() };
        let steps = [
            (pending(1, "x"), HOUR_NS, 2, "each channel has it"),
            (pending(1, "x"), HOUR_NS, 2, "the same again, after a crash"),
            (pending(2, "x"), 2 * HOUR_NS, 2, "another message about the same alerts"),
            (pending(3, "y"), 2 * HOUR_NS, 4, "other alerts"),
            (pending(4, "y"), 7 * HOUR_NS, 6, "the same ones much later"),
        ];
        for (pending, at_ns, expected, why) in steps {
            outbox.hand_over(&pending, &channels, at_ns).await.unwrap();
            assert_eq!(waiting(outbox.clone()).await, expected, "{why}");
        }
        let Next::Due(first) = outbox.next("duty/webhook", i64::MAX).await.unwrap() else { panic!("a message waits") };
        assert_eq!(first.message.unwrap().group_key, "{test}:{alertname=\"SignalboxTest\"}", "the message itself is the same");
    }
}
