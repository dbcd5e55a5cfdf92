//! Labels of alerts by fingerprint, each set once, for the tables that name alerts often.

use signalbox_model::{Error, Result};
use sqlx::sqlite::SqliteConnection;

use crate::migrate::Migration;
use crate::{Meta, Pairs, failed};

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    number: 6,
    sql: "
CREATE TABLE label_sets (
    fingerprint INTEGER PRIMARY KEY,
    labels TEXT NOT NULL
) STRICT;
",
}];

impl Meta {
    /// The labels of the alert with a fingerprint, if the log or the history knows it.
    ///
    /// # Errors
    /// `Unavailable` if the database cannot be read, `Corrupt` if it is damaged.
    pub async fn labels_of(&self, fingerprint: u64) -> Result<Option<Pairs>> {
        let mut held = self.lock().await;
        let query = sqlx::query_scalar("SELECT labels FROM label_sets WHERE fingerprint = ?").bind(fingerprint.cast_signed());
        let text: Option<String> = query.fetch_optional(held.connection()?).await.map_err(failed("read"))?;
        text.as_deref().map(from_text).transpose()
    }
}

/// Writes a set of labels, if it is not there.
pub(crate) async fn know(connection: &mut SqliteConnection, fingerprint: u64, labels: &Pairs) -> Result<()> {
    let insert = sqlx::query("INSERT INTO label_sets VALUES (?, ?) ON CONFLICT (fingerprint) DO NOTHING");
    insert.bind(fingerprint.cast_signed()).bind(to_text(labels)?).execute(connection).await.map_err(failed("write")).map(|_| ())
}

/// JSON with sorted names, so that equal labels are equal texts.
pub(crate) fn to_text(pairs: &Pairs) -> Result<String> {
    serde_json::to_string(pairs).map_err(|error| Error::internal("cannot write labels as JSON").with_source(error))
}

pub(crate) fn from_text(text: &str) -> Result<Pairs> {
    serde_json::from_str(text).map_err(|error| Error::corrupt(format!("cannot read labels: found {text:?}: want JSON")).with_source(error))
}
