//! Messages to deliver: written before anything is sent, gone when the receiver took them or kept as dead letters.
//!
//! Each channel has a queue of its own, so that a dead one delays nobody else. Within a channel the messages of one group go
//! in order: "resolved" never overtakes "firing". A message that waits for its next attempt holds up its group only.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use signalbox_model::{Error, Result};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::migrate::Migration;
use crate::notification_detail::{self, Attempt, MessageAbout};
use crate::notification_log::{self, Outcome};
use crate::{Meta, commit, failed};

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 2,
        sql: "
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY REFERENCES notifications (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    group_key TEXT NOT NULL,
    payload TEXT NOT NULL,
    enqueued_at_ns INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at_ns INTEGER NOT NULL,
    is_dead INTEGER NOT NULL CHECK (is_dead IN (0, 1)),
    error TEXT
) STRICT;
CREATE INDEX outbox_by_channel ON outbox (channel, is_dead, group_key, id);
",
    },
    Migration {
        number: 12,
        sql: "
CREATE TABLE message_handles (
    channel TEXT NOT NULL,
    group_key TEXT NOT NULL,
    handle TEXT NOT NULL,
    given_at_ns INTEGER NOT NULL,
    PRIMARY KEY (channel, group_key)
) STRICT, WITHOUT ROWID;
",
    },
];

/// Most messages that wait for one channel. Enqueueing more is refused: such a channel has been dead for very long.
pub const OUTBOX_MESSAGES_MAX: i64 = 10_000;

/// A message to enqueue, with its line for the notification log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Two messages with one key are one message: enqueueing the second changes nothing, now or after a restart. It should
    /// name the group, the channel and what came before (the id of the latest notification): then each notification has at
    /// most one successor, however often the decision to send it is taken again.
    pub dedup_key: String,
    /// The group of alerts.
    pub group_key: String,
    /// The receiver by name.
    pub receiver: String,
    /// The receiver's channel, whose queue the message joins.
    pub channel: String,
    /// Fingerprints of the alerts that it says are firing, in any order.
    pub firing: Vec<u64>,
    /// Fingerprints of the alerts that it says are resolved, in any order.
    pub resolved: Vec<u64>,
    /// The message itself, opaque here.
    pub payload: String,
    /// Now, in nanoseconds since the Unix epoch.
    pub created_at_ns: i64,
    /// What it says, for whoever reads the log.
    pub about: MessageAbout,
}

/// What enqueueing did. The id is that of the line in the notification log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// The message is in the outbox.
    New(i64),
    /// A message with this key was enqueued before.
    Known(i64),
}

/// A message whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMessage {
    /// The id, stable over restarts.
    pub id: i64,
    /// The group of alerts.
    pub group_key: String,
    /// The message itself.
    pub payload: String,
    /// When it was enqueued.
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
    Due(PendingMessage),
    /// Nothing before this instant.
    At(i64),
    /// Nothing at all.
    Empty,
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The id.
    pub id: i64,
    /// The channel that could not deliver it.
    pub channel: String,
    /// The group of alerts.
    pub group_key: String,
    /// The message itself.
    pub payload: String,
    /// Attempts that have failed.
    pub attempts: u32,
    /// What the last one said.
    pub error: Option<String>,
}

