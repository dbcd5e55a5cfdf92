//! From rows to samples: which rows count, their groups and values.
//!
//! If the labels of groups are known of their columns, no label set is made. Else each row has its labels made, goes through
//! the pipeline, and is grouped by what comes out.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::array::{Array, RecordBatch, StringArray};
use signalbox_lang::logql::ast::{Conversion, Grouping, RangeAggregation, RangeOp, Stage, Unwrap};
use signalbox_model::schema::logs;
use signalbox_model::{Error, Result};

use super::groups::{Groups, Values};
use super::series::{label, labels_bytes, text};
use crate::logql::fields::LabelReader;
use crate::logql::labels::{Added, LabelSet, METADATA_COLUMNS, MetadataColumns, Streams, pairs};
use crate::logql::pipeline::{ERROR_LABEL, EXTRACTION_ERROR, PRESERVE_ERROR_LABEL, Pipeline, read_number};
use crate::logql::question::Question;
use crate::rows::column;

/// Rows that count, of a batch.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Their numbers; `None` if all that were wanted count.
    pub(super) rows: Option<Vec<usize>>,
    /// Their groups.
    pub(super) groups: Vec<u32>,
    /// Their values; empty if they are only counted.
    pub(super) values: Vec<f64>,
}

/// Where groups and values may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From columns, if these tell.
    Columns,
    /// From all labels of a record.
    Labels,
}

/// Makes samples of rows.
pub(super) struct Sampler<'a> {
    aggregation: &'a RangeAggregation,
    added: Added,
    grouping: How<'a>,
    value: What,
}

/// How rows are grouped.
enum How<'a> {
    /// By labels that their columns tell.
    Columns(Groups),
    /// By all labels that are left of a record.
    Labels(Box<Labels<'a>>),
}

/// What the value of a row is.
enum What {
    /// Rows are counted.
    Nothing,
    /// The length of the line in bytes.
    LineBytes,
    /// A label as a number, from its columns.
    Label { reader: LabelReader, conversion: Conversion },
    /// A label of the record as a number.
    Unwrapped,
}

/// Groups by labels.
struct Labels<'a> {
    grouping: Option<&'a Grouping>,
    added: Added,
    now_ns: i64,
    pipeline: Pipeline,
    streams: Streams,
    numbers: HashMap<LabelSet, u32>,
    labels: Vec<LabelSet>,
    bytes: u64,
}

impl<'a> Sampler<'a> {
    /// Of rows with groups and values by their columns, if those tell; or of labels in any case.
    pub(super) fn new(aggregation: &'a RangeAggregation, grouping: Option<&'a Grouping>, added: Added, now_ns: i64, way: Way) -> Result<Self> {
        let (question, rest) = Question::new(&aggregation.range.logs, added)?;
        let unwrap = aggregation.range.unwrap.as_ref();
        let is_plain = way == Way::Columns && question.is_decided() && unwrap.is_none_or(|unwrap| unwrap.filters.is_empty());
        let groups = grouping.filter(|grouping| is_plain && !grouping.is_without).and_then(|grouping| Groups::by(&grouping.labels, added));
        let reader = unwrap.and_then(|unwrap| Some((LabelReader::exact(&unwrap.label, added)?, unwrap.conversion)));
        let by_columns = groups.filter(|_| unwrap.is_none() || reader.is_some());
        let is_bytes = matches!(aggregation.op, RangeOp::Bytes | RangeOp::BytesRate);
        let value = match (unwrap, reader) {
            (None, _) if is_bytes => What::LineBytes,
            (None, _) => What::Nothing,
            (Some(_), Some((reader, conversion))) if by_columns.is_some() => What::Label { reader, conversion },
            (Some(_), _) => What::Unwrapped,
        };
        let grouping = match by_columns {
            Some(groups) => How::Columns(groups),
            None => How::Labels(Box::new(Labels::new(grouping, rest, unwrap, added, now_ns)?)),
        };
        Ok(Self { aggregation, added, grouping, value })
    }

    /// What rows are taken at all.
    pub(super) fn filter(&self) -> Result<Question> {
        let (mut question, _) = Question::new(&self.aggregation.range.logs, self.added)?;
        if let How::Labels(labels) = &self.grouping {
            question.expect(&labels.pipeline.needs().text);
        }
        Ok(question)
    }

