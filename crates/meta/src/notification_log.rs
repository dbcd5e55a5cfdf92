//! What was sent: for each group of alerts and channel, which alerts the receiver was told about, and when.
//!
//! A line is written together with the message in the outbox, so that after a crash the log is the truth: the intent is
//! either there with its message, or neither is. Grouping asks for the latest line to decide whether there is news.

use signalbox_model::{Error, Result};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::migrate::Migration;
use crate::{Meta, failed, outbox::NewMessage};

/// Lines of a group and channel that tell what was told lately.
const LATELY: i64 = 1_000;

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        sql: "
CREATE TABLE notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    dedup_key TEXT NOT NULL UNIQUE,
    group_key TEXT NOT NULL,
    receiver TEXT NOT NULL,
    channel TEXT NOT NULL,
    firing TEXT NOT NULL,
    resolved TEXT NOT NULL,
    created_at_ns INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('pending', 'delivered', 'dead')),
    attempts INTEGER NOT NULL,
    finished_at_ns INTEGER,
    error TEXT
) STRICT;
CREATE INDEX notifications_by_group ON notifications (channel, group_key, id);
CREATE INDEX notifications_by_time ON notifications (created_at_ns);
",
    },
    Migration { number: 11, sql: "ALTER TABLE notifications ADD COLUMN is_refused INTEGER NOT NULL DEFAULT 0 CHECK (is_refused IN (0, 1))" },
];

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// In the outbox.
    Pending,
    /// The receiver took it.
    Delivered,
    /// Given up; its message is a dead letter.
    Dead,
}

impl Outcome {
    /// The word in the database and in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// The outcome that a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Dead].into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Order of lines; also the id of the message in the outbox.
    pub id: i64,
    /// What makes the notification unique: see [`NewMessage::dedup_key`].
    pub dedup_key: String,
    /// The group of alerts.
    pub group_key: String,
    /// The receiver by name.
    pub receiver: String,
    /// The receiver's channel.
    pub channel: String,
    /// Fingerprints of the alerts that were told to be firing, sorted.
    pub firing: Vec<u64>,
    /// Fingerprints of the alerts that were told to be resolved, sorted.
    pub resolved: Vec<u64>,
    /// When it was enqueued, nanoseconds since the Unix epoch.
    pub created_at_ns: i64,
    /// What became of it.
    pub outcome: Outcome,
    /// It was given up because its receiver said no for good, not for having waited too long.
    pub is_refused: bool,
    /// Attempts to deliver that have ended.
    pub attempts: u32,
    /// When it was delivered or given up.
    pub finished_at_ns: Option<i64>,
    /// What the last failed attempt said.
    pub error: Option<String>,
}

impl Meta {
    /// The latest line for a group and a channel.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be read, `Corrupt` if it is damaged.
    pub async fn latest_notification(&self, channel: &str, group_key: &str) -> Result<Option<Notification>> {
        let mut held = self.lock().await;
        let query = sqlx::query("SELECT * FROM notifications WHERE channel = ? AND group_key = ? ORDER BY id DESC LIMIT 1").bind(channel).bind(group_key);
        let row = query.fetch_optional(held.connection()?).await.map_err(failed("read"))?;
        row.as_ref().map(notification).transpose()
    }

    /// The latest line for a group and a channel that was not given up.
    ///
    /// # Errors
    /// As [`Meta::latest_notification`].
    pub async fn latest_standing_notification(&self, channel: &str, group_key: &str) -> Result<Option<Notification>> {
        let mut held = self.lock().await;
        let sql = "SELECT * FROM notifications WHERE channel = ? AND group_key = ? AND outcome <> 'dead' ORDER BY id DESC LIMIT 1";
        let row = sqlx::query(sql).bind(channel).bind(group_key).fetch_optional(held.connection()?).await.map_err(failed("read"))?;
        row.as_ref().map(notification).transpose()
    }

