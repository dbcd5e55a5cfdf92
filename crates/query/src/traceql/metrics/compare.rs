//! `compare`: how often every value of every attribute occurs in spans of a selection, and in all others.
//!
//! First the spans are found that the pipeline leaves, and which of them are selected, then all their attributes are counted.
//! Attributes that nearly every span has another value for (times, durations, identifiers) are left out, as Tempo does.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, FixedSizeBinaryArray, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, TimestampNanosecondArray};
use signalbox_lang::traceql::tree::{Attribute, FieldExpr, Intrinsic, MetricsFunction, Pipeline, Scope};
use signalbox_model::attributes::AttributeValue;
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Result, SpanId, Table, TraceId};
use signalbox_store::ScanRequest;

use super::Asked;
use super::exemplars::Exemplars;
use super::series::Series;
use crate::rows::{AttributeColumns, Shared, Texts, column, span_id, trace_id};
use crate::traceql::answer::SearchCost;
use crate::traceql::expr::Expr;
use crate::traceql::fields::{Fields, is_of_trace};
use crate::traceql::pipeline;
use crate::traceql::search::passable;
use crate::traceql::sieve::Sieve;
use crate::traceql::value::{Key, Value};

const META_TYPE: &str = "__meta_type";
/// Values of one attribute that are counted; more are not told apart.
const VALUES_MAX: usize = 50_000;
/// Spans that are compared at most.
const SPANS_MAX: usize = 5_000_000;

/// Columns that are counted.
const COLUMNS: [&str; 13] = [
    schema::TIMESTAMP,
    schema::TRACE_ID,
    schema::SPAN_ID,
    traces::NAME,
    traces::KIND,
    traces::STATUS_CODE,
    traces::STATUS_MESSAGE,
    schema::RESOURCE,
    schema::SCOPE,
    schema::ATTRIBUTES,
    schema::ATTRIBUTE_TYPES,
    traces::EVENTS,
    traces::LINKS,
];

/// A span: its trace, its identifier and its start.
type Place = ([u8; 16], [u8; 8], i64);

/// The order of spans of a trace: by start, the longer first, then by identifier.
type Order = (i64, Reverse<i64>, Option<SpanId>);

/// Root of a trace: name and service.
type Roots = HashMap<TraceId, (Arc<str>, Arc<str>)>;

