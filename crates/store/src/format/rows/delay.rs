//! When a record was observed, as the time since its timestamp.
//!
//! Collectors observe a record some constant time after it was made, or when they make it: the difference takes few values where
//! the times themselves take as many bytes as all times.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, TimestampNanosecondArray};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use signalbox_model::{Error, Result};

/// Delays of instants behind others, in nanoseconds. They wrap around, so every pair of instants has one.
pub(super) fn of_times(observed: &ArrayRef, times: &ArrayRef) -> Result<ArrayRef> {
    let observed = observed.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(other_schema)?;
    let times = times.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(other_schema)?;
    let delays: Int64Array = observed.iter().zip(times.values()).map(|(observed, time)| observed.map(|observed| observed.wrapping_sub(*time))).collect();
    Ok(Arc::new(delays))
}

/// The instants that [`of_times`] was given.
pub(super) fn to_times(delays: &ArrayRef, times: &ArrayRef) -> Result<ArrayRef> {
    let delays = delays.as_primitive_opt::<Int64Type>().ok_or_else(other_schema)?;
    let times = times.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(other_schema)?;
    let observed: TimestampNanosecondArray = delays.iter().zip(times.values()).map(|(delay, time)| delay.map(|delay| time.wrapping_add(delay))).collect();
    Ok(Arc::new(observed.with_timezone("UTC")))
}

fn other_schema() -> Error {
    Error::internal("cannot tell when records were observed: the schema of the rows is another one")
}
