//! What there is to ask TraceQL for: names of attributes by scope, and values of a field, of all spans or of those that hold a
//! query. Both are for completion: bounded, the newest first.
//!
//! Of a query only that counts what single spans can say; fields of traces and relations let all spans pass.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow::array::{AsArray, FixedSizeBinaryArray, ListArray, RecordBatch, TimestampNanosecondArray, UInt64Array};
use signalbox_lang::traceql::tree::{Attribute, Intrinsic, Query, Root, Scope, Static};
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Owners, Result, Table, TimeRange};
use signalbox_store::{Chosen, ScanRequest, Snapshot};

use super::columns::Columns;
use super::expr::Expr;
use super::fields::{Fields, is_of_trace};
use super::pipeline::Stages;
use super::search::passable;
use super::sieve::Sieve;
use super::value::{Key, Value};
use crate::Engine;
use crate::leash::Leash;
use crate::rows::{AttributeColumns, Shared, Texts, column, span_id};

/// Names of one scope that are listed at most.
const NAMES_MAX: usize = 50_000;
/// Spans that hold a query whose names are listed.
const CHOSEN_MAX: usize = 10_000;
/// Spans whose events and links are looked at for names.
const ITEMS_SPANS_MAX: u64 = 1_000_000;
/// Codes of status and kind that OTLP has.
const STATUS_CODES: std::ops::Range<i32> = 0..3;
const KINDS: std::ops::Range<i32> = 0..6;

/// A question for names of attributes.
#[derive(Debug, Clone)]
pub struct TagNamesRequest {
    /// Of these scopes; [`Scope::Any`] is none of them.
    pub scopes: Vec<Scope>,
    /// Of spans that start in this range, and some around it.
    pub range: TimeRange,
    /// Of spans that hold this search.
    pub query: Option<Query>,
}

/// A question for values of a field.
#[derive(Debug, Clone)]
pub struct TagValuesRequest {
    /// Which.
    pub attribute: Attribute,
    /// Of spans that start in this range.
    pub range: TimeRange,
    /// Of spans that hold this search.
    pub query: Option<Query>,
    /// How many values at most.
    pub limit: usize,
}

/// Values of a field.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TagValues {
    /// The values: numbers by size, text by its bytes.
    pub values: Vec<Static>,
    /// Whether there are no others.
    pub is_complete: bool,
}

impl Engine {
    /// Names of attributes by scope, of every scope that was asked for.
    ///
    /// # Errors
    /// `Invalid` for a metrics query; `Timeout`; of the disk.
    pub async fn traceql_tag_names(&self, owners: impl Into<Owners>, request: TagNamesRequest) -> Result<BTreeMap<Scope, BTreeSet<String>>> {
        let snapshot = self.store.snapshot(owners);
        self.blocking(move |leash| {
            let mut names = Names { found: request.scopes.iter().map(|scope| (*scope, BTreeSet::new())).collect() };
            match &request.query {
                Some(query) => names.of_chosen(&snapshot, &Condition::new(query)?, request.range, leash)?,
                None => names.of_all(&snapshot, request.range, leash)?,
            }
            Ok(names.found)
        })
        .await
    }

    /// Values of a field. Fields that hardly any two spans have alike (times, durations, identifiers, numbers of nested sets)
    /// have none.
    ///
    /// # Errors
    /// `Invalid` for a metrics query; `Timeout`; of the disk.
    pub async fn traceql_tag_values(&self, owners: impl Into<Owners>, request: TagValuesRequest) -> Result<TagValues> {
        let snapshot = self.store.snapshot(owners);
        self.blocking(move |leash| values(&snapshot, &request, leash)).await
    }
}

/// What spans hold.
struct Condition {
    fields: Fields,
    sieve: Sieve,
}

impl Condition {
    fn new(query: &Query) -> Result<Self> {
        let Root::Spansets(pipeline) = &query.root else {
            return Err(Error::invalid("cannot choose spans by a metrics query: want one without a metrics function"));
        };
        let mut fields = Fields::default();
        let steps = Stages::new(pipeline, &mut fields)?;
        let sieve = Sieve::new(passable(&steps).as_ref(), &fields);
        Ok(Self { fields, sieve })
    }

    fn any() -> Self {
        let fields = Fields::default();
        Self { sieve: Sieve::new(None::<&Expr>, &fields), fields }
    }

