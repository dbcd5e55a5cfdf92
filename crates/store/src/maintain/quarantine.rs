//! Quarantine: damaged segments leave the catalog, so that queries go on without them, and are kept for an operator.

use std::path::Path;

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
    set_aside_file(shelf, &segment.path(&shelf.dir));
}

/// Moves a file out of the way of the store, under a name made of its path.
pub(crate) fn set_aside_file(shelf: &Shelf, path: &Path) {
    let dir = layout::quarantine(&shelf.dir);
    let below = path.strip_prefix(layout::segments(&shelf.dir)).unwrap_or(path);
    let name = below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("-");
    let moved = shelf.disk.create_dir_all(&dir).and_then(|()| shelf.disk.rename(path, &dir.join(name)));
    match moved {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, path = %path.display(), "cannot move a damaged segment, the next start removes it"),
    }
}
