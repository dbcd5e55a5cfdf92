//! Patterns of lines, how often each came, by level and time.

use std::cmp::Reverse;
use std::collections::HashMap;

use arrow::array::{Array, DictionaryArray, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::datatypes::UInt32Type;
use signalbox_lang::logql::LogExpr;
use signalbox_model::schema::{self, logs};
use signalbox_model::{Error, Owners, Result, Table, TimeRange, pattern};
use signalbox_store::{Division, ScanRequest, Snapshot};

use super::log::{Context, Query};
use crate::Engine;
use crate::leash::Leash;
use crate::logs::{LogFilter, label_columns};
use crate::rows::{Texts, column, level_of};

/// Patterns that are counted at a time; lines of others, which come later, are left out.
const PATTERNS_MAX: usize = 50_000;
/// Patterns times steps.
const CELLS_MAX: usize = 2_000_000;

/// A question for patterns.
#[derive(Debug, Clone)]
pub struct PatternsRequest {
    /// Which records.
    pub expr: LogExpr,
    /// Records in this range.
    pub range: TimeRange,
    /// Length of a step in nanoseconds, at least 1; steps begin at multiples of it.
    pub step_ns: i64,
    /// How many patterns at most, the most frequent.
    pub limit: usize,
}

/// How often lines of one pattern and level came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternSeries {
    /// The pattern, see `model::pattern`.
    pub pattern: String,
    /// The level as one word.
    pub level: String,
    /// Begin of the step in nanoseconds and number of lines, ascending; steps without lines are missing.
    pub points: Vec<(i64, u64)>,
}

impl Engine {
    /// Counts lines by pattern, level and step; the most frequent first.
    ///
    /// # Errors
    /// `Invalid` for a step that is none; `Limit` for too many patterns times steps; `Timeout`; of the disk.
    pub async fn log_patterns(&self, owners: impl Into<Owners>, request: PatternsRequest) -> Result<Vec<PatternSeries>> {
        if request.step_ns < 1 {
            return Err(Error::invalid("cannot count patterns: want a step that is longer than nothing"));
        }
        let (snapshot, context) = (self.store.snapshot(owners), Context::of(self));
        let text = format!("patterns of {}", request.expr);
        self.watched("logql", text, self.blocking(move |leash| read(&snapshot, &request, context, leash))).await
    }
}

fn read(snapshot: &Snapshot, request: &PatternsRequest, context: Context, leash: &Leash) -> Result<Vec<PatternSeries>> {
    let mut query = Query::new(&request.expr, context)?;
    let mut counts = Counts { request, numbers: HashMap::new(), cells: HashMap::new() };
    // Lines are far larger than their patterns: they are read only if a segment has rows without one.
    let unknown = pass(snapshot, &mut query, request, leash, false, &mut counts)?;
    if unknown > 0 {
        pass(snapshot, &mut query, request, leash, true, &mut counts)?;
    }
    Ok(counts.finish())
}

/// Counts rows with a pattern, or else rows without one by their line. Answers how many rows had none.
fn pass(snapshot: &Snapshot, query: &mut Query, request: &PatternsRequest, leash: &Leash, by_line: bool, counts: &mut Counts<'_>) -> Result<u64> {
    let stored = schema::stored_logs();
    let mut columns = query.columns();
    columns.extend([schema::TIMESTAMP, logs::SEVERITY_NUMBER, logs::SEVERITY_TEXT, logs::PATTERN]);
    columns.extend(by_line.then_some(logs::BODY));
    let mut projection: Vec<usize> = columns.into_iter().map(|name| schema::index(&stored, name)).collect();
    projection.sort_unstable();
    projection.dedup();
    let mut scan = ScanRequest { division: Division::BySegment, ..ScanRequest::all(request.range) };
    query.narrow(&mut scan);
    (scan.projection, scan.labels) = (Some(projection), label_columns(query.labels()));
    let mut unknown = 0;
    for part in snapshot.scan(Table::Logs, &scan)? {
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            let timestamp: &TimestampNanosecondArray = column(&rows, schema::TIMESTAMP)?;
            let mut wanted: Vec<usize> = (0..rows.num_rows()).filter(|row| request.range.contains_ns(timestamp.value(*row))).collect();
            query.retain(&rows, &mut wanted)?;
            let patterns: &DictionaryArray<UInt32Type> = column(&rows, logs::PATTERN)?;
            let before = wanted.len();
            wanted.retain(|row| patterns.is_null(*row) == by_line);
            unknown += (before - wanted.len()) as u64;
            if by_line { counts.take_lines(&rows, &wanted)? } else { counts.take(&rows, &wanted)? }
        }
    }
    Ok(unknown)
}