impl Meta {
    /// Enqueues messages with their lines in the notification log: all or none, durable on return.
    ///
    /// # Errors
    /// `Limit` if a channel has [`OUTBOX_MESSAGES_MAX`] messages waiting, `Unavailable` if the database cannot be written,
    /// `Corrupt` if it is damaged. After `Unavailable` the messages may or may not be enqueued: call again with the same keys.
    pub async fn enqueue(&self, messages: &[NewMessage]) -> Result<Vec<Enqueued>> {
        let mut held = self.lock().await;
        let mut transaction = held.begin().await?;
        let mut enqueued = Vec::with_capacity(messages.len());
        let mut waiting: BTreeMap<&str, i64> = BTreeMap::new();
        for message in messages {
            let Some(id) = notification_log::append(&mut transaction, message).await? else {
                enqueued.push(Enqueued::Known(notification_log::id_of(&mut transaction, &message.dedup_key).await?));
                continue;
            };
            let channel = message.channel.as_str();
            let waiting = match waiting.entry(channel) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(count_waiting(&mut transaction, channel).await?),
            };
            if *waiting >= OUTBOX_MESSAGES_MAX {
                return Err(Error::limit(format!("cannot enqueue a message for {channel}: found {waiting} waiting: want fewer")));
            }
            *waiting += 1;
            notification_detail::append(&mut transaction, id, &message.about).await?;
            let insert = sqlx::query("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, 0, ?, 0, NULL)").bind(id).bind(&message.channel).bind(&message.group_key);
            let insert = insert.bind(&message.payload).bind(message.created_at_ns).bind(message.created_at_ns);
            insert.execute(&mut *transaction).await.map_err(failed("write"))?;
            enqueued.push(Enqueued::New(id));
        }
        commit(transaction).await?;
        Ok(enqueued)
    }

    /// What a channel has to do next: of the first message of each group, the one whose time came first.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be read, `Corrupt` if it is damaged.
    pub async fn next_message(&self, channel: &str, now_ns: i64) -> Result<Next> {
        let mut held = self.lock().await;
        let query = sqlx::query(
            "SELECT outbox.*, handle FROM outbox LEFT JOIN message_handles USING (channel, group_key)
             WHERE id IN (SELECT min(id) FROM outbox WHERE channel = ? AND is_dead = 0 GROUP BY group_key) ORDER BY next_attempt_at_ns, id LIMIT 1",
        );
        let Some(row) = query.bind(channel).fetch_optional(held.connection()?).await.map_err(failed("read"))? else {
            return Ok(Next::Empty);
        };
        let next_attempt_at_ns: i64 = row.get("next_attempt_at_ns");
        if next_attempt_at_ns > now_ns {
            return Ok(Next::At(next_attempt_at_ns));
        }
        Ok(Next::Due(PendingMessage {
            id: row.get("id"),
            group_key: row.get("group_key"),
            payload: row.get("payload"),
            enqueued_at_ns: row.get("enqueued_at_ns"),
            attempts: attempts(&row)?,
            handle: row.get("handle"),
        }))
    }

    /// Records that the receiver took a message, with what it said: it leaves the outbox, the log says so. Durable on return;
    /// calling it again changes nothing.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be written, `Corrupt` if it is damaged.
    pub async fn message_delivered(&self, id: i64, answer: &str, at_ns: i64) -> Result<()> {
        self.message_delivered_as(id, answer, None, at_ns).await
    }

    /// As [`Meta::message_delivered`], with what the receiver calls the message: [`PendingMessage::handle`] of those after it.
    ///
    /// # Errors
    /// As [`Meta::message_delivered`].
    pub async fn message_delivered_as(&self, id: i64, answer: &str, handle: Option<&str>, at_ns: i64) -> Result<()> {
        let mut held = self.lock().await;
        let mut transaction = held.begin().await?;
        if let Some(handle) = handle {
            let name = "INSERT OR REPLACE INTO message_handles SELECT channel, group_key, ?, ? FROM outbox WHERE id = ? AND is_dead = 0";
            sqlx::query(name).bind(handle).bind(at_ns).bind(id).execute(&mut *transaction).await.map_err(failed("write"))?;
        }
        let gone = sqlx::query("DELETE FROM outbox WHERE id = ? AND is_dead = 0").bind(id).execute(&mut *transaction).await.map_err(failed("write"))?;
        if gone.rows_affected() > 0 {
            notification_log::finish(&mut transaction, id, Outcome::Delivered, at_ns, None).await?;
            notification_detail::attempted(&mut transaction, id, &Attempt { at_ns, is_ok: true, answer: answer.to_owned() }).await?;
        }
        commit(transaction).await
    }

    /// Records a failed attempt and when the next is due. Durable on return.
    ///
    /// # Errors
    /// As [`Meta::message_delivered`].
    pub async fn message_failed(&self, id: i64, error: &str, at_ns: i64, next_attempt_at_ns: i64) -> Result<()> {
        let mut held = self.lock().await;
        let mut transaction = held.begin().await?;
        let update = sqlx::query("UPDATE outbox SET attempts = attempts + 1, error = ?, next_attempt_at_ns = ? WHERE id = ? AND is_dead = 0");
        let update = update.bind(error).bind(next_attempt_at_ns).bind(id).execute(&mut *transaction).await.map_err(failed("write"))?;
        if update.rows_affected() > 0 {
            notification_log::attempt_failed(&mut transaction, id, error).await?;
            notification_detail::attempted(&mut transaction, id, &Attempt { at_ns, is_ok: false, answer: error.to_owned() }).await?;
        }
        commit(transaction).await
    }

    /// Gives a message up after an attempt: it becomes a dead letter. Durable on return.
    ///
    /// # Errors
    /// As [`Meta::message_delivered`].
    pub async fn message_dead(&self, id: i64, error: &str, at_ns: i64) -> Result<()> {
        self.bury(id, error, at_ns, false).await
    }

    /// As [`Meta::message_dead`], because the receiver will never take it: the log says so.
    ///
    /// # Errors
    /// As [`Meta::message_delivered`].
    pub async fn message_refused(&self, id: i64, error: &str, at_ns: i64) -> Result<()> {
        self.bury(id, error, at_ns, true).await
    }

    async fn bury(&self, id: i64, error: &str, at_ns: i64, is_refused: bool) -> Result<()> {
        let mut held = self.lock().await;
        let mut transaction = held.begin().await?;
        let update = sqlx::query("UPDATE outbox SET attempts = attempts + 1, error = ?, is_dead = 1 WHERE id = ? AND is_dead = 0");
        let update = update.bind(error).bind(id).execute(&mut *transaction).await.map_err(failed("write"))?;
        if update.rows_affected() > 0 {
            notification_log::finish(&mut transaction, id, Outcome::Dead, at_ns, Some(error)).await?;
            if is_refused {
                notification_log::refused(&mut transaction, id).await?;
            }
            notification_detail::attempted(&mut transaction, id, &Attempt { at_ns, is_ok: false, answer: error.to_owned() }).await?;
        }
        commit(transaction).await
    }

    /// No message waits for its next attempt beyond an instant. Returns how many were to. Durable on return.
    ///
    /// # Errors
    /// As [`Meta::message_delivered`].
    pub async fn hurry_messages(&self, latest_ns: i64) -> Result<u64> {
        let mut held = self.lock().await;
        let update = sqlx::query("UPDATE outbox SET next_attempt_at_ns = ? WHERE next_attempt_at_ns > ? AND is_dead = 0").bind(latest_ns).bind(latest_ns);
        Ok(update.execute(held.connection()?).await.map_err(failed("write"))?.rows_affected())
    }

    /// Channels that messages wait for, with how many, by name.
    ///
    /// # Errors
    /// As [`Meta::next_message`].
    pub async fn waiting_messages(&self) -> Result<Vec<(String, i64)>> {
        let mut held = self.lock().await;
        let query = sqlx::query_as("SELECT channel, count(*) FROM outbox WHERE is_dead = 0 GROUP BY channel ORDER BY channel");
        query.fetch_all(held.connection()?).await.map_err(failed("read"))
    }

    /// Messages that were given up, newest first.
    ///
    /// # Errors
    /// As [`Meta::next_message`].
    pub async fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>> {
        let mut held = self.lock().await;
        let query = sqlx::query("SELECT * FROM outbox WHERE is_dead = 1 ORDER BY id DESC LIMIT ?").bind(limit);
        let rows = query.fetch_all(held.connection()?).await.map_err(failed("read"))?;
        let letter = |row: &SqliteRow| {
            Ok(DeadLetter {
                id: row.get("id"),
                channel: row.get("channel"),
                group_key: row.get("group_key"),
                payload: row.get("payload"),
                attempts: attempts(row)?,
                error: row.get("error"),
            })
        };
        rows.iter().map(letter).collect()
    }
}

async fn count_waiting(connection: &mut SqliteConnection, channel: &str) -> Result<i64> {
    let query = sqlx::query_scalar("SELECT count(*) FROM outbox WHERE channel = ? AND is_dead = 0").bind(channel);
    query.fetch_one(connection).await.map_err(failed("read"))
}

fn attempts(row: &SqliteRow) -> Result<u32> {
    u32::try_from(row.get::<i64, _>("attempts")).map_err(|_| Error::corrupt("cannot read the outbox: column attempts is damaged"))
}