    /// The latest lines for a group and a channel up to the first that was not refused, newest first, at most `limit`.
    ///
    /// # Errors
    /// As [`Meta::latest_notification`].
    pub async fn latest_refusals(&self, channel: &str, group_key: &str, limit: u32) -> Result<Vec<Notification>> {
        let mut held = self.lock().await;
        let query = sqlx::query("SELECT * FROM notifications WHERE channel = ? AND group_key = ? ORDER BY id DESC LIMIT ?");
        let rows = query.bind(channel).bind(group_key).bind(limit).fetch_all(held.connection()?).await.map_err(failed("read"))?;
        let lines = rows.iter().map(notification).collect::<Result<Vec<_>>>()?;
        Ok(lines.into_iter().take_while(|line| line.is_refused).collect())
    }

    /// The latest line of every group and channel, oldest first: what a restart begins with.
    ///
    /// # Errors
    /// As [`Meta::latest_notification`].
    pub async fn latest_notifications(&self) -> Result<Vec<Notification>> {
        let mut held = self.lock().await;
        let query = sqlx::query("SELECT * FROM notifications WHERE id IN (SELECT max(id) FROM notifications GROUP BY channel, group_key) ORDER BY id");
        query.fetch_all(held.connection()?).await.map_err(failed("read"))?.iter().map(notification).collect()
    }

    /// A page of the log, newest first: at most `limit` lines older than the line `before`.
    ///
    /// # Errors
    /// As [`Meta::latest_notification`].
    pub async fn notifications(&self, before: Option<i64>, limit: u32) -> Result<Vec<Notification>> {
        let mut held = self.lock().await;
        let query = sqlx::query("SELECT * FROM notifications WHERE id < ? ORDER BY id DESC LIMIT ?").bind(before.unwrap_or(i64::MAX)).bind(limit);
        query.fetch_all(held.connection()?).await.map_err(failed("read"))?.iter().map(notification).collect()
    }

    /// Episodes that the latest lines of a group and channel name, firing or over, without those that were given up. By the order of
    /// the lines and not by their times: after a clock was set back, those of what was told last are in the past of what it tells.
    ///
    /// # Errors
    /// As [`Meta::latest_notification`].
    pub async fn told_lately(&self, channel: &str, group_key: &str) -> Result<Vec<u64>> {
        let mut held = self.lock().await;
        let sql = "SELECT * FROM notifications WHERE channel = ? AND group_key = ? AND outcome <> 'dead' ORDER BY id DESC LIMIT ?";
        let rows = sqlx::query(sql).bind(channel).bind(group_key).bind(LATELY).fetch_all(held.connection()?).await.map_err(failed("read"))?;
        let mut told = Vec::new();
        for line in rows.iter().map(notification) {
            let line = line?;
            told.extend(line.firing.iter().chain(&line.resolved));
        }
        Ok(told)
    }

    /// Forgets lines from before an instant, except the latest of each group and those whose message waits. Dead letters and names of
    /// messages of that age go as well. Returns how many lines went.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be written, `Corrupt` if it is damaged.
    pub async fn forget_notifications(&self, before_ns: i64) -> Result<u64> {
        let mut held = self.lock().await;
        let handles = sqlx::query("DELETE FROM message_handles WHERE given_at_ns < ?").bind(before_ns);
        handles.execute(held.connection()?).await.map_err(failed("write"))?;
        let query = sqlx::query(
            "DELETE FROM notifications WHERE created_at_ns < ? AND outcome <> 'pending'
             AND id NOT IN (SELECT max(id) FROM notifications GROUP BY channel, group_key)
             AND id NOT IN (SELECT max(id) FROM notifications WHERE outcome <> 'dead' GROUP BY channel, group_key)",
        );
        Ok(query.bind(before_ns).execute(held.connection()?).await.map_err(failed("write"))?.rows_affected())
    }
}