struct Counts<'q> {
    request: &'q PatternsRequest,
    /// Numbers of patterns and levels.
    numbers: HashMap<(String, String), usize>,
    /// By number and begin of the step.
    cells: HashMap<(usize, i64), u64>,
}

impl Counts<'_> {
    fn take(&mut self, rows: &RecordBatch, wanted: &[usize]) -> Result<()> {
        let (patterns, level) = (Texts::of(rows, logs::PATTERN)?, Levels::of(rows)?);
        let timestamp: &TimestampNanosecondArray = column(rows, schema::TIMESTAMP)?;
        let mut known: HashMap<(usize, (i32, usize)), Option<usize>> = HashMap::new();
        for row in wanted {
            let key = (patterns.code(*row), level.code(*row));
            let number = *known.entry(key).or_insert_with(|| self.number(patterns.value(key.0), &level.get(*row)));
            self.count(number, timestamp.value(*row));
        }
        self.check()
    }

    fn take_lines(&mut self, rows: &RecordBatch, wanted: &[usize]) -> Result<()> {
        let (body, level): (&StringArray, _) = (column(rows, logs::BODY)?, Levels::of(rows)?);
        let timestamp: &TimestampNanosecondArray = column(rows, schema::TIMESTAMP)?;
        let mut written = String::new();
        for row in wanted.iter().filter(|row| body.is_valid(**row)) {
            pattern::write(body.value(*row), &mut written);
            let number = self.number(&written, &level.get(*row));
            self.count(number, timestamp.value(*row));
        }
        self.check()
    }

    fn number(&mut self, pattern: &str, level: &str) -> Option<usize> {
        let (next, key) = (self.numbers.len(), (pattern.to_owned(), level.to_owned()));
        if next >= PATTERNS_MAX {
            return self.numbers.get(&key).copied();
        }
        (!pattern.is_empty()).then(|| *self.numbers.entry(key).or_insert(next))
    }

    fn count(&mut self, number: Option<usize>, timestamp_ns: i64) {
        if let Some(number) = number {
            let step = timestamp_ns.div_euclid(self.request.step_ns).saturating_mul(self.request.step_ns);
            *self.cells.entry((number, step)).or_default() += 1;
        }
    }

    fn check(&self) -> Result<()> {
        if self.cells.len() > CELLS_MAX {
            return Err(Error::limit(format!("cannot count more than {CELLS_MAX} patterns times steps: ask for a shorter range or a longer step")));
        }
        Ok(())
    }

    fn finish(self) -> Vec<PatternSeries> {
        let mut points: Vec<Vec<(i64, u64)>> = vec![Vec::new(); self.numbers.len()];
        for ((number, step), count) in self.cells {
            points[number].push((step, count));
        }
        let series = |((pattern, level), number): ((String, String), usize)| {
            let mut points = std::mem::take(&mut points[number]);
            points.sort_unstable_by_key(|(step, _)| *step);
            let total: u64 = points.iter().map(|(_, count)| count).sum();
            (total, PatternSeries { pattern, level, points })
        };
        let mut found: Vec<(u64, PatternSeries)> = self.numbers.into_iter().map(series).collect();
        found.sort_by(|left, right| (Reverse(left.0), &left.1.pattern, &left.1.level).cmp(&(Reverse(right.0), &right.1.pattern, &right.1.level)));
        found.truncate(self.request.limit);
        found.into_iter().map(|(_, series)| series).collect()
    }
}

/// The levels of a batch.
struct Levels<'a> {
    number: &'a Int32Array,
    text: Texts<'a>,
}

impl<'a> Levels<'a> {
    fn of(rows: &'a RecordBatch) -> Result<Self> {
        Ok(Self { number: column(rows, logs::SEVERITY_NUMBER)?, text: Texts::of(rows, logs::SEVERITY_TEXT)? })
    }

    /// Rows with one code have one level.
    fn code(&self, row: usize) -> (i32, usize) {
        (self.number.value(row), self.text.code(row))
    }

    fn get(&self, row: usize) -> String {
        level_of(self.number.value(row), self.text.get(row))
    }
}
