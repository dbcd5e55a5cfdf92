//! Small durable state: alert state, alerts from outside, silences, notification log and outbox, deletions of log records. Never telemetry, which is the store's.
//!
//! One SQLite database in WAL mode with `synchronous = FULL`: what a method returned `Ok` for is on stable storage. There is
//! one file per noun, each with its own tables; [`migrate`] has the list of all. What must agree is written in one
//! transaction: a message in the outbox and its line in the notification log above all.

mod alert_history;
mod alertmanager_config;
mod alerts;
mod board;
mod gate;
mod label_sets;
mod log_deletions;
mod migrate;
mod notification_detail;
mod notification_log;
mod outbox;
mod outside_alerts;
mod rule_groups;
mod silences;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signalbox_model::{Error, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Sqlite, Transaction};
use tokio::sync::{Mutex, MutexGuard};

pub use alert_history::{ALERT_VALUE_SERIES, HISTORY_EVENTS_MAX, HistoryEvent, HistoryFilter, HistoryNote};
pub use alertmanager_config::StoredAlertmanagerConfig;
pub use alerts::{AlertChanges, Pairs, StoredAlert, StoredGroup};
pub use board::{ActiveAlert, AlertBoard, AlertingStatus, GroupStatus, Health, RuleKind, RuleStatus};
pub use gate::{Fate, Gate};
pub use log_deletions::{LOG_DELETIONS_MAX, LogDeletion, LogDeletionFilter, LogDeletionState, LogDeletionStep};
pub use notification_detail::{Attempt, MessageAbout, NotificationFilter, NotificationRecord, ToldAlert};
pub use notification_log::{Notification, Outcome};
pub use outbox::{DeadLetter, Enqueued, NewMessage, Next, OUTBOX_MESSAGES_MAX, PendingMessage};
pub use outside_alerts::OutsideAlert;
pub use rule_groups::StoredRuleGroup;
pub use silences::StoredSilence;

/// How long a call waits for another process (a backup, an operator's `sqlite3`) to let go of the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Begins a transaction that writes: the lock is taken at once, so that a later statement cannot fail for want of it.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// The database. Calls are serialised on one connection: SQLite has one writer at a time anyway, and the state is small.
#[derive(Debug)]
pub struct Meta {
    path: PathBuf,
    connection: Mutex<Option<SqliteConnection>>,
    gate: Option<Arc<dyn Gate>>,
}

impl Meta {
    /// Opens the database at a path, creating or migrating it as needed, and checks its structure.
    ///
    /// # Errors
    /// [`signalbox_model::ErrorKind::Corrupt`] if the file is not a database or is damaged; `Invalid` if a newer version of
    /// the program wrote it; `Unavailable` if it cannot be reached or written.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let opened = SqliteConnection::connect_with(&options).await;
        let mut connection = opened.map_err(|error| named(&path, sql_error("open", error)))?;
        check(&mut connection).await.map_err(|error| named(&path, error))?;
        migrate::migrate(&mut connection, migrate::ALL).await.map_err(|error| named(&path, error))?;
        Ok(Self { path, connection: Mutex::new(Some(connection)), gate: None })
    }

    /// The same database behind a gate, for simulations.
    #[must_use]
    pub fn behind(self, gate: Arc<dyn Gate>) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a copy of the database as of one instant to a path where nothing is. Durable when it returns.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be written.
    pub async fn copy_to(&self, path: &Path) -> Result<()> {
        let mut held = self.lock().await;
        let copied = sqlx::query("VACUUM INTO ?").bind(path.to_string_lossy()).execute(held.connection()?).await;
        copied.map_err(|error| Error::unavailable("cannot copy the state database").with_source(error))?;
        // SQLite does not sync what it copies.
        let synced = std::fs::File::open(path).and_then(|file| file.sync_all());
        synced.map_err(|error| Error::unavailable("cannot sync the copy of the state database").with_source(error))
    }

    /// Closes the database; calls after that are answered with `Unavailable`. Not needed for durability.
    pub async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "cannot close the state database cleanly; all that was written is durable all the same");
        }
    }

    /// The connection, for as long as the guard lives.
    async fn lock(&self) -> Held<'_> {
        let passed = gate::pass(self.gate.as_ref()).await;
        Held { passed, connection: self.connection.lock().await }
    }
}

/// The connection in the hands of one caller.
struct Held<'a> {
    passed: Result<bool>,
    connection: MutexGuard<'a, Option<SqliteConnection>>,
}

impl Held<'_> {
    fn connection(&mut self) -> Result<&mut SqliteConnection> {
        if self.passed.is_err() {
            return Err(gate::refused());
        }
        self.connection.as_mut().ok_or_else(|| Error::unavailable("cannot use the state database: it is closed"))
    }

    /// A transaction that writes. Dropped without [`commit`], it leaves no trace.
    async fn begin(&mut self) -> Result<Writing<'_>> {
        let is_hidden = matches!(self.passed, Ok(true));
        let transaction = self.connection()?.begin_with(BEGIN).await.map_err(failed("write"))?;
        Ok(Writing { transaction, is_hidden })
    }
}

/// A transaction under way.
struct Writing<'a> {
    transaction: Transaction<'a, Sqlite>,
    is_hidden: bool,
}

impl Deref for Writing<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.transaction
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }
}

/// Makes a transaction durable.
async fn commit(writing: Writing<'_>) -> Result<()> {
    writing.transaction.commit().await.map_err(failed("commit to"))?;
    if writing.is_hidden { Err(gate::refused()) } else { Ok(()) }
}

async fn check(connection: &mut SqliteConnection) -> Result<()> {
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(connection).await.map_err(failed("check"))?;
    if verdict == "ok" { Ok(()) } else { Err(Error::corrupt(format!("cannot use the state database: {verdict}"))) }
}

/// For `map_err`: what was tried on the database.
fn failed(what: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |error| sql_error(what, error)
}

/// SQLite says itself whether the database is damaged (11 corrupt, 26 not a database); everything else may be tried again.
fn sql_error(what: &str, error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<i64>().ok());
    let is_damaged = matches!(code.map(|code| code & 0xff), Some(1 | 11 | 26)) || matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::RowNotFound);
    let message = format!("cannot {what} the state database: {error}");
    if is_damaged { Error::corrupt(message).with_source(error) } else { Error::unavailable(message).with_source(error) }
}

/// Adds the file's name, for whoever has to look after it.
fn named(path: &Path, error: Error) -> Error {
    Error::new(error.kind(), format!("{} ({})", error.message(), path.display())).with_source(error)
}
