//! Deletions of log records that people asked for: who, when, of what, how many records it was, and what became of it.
//!
//! A record outlives what it deleted, and the store's own list, which ends when the rows have left the disk. It is written
//! before anything is deleted, so that no deletion is without one.

use signalbox_model::{Error, Result};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::migrate::Migration;
use crate::{Meta, commit, failed};

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    number: 14,
    sql: "
CREATE TABLE log_deletions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request TEXT NOT NULL,
    tenant TEXT NOT NULL,
    query TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    asked_at_ns INTEGER NOT NULL,
    asker TEXT NOT NULL,
    state TEXT NOT NULL,
    records INTEGER,
    masked_at_ns INTEGER,
    ended_at_ns INTEGER,
    note TEXT NOT NULL,
    UNIQUE (tenant, request)
) STRICT;
CREATE INDEX log_deletions_by_state ON log_deletions (state);
",
}];

/// Most records that are kept, whatever their age: the oldest of those that are over go first.
pub const LOG_DELETIONS_MAX: i64 = 100_000;

/// How far a deletion has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogDeletionState {
    /// Written down; its records are being looked for.
    Asked,
    /// Its records are in no answer any more, and still on the disk.
    Masked,
    /// Somebody asked to have them back, and nothing is back yet.
    Cancelling,
    /// Its records have left the disk.
    Erased,
    /// Its records are back, those that had not left the disk.
    Cancelled,
    /// Nothing was deleted.
    Failed,
}

impl LogDeletionState {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 6] = [Self::Asked, Self::Masked, Self::Cancelling, Self::Erased, Self::Cancelled, Self::Failed];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Masked => "masked",
            Self::Cancelling => "cancelling",
            Self::Erased => "erased",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing more will become of it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Erased | Self::Cancelled | Self::Failed)
    }
}

/// A deletion that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDeletion {
    /// What it is called; unique among those of its tenant.
    pub request: String,
    /// Whose records.
    pub tenant: String,
    /// The query that selects them, LogQL.
    pub query: String,
    /// Records from here, nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// Up to here, included.
    pub end_ns: i64,
    /// When it was asked for, nanoseconds since the Unix epoch.
    pub asked_at_ns: i64,
    /// By whom, as far as a server without accounts knows: address, and what the client says of itself.
    pub asker: String,
    /// How far it has come.
    pub state: LogDeletionState,
    /// How many records it hides or hid; `None` until that is known.
    pub records: Option<u64>,
    /// Since when they are in no answer, nanoseconds since the Unix epoch.
    pub masked_at_ns: Option<i64>,
    /// When it was over, nanoseconds since the Unix epoch.
    pub ended_at_ns: Option<i64>,
    /// Why it failed, or who cancelled it.
    pub note: String,
}

/// Which deletions are wanted; what is `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogDeletionFilter {
    /// Of this tenant.
    pub tenant: Option<String>,
    /// In one of these states; any if there is none.
    pub states: Vec<LogDeletionState>,
    /// Called so.
    pub request: Option<String>,
    /// Whose range reaches here, nanoseconds since the Unix epoch.
    pub start_ns: Option<i64>,
    /// Whose range begins here or before, nanoseconds since the Unix epoch.
    pub end_ns: Option<i64>,
    /// At most so many, the newest.
    pub limit: u32,
}

/// What a deletion came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDeletionStep<'a> {
    /// Whose it is.
    pub tenant: &'a str,
    /// Which.
    pub request: &'a str,
    /// Where it must be for this to happen.
    pub from: LogDeletionState,
    /// Where it is then.
    pub to: LogDeletionState,
    /// When, nanoseconds since the Unix epoch.
    pub at_ns: i64,
    /// How many records, where it says so.
    pub records: Option<u64>,
    /// Why, or who; empty: what was written stays.
    pub note: &'a str,
}

impl Meta {
    /// Writes down a deletion that is asked for. Durable on return. False if there is one of its name; then nothing is written.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be written, `Corrupt` if it is damaged.
    pub async fn add_log_deletion(&self, deletion: &LogDeletion) -> Result<bool> {
        let mut held = self.lock().await;
        let query = sqlx::query(
            "INSERT INTO log_deletions (request, tenant, query, start_ns, end_ns, asked_at_ns, asker, state, records, masked_at_ns, ended_at_ns, note)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, request) DO NOTHING",
        );
        let query = query.bind(&deletion.request).bind(&deletion.tenant).bind(&deletion.query).bind(deletion.start_ns).bind(deletion.end_ns);
        let query = query.bind(deletion.asked_at_ns).bind(&deletion.asker).bind(deletion.state.as_str()).bind(deletion.records.map(u64::cast_signed));
        let query = query.bind(deletion.masked_at_ns).bind(deletion.ended_at_ns).bind(&deletion.note);
        let mut transaction = held.begin().await?;
        let written = query.execute(&mut *transaction).await.map_err(failed("write"))?.rows_affected();
        commit(transaction).await?;
        Ok(written > 0)
    }

