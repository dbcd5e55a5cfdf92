//! Several segments of one table to one.

use std::sync::Arc;

use signalbox_model::{Error, Result};

use super::{MetricSegment, Target};
use crate::format::Segment;

/// Merges segments of one table, oldest first: of two samples of one series and time that of the later segment stays. Reads
/// and writes piece by piece; memory is bounded by one row group and a few pages an input. Durable when this returns.
///
/// # Errors
/// Of the disk; [`signalbox_model::ErrorKind::Corrupt`] if an input is damaged ([`MetricSegment::is_damaged`] says which).
pub(crate) fn merge(_inputs: &[Arc<MetricSegment>], _target: &mut Target<'_>) -> Result<Vec<Segment>> {
    Err(Error::internal("cannot merge metric segments yet"))
}
