//! What there is to search for: services, operations, names and values of attributes.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Int32Array, RecordBatch, TimestampNanosecondArray};
use signalbox_model::attributes::AttributeValue;
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Result, Table, Tenant, TimeRange};
use signalbox_store::{ScanRequest, Snapshot};

use crate::Engine;
use crate::leash::Leash;
use crate::rows::{AttributeColumns, Resource, Texts, column};

/// Names, or values, that one listing may have.
const LISTED_MAX: usize = 50_000;

/// A name of spans with one of their kinds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// Name of the spans.
    pub name: String,
    /// OTLP span kind.
    pub kind: i32,
}

/// Whose attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagScope {
    /// Of spans and resources.
    Any,
    /// Of spans.
    Span,
    /// Of resources.
    Resource,
}

/// Names of attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// Of spans, sorted.
    pub span: BTreeSet<String>,
    /// Of resources, sorted.
    pub resource: BTreeSet<String>,
}

impl Engine {
    /// Names of the services with spans, sorted; the empty text for spans without a service.
    ///
    /// # Errors
    /// `Limit`, `Timeout`; of the disk.
    pub async fn services(&self, tenant: &Tenant) -> Result<BTreeSet<String>> {
        let snapshot = self.store.snapshot(tenant);
        self.blocking(move |leash| {
            let mut services = BTreeSet::new();
            scan(&snapshot, TimeRange::ALL, Vec::new(), &[schema::SERVICE], leash, |rows, wanted| {
                collect(Texts::of(rows, schema::SERVICE)?, wanted, &mut services)
            })?;
            Ok(services)
        })
        .await
    }

    /// Names of the spans of a service with their kinds, sorted.
    ///
    /// # Errors
    /// `Limit`, `Timeout`; of the disk.
    pub async fn operations(&self, tenant: &Tenant, service: &str) -> Result<BTreeSet<Operation>> {
        let (snapshot, service) = (self.store.snapshot(tenant), service.to_owned());
        self.blocking(move |leash| {
            let mut operations = BTreeSet::new();
            let columns = [schema::SERVICE, traces::NAME, traces::KIND];
            scan(&snapshot, TimeRange::ALL, vec![service.clone()], &columns, leash, |rows, wanted| {
                let (services, names) = (Texts::of(rows, schema::SERVICE)?, Texts::of(rows, traces::NAME)?);
                let kinds: &Int32Array = column(rows, traces::KIND)?;
                let of_service = wanted.iter().filter(|row| services.get(**row) == service);
                let distinct: BTreeSet<(usize, i32)> = of_service.map(|row| (names.code(*row), kinds.value(*row))).collect();
                operations.extend(distinct.into_iter().map(|(code, kind)| Operation { name: names.value(code).to_owned(), kind }));
                bound(operations.len())
            })?;
            Ok(operations)
        })
        .await
    }

    /// Names of the attributes of spans that start in a range, and of their resources.
    ///
    /// # Errors
    /// `Limit`, `Timeout`; of the disk.
    pub async fn span_tags(&self, tenant: &Tenant, range: TimeRange) -> Result<Tags> {
        let snapshot = self.store.snapshot(tenant);
        self.blocking(move |leash| {
            let mut tags = Tags::default();
            let columns = [schema::TIMESTAMP, schema::RESOURCE, schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES];
            scan(&snapshot, range, Vec::new(), &columns, leash, |rows, wanted| {
                let attributes = AttributeColumns::new(column(rows, schema::ATTRIBUTES)?, column(rows, schema::ATTRIBUTE_TYPES)?)?;
                for name in wanted.iter().flat_map(|row| attributes.keys(*row)) {
                    if !tags.span.contains(name) {
                        tags.span.insert(name.to_owned());
                    }
                }
                each_resource(rows, wanted, |resource| tags.resource.extend(resource.attributes.into_iter().map(|(key, _)| key)))?;
                bound(tags.span.len() + tags.resource.len())
            })?;
            Ok(tags)
        })
        .await
    }

