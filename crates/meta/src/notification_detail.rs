//! What the log of notifications tells people, beside what grouping asks it: why a message was sent, which alerts it named, and
//! what its receiver answered to each attempt.

use std::collections::BTreeMap;

use signalbox_model::Result;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::label_sets::{self, from_text, to_text};
use crate::migrate::Migration;
use crate::notification_log::{Notification, Outcome, notification};
use crate::{Meta, Pairs, failed};

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    number: 7,
    sql: "
CREATE TABLE notification_details (
    notification INTEGER PRIMARY KEY REFERENCES notifications (id) ON DELETE CASCADE,
    reason TEXT NOT NULL,
    group_labels TEXT NOT NULL
) STRICT;
CREATE TABLE notification_alerts (
    notification INTEGER NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    fingerprint INTEGER NOT NULL,
    is_firing INTEGER NOT NULL CHECK (is_firing IN (0, 1)),
    PRIMARY KEY (notification, fingerprint)
) STRICT, WITHOUT ROWID;
CREATE INDEX notification_alerts_by_fingerprint ON notification_alerts (fingerprint, notification);
CREATE TABLE notification_attempts (
    notification INTEGER NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at_ns INTEGER NOT NULL,
    is_ok INTEGER NOT NULL CHECK (is_ok IN (0, 1)),
    answer TEXT NOT NULL,
    PRIMARY KEY (notification, number)
) STRICT, WITHOUT ROWID;
",
}];

/// What a message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageAbout {
    /// Why it is sent.
    pub reason: String,
    /// The labels that its alerts share.
    pub group_labels: Pairs,
    /// The alerts that it names.
    pub alerts: Vec<ToldAlert>,
}

/// An alert in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldAlert {
    /// Prometheus' fingerprint of its labels.
    pub fingerprint: u64,
    /// Its labels.
    pub labels: Pairs,
    /// Whether it was told to be firing; else it was resolved.
    pub is_firing: bool,
}

/// One attempt to deliver a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended, nanoseconds since the Unix epoch.
    pub at_ns: i64,
    /// Whether the receiver took the message.
    pub is_ok: bool,
    /// What the receiver said, or why there was no answer.
    pub answer: String,
}

/// Which lines of the log are wanted; what is `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationFilter {
    /// Not before this instant, nanoseconds since the Unix epoch.
    pub start_ns: Option<i64>,
    /// Not after this instant, nanoseconds since the Unix epoch.
    pub end_ns: Option<i64>,
    /// Of this receiver.
    pub receiver: Option<String>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// Of this group.
    pub group_key: Option<String>,
    /// That named this alert.
    pub fingerprint: Option<u64>,
    /// At most so many, the newest.
    pub limit: u32,
}

/// A line of the log with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationRecord {
    /// The line.
    pub line: Notification,
    /// What the message said.
    pub about: MessageAbout,
    /// The attempts to deliver it, in order.
    pub attempts: Vec<Attempt>,
}

