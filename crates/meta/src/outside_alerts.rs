//! Alerts that other rulers sent: they fire until they end, and must survive a crash as our own do.

use std::collections::BTreeMap;

use signalbox_model::{Error, Result};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::migrate::Migration;
use crate::{Meta, Pairs, failed};

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    number: 5,
    sql: "
CREATE TABLE outside_alerts (
    labels TEXT PRIMARY KEY,
    annotations TEXT NOT NULL,
    generator_url TEXT NOT NULL,
    starts_at_ms INTEGER NOT NULL,
    ends_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX outside_alerts_by_end ON outside_alerts (ends_at_ms);
",
}];

/// An alert of another ruler. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideAlert {
    /// Its identity.
    pub labels: Pairs,
    /// Its annotations.
    pub annotations: Pairs,
    /// Where to look at its expression.
    pub generator_url: String,
    /// When it began to fire.
    pub starts_at_ms: i64,
    /// When it is over if nobody says more.
    pub ends_at_ms: i64,
    /// When it was last heard of.
    pub updated_at_ms: i64,
}

impl Meta {
    /// All alerts that were not forgotten, by labels.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be read, `Corrupt` if it is damaged.
    pub async fn outside_alerts(&self) -> Result<Vec<OutsideAlert>> {
        let mut held = self.lock().await;
        let query = sqlx::query("SELECT * FROM outside_alerts ORDER BY labels");
        query.fetch_all(held.connection()?).await.map_err(failed("read"))?.iter().map(alert).collect()
    }

    /// Writes alerts, new ones or in place of those of the same labels: all or none, durable on return.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be written, `Corrupt` if it is damaged.
    pub async fn save_outside_alerts(&self, alerts: &[OutsideAlert]) -> Result<()> {
        let mut held = self.lock().await;
        let mut transaction = held.begin().await?;
        for alert in alerts {
            let query =
                sqlx::query("INSERT OR REPLACE INTO outside_alerts VALUES (?, ?, ?, ?, ?, ?)").bind(json(&alert.labels)?).bind(json(&alert.annotations)?);
            let query = query.bind(&alert.generator_url).bind(alert.starts_at_ms).bind(alert.ends_at_ms).bind(alert.updated_at_ms);
            query.execute(&mut *transaction).await.map_err(failed("write"))?;
        }
        crate::commit(transaction).await
    }

    /// Forgets the alerts that ended before an instant. Returns how many went.
    ///
    /// # Errors
    /// As [`Meta::save_outside_alerts`].
    pub async fn forget_outside_alerts(&self, before_ms: i64) -> Result<u64> {
        let mut held = self.lock().await;
        let query = sqlx::query("DELETE FROM outside_alerts WHERE ends_at_ms < ?").bind(before_ms);
        Ok(query.execute(held.connection()?).await.map_err(failed("write"))?.rows_affected())
    }
}

/// As JSON; keys are sorted, so that equal labels are equal texts.
fn json(pairs: &Pairs) -> Result<String> {
    serde_json::to_string(pairs).map_err(|error| Error::internal("cannot write labels as JSON").with_source(error))
}

fn alert(row: &SqliteRow) -> Result<OutsideAlert> {
    let pairs = |column: &str| -> Result<BTreeMap<String, String>> {
        serde_json::from_str(row.get(column)).map_err(|_| Error::corrupt(format!("cannot read alerts from outside: column {column} is damaged")))
    };
    Ok(OutsideAlert {
        labels: pairs("labels")?,
        annotations: pairs("annotations")?,
        generator_url: row.get("generator_url"),
        starts_at_ms: row.get("starts_at_ms"),
        ends_at_ms: row.get("ends_at_ms"),
        updated_at_ms: row.get("updated_at_ms"),
    })
}
