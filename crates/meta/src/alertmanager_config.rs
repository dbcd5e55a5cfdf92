//! The Alertmanager configuration that was set by API: its text and its templates, one or none. One that is a file is in its file.

use std::collections::BTreeMap;

use signalbox_model::Result;
use sqlx::Row;

use crate::label_sets::{from_text, to_text};
use crate::migrate::Migration;
use crate::{Meta, failed};

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    number: 13,
    sql: "
CREATE TABLE alertmanager_config (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    text TEXT NOT NULL,
    templates TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT;
",
}];

/// A configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAlertmanagerConfig {
    /// What an `alertmanager.yml` would say, secrets included.
    pub text: String,
    /// Texts of templates, by the names of their files.
    pub templates: BTreeMap<String, String>,
    /// When it was set, milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
}

impl Meta {
    /// The configuration that was set.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be read, `Corrupt` if it is damaged.
    pub async fn alertmanager_config(&self) -> Result<Option<StoredAlertmanagerConfig>> {
        let mut held = self.lock().await;
        let row = sqlx::query("SELECT * FROM alertmanager_config").fetch_optional(held.connection()?).await.map_err(failed("read"))?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(StoredAlertmanagerConfig { text: row.get("text"), templates: from_text(row.get("templates"))?, updated_at_ms: row.get("updated_at_ms") }))
    }

    /// Writes a configuration in place of the one that there was. Durable on return.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be written, `Corrupt` if it is damaged.
    pub async fn save_alertmanager_config(&self, config: &StoredAlertmanagerConfig) -> Result<()> {
        let mut held = self.lock().await;
        let query = sqlx::query("INSERT OR REPLACE INTO alertmanager_config VALUES (1, ?, ?, ?)").bind(&config.text);
        let query = query.bind(to_text(&config.templates)?).bind(config.updated_at_ms);
        query.execute(held.connection()?).await.map_err(failed("write")).map(|_| ())
    }

    /// Deletes the configuration; there need be none. Durable on return.
    ///
    /// # Errors
    /// As [`Meta::save_alertmanager_config`].
    pub async fn delete_alertmanager_config(&self) -> Result<()> {
        let mut held = self.lock().await;
        sqlx::query("DELETE FROM alertmanager_config").execute(held.connection()?).await.map_err(failed("write")).map(|_| ())
    }
}
