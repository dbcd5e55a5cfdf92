//! Delivers messages about alerts through channels: email, webhook, Slack, PagerDuty and others. Durable retries, never a decision about what to send.
//!
//! `alert` decides and enqueues; [`Deliverer`] drives the [`Outbox`]: one task a channel, so that a dead mail server delays
//! no webhook, and a fallback where one is configured. It is at least once: a message is sent again only if the process died between the receiver's yes and our
//! record of it, and then looks the same (a mail has the same `Message-ID`, a webhook the same `Idempotency-Key`).

pub mod alertmanager;
pub mod message;
pub mod settings;

mod breaker;
mod channel;
mod dingtalk;
mod discord;
pub mod email;
mod feishu;
pub mod forward;
mod googlechat;
mod gotify;
pub mod hosted;
mod http;
mod incidentio;
mod jira;
mod matrix;
mod mattermost;
mod msteams;
mod ntfy;
mod opsgenie;
mod pagerduty;
mod pushover;
mod rocketchat;
mod slack;
mod sns;
mod telegram;
pub mod template;
mod tls;
mod victorops;
mod webex;
pub mod webhook;
mod wechat;

mod deliver;
mod instant;
mod outbox;
pub mod retry;
pub mod test;

pub use channel::{Carrier, Channel, Delivery, Receipt};
pub use deliver::Deliverer;
pub use http::address::{Internal, Network, Policy};
pub use message::{Alert, Message, Pairs, Reason, Status};
pub use outbox::{Attempt, Next, Outbox, Pending};
pub use settings::{Entry, Fallback, Receiver, Secret, Settings};
pub use tls::{TlsSettings, TlsVersion};
