//! Quarantine: damaged segments leave the catalog, so that queries go on without them, and are kept for an operator.

use signalbox_telemetry::{names, registry};

use crate::format::Segment;
use crate::layout;
use crate::segments::Shelf;

/// Counts a damaged segment where operators look for it, and says it aloud.
pub(crate) fn report(segment: &Segment, what: &str) {
    registry().counter(names::STORE_CORRUPTION_DETECTED_TOTAL, &[("where", "segment")]).add(1);
    tracing::error!(
        segment = %segment.url,
        tenant = %segment.tenant,
        table = segment.table.as_str(),
        rows = segment.rows,
        "segment {} is damaged ({what}), it is put into quarantine and its rows are missing from now on",
        segment.url
    );
}

/// Moves the file of a segment that the catalog has forgotten.
pub(crate) fn set_aside(shelf: &Shelf, segment: &Segment) {
    let dir = layout::quarantine(&shelf.dir);
    let target = dir.join(format!("{}-{}-{}{}", segment.tenant, segment.table.as_str(), segment.id, layout::SEGMENT_SUFFIX));
    let moved = shelf.disk.create_dir_all(&dir).and_then(|()| shelf.disk.rename(&segment.path(&shelf.dir), &target));
    match moved {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, segment = %segment.url, "cannot move a damaged segment, the next start removes it"),
    }
}