    /// Values of an attribute of spans that start in a range, by their text, sorted.
    ///
    /// # Errors
    /// `Limit`, `Timeout`; of the disk.
    pub async fn span_tag_values(&self, tenant: &Tenant, scope: TagScope, name: &str, range: TimeRange) -> Result<Vec<AttributeValue>> {
        let (snapshot, name) = (self.store.snapshot(tenant), name.to_owned());
        self.blocking(move |leash| {
            let mut values: BTreeMap<String, AttributeValue> = BTreeMap::new();
            let columns = [schema::TIMESTAMP, schema::RESOURCE, schema::ATTRIBUTES, schema::ATTRIBUTE_TYPES];
            scan(&snapshot, range, Vec::new(), &columns, leash, |rows, wanted| {
                if scope != TagScope::Resource {
                    let attributes = AttributeColumns::new(column(rows, schema::ATTRIBUTES)?, column(rows, schema::ATTRIBUTE_TYPES)?)?;
                    for value in wanted.iter().filter_map(|row| attributes.get(*row, &name)) {
                        values.entry(value.to_text()).or_insert(value);
                    }
                }
                if scope != TagScope::Span {
                    each_resource(rows, wanted, |resource| {
                        values.extend(resource.get(&name).map(|value| (value.to_text(), value.clone())));
                    })?;
                }
                bound(values.len())
            })?;
            Ok(values.into_values().collect())
        })
        .await
    }

    /// Names of the spans that start in a range, sorted.
    ///
    /// # Errors
    /// `Limit`, `Timeout`; of the disk.
    pub async fn span_names(&self, tenant: &Tenant, range: TimeRange) -> Result<BTreeSet<String>> {
        let snapshot = self.store.snapshot(tenant);
        self.blocking(move |leash| {
            let mut names = BTreeSet::new();
            let columns = [schema::TIMESTAMP, traces::NAME];
            scan(&snapshot, range, Vec::new(), &columns, leash, |rows, wanted| collect(Texts::of(rows, traces::NAME)?, wanted, &mut names))?;
            Ok(names)
        })
        .await
    }
}

/// Visits batches of some columns with the rows that start in the range.
pub(super) fn scan(
    snapshot: &Snapshot,
    range: TimeRange,
    services: Vec<String>,
    columns: &[&str],
    leash: &Leash,
    mut visit: impl FnMut(&RecordBatch, &[usize]) -> Result<()>,
) -> Result<()> {
    let mut projection: Vec<usize> = columns.iter().map(|name| schema::index(&schema::spans(), name)).collect();
    projection.sort_unstable();
    for part in snapshot.scan(Table::Spans, &ScanRequest { projection: Some(projection), services, ..ScanRequest::all(range) })? {
        for rows in part.read()? {
            leash.check()?;
            let rows = rows?;
            let all = 0..rows.num_rows();
            let wanted: Vec<usize> = if range == TimeRange::ALL {
                all.collect()
            } else {
                let timestamp: &TimestampNanosecondArray = column(&rows, schema::TIMESTAMP)?;
                all.filter(|row| range.contains_ns(timestamp.value(*row))).collect()
            };
            visit(&rows, &wanted)?;
        }
    }
    Ok(())
}

fn collect(texts: Texts<'_>, wanted: &[usize], found: &mut BTreeSet<String>) -> Result<()> {
    let used = texts.used(wanted.iter().copied());
    found.extend(used.iter().enumerate().filter(|(_, is_used)| **is_used).map(|(code, _)| texts.value(code).to_owned()));
    bound(found.len())
}

fn each_resource(rows: &RecordBatch, wanted: &[usize], mut visit: impl FnMut(Resource)) -> Result<()> {
    let resources = Texts::of(rows, schema::RESOURCE)?;
    for (code, _) in resources.used(wanted.iter().copied()).iter().enumerate().filter(|(_, is_used)| **is_used) {
        visit(Resource::from_json(resources.value(code)));
    }
    Ok(())
}

fn bound(listed: usize) -> Result<()> {
    if listed > LISTED_MAX { Err(Error::limit(format!("cannot list more than {LISTED_MAX} names: ask for a shorter range"))) } else { Ok(()) }
}
