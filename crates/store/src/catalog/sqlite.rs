//! The catalog in SQLite: one small database beside the segments, every commit synced.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use signalbox_model::{Error, MetricKind, MetricMetadata, Result, Table, Tenant, TimeRange};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{Connection, Row};
use tokio::sync::Mutex;

use super::{Catalog, CatalogChange, CatalogState};
use crate::deletion::{Deleted, Deletion};
use crate::format::{FrameRange, Segment, SegmentId};
use crate::row_numbers::RowNumbers;

/// Version of the tables below; a database of a higher version is refused, of a lower one migrated.
const VERSION: i64 = 3;

/// The tables of version 1.
const TABLES_1: &str = "
CREATE TABLE store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL,
    consumed_frame INTEGER NOT NULL,
    next_row INTEGER NOT NULL
) STRICT;
INSERT INTO store VALUES (1, 0, 0, 0);
CREATE TABLE segments (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    table_name TEXT NOT NULL,
    level INTEGER NOT NULL,
    url TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    frames TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    body_bytes INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    created_at_ns INTEGER NOT NULL,
    replaces TEXT NOT NULL
) STRICT;
CREATE TABLE metric_metadata (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    help TEXT NOT NULL,
    unit TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT;
PRAGMA user_version = 1;
";

/// What version 2 adds.
const TABLES_2: &str = "
CREATE TABLE deletions (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    matchers TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    created_at_ns INTEGER NOT NULL,
    segments TEXT NOT NULL
) STRICT;
PRAGMA user_version = 2;
";

/// What version 3 adds: deletions of rows, which have no matchers.
const TABLES_3: &str = "
ALTER TABLE deletions ADD COLUMN table_name TEXT;
ALTER TABLE deletions ADD COLUMN row_numbers BLOB;
ALTER TABLE deletions ADD COLUMN reason TEXT;
PRAGMA user_version = 3;
";

/// The catalog in an SQLite database.
#[derive(Debug)]
pub struct SqliteCatalog {
    path: PathBuf,
    connection: Mutex<Option<SqliteConnection>>,
}

impl SqliteCatalog {
    /// The catalog in the database at a path, which is created at the first use.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), connection: Mutex::new(None) }
    }

    async fn connect(&self) -> Result<SqliteConnection> {
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(5));
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(|error| sql_error("open", error))?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(|error| sql_error("read", error))?;
        let missing: &[&'static str] = match version {
            0 => &[TABLES_1, TABLES_2, TABLES_3],
            1 => &[TABLES_2, TABLES_3],
            2 => &[TABLES_3],
            VERSION => &[],
            newer => return Err(Error::invalid(format!("cannot use the catalog of version {newer}: this program knows version {VERSION}"))),
        };
        if !missing.is_empty() {
            let mut transaction = connection.begin().await.map_err(|error| sql_error("create", error))?;
            for tables in missing {
                sqlx::raw_sql(*tables).execute(&mut *transaction).await.map_err(|error| sql_error("create", error))?;
            }
            transaction.commit().await.map_err(|error| sql_error("create", error))?;
        }
        let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await.map_err(|error| sql_error("check", error))?;
        if verdict != "ok" {
            return Err(Error::corrupt(format!("cannot use the catalog: {verdict}")));
        }
        Ok(connection)
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn begin(&self) -> Result<CatalogState> {
        let mut guard = self.connection.lock().await;
        let connection = guard.insert(self.connect().await?);
        sqlx::query("UPDATE store SET epoch = epoch + 1").execute(&mut *connection).await.map_err(|error| sql_error("begin an epoch in", error))?;
        read(connection).await
    }

    async fn commit(&self, change: &CatalogChange) -> Result<()> {
        let mut guard = self.connection.lock().await;
        let connection = open(&mut guard)?;
        let mut transaction = connection.begin().await.map_err(|error| sql_error("write", error))?;
        apply(&mut transaction, change).await.map_err(|error| sql_error("write", error))?;
        transaction.commit().await.map_err(|error| sql_error("commit to", error))
    }

    async fn read(&self) -> Result<CatalogState> {
        let mut guard = self.connection.lock().await;
        read(open(&mut guard)?).await
    }

    async fn reset(&self, state: &CatalogState) -> Result<()> {
        let mut guard = self.connection.lock().await;
        if let Some(connection) = guard.take()
            && let Err(error) = connection.close().await
        {
            tracing::debug!(%error, "closing the damaged catalog says so too");
        }
        set_aside(&self.path)?;
        let connection = guard.insert(self.connect().await?);
        let mut transaction = connection.begin().await.map_err(|error| sql_error("write", error))?;
        let change = CatalogChange {
            added: state.segments.clone(),
            removed: Vec::new(),
            consumed_frame: Some(state.consumed_frame),
            next_row: Some(state.next_row),
            metadata: state.metadata.clone(),
            deletions: state.deletions.clone(),
            purged: Vec::new(),
        };
        apply(&mut transaction, &change).await.map_err(|error| sql_error("write", error))?;
        let epoch = sqlx::query("UPDATE store SET epoch = ?").bind(i64::from(state.epoch));
        epoch.execute(&mut *transaction).await.map_err(|error| sql_error("write", error))?;
        transaction.commit().await.map_err(|error| sql_error("commit to", error))
    }

    async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "cannot close the catalog cleanly; all commits are durable all the same");
        }
    }
}

