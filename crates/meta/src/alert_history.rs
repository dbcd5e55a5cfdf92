//! What became of alerts, change by change: when each was found, fired, was muted and by what, was over.
//!
//! What an evaluation changed is written in the transaction that saves its alerts, so that history and state agree after a crash.
//! Values between the changes are no business of this database: `alert` writes them as samples.

use serde::{Deserialize, Serialize};
use signalbox_model::{Error, Result};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::label_sets::{from_text, to_text};
use crate::migrate::Migration;
use crate::{Meta, Pairs, commit, failed};

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    number: 8,
    sql: "
CREATE TABLE history_rules (
    id INTEGER PRIMARY KEY,
    file TEXT NOT NULL,
    group_name TEXT NOT NULL,
    rule TEXT NOT NULL,
    UNIQUE (file, group_name, rule)
) STRICT;
CREATE TABLE alert_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    rule INTEGER REFERENCES history_rules (id),
    fingerprint INTEGER,
    change TEXT NOT NULL,
    state TEXT NOT NULL,
    value_bits INTEGER,
    is_late INTEGER NOT NULL CHECK (is_late IN (0, 1)),
    note TEXT
) STRICT;
CREATE INDEX alert_history_by_time ON alert_history (at_ms);
CREATE INDEX alert_history_by_fingerprint ON alert_history (fingerprint, at_ms);
CREATE INDEX alert_history_by_rule ON alert_history (rule, at_ms);
",
}];

/// The series of the values of alerts, with the labels that receivers see. While an alert is pending or firing it has a sample of
/// every evaluation; NaN if the expression did not find it.
pub const ALERT_VALUE_SERIES: &str = "signalbox_alert_value";

/// Most events that are kept, whatever their age: the oldest go first.
pub const HISTORY_EVENTS_MAX: i64 = 1_000_000;

/// One thing that happened to an alert, or to its rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryEvent {
    /// When, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Path of the rule file. An event without rule is one of the rule that the alert had before.
    pub file: String,
    /// Name of the group.
    pub group: String,
    /// Name of the rule.
    pub rule: String,
    /// Prometheus' fingerprint of the labels; `None` if the event is about the rule.
    pub fingerprint: Option<u64>,
    /// Labels of the alert as receivers see them.
    pub labels: Pairs,
    /// What happened, a word of `alert`.
    pub change: String,
    /// What the alert is after it, a word of `alert`.
    pub state: String,
    /// Its value, if it has one.
    pub value: Option<f64>,
    /// Whether the evaluation was made up for after an outage.
    pub is_late: bool,
    /// More about it.
    pub note: HistoryNote,
}

/// More about an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryNote {
    /// Why an evaluation failed, or another reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Who was not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    /// Ids of the silences that covered the alert.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silenced_by: Vec<String>,
    /// Fingerprints of the alerts that inhibited it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inhibited_by: Vec<String>,
    /// Time intervals that muted its route.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub muted_by: Vec<String>,
    /// When the firing began that nobody was told of, milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began_at_ms: Option<i64>,
}

/// Which events are wanted; what is `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Not before this instant, milliseconds since the Unix epoch.
    pub start_ms: Option<i64>,
    /// Not after this instant, milliseconds since the Unix epoch.
    pub end_ms: Option<i64>,
    /// Of alerts with this value of the label `alertname`.
    pub alert_name: Option<String>,
    /// Of rules of this file.
    pub file: Option<String>,
    /// Of rules of groups with this name.
    pub group: Option<String>,
    /// Of rules with this name.
    pub rule: Option<String>,
    /// Of this alert.
    pub fingerprint: Option<u64>,
    /// Only what is about rules and no alert.
    pub of_rules: bool,
    /// At most so many, the newest.
    pub limit: u32,
}

impl Meta {
    /// Writes events that no evaluation made: all or none, durable on return.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be written, `Corrupt` if it is damaged.
    pub async fn save_alert_events(&self, events: &[HistoryEvent]) -> Result<()> {
        let mut held = self.lock().await;
        let mut transaction = held.begin().await?;
        append(&mut transaction, events).await?;
        commit(transaction).await
    }