    /// Hands batches to a visitor, newest parts first, with the rows that start in the range and pass; until it says that it is done.
    fn visit(
        &self,
        snapshot: &Snapshot,
        range: TimeRange,
        slots: &[usize],
        others: &[&'static str],
        leash: &Leash,
        mut visit: impl FnMut(&RecordBatch, &Columns<'_>, &[usize]) -> Result<bool>,
    ) -> Result<()> {
        if self.sieve.is_none() {
            return Ok(());
        }
        let slots: Vec<usize> = self.sieve.slots().iter().chain(slots).copied().collect();
        let scan = self.sieve.narrow(self.fields.scan(&slots, &[others, &[schema::TIMESTAMP]].concat(), ScanRequest::all(range)));
        let mut parts = snapshot.scan(Table::Spans, &scan)?;
        parts.sort_by_key(|part| Reverse(part.range.end_ns));
        let mut shared = Shared::default();
        for part in parts {
            for rows in part.read()? {
                leash.check()?;
                let rows = rows?;
                let times: &TimestampNanosecondArray = column(&rows, schema::TIMESTAMP)?;
                let columns = Columns::of(&rows, &self.fields, &slots, &mut shared)?;
                let near = (0..rows.num_rows()).filter(|row| range.contains_ns(times.value(*row))).collect();
                if visit(&rows, &columns, &self.sieve.retain(&columns, near))? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Names by scope.
struct Names {
    found: BTreeMap<Scope, BTreeSet<String>>,
}

impl Names {
    fn wants(&self, scope: Scope) -> bool {
        self.found.contains_key(&scope)
    }

    fn add<'a>(&mut self, scope: Scope, names: impl IntoIterator<Item = &'a str>) {
        let Some(found) = self.found.get_mut(&scope) else { return };
        for name in names {
            if found.len() < NAMES_MAX && !found.contains(name) {
                found.insert(name.to_owned());
            }
        }
    }

    fn of_all(&mut self, snapshot: &Snapshot, range: TimeRange, leash: &Leash) -> Result<()> {
        let any = Condition::any();
        if self.wants(Scope::Span) {
            match snapshot.attribute_keys(Table::Spans, &range)? {
                Some(keys) => self.add(Scope::Span, keys.iter().map(String::as_str)),
                None => any.visit(snapshot, range, &[], &[schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES], leash, |rows, _, wanted| {
                    self.of_rows(rows, wanted)?;
                    Ok(false)
                })?,
            }
        }
        let origins: Vec<&'static str> = [(Scope::Resource, schema::RESOURCE), (Scope::Instrumentation, schema::SCOPE)]
            .into_iter()
            .filter(|(scope, _)| self.wants(*scope))
            .map(|(_, column)| column)
            .collect();
        if !origins.is_empty() {
            any.visit(snapshot, range, &[], &origins, leash, |rows, _, wanted| {
                self.of_origins(rows, wanted)?;
                Ok(false)
            })?;
        }
        let lists: Vec<&'static str> = [(Scope::Event, traces::EVENTS), (Scope::Link, traces::LINKS)]
            .into_iter()
            .filter(|(scope, _)| self.wants(*scope))
            .map(|(_, column)| column)
            .collect();
        if !lists.is_empty() {
            let mut looked_at = 0;
            any.visit(snapshot, range, &[], &lists, leash, |rows, _, wanted| {
                self.of_lists(rows, wanted)?;
                looked_at += rows.num_rows() as u64;
                Ok(looked_at > ITEMS_SPANS_MAX)
            })?;
        }
        Ok(())
    }

    fn of_chosen(&mut self, snapshot: &Snapshot, condition: &Condition, range: TimeRange, leash: &Leash) -> Result<()> {
        let mut chosen: Vec<(i64, u64)> = Vec::new();
        condition.visit(snapshot, range, &[], &[schema::SEQUENCE], leash, |rows, _, wanted| {
            let (times, sequences): (&TimestampNanosecondArray, &UInt64Array) = (column(rows, schema::TIMESTAMP)?, column(rows, schema::SEQUENCE)?);
            chosen.extend(wanted.iter().map(|row| (times.value(*row), sequences.value(*row))));
            Ok(chosen.len() >= CHOSEN_MAX)
        })?;
        let chosen = Chosen::new(chosen);
        let Some(range) = chosen.range() else { return Ok(()) };
        let base = schema::spans();
        let columns = [schema::RESOURCE, schema::SCOPE, schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES, traces::EVENTS, traces::LINKS];
        let mut projection = columns.map(|name| schema::index(&base, name)).to_vec();
        projection.sort_unstable();
        let scan = ScanRequest { projection: Some(projection), chosen: Some(chosen), ..ScanRequest::all(range) };
        for part in snapshot.scan(Table::Spans, &scan)? {
            for rows in part.read()? {
                leash.check()?;
                let rows = rows?;
                let all: Vec<usize> = (0..rows.num_rows()).collect();
                self.of_rows(&rows, &all)?;
                self.of_origins(&rows, &all)?;
                self.of_lists(&rows, &all)?;
            }
        }
        Ok(())
    }

    /// Of the spans themselves.
    fn of_rows(&mut self, rows: &RecordBatch, wanted: &[usize]) -> Result<()> {
        let attributes = AttributeColumns::of(rows)?;
        let names: HashSet<&str> = wanted.iter().flat_map(|row| attributes.keys(*row)).collect();
        self.add(Scope::Span, names);
        Ok(())
    }

    /// Of resources and instrumentations, where the batch has them.
    fn of_origins(&mut self, rows: &RecordBatch, wanted: &[usize]) -> Result<()> {
        let mut shared = Shared::default();
        for (scope, name) in [(Scope::Resource, schema::RESOURCE), (Scope::Instrumentation, schema::SCOPE)] {
            if rows.column_by_name(name).is_none() {
                continue;
            }
            let texts = Texts::of(rows, name)?;
            let used = texts.used(wanted.iter().copied());
            for (code, _) in used.iter().enumerate().filter(|(_, is_used)| **is_used) {
                if scope == Scope::Resource {
                    self.add(scope, shared.resource(texts.value(code)).attributes.iter().map(|(key, _)| key.as_str()));
                } else {
                    self.add(scope, shared.scope(texts.value(code)).attributes.iter().map(|(key, _)| key.as_str()));
                }
            }
        }
        Ok(())
    }

    /// Of events and links, where the batch has them.
    fn of_lists(&mut self, rows: &RecordBatch, wanted: &[usize]) -> Result<()> {
        for (scope, name) in [(Scope::Event, traces::EVENTS), (Scope::Link, traces::LINKS)] {
            if rows.column_by_name(name).is_none() || !self.wants(scope) {
                continue;
            }
            let lists: &ListArray = column(rows, name)?;
            let items = lists.values().as_struct_opt().ok_or_else(|| Error::internal("cannot read list: not of structs"))?;
            let items = RecordBatch::from(items.clone());
            let (attributes, offsets) = (AttributeColumns::of(&items)?, lists.value_offsets());
            let places = wanted.iter().flat_map(|row| offsets[*row] as usize..offsets[*row + 1] as usize);
            let names: HashSet<&str> = places.flat_map(|place| attributes.keys(place)).collect();
            self.add(scope, names);
        }
        Ok(())
    }
}

fn values(snapshot: &Snapshot, request: &TagValuesRequest, leash: &Leash) -> Result<TagValues> {
    let mut condition = request.query.as_ref().map_or_else(|| Ok(Condition::any()), Condition::new)?;
    let mut found = Distinct { limit: request.limit, ..Distinct::default() };
    match &request.attribute {
        Attribute::Intrinsic(Intrinsic::Status) if request.query.is_none() => STATUS_CODES.map(Value::Status).for_each(|value| found.add(&value)),
        Attribute::Intrinsic(Intrinsic::Kind) if request.query.is_none() => KINDS.map(Value::Kind).for_each(|value| found.add(&value)),
        Attribute::Intrinsic(Intrinsic::RootName | Intrinsic::RootService) => {
            // Of the spans that pass those that are roots.
            let name = if request.attribute == Attribute::Intrinsic(Intrinsic::RootName) { traces::NAME } else { schema::SERVICE };
            condition.visit(snapshot, request.range, &[], &[name, traces::PARENT_SPAN_ID], leash, |rows, _, wanted| {
                let (texts, parents): (_, &FixedSizeBinaryArray) = (Texts::of(rows, name)?, column(rows, traces::PARENT_SPAN_ID)?);
                let used = texts.used(wanted.iter().copied().filter(|row| span_id(parents, *row).is_none()));
                used.iter().enumerate().filter(|(_, is_used)| **is_used).for_each(|(code, _)| found.add(&Value::text(texts.value(code))));
                Ok(found.is_full)
            })?;
        }
        Attribute::Intrinsic(
            Intrinsic::Duration
            | Intrinsic::SpanId
            | Intrinsic::ParentId
            | Intrinsic::TraceId
            | Intrinsic::EventTimeSinceStart
            | Intrinsic::LinkTraceId
            | Intrinsic::LinkSpanId,
        ) => {}
        attribute if is_of_trace(attribute) => {}
        attribute => {
            let slot = condition.fields.slot(attribute);
            condition.visit(snapshot, request.range, &[slot], &[], leash, |_, columns, wanted| {
                let Some(reader) = columns.reader(slot) else { return Ok(true) };
                let mut seen = vec![false; reader.codes().unwrap_or(0)];
                for row in wanted {
                    match reader.code(*row) {
                        Some(code) if seen.get(code) == Some(&true) => continue,
                        Some(code) if code < seen.len() => seen[code] = true,
                        _ => {}
                    }
                    found.add(&reader.value(*row));
                }
                Ok(found.is_full)
            })?;
        }
    }
    Ok(found.finish())
}

/// Different values, up to a limit.
#[derive(Default)]
struct Distinct {
    values: Vec<Value>,
    known: HashSet<Key>,
    limit: usize,
    is_full: bool,
}

impl Distinct {
    fn add(&mut self, value: &Value) {
        match value {
            Value::Nil => {}
            Value::Array(values) | Value::Several(values) => values.iter().for_each(|value| self.add(value)),
            _ if self.known.contains(&value.key()) => {}
            _ if self.known.len() >= self.limit => self.is_full = true,
            _ => {
                self.known.insert(value.key());
                self.values.push(value.clone());
            }
        }
    }

    fn finish(mut self) -> TagValues {
        self.values.sort_by(Value::order);
        TagValues { values: self.values.iter().map(Value::to_static).collect(), is_complete: !self.is_full }
    }
}