/// Writes a line; `None` if there is one with its key.
pub(crate) async fn append(connection: &mut SqliteConnection, message: &NewMessage) -> Result<Option<i64>> {
    let query = sqlx::query_scalar(
        "INSERT INTO notifications (dedup_key, group_key, receiver, channel, firing, resolved, created_at_ns, outcome, attempts)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', 0) ON CONFLICT (dedup_key) DO NOTHING RETURNING id",
    );
    let query = query.bind(&message.dedup_key).bind(&message.group_key).bind(&message.receiver).bind(&message.channel);
    let query = query.bind(fingerprints_to_text(&message.firing)).bind(fingerprints_to_text(&message.resolved)).bind(message.created_at_ns);
    query.fetch_optional(connection).await.map_err(failed("write"))
}

/// The id of the line with a key.
pub(crate) async fn id_of(connection: &mut SqliteConnection, dedup_key: &str) -> Result<i64> {
    sqlx::query_scalar("SELECT id FROM notifications WHERE dedup_key = ?").bind(dedup_key).fetch_one(connection).await.map_err(failed("read"))
}

/// Counts an attempt that failed.
pub(crate) async fn attempt_failed(connection: &mut SqliteConnection, id: i64, error: &str) -> Result<()> {
    let query = sqlx::query("UPDATE notifications SET attempts = attempts + 1, error = ? WHERE id = ?").bind(error).bind(id);
    query.execute(connection).await.map_err(failed("write")).map(|_| ())
}

/// Records how a notification ended.
pub(crate) async fn finish(connection: &mut SqliteConnection, id: i64, outcome: Outcome, at_ns: i64, error: Option<&str>) -> Result<()> {
    let query = sqlx::query("UPDATE notifications SET attempts = attempts + 1, outcome = ?, finished_at_ns = ?, error = coalesce(?, error) WHERE id = ?");
    let query = query.bind(outcome.as_str()).bind(at_ns).bind(error).bind(id);
    query.execute(connection).await.map_err(failed("write")).map(|_| ())
}

pub(crate) fn notification(row: &SqliteRow) -> Result<Notification> {
    let damaged = |column: &str| Error::corrupt(format!("cannot read the notification log: column {column} is damaged"));
    Ok(Notification {
        id: row.get("id"),
        dedup_key: row.get("dedup_key"),
        group_key: row.get("group_key"),
        receiver: row.get("receiver"),
        channel: row.get("channel"),
        firing: fingerprints_from_text(row.get("firing")).ok_or_else(|| damaged("firing"))?,
        resolved: fingerprints_from_text(row.get("resolved")).ok_or_else(|| damaged("resolved"))?,
        created_at_ns: row.get("created_at_ns"),
        outcome: Outcome::from_word(row.get("outcome")).ok_or_else(|| damaged("outcome"))?,
        is_refused: row.get::<i64, _>("is_refused") != 0,
        attempts: u32::try_from(row.get::<i64, _>("attempts")).map_err(|_| damaged("attempts"))?,
        finished_at_ns: row.get("finished_at_ns"),
        error: row.get("error"),
    })
}

/// Records that the receiver of a notification will never take it.
pub(crate) async fn refused(connection: &mut SqliteConnection, id: i64) -> Result<()> {
    sqlx::query("UPDATE notifications SET is_refused = 1 WHERE id = ?").bind(id).execute(connection).await.map_err(failed("write")).map(|_| ())
}

/// Sorted, in hexadecimal as Prometheus prints them, between commas.
fn fingerprints_to_text(fingerprints: &[u64]) -> String {
    let mut sorted = fingerprints.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.iter().map(|fingerprint| format!("{fingerprint:016x}")).collect::<Vec<_>>().join(",")
}

fn fingerprints_from_text(text: &str) -> Option<Vec<u64>> {
    text.split(',').filter(|item| !item.is_empty()).map(|item| u64::from_str_radix(item, 16).ok()).collect()
}
