//! Which service calls which: a call is a span whose parent belongs to another service.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, FixedSizeBinaryArray};
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Result, Tenant, TimeRange};

use super::listing::scan;
use crate::Engine;
use crate::rows::{Texts, column};

/// Spans that one question may look at: each takes memory until the last is read.
const SPANS_MAX: usize = 5_000_000;

/// Calls of one service by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Service of the callers.
    pub parent: String,
    /// Service that is called.
    pub child: String,
    /// How often.
    pub calls: u64,
}

impl Engine {
    /// Calls between services by spans that start in a range, sorted by caller, then callee.
    ///
    /// # Errors
    /// `Limit` for more than five million spans; `Timeout`; of the disk.
    pub async fn dependencies(&self, tenant: &Tenant, range: TimeRange) -> Result<Vec<Dependency>> {
        let snapshot = self.store.snapshot(tenant);
        self.blocking(move |leash| {
            let mut services: HashMap<String, u32> = HashMap::new();
            let mut service_of: HashMap<[u8; 24], u32> = HashMap::new();
            let mut children: Vec<([u8; 24], u32)> = Vec::new();
            let columns = [schema::TIMESTAMP, schema::TRACE_ID, schema::SPAN_ID, traces::PARENT_SPAN_ID, schema::SERVICE];
            scan(&snapshot, range, Vec::new(), &columns, leash, |rows, wanted| {
                let (trace_ids, span_ids): (&FixedSizeBinaryArray, &FixedSizeBinaryArray) = (column(rows, schema::TRACE_ID)?, column(rows, schema::SPAN_ID)?);
                let parents: &FixedSizeBinaryArray = column(rows, traces::PARENT_SPAN_ID)?;
                let names = Texts::of(rows, schema::SERVICE)?;
                for row in wanted.iter().copied() {
                    let next = services.len() as u32;
                    let service = *services.entry(names.get(row).to_owned()).or_insert(next);
                    service_of.insert(key(trace_ids.value(row), span_ids.value(row)), service);
                    if parents.is_valid(row) {
                        children.push((key(trace_ids.value(row), parents.value(row)), service));
                    }
                }
                if service_of.len() > SPANS_MAX {
                    return Err(Error::limit(format!("cannot look at more than {SPANS_MAX} spans: ask for a shorter range")));
                }
                Ok(())
            })?;
            let names: HashMap<u32, String> = services.into_iter().map(|(name, code)| (code, name)).collect();
            let mut calls: BTreeMap<(&str, &str), u64> = BTreeMap::new();
            for (parent, child) in &children {
                if let Some(parent) = service_of.get(parent).filter(|parent| *parent != child) {
                    *calls.entry((&names[parent], &names[child])).or_default() += 1;
                }
            }
            let dependency = |((parent, child), calls): ((&str, &str), u64)| Dependency { parent: parent.to_owned(), child: child.to_owned(), calls };
            Ok(calls.into_iter().map(dependency).collect())
        })
        .await
    }
}

fn key(trace_id: &[u8], span_id: &[u8]) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(trace_id);
    key[16..].copy_from_slice(span_id);
    key
}