impl Asked<'_> {
    pub(super) fn compare(&self, pipeline: &Pipeline, function: &MetricsFunction, cost: &mut SearchCost) -> Result<Vec<Series>> {
        let MetricsFunction::Compare { selection, top, start_ns, end_ns } = function else {
            return Err(Error::internal("cannot compare: the function is another one"));
        };
        let is_in_window = |at_ns: i64| (*start_ns == 0 && *end_ns == 0) || (at_ns > *start_ns && at_ns <= *end_ns);
        let chosen = self.chosen(pipeline, selection.as_ref(), &is_in_window, cost)?;
        let roots = self.roots(&chosen)?;
        let mut counts = Counts::new(self.steps.count());
        let mut exemplars = Exemplars::new(self.exemplars_max, self.steps.range());
        let base = schema::spans();
        let mut projection: Vec<usize> = COLUMNS.iter().map(|name| schema::index(&base, name)).collect();
        projection.sort_unstable();
        let scan = ScanRequest { projection: Some(projection), ..ScanRequest::all(self.steps.range()) };
        let mut shared = Shared::default();
        for part in self.snapshot.scan(Table::Spans, &scan)? {
            for rows in part.read()? {
                self.leash.check()?;
                let rows = rows?;
                let (times, ids): (&TimestampNanosecondArray, &FixedSizeBinaryArray) = (column(&rows, schema::TIMESTAMP)?, column(&rows, schema::TRACE_ID)?);
                let spans: &FixedSizeBinaryArray = column(&rows, schema::SPAN_ID)?;
                let found = |row: usize| chosen.get(&place(ids, spans, times, row)).map(|is_selected| (row, *is_selected, self.steps.of(times.value(row))));
                let wanted: Vec<(usize, bool, usize)> = (0..rows.num_rows()).filter_map(found).collect();
                for (row, is_selected, _) in &wanted {
                    let at_ns = times.value(*row);
                    if exemplars.wants(at_ns)
                        && let Some(id) = trace_id(ids, *row)
                    {
                        exemplars.take(*is_selected, at_ns, f64::NAN, id, span_id(spans, *row));
                    }
                }
                counts.add(&rows, &wanted, &roots, &mut shared)?;
                self.share.cover(counts.bytes + chosen.len() as u64 * 48)?;
            }
        }
        Ok(counts.finish(*top as usize, &exemplars))
    }

    /// The spans that a pipeline leaves within the steps, and whether each is selected.
    fn chosen(
        &self,
        pipeline: &Pipeline,
        selection: Option<&FieldExpr>,
        is_in_window: &dyn Fn(i64) -> bool,
        cost: &mut SearchCost,
    ) -> Result<HashMap<Place, bool>> {
        let mut fields = Fields::default();
        let steps = pipeline::Stages::new(pipeline, &mut fields)?;
        let selection = selection.map(|selection| Expr::new(selection, &mut fields)).transpose()?;
        let sieve = Sieve::new(passable(&steps).as_ref(), &fields);
        let mut chosen = HashMap::new();
        let bound = |chosen: &HashMap<Place, bool>| {
            if chosen.len() > SPANS_MAX {
                return Err(Error::limit(format!("cannot compare more than {SPANS_MAX} spans: ask for a shorter range")));
            }
            self.share.cover(chosen.len() as u64 * 48)
        };
        if steps.only_filter().is_some() && sieve.is_exact() && !fields.attributes().iter().any(is_of_trace) {
            let picked = Sieve::new(selection.as_ref(), &fields);
            let slots: Vec<usize> = sieve.slots().iter().chain(picked.slots()).copied().collect();
            self.scan(&fields, &sieve, &slots, &[schema::TRACE_ID, schema::SPAN_ID], cost, |rows, columns, wanted| {
                let (times, ids): (&TimestampNanosecondArray, &FixedSizeBinaryArray) = (column(rows, schema::TIMESTAMP)?, column(rows, schema::TRACE_ID)?);
                let spans: &FixedSizeBinaryArray = column(rows, schema::SPAN_ID)?;
                for row in wanted {
                    chosen.insert(place(ids, spans, times, *row), false);
                }
                for row in picked.retain(columns, wanted.to_vec()) {
                    chosen.insert(place(ids, spans, times, row), is_in_window(times.value(row)));
                }
                bound(&chosen)
            })?;
        } else {
            self.each_span(&fields, &steps, &sieve, cost, |subject, span, member| {
                let is_selected =
                    is_in_window(member.start_ns) && selection.as_ref().is_none_or(|selection| selection.holds(&|slot| subject.value(span, slot)));
                let id = member.span_id.map_or([0; 8], |id| *id.as_bytes());
                chosen.insert((*subject.trace.id.as_bytes(), id, member.start_ns), is_selected);
                bound(&chosen)
            })?;
        }
        Ok(chosen)
    }

    /// The roots of the traces of some spans.
    fn roots(&self, chosen: &HashMap<Place, bool>) -> Result<Roots> {
        let wanted: std::collections::HashSet<[u8; 16]> = chosen.keys().map(|(trace, ..)| *trace).collect();
        let base = schema::spans();
        let names = [schema::TIMESTAMP, traces::DURATION_NS, schema::TRACE_ID, schema::SPAN_ID, traces::PARENT_SPAN_ID, schema::SERVICE, traces::NAME];
        let mut projection = names.map(|name| schema::index(&base, name)).to_vec();
        projection.sort_unstable();
        let range = self.steps.range();
        let around = signalbox_model::TimeRange::from_ns(range.start_ns.saturating_sub(super::SLACK_NS), range.end_ns.saturating_add(super::SLACK_NS));
        // The first of several, in the order of spans of a trace.
        let mut found: HashMap<TraceId, (Order, Arc<str>, Arc<str>)> = HashMap::new();
        for part in self.snapshot.scan(Table::Spans, &ScanRequest { projection: Some(projection), ..ScanRequest::all(around) })? {
            for rows in part.read()? {
                self.leash.check()?;
                let rows = rows?;
                let (times, ids): (&TimestampNanosecondArray, &FixedSizeBinaryArray) = (column(&rows, schema::TIMESTAMP)?, column(&rows, schema::TRACE_ID)?);
                let (durations, spans): (&Int64Array, &FixedSizeBinaryArray) = (column(&rows, traces::DURATION_NS)?, column(&rows, schema::SPAN_ID)?);
                let parents: &FixedSizeBinaryArray = column(&rows, traces::PARENT_SPAN_ID)?;
                let (names, services) = (Texts::of(&rows, traces::NAME)?, Texts::of(&rows, schema::SERVICE)?);
                for row in (0..rows.num_rows()).filter(|row| span_id(parents, *row).is_none()) {
                    let Some(id) = trace_id(ids, row).filter(|id| wanted.contains(id.as_bytes())) else { continue };
                    let order = (times.value(row), Reverse(durations.value(row)), span_id(spans, row));
                    let root = || (order, Arc::from(names.get(row)), Arc::from(services.get(row)));
                    found
                        .entry(id)
                        .and_modify(|known| {
                            if order < known.0 {
                                *known = root();
                            }
                        })
                        .or_insert_with(root);
                }
            }
        }
        Ok(found.into_iter().map(|(id, (_, name, service))| (id, (name, service))).collect())
    }
}

