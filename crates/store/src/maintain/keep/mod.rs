//! Policies that keep traces: of a segment that grows too old only the traces stay that a policy keeps, and their logs.
//!
//! A segment is judged when it passes one of the ages at which rows of its signal go ([`RetentionSettings::ages_seconds`]): by
//! all spans that there are of its traces, in other segments and in the head. Then it is written anew with what stays, in one change of
//! the catalog, as merges are; so a crash leaves it as it was or as it is to be. Spans that arrive behind the decision do not
//! change it. What was judged is remembered while the process lives; a start judges what is left again, and finds the same.
//!
//! [`RetentionSettings::ages_seconds`]: crate::settings::RetentionSettings::ages_seconds

mod alerted;
mod archived;
mod judge;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use signalbox_model::disk::Disk;
use signalbox_model::{Error, ErrorKind, Result, Table, Tenant, TimeRange, TraceId, schema};
use signalbox_telemetry::{names, registry};

use super::Maintainer;
use super::stoppable::StoppableDisk;
use crate::deletion::{Deleted, Deletion};
use crate::format::metrics::Target;
use crate::format::rows::{RowSegment, Wanted, schema_of};
use crate::format::{Segment, SegmentId};
use crate::limits::{TRACE_END, TRACES_JUDGED_MAX};
use crate::publish::Change;
use crate::read::rows::RowView;
use crate::rollup::Rollup;
use crate::row_numbers::RowNumbers;
use crate::scan::{Batches, ScanRequest};
use crate::segments::{SegmentHandle, merge};
use crate::snapshot::Snapshot;
use alerted::Alerted;
use judge::{Id, Judge, trace_ids};

/// Number of the deletion that lasts as long as a rewrite.
const NO_NUMBER: u64 = 0;

impl Maintainer {
    /// Judges the segments that have grown too old, and writes them anew with what is kept.
    ///
    /// # Errors
    /// Of the disk and the catalog; nothing is lost.
    pub(super) async fn keep_traces(&self) -> Result<()> {
        if self.settings.retention.kept_traces.is_empty() {
            return Ok(());
        }
        let live: HashSet<SegmentId> = self.tenants.segments().iter().map(|segment| segment.record().id).collect();
        self.judged.lock().retain(|segment, _| live.contains(segment));
        for (tenant, store) in self.tenants.all() {
            for table in [Table::Spans, Table::Logs] {
                for segment in store.segments(table) {
                    let SegmentHandle::Rows(segment) = segment else { continue };
                    let Some((passed, age_seconds)) = self.passed(segment.record()) else { continue };
                    if self.desk.is_stopped() {
                        return Ok(());
                    }
                    if segment.is_damaged() || !self.has_room_for(std::slice::from_ref(segment.record())) {
                        continue;
                    }
                    match self.keep_of(&tenant, &store.snapshot(), &segment, (passed, age_seconds)).await {
                        // The quarantine sees to it; what else there is of its traces is judged without it then.
                        Err(error) if error.kind() == ErrorKind::Corrupt => {
                            tracing::error!(%error, segment = %segment.record().url, "cannot judge the traces of segment {}", segment.record().url);
                        }
                        Err(_) if self.desk.is_stopped() => return Ok(()),
                        kept => kept?,
                    }
                }
            }
        }
        Ok(())
    }

    /// How many ages a segment has passed that it has not been judged at, and the last of them in seconds.
    fn passed(&self, record: &Segment) -> Option<(usize, u64)> {
        let seconds = |age_ns: i64| u64::try_from(age_ns / 1_000_000_000).unwrap_or(0);
        let age_seconds = seconds(self.clock.now_ns().saturating_sub(record.range.end_ns)).saturating_sub(TRACE_END.as_secs());
        let ages = self.settings.retention.ages_seconds(record.table.signal());
        let passed = ages.iter().take_while(|age| **age > 0 && **age < age_seconds).count();
        let judged = self.judged.lock().get(&record.id).copied().unwrap_or(0);
        // What has passed the last one goes as a whole.
        (passed > judged && passed < ages.len()).then(|| (passed, ages[passed - 1]))
    }

