//! Which traces the policies keep, pure.
//!
//! All conditions hold the longer the more spans of a trace are known: so what a segment that grows old early decides with all
//! spans there are, one that grows old later decides the same way, though spans of other traces are gone by then.

use std::collections::HashSet;

use arrow::array::{Array, AsArray, FixedSizeBinaryArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType, UInt32Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use hashbrown::HashMap;
use signalbox_model::attributes::AttributeValue;
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Result};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::alerted::{Alerted, Window};
use crate::settings::TracePolicy;

/// Identifier of a trace.
pub(super) type Id = [u8; 16];

const ERROR: i32 = 2;
/// So that the choice is none that an index makes too.
const SAMPLE_SEED: u64 = 0x6b65_6570;

/// What is known of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    start_ns: i64,
    end_ns: i64,
    /// A bit for each policy whose conditions on one span are met.
    met: u64,
}

const NOTHING: Known = Known { start_ns: i64::MAX, end_ns: i64::MIN, met: 0 };

/// Traces that are judged.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    policies: &'a [TracePolicy],
    alerted: &'a Alerted,
    archived: &'a HashSet<Id>,
    known: HashMap<Id, Known>,
}

impl<'a> Judge<'a> {
    /// Of these traces, by the alerts of services and by what was archived.
    pub(super) fn new(policies: &'a [TracePolicy], (alerted, archived): (&'a Alerted, &'a HashSet<Id>), traces: impl Iterator<Item = Id>) -> Self {
        Self { policies, alerted, archived, known: traces.map(|trace| (trace, NOTHING)).collect() }
    }

    /// The traces.
    pub(super) fn traces(&self) -> impl Iterator<Item = &Id> {
        self.known.keys()
    }

    /// Columns of spans to read, by index.
    pub(super) fn projection(&self) -> Vec<usize> {
        let spans = schema::spans();
        let names = [schema::TIMESTAMP, traces::DURATION_NS, schema::TRACE_ID, schema::SERVICE, traces::STATUS_CODE];
        let resource = self.policies.iter().any(|policy| !policy.attribute.is_empty()).then_some(schema::RESOURCE);
        let mut columns: Vec<usize> = names.into_iter().chain(resource).map(|name| schema::index(&spans, name)).collect();
        columns.sort_unstable();
        columns
    }

