//! Groups of rules that were set by API: their text, by namespace and name. Rules in files are in their files.

use signalbox_model::Result;
use sqlx::Row;

use crate::migrate::Migration;
use crate::{Meta, failed};

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    number: 9,
    sql: "
CREATE TABLE rule_groups (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (namespace, name)
) STRICT;
",
}];

/// A group of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRuleGroup {
    /// What a rule file is to its groups.
    pub namespace: String,
    /// Its name, unique in the namespace.
    pub name: String,
    /// The group as it would stand in a rule file, YAML.
    pub text: String,
    /// When it was set, milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
}

impl Meta {
    /// All groups, by namespace and name.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be read, `Corrupt` if it is damaged.
    pub async fn rule_groups(&self) -> Result<Vec<StoredRuleGroup>> {
        let mut held = self.lock().await;
        let query = sqlx::query("SELECT * FROM rule_groups ORDER BY namespace, name");
        let rows = query.fetch_all(held.connection()?).await.map_err(failed("read"))?;
        let group = |row: &sqlx::sqlite::SqliteRow| StoredRuleGroup {
            namespace: row.get("namespace"),
            name: row.get("name"),
            text: row.get("text"),
            updated_at_ms: row.get("updated_at_ms"),
        };
        Ok(rows.iter().map(group).collect())
    }

    /// Writes a group, new or in place of the one of its name. Durable on return.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be written, `Corrupt` if it is damaged.
    pub async fn save_rule_group(&self, group: &StoredRuleGroup) -> Result<()> {
        let mut held = self.lock().await;
        let query = sqlx::query("INSERT OR REPLACE INTO rule_groups VALUES (?, ?, ?, ?)").bind(&group.namespace).bind(&group.name);
        let query = query.bind(&group.text).bind(group.updated_at_ms);
        query.execute(held.connection()?).await.map_err(failed("write")).map(|_| ())
    }

    /// Deletes the groups of a namespace, or the one with a name. Durable on return. Returns how many went.
    ///
    /// # Errors
    /// As [`Meta::save_rule_group`].
    pub async fn delete_rule_groups(&self, namespace: &str, name: Option<&str>) -> Result<u64> {
        let mut held = self.lock().await;
        let query = sqlx::query("DELETE FROM rule_groups WHERE namespace = ?1 AND (?2 IS NULL OR name = ?2)").bind(namespace).bind(name);
        Ok(query.execute(held.connection()?).await.map_err(failed("write"))?.rows_affected())
    }
}
