//! Which traces somebody has archived: of the series [`ARCHIVED_TRACE`], one for each of them.

use std::collections::HashSet;

use signalbox_model::{Matcher, Result, TimeRange, TraceId};

use super::judge::Id;
use crate::settings::{ARCHIVED_TRACE, TRACE_ID_LABEL};
use crate::snapshot::Snapshot;

/// Traces that are looked at most; of more only these count.
const TRACES_MAX: usize = 1_000_000;

/// Traces that were archived at some time from `from_ns` on.
///
/// # Errors
/// Of the disk.
pub(super) fn read(snapshot: &Snapshot, from_ns: i64) -> Result<HashSet<Id>> {
    let range = TimeRange::from_ns(from_ns, i64::MAX);
    let mut series = snapshot.select(&[Matcher::equal("__name__", ARCHIVED_TRACE)], range, usize::MAX)?;
    series.truncate(TRACES_MAX);
    let mut archived = HashSet::new();
    snapshot.read(&series, range, &mut |at, read| {
        let trace = series.get(at).and_then(|handle| TraceId::from_hex(handle.labels.get(TRACE_ID_LABEL)?));
        if read.values.iter().any(|value| !value.is_nan()) {
            archived.extend(trace.map(|trace| *trace.as_bytes()));
        }
        Ok(())
    })?;
    Ok(archived)
}
