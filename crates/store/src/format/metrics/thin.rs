//! Whether a rollup has anything to do in a segment.

use signalbox_model::{Result, Table, TimeRange};

use super::MetricSegment;
use crate::rollup::Rollup;

/// Whether rows would be left out. Reads series by series until one has some, so what is thick is found at once and what is thin
/// costs a read of its matching series.
///
/// # Errors
/// [`signalbox_model::ErrorKind::Corrupt`] if it is damaged; `Unavailable` if the disk fails.
pub(crate) fn has_rows_to_drop(segment: &MetricSegment, rollup: &Rollup<'_>) -> Result<bool> {
    let mut cursor = segment.sequential_cursor()?;
    let (index, mut room) = (std::sync::Arc::clone(&cursor.index), Vec::new());
    for ordinal in (0u32..).take(index.len()) {
        if index.rows(ordinal).is_none_or(|rows| rows.rows < 2) {
            continue;
        }
        let Some(thinning) = rollup.of(&index.labels(ordinal, &mut room)) else { continue };
        let stays = match segment.record().table {
            Table::Samples => match cursor.samples(ordinal, TimeRange::ALL)? {
                Some(piece) => thinning.samples(piece.ts_ms(), &piece.values, &piece.start_ms),
                None => continue,
            },
            Table::Histograms => thinning.histograms(&cursor.histograms(ordinal, TimeRange::ALL)?),
            Table::Exemplars | Table::Logs | Table::Spans => return Ok(false),
        };
        if stays.contains(&false) {
            return Ok(true);
        }
    }
    Ok(false)
}