    /// Events, newest first.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be read, `Corrupt` if it is damaged.
    pub async fn alert_history(&self, filter: &HistoryFilter) -> Result<Vec<HistoryEvent>> {
        let mut held = self.lock().await;
        let rows = select(filter).build().fetch_all(held.connection()?).await.map_err(failed("read"))?;
        rows.iter().map(event).collect()
    }

    /// Fingerprints and labels of the alerts that the history knows and that have all of these labels, at most `limit`.
    ///
    /// # Errors
    /// As [`Meta::alert_history`].
    pub async fn alerts_with(&self, labels: &Pairs, limit: u32) -> Result<Vec<(u64, Pairs)>> {
        let mut query = QueryBuilder::new("SELECT fingerprint, labels FROM label_sets WHERE TRUE");
        for (name, value) in labels {
            // Each pair stands in the JSON as it stands in a JSON of itself; what is found by chance is sorted out below.
            let pair = to_text(&Pairs::from([(name.clone(), value.clone())]))?;
            query.push(" AND instr(labels, ").push_bind(pair[1..pair.len() - 1].to_owned()).push(") > 0");
        }
        query.push(" LIMIT ").push_bind(limit);
        let mut held = self.lock().await;
        let rows = query.build().fetch_all(held.connection()?).await.map_err(failed("read"))?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let known = from_text(row.get("labels"))?;
            if labels.iter().all(|(name, value)| known.get(name) == Some(value)) {
                found.push((row.get::<i64, _>("fingerprint").cast_unsigned(), known));
            }
        }
        Ok(found)
    }

    /// Forgets the events from before an instant, those beyond [`HISTORY_EVENTS_MAX`], and labels and rules that nothing names any
    /// more. Returns how many events went.
    ///
    /// # Errors
    /// As [`Meta::save_alert_events`].
    pub async fn forget_alert_history(&self, before_ms: i64) -> Result<u64> {
        let mut held = self.lock().await;
        let mut transaction = held.begin().await?;
        let delete = sqlx::query("DELETE FROM alert_history WHERE at_ms < ? OR id <= (SELECT max(id) FROM alert_history) - ?");
        let gone = delete.bind(before_ms).bind(HISTORY_EVENTS_MAX).execute(&mut *transaction).await.map_err(failed("write"))?;
        for unused in [
            "DELETE FROM label_sets WHERE NOT EXISTS (SELECT 1 FROM alert_history WHERE alert_history.fingerprint = label_sets.fingerprint)
             AND NOT EXISTS (SELECT 1 FROM notification_alerts WHERE notification_alerts.fingerprint = label_sets.fingerprint)",
            "DELETE FROM history_rules WHERE NOT EXISTS (SELECT 1 FROM alert_history WHERE alert_history.rule = history_rules.id)",
        ] {
            sqlx::query(unused).execute(&mut *transaction).await.map_err(failed("write"))?;
        }
        commit(transaction).await?;
        Ok(gone.rows_affected())
    }
}

/// An event as SQLite reads it from JSON: one statement for all of them, however many alerts fire at once.
#[derive(Serialize)]
struct Line<'a> {
    at: i64,
    file: &'a str,
    group: &'a str,
    rule: &'a str,
    fingerprint: Option<i64>,
    labels: String,
    change: &'a str,
    state: &'a str,
    value: Option<i64>,
    late: u8,
    note: Option<String>,
}