    /// Columns that samples are made of.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        let mut columns = match &self.grouping {
            How::Columns(groups) => groups.columns(),
            How::Labels(labels) => labels.columns(),
        };
        match &self.value {
            What::LineBytes => columns.push(logs::BODY),
            What::Label { reader, .. } => columns.extend(reader.columns()),
            What::Nothing | What::Unwrapped => {}
        }
        columns
    }

    /// Labels whose columns samples are made of.
    pub(super) fn label_columns(&self) -> Vec<String> {
        let mut labels = match &self.grouping {
            How::Columns(groups) => groups.label_columns(),
            How::Labels(_) => Vec::new(),
        };
        if let What::Label { reader, .. } = &self.value {
            labels.extend(reader.label().map(str::to_owned));
        }
        labels
    }

    /// Whether labels are made of no record.
    pub(super) fn is_by_columns(&self) -> bool {
        matches!(self.grouping, How::Columns(_))
    }

    /// Makes samples of rows of a batch.
    ///
    /// # Errors
    /// `Invalid` for a record in a window that has an error.
    pub(super) fn take(&mut self, rows: &RecordBatch, wanted: &[usize], times: &[i64], is_in_window: &dyn Fn(i64) -> bool, taken: &mut Taken) -> Result<()> {
        taken.rows = None;
        taken.groups.clear();
        taken.values.clear();
        let groups = match &mut self.grouping {
            How::Labels(labels) => return labels.take(self.aggregation, rows, wanted, times, is_in_window, taken),
            How::Columns(groups) => groups,
        };
        let mut bad = None;
        if let What::Label { reader, conversion } = &mut self.value {
            let mut values = Vec::new();
            reader.map(rows, wanted, |value| Unwrapped::of(*conversion, value), &mut values)?;
            let mut kept = Vec::with_capacity(wanted.len());
            for (row, value) in wanted.iter().zip(values) {
                match value {
                    Unwrapped::Missing => {}
                    Unwrapped::Number(value) => {
                        kept.push(*row);
                        taken.values.push(value);
                    }
                    Unwrapped::Bad if is_in_window(times[*row]) => bad = Some(*row),
                    Unwrapped::Bad => {}
                }
            }
            taken.rows = Some(kept);
        }
        if let Some(row) = bad {
            groups.of(rows, &[row], &mut taken.groups)?;
            let mut labels = groups.labels(taken.groups[0] as usize);
            labels.push((ERROR_LABEL.to_owned(), EXTRACTION_ERROR.to_owned()));
            return Err(pipeline_error(&labels));
        }
        if let What::LineBytes = self.value {
            let body: &StringArray = column(rows, logs::BODY)?;
            taken.values.extend(wanted.iter().map(|row| if body.is_valid(*row) { f64::from(body.value_length(*row)) } else { 0.0 }));
        }
        groups.of(rows, taken.rows.as_deref().unwrap_or(wanted), &mut taken.groups)
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> usize {
        match &self.grouping {
            How::Columns(groups) => groups.len(),
            How::Labels(labels) => labels.labels.len(),
        }
    }

    /// Forgets all groups; their numbers begin anew.
    pub(super) fn forget_groups(&mut self) {
        match &mut self.grouping {
            How::Columns(groups) => groups.clear(),
            How::Labels(labels) => labels.clear(),
        }
    }

    /// The groups from a number on, for another sampler of the same aggregation.
    pub(super) fn groups_from(&self, first: usize) -> NewGroups {
        let names = match &self.grouping {
            How::Columns(groups) => Names::Values(groups.values_from(first)),
            How::Labels(labels) => Names::Labels(labels.labels[first..].to_vec()),
        };
        NewGroups { count: self.groups() - first, names }
    }

    /// Numbers groups of another sampler as its own.
    ///
    /// # Errors
    /// `Internal` if the other one groups in another way.
    pub(super) fn adopt(&mut self, groups: &NewGroups, numbers: &mut Vec<u32>) -> Result<()> {
        match (&mut self.grouping, &groups.names) {
            (How::Columns(own), Names::Values(values)) => own.adopt(values, groups.count, numbers),
            (How::Labels(own), Names::Labels(labels)) => numbers.extend(labels.iter().map(|labels| own.number(labels))),
            _ => return Err(Error::internal("cannot aggregate: threads group in several ways")),
        }
        Ok(())
    }

    /// The labels of a group.
    pub(super) fn labels(&self, group: usize) -> LabelSet {
        match &self.grouping {
            How::Columns(groups) => groups.labels(group),
            How::Labels(labels) => labels.labels[group].clone(),
        }
    }

    /// The order of the labels of two groups.
    pub(super) fn compare(&self, left: usize, right: usize) -> Ordering {
        match &self.grouping {
            How::Columns(groups) => groups.compare(left, right),
            How::Labels(labels) => labels.labels[left].cmp(&labels.labels[right]),
        }
    }

    /// About how many bytes are held.
    pub(super) fn bytes(&self) -> u64 {
        match &self.grouping {
            How::Columns(groups) => groups.bytes(),
            How::Labels(labels) => labels.bytes,
        }
    }
}

/// Groups by what they are.
#[derive(Debug)]
pub(super) struct NewGroups {
    count: usize,
    names: Names,
}

#[derive(Debug)]
enum Names {
    Values(Values),
    Labels(Vec<LabelSet>),
}

impl NewGroups {
    /// About how many bytes they hold.
    pub(super) fn bytes(&self) -> usize {
        match &self.names {
            Names::Values(values) => values.bytes(),
            Names::Labels(labels) => labels.iter().map(|labels| labels_bytes(labels) as usize + 64).sum(),
        }
    }
}

/// A label read as a number.
#[derive(Debug, Clone, Copy)]
enum Unwrapped {
    /// The record lacks the label.
    Missing,
    Number(f64),
    Bad,
}

