//! Rate, errors and durations by operation: spans of one service, name, kind, status and one set of dimensions are counted
//! together.
//!
//! The columns of a batch have their texts in dictionaries, so a span is known by its codes; texts are looked at once a batch
//! for each operation in it.

use std::hash::BuildHasher as _;
use std::time::Duration;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use signalbox_model::Labels;

use super::columns::Spans;
use super::dimensions::{Dimension, Dimensions, clipped};
use super::durations::{self, Durations, Example};
use super::output::{Output, Series};
use super::settings::SpanMetricsSettings;

/// Spans of an operation.
pub(super) const CALLS: &str = "traces_spanmetrics_calls_total";
/// Their durations in seconds.
pub(super) const LATENCY: &str = "traces_spanmetrics_latency";
/// What the one series has that counts what is too many.
pub(super) const OVERFLOW: (&str, &str) = ("metric_overflow", "true");
/// Labels that are no dimensions.
const OWN_LABELS: [&str; 4] = ["service", "span_name", "span_kind", "status_code"];

/// The operations of one tenant.
#[derive(Debug)]
pub(super) struct Operations {
    dimensions: Vec<Dimension>,
    bounds_ns: Vec<u64>,
    groups_max: usize,
    hasher: DefaultHashBuilder,
    by_key: HashTable<u32>,
    groups: Vec<Group>,
    overflow: Option<u32>,
    /// Groups by their codes in the batch at hand.
    memo: HashMap<(u64, u64), u32>,
}

#[derive(Debug)]
struct Group {
    key: Key,
    durations: Durations,
    series: Series,
    touched: Duration,
}

#[derive(Debug, PartialEq, Eq, Default)]
struct Key {
    service: Box<str>,
    name: Box<str>,
    kind: i32,
    status: i32,
    dimensions: Box<[Box<str>]>,
}

/// A key that is looked for.
#[derive(Debug, Clone, Copy)]
struct Wanted<'a> {
    service: &'a str,
    name: &'a str,
    kind: i32,
    status: i32,
    dimensions: &'a [Box<str>],
}

impl Wanted<'_> {
    fn hash(&self, hasher: &DefaultHashBuilder) -> u64 {
        hasher.hash_one((self.service, self.name, self.kind, self.status, self.dimensions))
    }
}

impl Key {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { service: &self.service, name: &self.name, kind: self.kind, status: self.status, dimensions: &self.dimensions }
    }

    fn is(&self, wanted: &Wanted<'_>) -> bool {
        *self.service == *wanted.service
            && *self.name == *wanted.name
            && self.kind == wanted.kind
            && self.status == wanted.status
            && *self.dimensions == *wanted.dimensions
    }
}

impl Operations {
    pub(super) fn new(settings: &SpanMetricsSettings) -> Self {
        Self {
            dimensions: settings.dimensions.iter().map(|attribute| Dimension::new(attribute, &OWN_LABELS)).collect(),
            bounds_ns: durations::bounds_ns(&settings.operation_buckets_seconds),
            groups_max: settings.groups_max,
            hasher: DefaultHashBuilder::default(),
            by_key: HashTable::new(),
            groups: Vec::new(),
            overflow: None,
            memo: HashMap::new(),
        }
    }

    /// Counts the spans with arrival numbers from `first` on.
    pub(super) fn add(&mut self, spans: &Spans<'_>, first: u64, now: Duration) {
        self.memo.clear();
        let mut dimensions = Dimensions::new(&self.dimensions);
        let mut last = ((u64::MAX, u64::MAX), 0u32);
        for row in 0..spans.len() {
            if spans.numbers[row] < first {
                continue;
            }
            let of_dimensions = if self.dimensions.is_empty() { 0 } else { dimensions.code(&self.dimensions, spans, row) };
            let codes = (u64::from(spans.services.codes[row]) << 32 | u64::from(spans.names.codes[row]), packed(spans, row, of_dimensions));
            if codes != last.0 {
                last = (codes, self.group(codes, spans, row, dimensions.texts(of_dimensions)));
            }
            let Some(group) = self.groups.get_mut(last.1 as usize) else { continue };
            let duration_ns = spans.duration_ns(row);
            group.touched = now;
            group.durations.add(duration_ns, &self.bounds_ns);
            group.durations.exemplify(duration_ns, || {
                let (trace_id, span_id) = (spans.trace_id(row)?, spans.span_id(row));
                Some(Example { duration_ns, end_ms: spans.end_ns(row).div_euclid(1_000_000), trace_id, span_id })
            });
        }
    }