fn open(guard: &mut Option<SqliteConnection>) -> Result<&mut SqliteConnection> {
    guard.as_mut().ok_or_else(|| Error::unavailable("cannot use the catalog: it is closed"))
}

/// Moves a damaged database out of the way; it is kept for whoever wants to look.
fn set_aside(path: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut from = path.as_os_str().to_owned();
        from.push(suffix);
        let mut to = path.as_os_str().to_owned();
        to.push(".damaged");
        to.push(suffix);
        match std::fs::rename(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::unavailable("cannot set the damaged catalog aside").with_source(error)),
        }
    }
    Ok(())
}

async fn apply(connection: &mut SqliteConnection, change: &CatalogChange) -> sqlx::Result<()> {
    for id in &change.removed {
        sqlx::query("DELETE FROM segments WHERE id = ?").bind(id.to_string()).execute(&mut *connection).await?;
    }
    for segment in &change.added {
        let frames: Vec<String> = segment.frames.iter().map(|range| format!("{}-{}", range.first, range.last)).collect();
        let replaces: Vec<String> = segment.replaces.iter().map(ToString::to_string).collect();
        sqlx::query("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(segment.id.to_string())
            .bind(segment.tenant.as_str())
            .bind(segment.table.as_str())
            .bind(i64::from(segment.level))
            .bind(&segment.url)
            .bind(segment.range.start_ns)
            .bind(segment.range.end_ns)
            .bind(frames.join(","))
            .bind(segment.rows.cast_signed())
            .bind(segment.bytes.cast_signed())
            .bind(segment.body_bytes.cast_signed())
            .bind(segment.checksum.cast_signed())
            .bind(segment.created_at_ns)
            .bind(replaces.join(","))
            .execute(&mut *connection)
            .await?;
    }
    if let Some(frame) = change.consumed_frame {
        sqlx::query("UPDATE store SET consumed_frame = ?").bind(frame.cast_signed()).execute(&mut *connection).await?;
    }
    if let Some(row) = change.next_row {
        sqlx::query("UPDATE store SET next_row = ?").bind(row.cast_signed()).execute(&mut *connection).await?;
    }
    for (tenant, metadata) in &change.metadata {
        sqlx::query("INSERT OR REPLACE INTO metric_metadata VALUES (?, ?, ?, ?, ?)")
            .bind(tenant.as_str())
            .bind(&metadata.name)
            .bind(metadata.kind.as_str())
            .bind(&metadata.help)
            .bind(&metadata.unit)
            .execute(&mut *connection)
            .await?;
    }
    for number in &change.purged {
        sqlx::query("DELETE FROM deletions WHERE number = ?").bind(number.cast_signed()).execute(&mut *connection).await?;
    }
    for deletion in &change.deletions {
        let segments: Vec<String> = deletion.segments.iter().map(ToString::to_string).collect();
        let rows = match &deletion.what {
            Deleted::Series(_) => None,
            Deleted::Rows { table, numbers, reason } => Some((table.as_str(), numbers.encode(), reason)),
        };
        sqlx::query("INSERT OR REPLACE INTO deletions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(deletion.number.cast_signed())
            .bind(deletion.tenant.as_str())
            .bind(deletion.matchers_json())
            .bind(deletion.range.start_ns)
            .bind(deletion.range.end_ns)
            .bind(deletion.created_at_ns)
            .bind(segments.join(","))
            .bind(rows.as_ref().map(|(table, _, _)| *table))
            .bind(rows.as_ref().map(|(_, numbers, _)| numbers))
            .bind(rows.as_ref().map(|(_, _, reason)| *reason))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn read(connection: &mut SqliteConnection) -> Result<CatalogState> {
    let failed = |error: sqlx::Error| sql_error("read", error);
    let store = sqlx::query("SELECT epoch, consumed_frame, next_row FROM store").fetch_one(&mut *connection).await.map_err(failed)?;
    let mut state = CatalogState {
        epoch: u32::try_from(store.get::<i64, _>(0)).unwrap_or(u32::MAX),
        consumed_frame: store.get::<i64, _>(1).cast_unsigned(),
        next_row: store.get::<i64, _>(2).cast_unsigned(),
        ..CatalogState::default()
    };
    for row in sqlx::query("SELECT * FROM segments ORDER BY id").fetch_all(&mut *connection).await.map_err(failed)? {
        state.segments.push(segment(&row).ok_or_else(|| Error::corrupt("cannot read the catalog: a segment's record is damaged"))?);
    }
    for row in
        sqlx::query("SELECT tenant, name, kind, help, unit FROM metric_metadata ORDER BY tenant, name").fetch_all(&mut *connection).await.map_err(failed)?
    {
        let kind = MetricKind::from_word(row.get::<&str, _>(2));
        state.metadata.push((Tenant::new(row.get(0))?, MetricMetadata { name: row.get(1), kind, help: row.get(3), unit: row.get(4) }));
    }
    for row in sqlx::query("SELECT * FROM deletions ORDER BY number").fetch_all(connection).await.map_err(failed)? {
        state.deletions.push(deletion(&row).ok_or_else(|| Error::corrupt("cannot read the catalog: the record of a deletion is damaged"))?);
    }
    Ok(state)
}

fn deletion(row: &SqliteRow) -> Option<Deletion> {
    let what = match row.get::<Option<&str>, _>("table_name") {
        None => Deleted::Series(Deletion::matchers_from_json(row.get("matchers"))?),
        Some(table) => Deleted::Rows {
            table: Table::from_word(table)?,
            numbers: RowNumbers::decode(row.get::<Option<&[u8]>, _>("row_numbers")?).ok()?,
            reason: row.get::<Option<String>, _>("reason")?,
        },
    };
    Some(Deletion {
        number: row.get::<i64, _>("number").cast_unsigned(),
        tenant: Tenant::new(row.get("tenant")).ok()?,
        what,
        range: TimeRange::from_ns(row.get("start_ns"), row.get("end_ns")),
        created_at_ns: row.get("created_at_ns"),
        segments: items(row, "segments").iter().map(|id| SegmentId::parse(id)).collect::<Option<_>>()?,
    })
}

/// The items of a list that is joined by commas.
fn items(row: &SqliteRow, column: &str) -> Vec<String> {
    row.get::<&str, _>(column).split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn segment(row: &SqliteRow) -> Option<Segment> {
    let frame_range = |text: &String| {
        let (first, last) = text.split_once('-')?;
        Some(FrameRange { first: first.parse().ok()?, last: last.parse().ok()? })
    };
    Some(Segment {
        id: SegmentId::parse(row.get("id"))?,
        tenant: Tenant::new(row.get("tenant")).ok()?,
        table: Table::from_word(row.get("table_name"))?,
        level: u8::try_from(row.get::<i64, _>("level")).ok()?,
        url: row.get("url"),
        range: TimeRange::from_ns(row.get("start_ns"), row.get("end_ns")),
        frames: items(row, "frames").iter().map(frame_range).collect::<Option<_>>()?,
        rows: row.get::<i64, _>("row_count").cast_unsigned(),
        bytes: row.get::<i64, _>("bytes").cast_unsigned(),
        body_bytes: row.get::<i64, _>("body_bytes").cast_unsigned(),
        checksum: row.get::<i64, _>("checksum").cast_unsigned(),
        created_at_ns: row.get("created_at_ns"),
        replaces: items(row, "replaces").iter().map(|id| SegmentId::parse(id)).collect::<Option<_>>()?,
    })
}

/// SQLite says itself whether the database is damaged (11 corrupt, 26 not a database); everything else may be tried again.
fn sql_error(what: &str, error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<i64>().ok());
    let is_damaged = matches!(code.map(|code| code & 0xff), Some(1 | 11 | 26)) || matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::RowNotFound);
    let message = format!("cannot {what} the catalog");
    if is_damaged { Error::corrupt(message).with_source(error) } else { Error::unavailable(message).with_source(error) }
}