    /// Writes a segment anew with the rows whose traces are kept for longer than an age.
    async fn keep_of(&self, tenant: &Tenant, snapshot: &Snapshot, segment: &Arc<RowSegment>, (passed, age_seconds): (usize, u64)) -> Result<()> {
        let record = segment.record();
        let rows = Rows::of(segment)?;
        let kept = self.kept_rows(snapshot, segment, &rows, age_seconds)?;
        let (kept_rows, dropped_rows) = (kept.len() as u64, rows.count - kept.len() as u64);
        let mut judged = vec![record.id];
        if dropped_rows > 0 {
            let Some(made) = self.rewrite(tenant, segment, RowNumbers::all_but(kept)).await? else { return Ok(()) };
            judged.extend(made.iter().map(|made| made.id));
            let url = &record.url;
            tracing::info!(segment = %url, kept_rows, dropped_rows, age_seconds, "of segment {url} {kept_rows} rows of kept traces stay, {dropped_rows} are too old");
        }
        for (outcome, rows) in [("kept", kept_rows), ("dropped", dropped_rows)] {
            registry().counter(names::STORE_KEPT_ROWS_TOTAL, &[("table", record.table.as_str()), ("outcome", outcome)]).add(rows);
        }
        let mut remembered = self.judged.lock();
        remembered.extend(judged.into_iter().map(|id| (id, passed)));
        Ok(())
    }

    /// The arrival numbers of the rows that stay.
    fn kept_rows(&self, snapshot: &Snapshot, segment: &Arc<RowSegment>, rows: &Rows, age_seconds: u64) -> Result<Vec<u64>> {
        let mut kept = Vec::new();
        let policies = &self.settings.retention.kept_traces;
        let range = segment.record().range;
        let hour_ns = i64::try_from(TRACE_END.as_nanos()).unwrap_or(i64::MAX);
        // Spans of its traces may lie somewhat outside.
        let range = TimeRange::from_ns(range.start_ns.saturating_sub(hour_ns), range.end_ns.saturating_add(hour_ns));
        let is_asked = policies.iter().any(|policy| policy.alerted);
        let alerted = if is_asked { Alerted::read(snapshot, range)? } else { Alerted::default() };
        let is_asked = policies.iter().any(|policy| policy.archived);
        let archived = if is_asked { archived::read(snapshot, range.start_ns)? } else { HashSet::new() };
        for traces in rows.traces.chunks(TRACES_JUDGED_MAX) {
            let mut judge = Judge::new(policies, (&alerted, &archived), traces.iter().copied());
            let (projection, attributes) = (judge.projection(), judge.attributes());
            let request = ScanRequest { projection: Some(projection.clone()), attributes: attributes.clone(), ..ScanRequest::all(TimeRange::ALL) };
            let head = RowView { head: snapshot.spans.head.clone(), segments: Arc::default() };
            for part in head.scan(Table::Spans, &request)? {
                part.read()?.try_for_each(|rows| judge.add(&rows?))?;
            }
            let wanted = Wanted::Rows { projection: Some(&projection), attributes: &attributes, is_typed: false, labels: &[] };
            for other in snapshot.spans.segments.iter() {
                let ranges = rows_of_traces(other, &judge)?;
                if !ranges.is_empty() {
                    other.read(&ranges, wanted, Vec::new())?.try_for_each(|rows| judge.add(&rows?))?;
                }
            }
            let of_logs = segment.record().table == Table::Logs;
            let stays: HashSet<Id> = traces.iter().filter(|trace| judge.keep_seconds(trace, of_logs) > age_seconds).copied().collect();
            if !stays.is_empty() {
                each_row(segment, |number, trace| kept.extend(trace.filter(|trace| stays.contains(*trace)).map(|_| number)))?;
            }
        }
        Ok(kept)
    }

