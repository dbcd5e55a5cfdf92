//! A catalog made of the segments themselves, for when the stored one is damaged or gone.
//!
//! Every segment carries its record, so nothing that is in a complete segment depends on the catalog. What has to be found
//! out: which of them were replaced by others, whether the last flush came to its commit, and how far the WAL is consumed.

use std::path::{Path, PathBuf};

use signalbox_model::disk::Disk;
use signalbox_model::{ErrorKind, Result, Table, schema};

use super::CatalogState;
use crate::format::file::read_record;
use crate::format::{FrameRange, OpenSegment, Segment};

/// What the segments tell.
#[derive(Debug, Default)]
pub(crate) struct Rebuilt {
    pub(crate) state: CatalogState,
    /// Files that are no complete segment.
    pub(crate) damaged: Vec<PathBuf>,
}

/// Reads all segment files below the data directory `dir`, each as a whole against its checksums. Blocks.
///
/// The last flush may be there in part, without its commit; then its frames are still in the WAL. So the position is set
/// before it, and whoever replays leaves out what a segment already has: a segment has all rows of its frames.
///
/// # Errors
/// `Unavailable` if the disk fails.
pub(crate) fn rebuild(disk: &dyn Disk, dir: &Path, files: &[PathBuf]) -> Result<Rebuilt> {
    let mut rebuilt = Rebuilt::default();
    let mut found = Vec::new();
    for file in files {
        let url = file.strip_prefix(dir).unwrap_or(file).to_string_lossy().into_owned();
        match read_record(disk, dir, &url) {
            Ok(record) => found.push(record),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::error!(%error, file = %file.display(), "cannot take a segment into the new catalog");
                rebuilt.damaged.push(file.clone());
            }
            Err(error) => return Err(error),
        }
    }
    let segments = latest(found);
    let mut next_row = 0;
    for segment in segments.iter().filter(|segment| matches!(segment.table, Table::Logs | Table::Spans)) {
        let last = OpenSegment::open(disk, dir, segment)?.max_of(schema::SEQUENCE);
        next_row = next_row.max(last.map_or(0, |last| last + 1));
    }
    let epoch = segments.iter().map(|segment| segment.id.epoch).max().unwrap_or(0);
    rebuilt.state = CatalogState { epoch, consumed_frame: consumed(&segments), next_row, segments, ..CatalogState::default() };
    Ok(rebuilt)
}

/// Without those whose rows are in another one: of two with the same frames the higher level counts, then the later one.
fn latest(mut found: Vec<Segment>) -> Vec<Segment> {
    found.sort_by_key(|segment| std::cmp::Reverse((segment.level, segment.id)));
    let mut kept: Vec<Segment> = Vec::new();
    for segment in found {
        let is_taken_over =
            kept.iter().any(|other| (&other.tenant, other.table) == (&segment.tenant, segment.table) && overlap(&other.frames, &segment.frames));
        if !is_taken_over {
            kept.push(segment);
        }
    }
    kept.sort_by_key(|segment| segment.id);
    kept
}

fn overlap(left: &[FrameRange], right: &[FrameRange]) -> bool {
    left.iter().any(|left| right.iter().any(|right| left.first <= right.last && right.first <= left.last))
}

/// The last frame before those of the last flush, or the last of all if that has been merged and so was committed.
fn consumed(segments: &[Segment]) -> u64 {
    let last = segments.iter().map(Segment::last_frame).max().unwrap_or(0);
    let of_last_flush = segments.iter().filter(|segment| segment.level == 0 && segment.last_frame() == last);
    of_last_flush.map(|segment| segment.first_frame().saturating_sub(1)).min().unwrap_or(last)
}