impl Unwrapped {
    fn of(conversion: Conversion, value: Option<&str>) -> Self {
        match value {
            None | Some("") => Self::Missing,
            Some(text) => read_number(conversion, text).map_or(Self::Bad, Self::Number),
        }
    }
}

impl<'a> Labels<'a> {
    fn new(grouping: Option<&'a Grouping>, stages: &[Stage], unwrap: Option<&Unwrap>, added: Added, now_ns: i64) -> Result<Self> {
        let pipeline = match grouping {
            Some(grouping) => Pipeline::grouped(stages, unwrap, grouping)?,
            None => Pipeline::new(stages, unwrap)?,
        };
        Ok(Self { grouping, added, now_ns, pipeline, streams: Streams::new(added), numbers: HashMap::new(), labels: Vec::new(), bytes: 0 })
    }

    fn clear(&mut self) {
        self.numbers.clear();
        self.labels.clear();
        self.bytes = 0;
    }

    /// The number of the group with some labels.
    fn number(&mut self, labels: &LabelSet) -> u32 {
        match self.numbers.get(labels) {
            Some(number) => *number,
            None => number_of(labels.clone(), &mut self.numbers, &mut self.labels, &mut self.bytes),
        }
    }

    fn columns(&self) -> Vec<&'static str> {
        let mut columns = METADATA_COLUMNS.to_vec();
        columns.push(logs::BODY);
        columns
    }

    fn take(
        &mut self,
        aggregation: &RangeAggregation,
        rows: &RecordBatch,
        wanted: &[usize],
        times: &[i64],
        is_in_window: &dyn Fn(i64) -> bool,
        taken: &mut Taken,
    ) -> Result<()> {
        let Self { grouping, added, now_ns, pipeline, streams, numbers, labels: groups, bytes } = self;
        let grouping = *grouping;
        let mut columns = MetadataColumns::of(rows, *added)?;
        let body: &StringArray = column(rows, logs::BODY)?;
        let is_bytes = matches!(aggregation.op, RangeOp::Bytes | RangeOp::BytesRate);
        let (mut kept, mut metadata, mut entered) = (Vec::with_capacity(wanted.len()), LabelSet::new(), None);
        let unwrapped = aggregation.range.unwrap.as_ref().map(|unwrap| unwrap.label.as_str());
        let mut runner = pipeline.runner(*now_ns);
        for row in wanted.iter().filter(|row| is_in_window(times[**row])) {
            let code = columns.resource.code(*row);
            let stream = match entered.take() {
                Some((known, stream)) if known == code => stream,
                _ => {
                    let stream = streams.get(columns.resource.value(code));
                    runner.enter_stream(pairs(&stream.labels));
                    stream
                }
            };
            columns.metadata(*row, &stream, pipeline.needs().labels.as_deref(), &mut metadata);
            entered = Some((code, stream));
            let line = if body.is_valid(*row) { body.value(*row) } else { "" };
            let Some(outcome) = runner.run(times[*row], line, pairs(&metadata)) else { continue };
            if outcome.labels.error().is_some_and(|error| !error.is_empty()) && outcome.labels.get(PRESERVE_ERROR_LABEL) != Some("true") {
                let sorted = outcome.labels.sorted();
                return Err(pipeline_error(&sorted.into_iter().map(|(name, value, _)| (name.to_owned(), value.to_owned())).collect()));
            }
            if let Some(value) = outcome.value {
                taken.values.push(value);
            } else if is_bytes {
                taken.values.push(outcome.line.len() as f64);
            }
            kept.push(*row);
            let is_wanted = |name: &str| match grouping {
                Some(grouping) if !grouping.is_without => grouping.labels.iter().any(|label| label == name),
                other => unwrapped != Some(name) && other.is_none_or(|grouping| !grouping.labels.iter().any(|label| label == name)),
            };
            let of_group = outcome.labels.iter().filter(|(name, ..)| is_wanted(name));
            let mut labels: LabelSet = of_group.map(|(name, value, _)| (name.to_owned(), value.to_owned())).collect();
            labels.sort();
            taken.groups.push(number_of(labels, numbers, groups, bytes));
        }
        taken.rows = Some(kept);
        Ok(())
    }
}

/// The number of labels, the next one if they have none.
fn number_of(labels: LabelSet, numbers: &mut HashMap<LabelSet, u32>, known: &mut Vec<LabelSet>, bytes: &mut u64) -> u32 {
    if let Some(number) = numbers.get(&labels) {
        return *number;
    }
    let number = known.len() as u32;
    *bytes += 2 * labels_bytes(&labels) + 64;
    known.push(labels.clone());
    numbers.insert(labels, number);
    number
}

/// The words of Loki.
fn pipeline_error(labels: &LabelSet) -> Error {
    let error = label(labels, ERROR_LABEL);
    Error::invalid(format!(
        "pipeline error: '{error}' for series: '{}'.\nUse a label filter to intentionally skip this error. (e.g | __error__!=\"{error}\").\nTo skip all \
         potential errors you can match empty errors.(e.g __error__=\"\")\nThe label filter can also be specified after unwrap. (e.g | unwrap latency | \
         __error__=\"\" )\n",
        text(labels)
    ))
}