    /// Writes and publishes a segment without some rows: what was made, nothing if no row is left. `None` if something was
    /// deleted of it meanwhile: the next round judges it again.
    async fn rewrite(&self, tenant: &Tenant, segment: &Arc<RowSegment>, hidden: RowNumbers) -> Result<Option<Vec<Segment>>> {
        let original = segment.record().clone();
        let what = Deleted::Rows { table: original.table, numbers: hidden, reason: String::new() };
        let hiding = Deletion { number: NO_NUMBER, tenant: tenant.clone(), what, range: TimeRange::ALL, created_at_ns: 0, segments: vec![original.id] };
        let deletions = segment.deletions().iter().cloned().chain([Arc::new(hiding)]).collect();
        let input = SegmentHandle::Rows(segment.without(deletions));
        let mut record = |_table: Table| self.records.merged(std::slice::from_ref(&original), original.level);
        let disk = Arc::new(StoppableDisk { disk: Arc::clone(&self.shelf.disk), desk: self.desk.clone() }) as Arc<dyn Disk>;
        let mut target = Target { disk: &disk, dir: &self.shelf.dir, record: &mut record };
        let added: Vec<Segment> = merge(&[input], &mut Rollup::default(), &mut target)?.into_iter().collect();
        let made = added.clone();
        let change = Change { added, removed: vec![original.clone()], ..Change::default() };
        let is_published = self.publisher.publish_merged(&[SegmentHandle::Rows(Arc::clone(segment))], change).await?;
        if !is_published {
            self.shelf.remove_unpublished(&made);
        }
        Ok(is_published.then_some(made))
    }
}

/// What a segment has: rows, and the traces of which it has some, each once.
struct Rows {
    count: u64,
    traces: Vec<Id>,
}

impl Rows {
    fn of(segment: &Arc<RowSegment>) -> Result<Self> {
        let (mut count, mut traces, mut last) = (0, Vec::new(), None);
        each_row(segment, |_, trace| {
            count += 1;
            if let Some(trace) = trace.filter(|trace| Some(**trace) != last) {
                last = Some(*trace);
                traces.push(*trace);
            }
        })?;
        traces.sort_unstable();
        traces.dedup();
        Ok(Self { count, traces })
    }
}

/// Shows the rows of a segment that are not deleted: arrival number, and trace.
fn each_row(segment: &Arc<RowSegment>, mut visit: impl FnMut(u64, Option<&Id>)) -> Result<()> {
    let table = schema_of(segment.record().table)?;
    let mut columns = [schema::SEQUENCE, schema::TRACE_ID].map(|name| schema::index(&table, name));
    columns.sort_unstable();
    let batches: Batches = segment.read_all(Wanted::Rows { projection: Some(&columns), attributes: &[], is_typed: false, labels: &[] })?;
    for rows in batches {
        let rows: RecordBatch = rows?;
        let traces = trace_ids(&rows)?;
        let numbers = rows.column_by_name(schema::SEQUENCE).and_then(|column| column.as_primitive_opt::<UInt64Type>());
        let numbers = numbers.ok_or_else(|| Error::internal("cannot judge traces: rows have no arrival numbers"))?;
        for (row, number) in numbers.values().iter().enumerate() {
            let trace = if traces.is_valid(row) { <&Id>::try_from(traces.value(row)).ok() } else { None };
            visit(*number, trace);
        }
    }
    Ok(())
}

/// The rows of a segment that may be of the traces that are judged: ranges, ascending.
fn rows_of_traces(segment: &Arc<RowSegment>, judge: &Judge<'_>) -> Result<Vec<Range<u64>>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for trace in judge.traces().filter_map(|trace| TraceId::from_slice(trace)) {
        ranges.extend(segment.rows_of_trace(&trace)?);
    }
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    ranges.dedup_by(|next, before| {
        let touches = next.start <= before.end;
        if touches {
            before.end = before.end.max(next.end);
        }
        touches
    });
    Ok(ranges)
}