/// Writes events.
pub(crate) async fn append(connection: &mut SqliteConnection, events: &[HistoryEvent]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let lines: Vec<Line<'_>> = events.iter().map(line).collect::<Result<_>>()?;
    let lines = json(&lines)?;
    for statement in [
        "INSERT INTO label_sets SELECT json_extract(value, '$.fingerprint'), json_extract(value, '$.labels') FROM json_each(?)
         WHERE json_extract(value, '$.fingerprint') IS NOT NULL ON CONFLICT (fingerprint) DO NOTHING",
        "INSERT INTO history_rules (file, group_name, rule)
         SELECT DISTINCT json_extract(value, '$.file'), json_extract(value, '$.group'), json_extract(value, '$.rule') FROM json_each(?)
         WHERE json_extract(value, '$.rule') <> '' ON CONFLICT DO NOTHING",
        "INSERT INTO alert_history (at_ms, rule, fingerprint, change, state, value_bits, is_late, note)
         SELECT json_extract(value, '$.at'),
         CASE json_extract(value, '$.rule') WHEN ''
         THEN (SELECT rule FROM alert_history WHERE fingerprint = json_extract(value, '$.fingerprint') ORDER BY at_ms DESC, id DESC LIMIT 1)
         ELSE (SELECT id FROM history_rules WHERE file = json_extract(value, '$.file') AND group_name = json_extract(value, '$.group')
               AND rule = json_extract(value, '$.rule')) END,
         json_extract(value, '$.fingerprint'), json_extract(value, '$.change'), json_extract(value, '$.state'),
         json_extract(value, '$.value'), json_extract(value, '$.late'), json_extract(value, '$.note') FROM json_each(?)",
    ] {
        sqlx::query(statement).bind(&lines).execute(&mut *connection).await.map_err(failed("write"))?;
    }
    Ok(())
}

fn line(event: &HistoryEvent) -> Result<Line<'_>> {
    let note = if event.note == HistoryNote::default() { None } else { Some(json(&event.note)?) };
    Ok(Line {
        at: event.at_ms,
        file: &event.file,
        group: &event.group,
        rule: &event.rule,
        fingerprint: event.fingerprint.map(u64::cast_signed),
        labels: to_text(&event.labels)?,
        change: &event.change,
        state: &event.state,
        value: event.value.map(|value| value.to_bits().cast_signed()),
        late: u8::from(event.is_late),
        note,
    })
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("cannot write the history of alerts as JSON").with_source(error))
}

fn select(filter: &HistoryFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT alert_history.*, file, group_name, history_rules.rule AS rule_name, labels FROM alert_history
         LEFT JOIN history_rules ON history_rules.id = alert_history.rule LEFT JOIN label_sets USING (fingerprint) WHERE at_ms >= ",
    );
    query.push_bind(filter.start_ms.unwrap_or(i64::MIN)).push(" AND at_ms <= ").push_bind(filter.end_ms.unwrap_or(i64::MAX));
    if let Some(fingerprint) = filter.fingerprint {
        query.push(" AND alert_history.fingerprint = ").push_bind(fingerprint.cast_signed());
    }
    if filter.of_rules {
        query.push(" AND alert_history.fingerprint IS NULL");
    }
    for (column, wanted) in [("file", &filter.file), ("group_name", &filter.group), ("history_rules.rule", &filter.rule)] {
        if let Some(wanted) = wanted {
            query.push(" AND ").push(column).push(" = ").push_bind(wanted.clone());
        }
    }
    if let Some(name) = &filter.alert_name {
        query.push(" AND json_extract(labels, '$.alertname') = ").push_bind(name.clone());
    }
    query.push(" ORDER BY at_ms DESC, alert_history.id DESC LIMIT ").push_bind(filter.limit);
    query
}

fn event(row: &SqliteRow) -> Result<HistoryEvent> {
    let text = |column: &str| row.get::<Option<String>, _>(column).unwrap_or_default();
    let note = row.get::<Option<&str>, _>("note").map(serde_json::from_str).transpose();
    Ok(HistoryEvent {
        at_ms: row.get("at_ms"),
        file: text("file"),
        group: text("group_name"),
        rule: text("rule_name"),
        fingerprint: row.get::<Option<i64>, _>("fingerprint").map(i64::cast_unsigned),
        labels: row.get::<Option<&str>, _>("labels").map(from_text).transpose()?.unwrap_or_default(),
        change: row.get("change"),
        state: row.get("state"),
        value: row.get::<Option<i64>, _>("value_bits").map(|bits| f64::from_bits(bits.cast_unsigned())),
        is_late: row.get("is_late"),
        note: note.map_err(|_| Error::corrupt("cannot read the history of alerts: column note is damaged"))?.unwrap_or_default(),
    })
}
