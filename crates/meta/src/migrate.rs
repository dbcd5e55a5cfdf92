//! Numbered migrations: which tables there are, and how a database of an older version gets them.
//!
//! Every noun brings its own list (`MIGRATIONS` in its file); numbers are given out here, across all nouns, without gaps. A
//! migration that was released is never changed: a new one follows it.

use signalbox_model::{Error, Result};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use crate::{
    BEGIN, alert_history, alertmanager_config, alerts, failed, label_sets, log_deletions, notification_detail, notification_log, outbox, outside_alerts,
    rule_groups, silences,
};

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    /// Version of the schema after this step.
    pub(crate) number: i64,
    /// Statements, run in one transaction.
    pub(crate) sql: &'static str,
}

/// The lists of all nouns.
pub(crate) const ALL: &[&[Migration]] = &[
    notification_log::MIGRATIONS,
    outbox::MIGRATIONS,
    alerts::MIGRATIONS,
    silences::MIGRATIONS,
    outside_alerts::MIGRATIONS,
    label_sets::MIGRATIONS,
    notification_detail::MIGRATIONS,
    alert_history::MIGRATIONS,
    rule_groups::MIGRATIONS,
    alertmanager_config::MIGRATIONS,
    log_deletions::MIGRATIONS,
];

/// Brings the schema to the version of this program, one transaction a step.
pub(crate) async fn migrate(connection: &mut SqliteConnection, lists: &[&[Migration]]) -> Result<()> {
    let mut steps: Vec<Migration> = lists.concat();
    steps.sort_by_key(|step| step.number);
    let newest = steps.last().map_or(0, |step| step.number);
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(failed("read"))?;
    if found > newest {
        return Err(Error::invalid(format!("cannot use the state database: found schema version {found}: want at most {newest}, a newer program wrote it")));
    }
    for step in steps.iter().filter(|step| step.number > found) {
        let mut transaction = connection.begin_with(BEGIN).await.map_err(failed("migrate"))?;
        sqlx::raw_sql(step.sql).execute(&mut *transaction).await.map_err(failed("migrate"))?;
        // PRAGMA takes no parameters; the number is ours.
        let version = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", step.number));
        sqlx::raw_sql(version).execute(&mut *transaction).await.map_err(failed("migrate"))?;
        transaction.commit().await.map_err(failed("migrate"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_without_gaps() {
        let mut numbers: Vec<i64> = ALL.concat().iter().map(|step| step.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=i64::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn an_older_schema_is_migrated_step_by_step_and_a_newer_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("old.db")).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let first: &[Migration] = &[Migration { number: 1, sql: "CREATE TABLE one (value INTEGER) STRICT; INSERT INTO one VALUES (7);" }];
        let second: &[Migration] = &[Migration { number: 2, sql: "ALTER TABLE one ADD COLUMN more INTEGER NOT NULL DEFAULT 3;" }];
        migrate(&mut connection, &[first]).await.unwrap();
        migrate(&mut connection, &[second, first]).await.unwrap();
        migrate(&mut connection, &[first, second]).await.unwrap();
        let kept: (i64, i64) = sqlx::query_as("SELECT value, more FROM one").fetch_one(&mut connection).await.unwrap();
        assert_eq!(kept, (7, 3));
        let error = migrate(&mut connection, &[first]).await.unwrap_err();
        assert_eq!(error.kind(), signalbox_model::ErrorKind::Invalid);
        assert_eq!(error.message(), "cannot use the state database: found schema version 2: want at most 1, a newer program wrote it");
    }

    #[tokio::test]
    async fn a_failing_step_leaves_the_version_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("half.db")).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let bad: &[Migration] = &[Migration { number: 1, sql: "CREATE TABLE one (value INTEGER) STRICT; CREATE TABLE one (value INTEGER) STRICT;" }];
        migrate(&mut connection, &[bad]).await.unwrap_err();
        let good: &[Migration] = &[Migration { number: 1, sql: "CREATE TABLE one (value INTEGER) STRICT;" }];
        migrate(&mut connection, &[good]).await.unwrap();
    }
}