fn place(traces: &FixedSizeBinaryArray, spans: &FixedSizeBinaryArray, times: &TimestampNanosecondArray, row: usize) -> Place {
    let (mut trace, mut span) = ([0; 16], [0; 8]);
    trace.copy_from_slice(traces.value(row));
    span.copy_from_slice(spans.value(row));
    (trace, span, times.value(row))
}

/// How many rows, by whether they are selected and by step.
type Tally = HashMap<(bool, usize), u32>;

/// How often a value occurs, by step: outside of the selection and in it.
type Pair = [Vec<u32>; 2];

/// How often values of attributes occur.
struct Counts {
    steps: usize,
    attributes: HashMap<Attribute, Occurrences>,
    bytes: u64,
}

#[derive(Default)]
struct Occurrences {
    values: HashMap<Key, (Value, Pair)>,
    total: Pair,
}

impl Counts {
    fn new(steps: usize) -> Self {
        Self { steps, attributes: HashMap::new(), bytes: 0 }
    }

    fn one(&mut self, attribute: &Attribute, value: &Value, is_selected: bool, step: usize, count: u32) {
        if value.is_nil() || matches!(value, Value::Duration(_)) {
            return;
        }
        let steps = self.steps;
        let pair = || [vec![0; steps], vec![0; steps]];
        if !self.attributes.contains_key(attribute) {
            self.attributes.insert(attribute.clone(), Occurrences { values: HashMap::new(), total: pair() });
        }
        let Some(own) = self.attributes.get_mut(attribute) else { return };
        own.total[usize::from(is_selected)][step] += count;
        let key = value.key();
        let is_full = own.values.len() >= VALUES_MAX;
        if let Some((_, counts)) = own.values.get_mut(&key) {
            counts[usize::from(is_selected)][step] += count;
        } else if !is_full {
            let mut counts = pair();
            counts[usize::from(is_selected)][step] += count;
            self.bytes += 160 + 8 * steps as u64;
            own.values.insert(key, (value.clone(), counts));
        }
    }

    fn add(&mut self, rows: &RecordBatch, wanted: &[(usize, bool, usize)], roots: &Roots, shared: &mut Shared) -> Result<()> {
        let (names, resources, scopes) = (Texts::of(rows, traces::NAME)?, Texts::of(rows, schema::RESOURCE)?, Texts::of(rows, schema::SCOPE)?);
        let (kinds, statuses): (&Int32Array, &Int32Array) = (column(rows, traces::KIND)?, column(rows, traces::STATUS_CODE)?);
        let messages: &StringArray = column(rows, traces::STATUS_MESSAGE)?;
        let intrinsic = |intrinsic| Attribute::Intrinsic(intrinsic);
        // Rows that share a value are counted together.
        self.together(wanted, |row| names.code(row), |counts, code, more| counts.with(&intrinsic(Intrinsic::Name), &Value::text(names.value(code)), more));
        self.together(
            wanted,
            |row| resources.code(row),
            |counts, code, more| {
                for (key, value) in &shared.resource(resources.value(code)).attributes {
                    counts.with(&Attribute::Named(Scope::Resource, key.clone()), &Value::of_attribute(value), more);
                }
            },
        );
        self.together(
            wanted,
            |row| scopes.code(row),
            |counts, code, more| {
                let scope = shared.scope(scopes.value(code));
                counts.with(&intrinsic(Intrinsic::InstrumentationName), &Value::text(&scope.name), more);
                counts.with(&intrinsic(Intrinsic::InstrumentationVersion), &Value::text(&scope.version), more);
                for (key, value) in &scope.attributes {
                    counts.with(&Attribute::Named(Scope::Instrumentation, key.clone()), &Value::of_attribute(value), more);
                }
            },
        );
        self.together(wanted, |row| kinds.value(row), |counts, kind, more| counts.with(&intrinsic(Intrinsic::Kind), &Value::Kind(kind), more));
        self.together(wanted, |row| statuses.value(row), |counts, status, more| counts.with(&intrinsic(Intrinsic::Status), &Value::Status(status), more));
        let message = |row: usize| if messages.is_valid(row) { messages.value(row) } else { "" };
        self.together(wanted, message, |counts, message, more| counts.with(&intrinsic(Intrinsic::StatusMessage), &Value::text(message), more));
        let ids: &FixedSizeBinaryArray = column(rows, schema::TRACE_ID)?;
        self.together(
            wanted,
            |row| ids.value(row),
            |counts, id, more| {
                let root = TraceId::from_slice(id).and_then(|id| roots.get(&id));
                counts.with(&intrinsic(Intrinsic::RootName), &root.map_or_else(|| Value::text(""), |root| Value::Text(Arc::clone(&root.0))), more);
                counts.with(&intrinsic(Intrinsic::RootService), &root.map_or_else(|| Value::text(""), |root| Value::Text(Arc::clone(&root.1))), more);
            },
        );
        self.own(&AttributeColumns::of(rows)?, wanted, Scope::Span);
        self.items(column(rows, traces::EVENTS)?, wanted, Scope::Event)?;
        self.items(column(rows, traces::LINKS)?, wanted, Scope::Link)
    }

