//! Alerts as they survive a crash: which are pending or firing since when, for each group of rules.
//!
//! A group is written after an evaluation that changed something that matters: what began, fired, resolved. Values and
//! annotations come again with the next evaluation.

use std::collections::BTreeMap;

use signalbox_model::{Error, Result};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::alert_history;
use crate::migrate::Migration;
use crate::{HistoryEvent, Meta, commit, failed};

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 3,
        sql: "
CREATE TABLE alert_groups (
    file TEXT NOT NULL,
    name TEXT NOT NULL,
    evaluated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (file, name)
) STRICT;
CREATE TABLE alerts (
    file TEXT NOT NULL,
    group_name TEXT NOT NULL,
    rule TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    value REAL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'firing', 'inactive')),
    active_at_ms INTEGER NOT NULL,
    fired_at_ms INTEGER,
    resolved_at_ms INTEGER,
    keep_firing_since_ms INTEGER,
    PRIMARY KEY (file, group_name, rule, labels),
    FOREIGN KEY (file, group_name) REFERENCES alert_groups (file, name) ON DELETE CASCADE
) STRICT;
",
    },
    Migration { number: 10, sql: "ALTER TABLE alerts ADD COLUMN late_ms INTEGER" },
];

/// Labels or annotations by name.
pub type Pairs = BTreeMap<String, String>;

/// One alert. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAlert {
    /// The rule in its group, in words of `alert`.
    pub rule: String,
    /// Its labels; with the rule they are its identity.
    pub labels: Pairs,
    /// Its annotations.
    pub annotations: Pairs,
    /// Its value; infinities and NaN survive as NaN.
    pub value: f64,
    /// `pending`, `firing` or `inactive`.
    pub state: String,
    /// When it was first found.
    pub active_at_ms: i64,
    /// When it began to fire.
    pub fired_at_ms: Option<i64>,
    /// When it became inactive.
    pub resolved_at_ms: Option<i64>,
    /// Since when it goes on firing although it is found no more.
    pub keep_firing_since_ms: Option<i64>,
    /// How late the evaluation was that made it fire, if that was made up.
    pub late_ms: Option<i64>,
}

/// The alerts of one group of rules.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredGroup {
    /// Path of the rule file.
    pub file: String,
    /// Name of the group.
    pub name: String,
    /// The latest evaluation that was written, milliseconds since the Unix epoch.
    pub evaluated_at_ms: i64,
    /// Its alerts.
    pub alerts: Vec<StoredAlert>,
}

/// What an evaluation changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlertChanges {
    /// Path of the rule file.
    pub file: String,
    /// Name of the group.
    pub name: String,
    /// The evaluation, milliseconds since the Unix epoch.
    pub evaluated_at_ms: i64,
    /// Alerts that are new or different.
    pub upserts: Vec<StoredAlert>,
    /// Alerts that are no more, by rule and labels.
    pub gone: Vec<(String, Pairs)>,
    /// What is to be remembered of it.
    pub history: Vec<HistoryEvent>,
}

impl Meta {
    /// Writes what an evaluation changed: all or nothing, durable on return.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be written, `Corrupt` if it is damaged.
    pub async fn save_alerts(&self, changes: &AlertChanges) -> Result<()> {
        let mut held = self.lock().await;
        let mut transaction = held.begin().await?;
        let upsert = sqlx::query("INSERT INTO alert_groups VALUES (?, ?, ?) ON CONFLICT (file, name) DO UPDATE SET evaluated_at_ms = excluded.evaluated_at_ms");
        let upsert = upsert.bind(&changes.file).bind(&changes.name).bind(changes.evaluated_at_ms);
        upsert.execute(&mut *transaction).await.map_err(failed("write"))?;
        for (rule, labels) in &changes.gone {
            let delete = sqlx::query("DELETE FROM alerts WHERE file = ? AND group_name = ? AND rule = ? AND labels = ?");
            let delete = delete.bind(&changes.file).bind(&changes.name).bind(rule).bind(to_text(labels)?);
            delete.execute(&mut *transaction).await.map_err(failed("write"))?;
        }
        for alert in &changes.upserts {
            insert(&mut transaction, changes, alert).await?;
        }
        alert_history::append(&mut transaction, &changes.history).await?;
        commit(transaction).await
    }

