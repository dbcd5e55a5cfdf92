//! The list of channels, and what each has to do: deliver one message, say what came of it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::retry::Failure;
use crate::{Message, email, hosted, webhook};

/// A way to tell people. Adding one: a folder, a variant here, a key of a receiver. Cloning is cheap: clones share their
/// connections.
#[derive(Debug, Clone)]
pub enum Channel {
    /// SMTP.
    Email(Arc<email::Email>),
    /// HTTP POST of Alertmanager's JSON.
    Webhook(Arc<webhook::Webhook>),
    /// A service on the web: Slack, PagerDuty and such.
    Hosted(Arc<hosted::Hosted>),
    /// One that another crate made: another Alertmanager, or a simulation.
    Carrier(Arc<dyn Carrier>),
}

/// A channel that another crate makes.
#[async_trait]
pub trait Carrier: Send + Sync + fmt::Debug {
    /// The word for metrics and logs.
    fn kind(&self) -> &'static str;

    /// Whether it wants to know that alerts are resolved.
    fn sends_resolved(&self) -> bool;

    /// Tries once, as [`Channel::deliver`].
    ///
    /// # Errors
    /// Why not, and whether to try again.
    async fn deliver(&self, delivery: Delivery<'_>) -> Result<Receipt, Failure>;
}

/// One message on its way.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The message.
    pub message: &'a Message,
    /// Its id in the outbox.
    pub id: i64,
    /// When it was enqueued, nanoseconds since the Unix epoch. With the id it identifies the message, at every attempt.
    pub enqueued_at_ns: i64,
    /// The time of this attempt, nanoseconds since the Unix epoch: what templates call `now`.
    pub now_ns: i64,
    /// What the receiver called the latest message of the group, if it was one that can be changed: see [`Receipt::handle`].
    pub handle: Option<&'a str>,
}

/// What a receiver said when it took a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its answer in short, for people: a status with the start of the text. It never holds what we sent.
    pub answer: String,
    /// What the receiver calls the message, if a later one about the group may change it.
    pub handle: Option<String>,
}

impl Channel {
    /// The word for metrics and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Webhook(_) => "webhook",
            Self::Hosted(hosted) => hosted.kind(),
            Self::Carrier(carrier) => carrier.kind(),
        }
    }

    /// Whether the channel wants to know that alerts are resolved.
    pub fn sends_resolved(&self) -> bool {
        match self {
            Self::Email(email) => email.sends_resolved(),
            Self::Webhook(webhook) => webhook.sends_resolved(),
            Self::Hosted(hosted) => hosted.sends_resolved(),
            Self::Carrier(carrier) => carrier.sends_resolved(),
        }
    }

    /// Tries once. `Ok` means that the receiver has taken responsibility.
    ///
    /// # Errors
    /// Why not, and whether to try again.
    pub async fn deliver(&self, delivery: Delivery<'_>) -> Result<Receipt, Failure> {
        match self {
            Self::Email(email) => email.deliver(delivery).await,
            Self::Webhook(webhook) => webhook.deliver(delivery).await,
            Self::Hosted(hosted) => hosted.deliver(delivery).await,
            Self::Carrier(carrier) => carrier.deliver(delivery).await,
        }
    }
}

impl Delivery<'_> {
    /// The same at every attempt, different for every message.
    pub(crate) fn key(&self) -> String {
        format!("{}.{:x}", self.id, self.enqueued_at_ns)
    }
}