impl Meta {
    /// Lines of the log, newest first.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be read, `Corrupt` if it is damaged.
    pub async fn notification_records(&self, filter: &NotificationFilter) -> Result<Vec<NotificationRecord>> {
        let mut held = self.lock().await;
        let connection = held.connection()?;
        let lines = select(filter).build().fetch_all(&mut *connection).await.map_err(failed("read"))?;
        let mut records = Vec::with_capacity(lines.len());
        for row in &lines {
            records.push(NotificationRecord { line: notification(row)?, about: MessageAbout::default(), attempts: Vec::new() });
        }
        let ids = serde_json::to_string(&records.iter().map(|record| record.line.id).collect::<Vec<_>>()).unwrap_or_default();
        let places: BTreeMap<i64, usize> = records.iter().enumerate().map(|(place, record)| (record.line.id, place)).collect();
        let query = "SELECT * FROM notification_details WHERE notification IN (SELECT value FROM json_each(?))";
        for row in sqlx::query(query).bind(&ids).fetch_all(&mut *connection).await.map_err(failed("read"))? {
            let Some(place) = places.get(&row.get("notification")) else { continue };
            let about = &mut records[*place].about;
            (about.reason, about.group_labels) = (row.get("reason"), from_text(row.get("group_labels"))?);
        }
        let query = "SELECT * FROM notification_alerts LEFT JOIN label_sets USING (fingerprint)
            WHERE notification IN (SELECT value FROM json_each(?)) ORDER BY notification, labels";
        for row in sqlx::query(query).bind(&ids).fetch_all(&mut *connection).await.map_err(failed("read"))? {
            if let Some(place) = places.get(&row.get("notification")) {
                records[*place].about.alerts.push(told(&row)?);
            }
        }
        let query = "SELECT * FROM notification_attempts WHERE notification IN (SELECT value FROM json_each(?)) ORDER BY notification, number";
        for row in sqlx::query(query).bind(&ids).fetch_all(connection).await.map_err(failed("read"))? {
            if let Some(place) = places.get(&row.get("notification")) {
                let attempt = Attempt { at_ns: row.get("at_ns"), is_ok: row.get("is_ok"), answer: row.get("answer") };
                records[*place].attempts.push(attempt);
            }
        }
        Ok(records)
    }
}

fn select(filter: &NotificationFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT * FROM notifications WHERE created_at_ns >= ");
    query.push_bind(filter.start_ns.unwrap_or(i64::MIN)).push(" AND created_at_ns <= ").push_bind(filter.end_ns.unwrap_or(i64::MAX));
    if let Some(receiver) = &filter.receiver {
        query.push(" AND receiver = ").push_bind(receiver.clone());
    }
    if let Some(outcome) = filter.outcome {
        query.push(" AND outcome = ").push_bind(outcome.as_str());
    }
    if let Some(group_key) = &filter.group_key {
        query.push(" AND group_key = ").push_bind(group_key.clone());
    }
    if let Some(fingerprint) = filter.fingerprint {
        query.push(" AND id IN (SELECT notification FROM notification_alerts WHERE fingerprint = ").push_bind(fingerprint.cast_signed()).push(")");
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(filter.limit);
    query
}

fn told(row: &SqliteRow) -> Result<ToldAlert> {
    let labels = row.get::<Option<&str>, _>("labels").map(from_text).transpose()?.unwrap_or_default();
    Ok(ToldAlert { fingerprint: row.get::<i64, _>("fingerprint").cast_unsigned(), labels, is_firing: row.get("is_firing") })
}

/// Writes what a new line is about.
pub(crate) async fn append(connection: &mut SqliteConnection, id: i64, about: &MessageAbout) -> Result<()> {
    let insert = sqlx::query("INSERT INTO notification_details VALUES (?, ?, ?)").bind(id).bind(&about.reason).bind(to_text(&about.group_labels)?);
    insert.execute(&mut *connection).await.map_err(failed("write"))?;
    for alert in &about.alerts {
        label_sets::know(connection, alert.fingerprint, &alert.labels).await?;
        let insert = sqlx::query("INSERT OR REPLACE INTO notification_alerts VALUES (?, ?, ?)").bind(id).bind(alert.fingerprint.cast_signed());
        insert.bind(alert.is_firing).execute(&mut *connection).await.map_err(failed("write"))?;
    }
    Ok(())
}

/// Writes how an attempt ended.
pub(crate) async fn attempted(connection: &mut SqliteConnection, id: i64, attempt: &Attempt) -> Result<()> {
    let query =
        sqlx::query("INSERT INTO notification_attempts SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4 FROM notification_attempts WHERE notification = ?1");
    let query = query.bind(id).bind(attempt.at_ns).bind(attempt.is_ok).bind(&attempt.answer);
    query.execute(connection).await.map_err(failed("write")).map(|_| ())
}
