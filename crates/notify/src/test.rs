//! "Send a test": a made-up alert, told at once through the channels of a receiver, with the answer of each.
//!
//! Nothing of it passes the outbox: who asks is there to see what comes of it.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::channel::{Channel, Delivery};
use crate::message::{Alert, Message, Pairs, Reason, Status, group_key};

/// What came of a test of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The channel by name.
    pub channel: String,
    /// What it is: `slack`, `email`.
    pub kind: &'static str,
    /// Whether the receiver took the message.
    pub is_ok: bool,
    /// What it answered, or what went wrong, in short. It never holds a secret.
    pub answer: String,
    /// Whether the same may succeed later. False if it succeeded.
    pub is_transient: bool,
    /// How long to wait before that, if the receiver said so.
    pub retry_after: Option<Duration>,
}

/// A message about one made-up alert that is on, with these labels and annotations beside those of every test.
pub fn message(receiver: &str, labels: &Pairs, annotations: &Pairs, external_url: &str, now_ns: i64) -> Message {
    let with = |own: &[(&str, &str)], more: &Pairs| {
        let mut pairs: Pairs = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        pairs.extend(more.clone());
        pairs
    };
    let labels = with(&[("alertname", "SignalboxTest"), ("severity", "none")], labels);
    let annotations = with(&[("summary", "A test of notifications: nothing is wrong.")], annotations);
    let alert = Alert { status: Status::Firing, labels, annotations, starts_at_ns: now_ns, ends_at_ns: None, generator_url: external_url.to_owned() };
    let group_labels: Pairs = alert.labels.get_key_value("alertname").into_iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Message {
        receiver: receiver.to_owned(),
        reason: Reason::FirstNotification,
        group_key: group_key("{test}", &group_labels),
        group_labels,
        alerts: vec![alert],
        external_url: external_url.to_owned(),
        route_labels: Pairs::new(),
        truncated_alerts: 0,
    }
}

/// Tells all these channels at the same time, once, and waits for their answers no longer than until the deadline. The
/// outcomes are in the order of the channels.
pub async fn send(channels: &[(String, Channel)], message: &Message, now_ns: i64, deadline: Duration) -> Vec<Outcome> {
    let mut tasks = JoinSet::new();
    for (index, (name, channel)) in channels.iter().enumerate() {
        let (name, channel, message) = (name.clone(), channel.clone(), message.clone());
        tasks.spawn(async move { (index, one(name, &channel, &message, now_ns, deadline).await) });
    }
    let mut outcomes = Vec::with_capacity(channels.len());
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => tracing::error!("the task of a test died: {error}"),
        }
    }
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

async fn one(name: String, channel: &Channel, message: &Message, now_ns: i64, deadline: Duration) -> Outcome {
    let kind = channel.kind();
    let delivery = Delivery { message, id: 0, enqueued_at_ns: now_ns, now_ns, handle: None };
    match tokio::time::timeout(deadline, channel.deliver(delivery)).await {
        Ok(Ok(receipt)) => Outcome { channel: name, kind, is_ok: true, answer: receipt.answer, is_transient: false, retry_after: None },
        Ok(Err(failure)) => {
            Outcome { channel: name, kind, is_ok: false, answer: failure.error, is_transient: failure.is_transient, retry_after: failure.retry_after }
        }
        Err(_) => {
            let answer = format!("no answer within {} ms", deadline.as_millis());
            Outcome { channel: name, kind, is_ok: false, answer, is_transient: true, retry_after: None }
        }
    }
}