    /// The group of a span, by the codes of its batch.
    fn group(&mut self, codes: (u64, u64), spans: &Spans<'_>, row: usize, dimensions: &[Box<str>]) -> u32 {
        if let Some(group) = self.memo.get(&codes) {
            return *group;
        }
        let wanted = Wanted {
            service: clipped(spans.services.text(spans.services.codes[row])),
            name: clipped(spans.names.text(spans.names.codes[row])),
            kind: known(spans.kinds[row], 5),
            status: known(spans.statuses[row], 2),
            dimensions,
        };
        let group = self.find_or_begin(wanted);
        self.memo.insert(codes, group);
        group
    }

    fn find_or_begin(&mut self, wanted: Wanted<'_>) -> u32 {
        let (hasher, groups) = (&self.hasher, &self.groups);
        let entry =
            self.by_key.entry(wanted.hash(hasher), |group| groups[*group as usize].key.is(&wanted), |group| groups[*group as usize].key.wanted().hash(hasher));
        let vacant = match entry {
            Entry::Occupied(found) => return *found.get(),
            Entry::Vacant(vacant) => vacant,
        };
        let next = self.groups.len() as u32;
        if self.groups.len() >= self.groups_max {
            return *self.overflow.get_or_insert_with(|| {
                self.groups.push(Group::new(Key::default(), Labels::from_pairs([OVERFLOW])));
                next
            });
        }
        let mut labels = signalbox_model::LabelsBuilder::default();
        let texts = [wanted.service, wanted.name, kind_word(wanted.kind), status_word(wanted.status)];
        for (label, text) in OWN_LABELS.into_iter().zip(texts) {
            labels.set(label, text);
        }
        for (dimension, text) in self.dimensions.iter().zip(wanted.dimensions) {
            labels.set(&dimension.label, text);
        }
        let key =
            Key { service: wanted.service.into(), name: wanted.name.into(), kind: wanted.kind, status: wanted.status, dimensions: wanted.dimensions.into() };
        vacant.insert(next);
        self.groups.push(Group::new(key, labels.build()));
        next
    }

    /// Writes all series.
    pub(super) fn write(&mut self, output: &mut Output<'_>) {
        for group in &mut self.groups {
            output.begin(&mut group.series, group.touched);
            output.counter(CALLS, &mut group.series, group.durations.count);
            output.durations(LATENCY, &mut group.series, &group.durations, &self.bounds_ns);
        }
    }

    /// What [`Operations::write`] wrote is durable.
    pub(super) fn written(&mut self, start_ms: i64, idle_before: Duration) {
        for group in &mut self.groups {
            group.series.written(start_ms);
            group.durations.example = None;
        }
        if self.groups.iter().all(|group| group.touched >= idle_before) {
            return;
        }
        self.groups.retain(|group| group.touched >= idle_before);
        self.overflow = self.groups.iter().position(|group| group.series.labels().get(OVERFLOW.0).is_some()).map(|at| at as u32);
        let (hasher, groups, overflow) = (&self.hasher, &self.groups, self.overflow);
        self.by_key.clear();
        let hash = |group: &u32| groups[*group as usize].key.wanted().hash(hasher);
        for group in (0..groups.len() as u32).filter(|group| Some(*group) != overflow) {
            self.by_key.insert_unique(hash(&group), group, hash);
        }
    }
}

impl Group {
    fn new(key: Key, labels: Labels) -> Self {
        Self { key, durations: Durations::default(), series: Series::new(labels), touched: Duration::ZERO }
    }
}

fn packed(spans: &Spans<'_>, row: usize, dimensions: u32) -> u64 {
    let small = |number: i32| u64::from(number.cast_unsigned() & 0xffff);
    u64::from(dimensions) << 32 | small(spans.kinds[row]) << 16 | small(spans.statuses[row])
}

/// A number of the protocol; one that it does not have is 0.
fn known(number: i32, max: i32) -> i32 {
    if (0..=max).contains(&number) { number } else { 0 }
}

fn kind_word(kind: i32) -> &'static str {
    match kind {
        1 => "SPAN_KIND_INTERNAL",
        2 => "SPAN_KIND_SERVER",
        3 => "SPAN_KIND_CLIENT",
        4 => "SPAN_KIND_PRODUCER",
        5 => "SPAN_KIND_CONSUMER",
        _ => "SPAN_KIND_UNSPECIFIED",
    }
}

fn status_word(status: i32) -> &'static str {
    match status {
        1 => "STATUS_CODE_OK",
        2 => "STATUS_CODE_ERROR",
        _ => "STATUS_CODE_UNSET",
    }
}