    fn with(&mut self, attribute: &Attribute, value: &Value, counts: &Tally) {
        for ((is_selected, step), count) in counts {
            self.one(attribute, value, *is_selected, *step, *count);
        }
    }

    /// Hands each distinct value of rows on, with its counts by selection and step.
    fn together<T: std::hash::Hash + Eq>(&mut self, wanted: &[(usize, bool, usize)], value: impl Fn(usize) -> T, mut visit: impl FnMut(&mut Self, T, &Tally)) {
        let mut counts: HashMap<T, Tally> = HashMap::new();
        for (row, is_selected, step) in wanted {
            *counts.entry(value(*row)).or_default().entry((*is_selected, *step)).or_default() += 1;
        }
        for (value, counts) in counts {
            visit(self, value, &counts);
        }
    }

    /// Attributes of rows, or of events and links of rows.
    fn own(&mut self, columns: &AttributeColumns<'_>, wanted: &[(usize, bool, usize)], scope: Scope) {
        let mut counts: HashMap<(&str, char, &str), Tally> = HashMap::new();
        for (row, is_selected, step) in wanted {
            for (key, text, letter) in columns.typed(*row) {
                *counts.entry((key, letter, text)).or_default().entry((*is_selected, *step)).or_default() += 1;
            }
        }
        for ((key, letter, text), counts) in counts {
            self.with(&Attribute::Named(scope, key.to_owned()), &Value::of_attribute(&AttributeValue::from_text(letter, text)), &counts);
        }
    }

    fn items(&mut self, lists: &ListArray, wanted: &[(usize, bool, usize)], scope: Scope) -> Result<()> {
        let offsets = lists.value_offsets();
        let places: Vec<(usize, bool, usize)> = wanted
            .iter()
            .flat_map(|(row, is_selected, step)| (offsets[*row] as usize..offsets[*row + 1] as usize).map(|place| (place, *is_selected, *step)))
            .collect();
        if places.is_empty() {
            return Ok(());
        }
        let items = lists.values().as_struct_opt().ok_or_else(|| Error::internal("cannot read list: not of structs"))?;
        let items = RecordBatch::from(items.clone());
        self.own(&AttributeColumns::of(&items)?, &places, scope);
        if scope == Scope::Event {
            let names: &StringArray = column(&items, traces::NAME)?;
            let name = Attribute::Intrinsic(Intrinsic::EventName);
            self.together(&places, |place| names.value(place), |counts, text, more| counts.with(&name, &Value::text(text), more));
        }
        Ok(())
    }

    fn finish(self, top: usize, exemplars: &Exemplars<bool>) -> Vec<Series> {
        let mut series = Vec::new();
        let mut push = |kind: &str, name: &str, value: Value, counts: &[u32], exemplars| {
            if counts.iter().any(|count| *count > 0) {
                let labels = vec![(META_TYPE.to_owned(), Value::text(kind)), (name.to_owned(), value)];
                series.push(Series { labels, values: counts.iter().map(|count| f64::from(*count)).collect(), exemplars });
            }
        };
        for (attribute, occurrences) in self.attributes {
            let name = attribute.to_string();
            for (side, kind, total) in [(0, "baseline", "baseline_total"), (1, "selection", "selection_total")] {
                let mut values: Vec<(u64, &Value, &[u32])> = Vec::new();
                for (value, counts) in occurrences.values.values() {
                    values.push((counts[side].iter().map(|count| u64::from(*count)).sum(), value, &counts[side]));
                }
                values.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.order(right.1)));
                for (_, value, counts) in values.into_iter().take(top) {
                    push(kind, &name, value.clone(), counts, Vec::new());
                }
                push(total, &name, Value::Nil, &occurrences.total[side], exemplars.of(|is_selected| usize::from(*is_selected) == side));
            }
        }
        series
    }
}
