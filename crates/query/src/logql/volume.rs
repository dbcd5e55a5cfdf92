//! How much there is: records and bytes of lines, by labels of streams and by time.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, StringArray, TimestampNanosecondArray};
use signalbox_lang::logql::LogExpr;
use signalbox_model::schema::{self, logs};
use signalbox_model::{Error, Owners, Result, Table, TimeRange};
use signalbox_store::{ScanRequest, Snapshot};

use super::labels::{LabelSet, stream_labels};
use super::log::{Context, Query};
use crate::Engine;
use crate::leash::Leash;
use crate::logs::{LogFilter, visit};
use crate::rows::{Resource, Texts, column};

/// Series times steps that one question may count.
const CELLS_MAX: usize = 1_000_000;

/// By what is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeBy {
    /// Every stream alone.
    Stream,
    /// Streams that agree in these labels together.
    Labels(Vec<String>),
    /// Every label alone, whatever its value; of these, or of all if there is none. A stream counts for each of its labels.
    EachLabel(Vec<String>),
}

/// A question for volumes.
#[derive(Debug, Clone)]
pub struct VolumeRequest {
    /// Which records.
    pub expr: LogExpr,
    /// Records in this range.
    pub range: TimeRange,
    /// Length of a step in nanoseconds, which begin at multiples of it; 0: the range is one step.
    pub step_ns: i64,
    /// By what is counted.
    pub by: VolumeBy,
}

/// How much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volume {
    /// Records.
    pub entries: u64,
    /// Bytes of their lines.
    pub bytes: u64,
}

/// How much of one set of labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeSeries {
    /// The labels, sorted; with [`VolumeBy::EachLabel`] one, without a value.
    pub labels: LabelSet,
    /// By number of the step since the Unix epoch, ascending; steps without records are missing. The only step is 0.
    pub steps: Vec<(i64, Volume)>,
}

impl VolumeSeries {
    /// Of all steps together.
    pub fn total(&self) -> Volume {
        let add = |sum: Volume, (_, step): &(i64, Volume)| Volume { entries: sum.entries + step.entries, bytes: sum.bytes + step.bytes };
        self.steps.iter().fold(Volume::default(), add)
    }
}

/// Volumes, sorted by labels.
#[derive(Debug, Clone, Default)]
pub struct VolumeAnswer {
    /// The series.
    pub series: Vec<VolumeSeries>,
    /// Parts of the store that were looked at: segments, and what is in memory.
    pub parts: u64,
    /// Rows that were looked at.
    pub rows_read: u64,
}

impl Engine {
    /// Counts records and bytes.
    ///
    /// # Errors
    /// `Invalid` for a pattern that does not compile; `Limit` for too many series times steps; `Timeout`; of the disk.
    pub async fn log_volume(&self, owners: impl Into<Owners>, request: VolumeRequest) -> Result<VolumeAnswer> {
        let (snapshot, context) = (self.store.snapshot(owners), Context::of(self));
        let text = format!("volume of {}", request.expr);
        self.watched("logql", text, self.blocking(move |leash| read(&snapshot, &request, context, leash))).await
    }
}

fn read(snapshot: &Snapshot, request: &VolumeRequest, context: Context, leash: &Leash) -> Result<VolumeAnswer> {
    let mut query = Query::new(&request.expr, context)?;
    let mut scan = ScanRequest { projection: Some(vec![schema::index(&schema::logs(), schema::TIMESTAMP)]), ..ScanRequest::all(request.range) };
    query.narrow(&mut scan);
    let parts = snapshot.scan(Table::Logs, &scan)?.len() as u64;
    let mut groups = Groups { request, context, names: HashMap::new(), of_resource: HashMap::new(), cells: HashMap::new() };
    let columns = [schema::RESOURCE, logs::BODY];
    let (rows_read, _) = visit(snapshot, &mut query, request.range, &columns, Vec::new(), leash, &mut |rows, wanted| groups.take(rows, wanted))?;
    Ok(VolumeAnswer { series: groups.finish(), parts, rows_read })
}

