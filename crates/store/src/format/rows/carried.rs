//! Which rows of a segment carry a value: as their trace, in their text, in their events and links, or in what they share with others.

use std::ops::Range;
use std::sync::Arc;

use signalbox_model::{Result, TextFilter, schema};

use super::RowSegment;
use crate::scan::Carried;

/// What rows share.
const COLUMNS: [&str; 2] = [schema::RESOURCE, schema::SCOPE];

impl RowSegment {
    /// Rows that may carry one of some values: ranges in any order. `None` if any row may.
    ///
    /// # Errors
    /// Of the disk.
    pub(crate) fn rows_that_carry(self: &Arc<Self>, carried: &Carried) -> Result<Option<Vec<Range<u64>>>> {
        if carried.in_items && !self.has_text_of_items()? {
            return Ok(None);
        }
        let mut rows = Vec::new();
        if !carried.phrases.is_empty() {
            let of_text = TextFilter { clauses: vec![carried.phrases.clone()] };
            let Some(found) = self.rows_of_text(&of_text)? else { return Ok(None) };
            rows = found;
        }
        if let Some(is_shared) = &carried.is_shared {
            for column in COLUMNS {
                if self.shared_texts(column)?.iter().any(|text| is_shared(column, text)) {
                    return Ok(None);
                }
            }
        }
        if let Some(trace) = &carried.trace_id {
            rows.extend(self.rows_of_trace(trace)?);
        }
        Ok(Some(rows))
    }
}