    /// Writes down what became of a deletion. Durable on return. False if it is not where it has to be; then nothing is written.
    ///
    /// # Errors
    /// As [`Meta::add_log_deletion`].
    pub async fn move_log_deletion(&self, step: &LogDeletionStep<'_>) -> Result<bool> {
        let mut held = self.lock().await;
        let query = sqlx::query(
            "UPDATE log_deletions SET state = ?1, records = coalesce(?2, records), masked_at_ns = coalesce(?3, masked_at_ns), ended_at_ns = ?4,
             note = CASE ?5 WHEN '' THEN note ELSE ?5 END WHERE tenant = ?6 AND request = ?7 AND state = ?8",
        );
        // Who is back from a cancellation that did not come about was masked before.
        let masked_at_ns = (step.to == LogDeletionState::Masked && step.from == LogDeletionState::Asked).then_some(step.at_ns);
        let query = query.bind(step.to.as_str()).bind(step.records.map(u64::cast_signed)).bind(masked_at_ns);
        let query = query.bind(step.to.is_over().then_some(step.at_ns)).bind(step.note).bind(step.tenant).bind(step.request).bind(step.from.as_str());
        let mut transaction = held.begin().await?;
        let written = query.execute(&mut *transaction).await.map_err(failed("write"))?.rows_affected();
        commit(transaction).await?;
        Ok(written > 0)
    }

    /// Deletions, newest first.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be read, `Corrupt` if it is damaged.
    pub async fn log_deletions(&self, filter: &LogDeletionFilter) -> Result<Vec<LogDeletion>> {
        let mut held = self.lock().await;
        let rows = select(filter).build().fetch_all(held.connection()?).await.map_err(failed("read"))?;
        rows.iter().map(deletion).collect()
    }

    /// Forgets deletions that were over before an instant, and the oldest of those that are over beyond
    /// [`LOG_DELETIONS_MAX`]. Returns how many went.
    ///
    /// # Errors
    /// As [`Meta::add_log_deletion`].
    pub async fn forget_log_deletions(&self, before_ns: i64) -> Result<u64> {
        let mut held = self.lock().await;
        let delete =
            sqlx::query("DELETE FROM log_deletions WHERE ended_at_ns < ?1 OR ended_at_ns IS NOT NULL AND id <= (SELECT max(id) FROM log_deletions) - ?2");
        let mut transaction = held.begin().await?;
        let gone = delete.bind(before_ns).bind(LOG_DELETIONS_MAX).execute(&mut *transaction).await.map_err(failed("write"))?.rows_affected();
        commit(transaction).await?;
        Ok(gone)
    }
}

fn select(filter: &LogDeletionFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT * FROM log_deletions WHERE end_ns >= ");
    query.push_bind(filter.start_ns.unwrap_or(i64::MIN)).push(" AND start_ns <= ").push_bind(filter.end_ns.unwrap_or(i64::MAX));
    if let Some(tenant) = &filter.tenant {
        query.push(" AND tenant = ").push_bind(tenant.clone());
    }
    if let Some(request) = &filter.request {
        query.push(" AND request = ").push_bind(request.clone());
    }
    if !filter.states.is_empty() {
        let mut states = query.push(" AND state IN (").separated(", ");
        for state in &filter.states {
            states.push_bind(state.as_str());
        }
        query.push(")");
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(filter.limit);
    query
}

fn deletion(row: &SqliteRow) -> Result<LogDeletion> {
    let state: &str = row.get("state");
    let state = LogDeletionState::of(state).ok_or_else(|| Error::corrupt(format!("cannot read the state database: deletion in state {state:?}")))?;
    Ok(LogDeletion {
        request: row.get("request"),
        tenant: row.get("tenant"),
        query: row.get("query"),
        start_ns: row.get("start_ns"),
        end_ns: row.get("end_ns"),
        asked_at_ns: row.get("asked_at_ns"),
        asker: row.get("asker"),
        state,
        records: row.get::<Option<i64>, _>("records").map(i64::cast_unsigned),
        masked_at_ns: row.get("masked_at_ns"),
        ended_at_ns: row.get("ended_at_ns"),
        note: row.get("note"),
    })
}
