//! Which slot of each group was evaluated last, for the time after a crash: evaluations that change nothing write nothing, so
//! that the database alone would not know of them.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use signalbox_meta::Meta;
use signalbox_model::Result;

/// Slots by file and name of their group, since they were written last.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    slots: Mutex<BTreeMap<(String, String), i64>>,
}

impl Progress {
    /// A group was evaluated up to a slot, and what came of it is durable.
    pub(crate) fn note(&self, file: &str, name: &str, at_ms: i64) {
        self.slots.lock().insert((file.to_owned(), name.to_owned()), at_ms);
    }

    /// Writes what was noted. If that fails, more is evaluated again after a crash, at the same instants and with the same result.
    ///
    /// # Errors
    /// Of the database.
    pub(crate) async fn save(&self, meta: &Meta) -> Result<()> {
        let slots = std::mem::take(&mut *self.slots.lock());
        if slots.is_empty() { Ok(()) } else { meta.save_evaluated(&slots).await }
    }
}
