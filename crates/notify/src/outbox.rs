//! The outbox as delivery sees it: where messages wait, durably, until a channel has taken them.
//!
//! It is a trait because this crate must not know the database (nor the database this crate): `alert` puts the two together.

use std::fmt;

use async_trait::async_trait;
use signalbox_model::Result;

use crate::Message;

/// A message whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Stable over restarts: what makes a retry recognisable as one.
    pub id: i64,
    /// The message; `Err` with the reason if what the outbox kept cannot be read.
    pub message: std::result::Result<Message, String>,
    /// When it was enqueued, nanoseconds since the Unix epoch.
    pub enqueued_at_ns: i64,
    /// Attempts that have failed.
    pub attempts: u32,
    /// What the receiver called the latest message of the group that it gave a name.
    pub handle: Option<String>,
}

/// What a channel has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Send this.
    Due(Box<Pending>),
    /// Nothing before this instant, nanoseconds since the Unix epoch.
    At(i64),
    /// Nothing at all.
    Empty,
}

/// One attempt to deliver, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it came to its end, nanoseconds since the Unix epoch.
    pub at_ns: i64,
    /// Whether the receiver took the message.
    pub is_ok: bool,
    /// What the receiver answered, or what went wrong, in short: at most [`crate::retry::ERROR_BYTES_MAX`] bytes, without
    /// secrets.
    pub answer: String,
    /// What the receiver calls the message: with its delivery it becomes that of the group.
    pub handle: Option<String>,
}

/// Where messages wait. Every method that changes something MUST be durable when it returns `Ok`; after `Err` the change may
/// or may not have happened, and doing it again MUST be harmless.
#[async_trait]
pub trait Outbox: Send + Sync + fmt::Debug {
    /// What a channel has to do next. The messages of one group MUST come in the order in which they were enqueued, each
    /// after the one before it was delivered or given up.
    async fn next(&self, channel: &str, now_ns: i64) -> Result<Next>;

    /// The receiver took the message.
    async fn delivered(&self, id: i64, attempt: &Attempt) -> Result<()>;

    /// An attempt failed; the next is due at an instant.
    async fn failed(&self, id: i64, attempt: &Attempt, next_attempt_at_ns: i64) -> Result<()>;

    /// An attempt failed and there will be none after it: the message becomes a dead letter.
    async fn gave_up(&self, id: i64, attempt: &Attempt) -> Result<()>;

    /// As [`Outbox::gave_up`], because the receiver said no for good: the same message would be refused again.
    async fn refused(&self, id: i64, attempt: &Attempt) -> Result<()>;

    /// Enqueues a message for other channels as well. Done again for the same message and channel it MUST change nothing, even
    /// after that channel took it.
    async fn hand_over(&self, pending: &Pending, channels: &[String], at_ns: i64) -> Result<()>;

    /// The channel that asks is left alone until an instant, nanoseconds since the Unix epoch: for whoever watches it.
    fn rests(&self, _until_ns: i64) {}

    /// The channels that messages wait for.
    async fn waiting_channels(&self) -> Result<Vec<String>>;
}