    /// Writes up to when groups, by file and name, were evaluated: all or nothing, durable on return.
    ///
    /// # Errors
    /// As [`Meta::save_alerts`].
    pub async fn save_evaluated(&self, evaluated_at_ms: &BTreeMap<(String, String), i64>) -> Result<()> {
        let mut held = self.lock().await;
        let mut transaction = held.begin().await?;
        for ((file, name), at_ms) in evaluated_at_ms {
            let upsert =
                sqlx::query("INSERT INTO alert_groups VALUES (?, ?, ?) ON CONFLICT (file, name) DO UPDATE SET evaluated_at_ms = excluded.evaluated_at_ms");
            upsert.bind(file).bind(name).bind(at_ms).execute(&mut *transaction).await.map_err(failed("write"))?;
        }
        commit(transaction).await
    }

    /// Forgets a group and its alerts.
    ///
    /// # Errors
    /// As [`Meta::save_alerts`].
    pub async fn forget_alert_group(&self, file: &str, name: &str) -> Result<()> {
        let mut held = self.lock().await;
        let delete = sqlx::query("DELETE FROM alert_groups WHERE file = ? AND name = ?").bind(file).bind(name);
        delete.execute(held.connection()?).await.map_err(failed("write")).map(|_| ())
    }

    /// All groups with their alerts, by file and name.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be read, `Corrupt` if it is damaged.
    pub async fn load_alerts(&self) -> Result<Vec<StoredGroup>> {
        let mut held = self.lock().await;
        let connection = held.connection()?;
        let rows = sqlx::query("SELECT * FROM alert_groups ORDER BY file, name").fetch_all(&mut *connection).await.map_err(failed("read"))?;
        let mut groups: BTreeMap<(String, String), StoredGroup> = BTreeMap::new();
        for row in &rows {
            let (file, name): (String, String) = (row.get("file"), row.get("name"));
            let group = StoredGroup { file: file.clone(), name: name.clone(), evaluated_at_ms: row.get("evaluated_at_ms"), alerts: Vec::new() };
            groups.insert((file, name), group);
        }
        let rows = sqlx::query("SELECT * FROM alerts ORDER BY file, group_name, rule, labels").fetch_all(connection).await.map_err(failed("read"))?;
        for row in &rows {
            // The foreign key says that the group exists.
            if let Some(group) = groups.get_mut(&(row.get("file"), row.get("group_name"))) {
                group.alerts.push(alert(row)?);
            }
        }
        Ok(groups.into_values().collect())
    }
}

async fn insert(connection: &mut SqliteConnection, changes: &AlertChanges, alert: &StoredAlert) -> Result<()> {
    let query = sqlx::query("INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    let query = query.bind(&changes.file).bind(&changes.name).bind(&alert.rule).bind(to_text(&alert.labels)?).bind(to_text(&alert.annotations)?);
    let query = query.bind(Some(alert.value).filter(|value| value.is_finite())).bind(&alert.state).bind(alert.active_at_ms);
    let query = query.bind(alert.fired_at_ms).bind(alert.resolved_at_ms).bind(alert.keep_firing_since_ms).bind(alert.late_ms);
    query.execute(connection).await.map_err(failed("write")).map(|_| ())
}

fn alert(row: &SqliteRow) -> Result<StoredAlert> {
    Ok(StoredAlert {
        rule: row.get("rule"),
        labels: from_text(row.get("labels"))?,
        annotations: from_text(row.get("annotations"))?,
        value: row.get::<Option<f64>, _>("value").unwrap_or(f64::NAN),
        state: row.get("state"),
        active_at_ms: row.get("active_at_ms"),
        fired_at_ms: row.get("fired_at_ms"),
        resolved_at_ms: row.get("resolved_at_ms"),
        keep_firing_since_ms: row.get("keep_firing_since_ms"),
        late_ms: row.get("late_ms"),
    })
}

/// JSON with sorted names, so that equal labels are equal texts.
fn to_text(pairs: &Pairs) -> Result<String> {
    serde_json::to_string(pairs).map_err(|error| Error::internal("cannot write labels as JSON").with_source(error))
}

fn from_text(text: &str) -> Result<Pairs> {
    serde_json::from_str(text).map_err(|error| Error::corrupt(format!("cannot read alerts: found labels {text:?}: want JSON")).with_source(error))
}
