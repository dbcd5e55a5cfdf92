//! The outbox of `notify` in the database of `meta`: neither knows the other.

use std::sync::Arc;

use async_trait::async_trait;
use signalbox_meta::Meta;
use signalbox_model::Result;
use signalbox_notify::{Attempt, Next, Outbox, Pending};

/// Messages wait in the state database.
#[derive(Debug, Clone)]
pub struct MetaOutbox(Arc<Meta>);

impl MetaOutbox {
    /// The outbox in this database.
    pub fn new(meta: Arc<Meta>) -> Self {
        Self(meta)
    }
}

#[async_trait]
impl Outbox for MetaOutbox {
    async fn next(&self, channel: &str, now_ns: i64) -> Result<Next> {
        Ok(match self.0.next_message(channel, now_ns).await? {
            signalbox_meta::Next::Empty => Next::Empty,
            signalbox_meta::Next::At(instant_ns) => Next::At(instant_ns),
            signalbox_meta::Next::Due(waiting) => Next::Due(Box::new(Pending {
                id: waiting.id,
                message: serde_json::from_str(&waiting.payload).map_err(|error| format!("cannot read message {} in the outbox: {error}", waiting.id)),
                enqueued_at_ns: waiting.enqueued_at_ns,
                attempts: waiting.attempts,
            })),
        })
    }

    async fn delivered(&self, id: i64, attempt: &Attempt) -> Result<()> {
        self.0.message_delivered(id, &attempt.answer, attempt.at_ns).await
    }

    async fn failed(&self, id: i64, attempt: &Attempt, next_attempt_at_ns: i64) -> Result<()> {
        self.0.message_failed(id, &attempt.answer, attempt.at_ns, next_attempt_at_ns).await
    }

    async fn gave_up(&self, id: i64, attempt: &Attempt) -> Result<()> {
        self.0.message_dead(id, &attempt.answer, attempt.at_ns).await
    }

    async fn waiting_channels(&self) -> Result<Vec<String>> {
        Ok(self.0.waiting_messages().await?.into_iter().map(|(channel, _)| channel).collect())
    }
}