struct Groups<'q> {
    request: &'q VolumeRequest,
    context: Context,
    /// Numbers of the groups.
    names: HashMap<LabelSet, usize>,
    /// Groups that the records of a resource count for.
    of_resource: HashMap<String, Arc<[usize]>>,
    /// By group and step.
    cells: HashMap<(usize, i64), Volume>,
}

impl Groups<'_> {
    fn take(&mut self, rows: &RecordBatch, wanted: &[usize]) -> Result<()> {
        let resource = Texts::of(rows, schema::RESOURCE)?;
        let (body, timestamp): (&StringArray, &TimestampNanosecondArray) = (column(rows, logs::BODY)?, column(rows, schema::TIMESTAMP)?);
        // First by code and step: rows are many, resources and steps few.
        let mut counted: HashMap<(usize, i64), Volume> = HashMap::new();
        let mut latest: Option<((usize, i64), Volume)> = None;
        for row in wanted {
            let step = if self.request.step_ns > 0 { timestamp.value(*row).div_euclid(self.request.step_ns) } else { 0 };
            let key = (resource.code(*row), step);
            let bytes = if body.is_valid(*row) { u64::try_from(body.value_length(*row)).unwrap_or(0) } else { 0 };
            match &mut latest {
                Some((known, volume)) if *known == key => add(volume, Volume { entries: 1, bytes }),
                _ => {
                    if let Some((known, volume)) = latest.replace((key, Volume { entries: 1, bytes })) {
                        add(counted.entry(known).or_default(), volume);
                    }
                }
            }
        }
        if let Some((known, volume)) = latest {
            add(counted.entry(known).or_default(), volume);
        }
        for ((code, step), volume) in counted {
            for group in self.groups(resource.value(code)).iter() {
                add(self.cells.entry((*group, step)).or_default(), volume);
            }
        }
        if self.cells.len() > CELLS_MAX {
            return Err(Error::limit(format!("cannot count more than {CELLS_MAX} volumes: ask for a shorter range, a longer step or fewer labels")));
        }
        Ok(())
    }

    fn groups(&mut self, json: &str) -> Arc<[usize]> {
        if let Some(groups) = self.of_resource.get(json) {
            return Arc::clone(groups);
        }
        let labels = stream_labels(&Resource::from_json(json), self.context.added);
        let sets: Vec<LabelSet> = match &self.request.by {
            VolumeBy::Stream => vec![labels],
            VolumeBy::Labels(names) => vec![labels.into_iter().filter(|(name, _)| names.contains(name)).collect()],
            VolumeBy::EachLabel(names) => {
                let wanted = labels.into_iter().filter(|(name, _)| names.is_empty() || names.contains(name));
                wanted.map(|(name, _)| vec![(name, String::new())]).collect()
            }
        };
        let mut number = |set: LabelSet| {
            let next = self.names.len();
            *self.names.entry(set).or_insert(next)
        };
        let groups: Arc<[usize]> = sets.into_iter().map(&mut number).collect();
        self.of_resource.insert(json.to_owned(), Arc::clone(&groups));
        groups
    }

    fn finish(self) -> Vec<VolumeSeries> {
        let mut steps: Vec<Vec<(i64, Volume)>> = vec![Vec::new(); self.names.len()];
        for ((group, step), volume) in self.cells {
            steps[group].push((step, volume));
        }
        let series = |(labels, group): (LabelSet, usize)| {
            let mut steps = std::mem::take(&mut steps[group]);
            steps.sort_unstable_by_key(|(step, _)| *step);
            VolumeSeries { labels, steps }
        };
        let mut found: Vec<VolumeSeries> = self.names.into_iter().map(series).collect();
        found.sort_by(|left, right| left.labels.cmp(&right.labels));
        found
    }
}

fn add(sum: &mut Volume, more: Volume) {
    sum.entries += more.entries;
    sum.bytes += more.bytes;
}