    /// Attributes of spans to read.
    pub(super) fn attributes(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.policies.iter().map(|policy| policy.attribute.clone()).filter(|key| !key.is_empty()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Takes spans; those of other traces are passed over.
    ///
    /// # Errors
    /// `Internal` if the columns are others.
    pub(super) fn add(&mut self, rows: &RecordBatch) -> Result<()> {
        let start = column(rows, schema::TIMESTAMP)?.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(|| other(schema::TIMESTAMP))?.values();
        let duration = column(rows, traces::DURATION_NS)?.as_primitive_opt::<Int64Type>().ok_or_else(|| other(traces::DURATION_NS))?.values();
        let ids = trace_ids(rows)?;
        let conditions = self.policies.iter().map(|policy| Conditions::of(policy, self.alerted, rows)).collect::<Result<Vec<_>>>()?;
        for row in 0..rows.num_rows() {
            let Some(known) = ids.value(row).try_into().ok().and_then(|id: Id| self.known.get_mut(&id)) else { continue };
            known.start_ns = known.start_ns.min(start[row]);
            known.end_ns = known.end_ns.max(start[row].saturating_add(duration[row].max(0)));
            for (bit, conditions) in conditions.iter().enumerate() {
                known.met |= u64::from(conditions.are_met(row, start[row], duration[row])) << bit;
            }
        }
        Ok(())
    }

    /// For how many seconds a trace is kept, or only its logs; 0 if no policy finds it.
    pub(super) fn keep_seconds(&self, trace: &Id, of_logs: bool) -> u64 {
        let Some(known) = self.known.get(trace) else { return 0 };
        let is_met = |(bit, policy): &(usize, &TracePolicy)| {
            let is_long = policy.trace_longer_than_ms == 0 || i128::from(known.end_ns) - i128::from(known.start_ns) > nanoseconds(policy.trace_longer_than_ms);
            let is_archived = !policy.archived || self.archived.contains(trace);
            known.met & (1 << bit) != 0 && is_long && is_archived && is_chosen(trace, policy.percent) && (policy.with_logs || !of_logs)
        };
        self.policies.iter().enumerate().filter(is_met).map(|(_, policy)| policy.keep_seconds).max().unwrap_or(0)
    }
}

/// What one policy asks of a span, over the columns of a batch.
struct Conditions<'a> {
    errors: Option<&'a [i32]>,
    /// By code of the dictionary whether the service is the one, and the codes.
    service: Option<(Vec<bool>, &'a [u32])>,
    longer_than_ns: i128,
    /// By code of the dictionary when alerts of the service fired, and the codes.
    alerted: Option<(Vec<&'a [Window]>, &'a [u32])>,
    attribute: Option<Attribute<'a>>,
}

struct Attribute<'a> {
    /// Of the span.
    own: ArrayFormatter<'a>,
    is_null: Box<dyn Fn(usize) -> bool + 'a>,
    /// By code of the dictionary whether the resource has the value, and the codes.
    resource: (Vec<bool>, &'a [u32]),
    value: &'a str,
}

impl<'a> Conditions<'a> {
    fn of(policy: &'a TracePolicy, alerted: &'a Alerted, rows: &'a RecordBatch) -> Result<Self> {
        let errors =
            || Ok::<_, Error>(&column(rows, traces::STATUS_CODE)?.as_primitive_opt::<Int32Type>().ok_or_else(|| other(traces::STATUS_CODE))?.values()[..]);
        let is_service = |text: &str| text == policy.service;
        Ok(Self {
            errors: policy.status_error.then(errors).transpose()?,
            service: (!policy.service.is_empty()).then(|| by_code(rows, schema::SERVICE, is_service)).transpose()?,
            longer_than_ns: if policy.span_longer_than_ms == 0 { -1 } else { nanoseconds(policy.span_longer_than_ms) },
            alerted: policy.alerted.then(|| by_code(rows, schema::SERVICE, |text| alerted.of(text))).transpose()?,
            attribute: (!policy.attribute.is_empty()).then(|| Attribute::of(policy, rows)).transpose()?,
        })
    }

    fn are_met(&self, row: usize, start_ns: i64, duration_ns: i64) -> bool {
        let overlaps = |(first, last): &(i64, i64)| start_ns <= *last && start_ns.saturating_add(duration_ns.max(0)) >= *first;
        self.errors.is_none_or(|statuses| statuses[row] == ERROR)
            && self.service.as_ref().is_none_or(|(wanted, codes)| wanted.get(codes[row] as usize) == Some(&true))
            && i128::from(duration_ns.max(0)) > self.longer_than_ns
            && self.alerted.as_ref().is_none_or(|(windows, codes)| windows.get(codes[row] as usize).is_some_and(|windows| windows.iter().any(overlaps)))
            && self.attribute.as_ref().is_none_or(|attribute| attribute.is_met(row))
    }
}

impl<'a> Attribute<'a> {
    fn of(policy: &'a TracePolicy, rows: &'a RecordBatch) -> Result<Self> {
        let name = format!("{}{}", schema::ATTRIBUTE_PREFIX, policy.attribute);
        let own = column(rows, &name)?;
        let has_value = |json: &str| {
            let resource: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
            resource.get(&policy.attribute).is_some_and(|value| AttributeValue::from_json(value).to_text() == policy.value)
        };
        let formatter = ArrayFormatter::try_new(own, &FormatOptions::new()).map_err(|error| other(&name).with_source(error))?;
        Ok(Self { own: formatter, is_null: Box::new(|row| own.is_null(row)), resource: by_code(rows, schema::RESOURCE, has_value)?, value: &policy.value })
    }

    fn is_met(&self, row: usize) -> bool {
        let (wanted, codes) = &self.resource;
        if (self.is_null)(row) {
            return wanted.get(codes[row] as usize) == Some(&true);
        }
        self.own.value(row).try_to_string().is_ok_and(|text| text == self.value)
    }
}

/// By code of a dictionary what there is of its text, and the codes of the rows.
fn by_code<'a, T>(rows: &'a RecordBatch, name: &str, look: impl Fn(&str) -> T) -> Result<(Vec<T>, &'a [u32])> {
    let dictionary = column(rows, name)?.as_dictionary_opt::<UInt32Type>().ok_or_else(|| other(name))?;
    let texts = dictionary.values().as_string_opt::<i32>().ok_or_else(|| other(name))?;
    Ok((texts.iter().map(|text| look(text.unwrap_or(""))).collect(), dictionary.keys().values()))
}

/// The column of traces; that of logs has nulls.
pub(super) fn trace_ids(rows: &RecordBatch) -> Result<&FixedSizeBinaryArray> {
    column(rows, schema::TRACE_ID)?.as_fixed_size_binary_opt().ok_or_else(|| other(schema::TRACE_ID))
}

/// Whether a trace is among so many of a hundred.
fn is_chosen(trace: &Id, percent: f64) -> bool {
    const STEPS: f64 = 1e9;
    percent >= 100.0 || ((xxh3_64_with_seed(trace, SAMPLE_SEED) % STEPS as u64) as f64) < percent / 100.0 * STEPS
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a dyn Array> {
    rows.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| other(name))
}

fn other(name: &str) -> Error {
    Error::internal(format!("cannot judge traces: there is no column {name}, or it is of another type"))
}

fn nanoseconds(milliseconds: u64) -> i128 {
    i128::from(milliseconds) * 1_000_000
}
