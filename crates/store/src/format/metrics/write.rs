//! Sealed head to segments.

use signalbox_model::{Error, Result};

use super::Target;
use crate::format::Segment;
use crate::write::head::metrics::Sealed;

/// Writes sealed buffers as at most one segment a table, durable when this returns; empty tables give none. On error no file
/// is left behind but orphans.
///
/// # Errors
/// Of the disk.
pub(crate) fn write(_sealed: &Sealed, _target: &mut Target<'_>) -> Result<Vec<Segment>> {
    Err(Error::internal("cannot write metric segments yet"))
}
