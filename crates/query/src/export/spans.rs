//! Spans that TraceQL selects, as rows.

use signalbox_lang::traceql::tree::{Query, Root};
use signalbox_model::{Error, Result, TimeRange};
use signalbox_store::Snapshot;

use super::Take;
use super::logs::hand_over;
use super::sheet::{Cells, Sheet};
use crate::budget::Share;
use crate::leash::Leash;
use crate::traceql::{ToldSpan, every_span};

/// # Errors
/// `Invalid` for a query that selects no spans.
pub(super) fn check(query: &Query) -> Result<()> {
    match query.root {
        Root::Spansets(_) => Ok(()),
        Root::Metrics(_) => Err(Error::invalid("cannot export spans of a metrics query: want one without a metrics function")),
    }
}

/// Writes every span of every trace that a query selects.
pub(super) fn read(snapshot: &Snapshot, query: &Query, range: TimeRange, share: &Share, sheet: &mut Sheet, leash: &Leash, take: Take<'_>) -> Result<()> {
    every_span(snapshot, query, range, leash, share, &mut |span| {
        append(sheet, span)?;
        hand_over(sheet, take)
    })
}

fn append(sheet: &mut Sheet, span: &ToldSpan<'_>) -> Result<()> {
    let names: Vec<String> = sheet.schema().fields().iter().map(|field| field.name().clone()).collect();
    for (name, (_, cells)) in names.iter().zip(&mut sheet.columns) {
        match name.as_str() {
            "timestamp" => cells.time(Some(span.start_ns)),
            "duration_ns" => cells.count(span.duration_ns),
            "service" => cells.text(Some(span.service)),
            "name" => cells.text(Some(span.name)),
            "trace_id" => cells.text(Some(&span.trace_id.to_string())),
            "span_id" => cells.text(span.span_id.map(|id| id.to_string()).as_deref()),
            "parent_span_id" => cells.text(span.parent_id.map(|id| id.to_string()).as_deref()),
            "set" => map(cells, span.set)?,
            _ => map(cells, &span.attributes)?,
        }
    }
    Ok(())
}

fn map(cells: &mut Cells, entries: &[(String, String)]) -> Result<()> {
    cells.map(entries.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}
