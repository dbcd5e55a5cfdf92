//! Log records: all that fit, in the order of storage.

use arrow::array::RecordBatch;
use signalbox_lang::logql::LogExpr;
use signalbox_model::{Result, TimeRange};
use signalbox_store::Snapshot;

use super::Take;
use super::columns::Column;
use super::sheet::Sheet;
use crate::leash::Leash;
use crate::logql::{Context, Query, columns_to_run};
use crate::logs::{LogFilter, visit};
use crate::search::{Filter, compiled};

/// Rows that are appended before it is looked whether the batch is full: a few long lines do no harm.
const STEP_ROWS: usize = 128;

/// Reads the records that a filter selects.
pub(super) fn read_records(snapshot: &Snapshot, filter: &Filter, range: TimeRange, sheet: &mut Sheet, leash: &Leash, take: Take<'_>) -> Result<()> {
    for mut filter in compiled(snapshot, filter, range, leash)? {
        let limits = filter.range();
        if limits.start_ns <= limits.end_ns && range.start_ns <= range.end_ns {
            read_stored(snapshot, &mut filter, range, sheet, leash, take)?;
        }
    }
    Ok(())
}

/// A LogQL query, compiled.
pub(super) struct Lines {
    /// What is decided column by column.
    filter: Query,
    /// What runs the stages.
    runner: Query,
    range: TimeRange,
}

impl Lines {
    pub(super) fn new(expr: &LogExpr, range: TimeRange, context: Context) -> Result<Self> {
        Ok(Self { filter: Query::new(expr, context)?, runner: Query::new(expr, context)?, range })
    }

    /// Reads the records that the query selects.
    pub(super) fn read(&mut self, snapshot: &Snapshot, sheet: &mut Sheet, leash: &Leash, take: Take<'_>) -> Result<()> {
        let Self { filter, runner, range } = self;
        if range.start_ns > range.end_ns {
            return Ok(());
        }
        if !runner.has_stages() && !sheet.columns.iter().any(|(column, _)| column.is_label()) {
            return read_stored(snapshot, filter.question(), *range, sheet, leash, take);
        }
        let columns: Vec<&'static str> = stored(sheet).chain(columns_to_run()).collect();
        let each = &mut |rows: &RecordBatch, wanted: &[usize]| {
            for wanted in wanted.chunks(STEP_ROWS) {
                leash.check()?;
                run(runner, rows, wanted, sheet)?;
                hand_over(sheet, take)?;
            }
            Ok(())
        };
        visit(snapshot, filter.question(), *range, &columns, Vec::new(), leash, each).map(drop)
    }
}

/// Appends rows that pass the stages.
fn run(runner: &mut Query, rows: &RecordBatch, wanted: &[usize], sheet: &mut Sheet) -> Result<()> {
    let (mut passed, mut appended) = (Vec::with_capacity(wanted.len()), Ok(()));
    runner.run(rows, wanted, &mut |row, outcome, _| {
        passed.push(row);
        for (column, cells) in &mut sheet.columns {
            match column {
                Column::Line => cells.text(Some(outcome.line)),
                Column::Label(name) => cells.text(outcome.labels.get(name)),
                Column::Labels => {
                    let labels = outcome.labels.sorted();
                    if let Err(error) = cells.map(labels.into_iter().map(|(name, value, _)| (name, value))) {
                        appended = Err(error);
                    }
                }
                _ => {}
            }
        }
    })?;
    appended?;
    for (column, cells) in &mut sheet.columns {
        if !matches!(column, Column::Line) {
            column.fill(cells, rows, &passed)?;
        }
    }
    Ok(())
}

/// Reads rows that fit, as they are stored.
fn read_stored(snapshot: &Snapshot, filter: &mut dyn LogFilter, range: TimeRange, sheet: &mut Sheet, leash: &Leash, take: Take<'_>) -> Result<()> {
    let columns: Vec<&'static str> = stored(sheet).collect();
    let each = &mut |rows: &RecordBatch, wanted: &[usize]| {
        for wanted in wanted.chunks(STEP_ROWS) {
            leash.check()?;
            sheet.columns.iter_mut().try_for_each(|(column, cells)| column.fill(cells, rows, wanted))?;
            hand_over(sheet, take)?;
        }
        Ok(())
    };
    visit(snapshot, filter, range, &columns, Vec::new(), leash, each).map(drop)
}

fn stored(sheet: &Sheet) -> impl Iterator<Item = &'static str> {
    sheet.columns.iter().flat_map(|(column, _)| column.stored()).copied()
}

pub(super) fn hand_over(sheet: &mut Sheet, take: Take<'_>) -> Result<()> {
    if sheet.is_full() { take(sheet.finish()?) } else { Ok(()) }
}
