//! Services and their operations.

use std::collections::BTreeSet;

use arrow::array::{Int32Array, RecordBatch, TimestampNanosecondArray};
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Result, Table, Tenant, TimeRange};
use signalbox_store::{ScanRequest, Snapshot};

use crate::Engine;
use crate::leash::Leash;
use crate::rows::{Texts, column};

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

impl Engine {
    /// Names of the services with spans, sorted; the empty text for spans without a service.
    ///
    /// # Errors
    /// `Limit`, `Timeout`; of the disk.
    pub async fn services(&self, tenant: &Tenant) -> Result<BTreeSet<String>> {
        let snapshot = self.store.snapshot(tenant);
        self.blocking(move |leash| {
            let services = snapshot.services(Table::Spans, &mut || leash.check())?;
            bound(services.len())?;
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

fn bound(listed: usize) -> Result<()> {
    if listed > LISTED_MAX { Err(Error::limit(format!("cannot list more than {LISTED_MAX} names: ask for a shorter range"))) } else { Ok(()) }
}
