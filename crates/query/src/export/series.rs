//! Series as rows: an instant, labels, a value.

use signalbox_lang::traceql::tree::Static;
use signalbox_model::{Error, Result};
use signalbox_store::Snapshot;

use super::Take;
use super::logs::hand_over;
use super::sheet::{Cells, Sheet};
use crate::leash::Leash;
use crate::logql::{Asker, MetricRequest, MetricValue};
use crate::traceql::{MetricsSeries, text};

/// Steps that are computed at a time: what is held of a series.
const STEPS_TOGETHER: i64 = 1_000;

/// # Errors
/// `Invalid` for times that make no steps.
pub(super) fn check(request: &MetricRequest) -> Result<()> {
    if request.step_ns < 1 || request.end_ns < request.start_ns {
        return Err(Error::invalid("cannot export series: want a step that is longer than nothing, and an end that is not before the start"));
    }
    Ok(())
}

/// Computes the series of a LogQL query stretch by stretch: an instant's values depend on no other instant.
pub(super) fn read_logs(snapshot: &Snapshot, asker: &Asker, request: &MetricRequest, sheet: &mut Sheet, leash: &Leash, take: Take<'_>) -> Result<()> {
    let together = STEPS_TOGETHER.min(i64::try_from(asker.settings.logql_steps_max).unwrap_or(i64::MAX)).max(1);
    let stretch_ns = request.step_ns.saturating_mul(together);
    let mut start_ns = request.start_ns;
    while start_ns <= request.end_ns {
        let end_ns = start_ns.saturating_add(stretch_ns - request.step_ns).min(request.end_ns);
        let answer = asker.answer(snapshot, &MetricRequest { start_ns, end_ns, ..request.clone() }, leash)?;
        match answer.value {
            MetricValue::Scalar(value) => append(sheet, &[], &[(start_ns, value)], take)?,
            MetricValue::Vector(series) | MetricValue::Matrix(series) => {
                for series in series {
                    append(sheet, &series.labels, &series.points, take)?;
                }
            }
        }
        let Some(next_ns) = start_ns.checked_add(stretch_ns) else { break };
        start_ns = next_ns;
    }
    Ok(())
}

/// Writes the series of a TraceQL query.
pub(super) fn write_spans(series: &[MetricsSeries], sheet: &mut Sheet, take: Take<'_>) -> Result<()> {
    for series in series {
        let named = series.labels.iter().filter(|(_, value)| !matches!(value, Static::Nil));
        let labels: Vec<(String, String)> = named.map(|(name, value)| (name.clone(), text(value))).collect();
        append(sheet, &labels, &series.points, take)?;
    }
    Ok(())
}

fn append(sheet: &mut Sheet, labels: &[(String, String)], points: &[(i64, f64)], take: Take<'_>) -> Result<()> {
    for (time_ns, value) in points {
        for (_, cells) in &mut sheet.columns {
            match cells {
                Cells::Time(_) => cells.time(Some(*time_ns)),
                Cells::Map(_) => cells.map(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())))?,
                _ => cells.number(*value),
            }
        }
        hand_over(sheet, take)?;
    }
    Ok(())
}
