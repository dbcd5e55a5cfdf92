//! Where things lie in the data directory.
//!
//! | path | what |
//! |---|---|
//! | `LOCK` | held by the process that uses the directory |
//! | `catalog.sqlite` | the catalog |
//! | `wal/` | the write-ahead log |
//! | `segments/<tenant>/<table>/<id>.parquet` | the segments, plain Parquet |
//! | `quarantine/` | segments that failed their checksums, kept for an operator |
//! | `views.sql` | the segments as views of DuckDB |
//! | `snapshots/<name>/` | copies of the store, each a data directory |

use std::path::{Path, PathBuf};

use signalbox_model::{Table, Tenant};

use crate::format::SegmentId;

/// Suffix of the files of segments.
pub(crate) const SEGMENT_SUFFIX: &str = ".parquet";

const SEGMENTS: &str = "segments";

/// The catalog, given the data directory.
pub(crate) fn catalog(dir: &Path) -> PathBuf {
    dir.join("catalog.sqlite")
}

/// The directory of the WAL.
pub(crate) fn wal(dir: &Path) -> PathBuf {
    dir.join("wal")
}

/// The root of the segments.
pub(crate) fn segments(dir: &Path) -> PathBuf {
    dir.join(SEGMENTS)
}

/// Where damaged segments go.
pub(crate) fn quarantine(dir: &Path) -> PathBuf {
    dir.join("quarantine")
}

/// The views for DuckDB.
pub(crate) fn views(dir: &Path) -> PathBuf {
    dir.join("views.sql")
}

/// Where snapshot directories go.
pub(crate) fn snapshots(dir: &Path) -> PathBuf {
    dir.join("snapshots")
}

/// Where a segment lies, relative to the data directory.
pub(crate) fn segment_url(tenant: &Tenant, table: Table, id: SegmentId) -> String {
    format!("{SEGMENTS}/{tenant}/{}/{id}{SEGMENT_SUFFIX}", table.as_str())
}
