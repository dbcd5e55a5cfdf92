//! Silences: what somebody wants to hear nothing of for a while.

use std::collections::BTreeMap;

use signalbox_model::{Error, Result};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::migrate::Migration;
use crate::{Meta, failed};

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    number: 4,
    sql: "
CREATE TABLE silences (
    id TEXT PRIMARY KEY,
    matchers TEXT NOT NULL,
    starts_at_ms INTEGER NOT NULL,
    ends_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    comment TEXT NOT NULL,
    annotations TEXT NOT NULL
) STRICT;
CREATE INDEX silences_by_end ON silences (ends_at_ms);
",
}];

/// A silence. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSilence {
    /// Its identity.
    pub id: String,
    /// Sets of matchers, each a list as Alertmanager writes it.
    pub matchers: Vec<String>,
    /// From when.
    pub starts_at_ms: i64,
    /// Until when.
    pub ends_at_ms: i64,
    /// When it was last changed.
    pub updated_at_ms: i64,
    /// Who wants it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// More about it, by name.
    pub annotations: BTreeMap<String, String>,
}

impl Meta {
    /// All silences that were not forgotten, by id.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be read, `Corrupt` if it is damaged.
    pub async fn silences(&self) -> Result<Vec<StoredSilence>> {
        let mut held = self.lock().await;
        let query = sqlx::query("SELECT * FROM silences ORDER BY id");
        query.fetch_all(held.connection()?).await.map_err(failed("read"))?.iter().map(silence).collect()
    }

    /// Writes silences, new ones or in place of those of the same id: all or none, durable on return.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be written, `Corrupt` if it is damaged.
    pub async fn save_silences(&self, silences: &[StoredSilence]) -> Result<()> {
        let mut held = self.lock().await;
        let mut transaction = held.begin().await?;
        for silence in silences {
            let query = sqlx::query("INSERT OR REPLACE INTO silences VALUES (?, ?, ?, ?, ?, ?, ?, ?)").bind(&silence.id).bind(json(&silence.matchers)?);
            let query = query.bind(silence.starts_at_ms).bind(silence.ends_at_ms).bind(silence.updated_at_ms);
            let query = query.bind(&silence.created_by).bind(&silence.comment).bind(json(&silence.annotations)?);
            query.execute(&mut *transaction).await.map_err(failed("write"))?;
        }
        crate::commit(transaction).await
    }

    /// Forgets the silences that ended before an instant. Returns how many went.
    ///
    /// # Errors
    /// As [`Meta::save_silences`].
    pub async fn forget_silences(&self, before_ms: i64) -> Result<u64> {
        let mut held = self.lock().await;
        let query = sqlx::query("DELETE FROM silences WHERE ends_at_ms < ?").bind(before_ms);
        Ok(query.execute(held.connection()?).await.map_err(failed("write"))?.rows_affected())
    }
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("cannot write a silence as JSON").with_source(error))
}

fn silence(row: &SqliteRow) -> Result<StoredSilence> {
    let damaged = |column: &str| Error::corrupt(format!("cannot read silences: column {column} is damaged"));
    Ok(StoredSilence {
        id: row.get("id"),
        matchers: serde_json::from_str(row.get("matchers")).map_err(|_| damaged("matchers"))?,
        starts_at_ms: row.get("starts_at_ms"),
        ends_at_ms: row.get("ends_at_ms"),
        updated_at_ms: row.get("updated_at_ms"),
        created_by: row.get("created_by"),
        comment: row.get("comment"),
        annotations: serde_json::from_str(row.get("annotations")).map_err(|_| damaged("annotations"))?,
    })
}
