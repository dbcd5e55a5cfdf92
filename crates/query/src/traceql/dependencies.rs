//! Which service calls which.
//!
//! A call is a server span below a client span, or a consumer below a producer; a span of one service below a span of
//! another, whatever their kinds; and a client or producer span that nobody answered but which says who was called: a
//! database, a queue, a service that sends no spans. So too a server or consumer span that says who called it.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, FixedSizeBinaryArray, Int32Array};
use signalbox_model::schema::{self, traces};
use signalbox_model::{Error, Result, Tenant, TimeRange};

use super::listing::scan;
use crate::Engine;
use crate::rows::{AttributeColumns, Texts, column};

mod links;

use links::{Row, links};

/// Spans that one question may look at: each takes memory until the last is read.
const SPANS_MAX: usize = 5_000_000;
/// Services and peers that one question may name.
const NAMES_MAX: usize = 50_000;
/// Who is at the other end, the best name first.
const PEER_KEYS: [&str; 3] = ["peer.service", "server.address", "net.peer.name"];
/// Who is at the other end of a call of a database that says no more.
const DATABASE_KEYS: [&str; 4] = ["db.namespace", "db.name", "db.system.name", "db.system"];
/// Who is between a producer and a consumer.
const BROKER_KEYS: [&str; 2] = ["messaging.system", "messaging.destination.name"];

/// Calls of one service by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Service of the callers; the empty text for spans without one.
    pub parent: String,
    /// Service, database or queue that is called.
    pub child: String,
    /// How often.
    pub calls: u64,
    /// How many of them failed, as one of the two saw it.
    pub errors: u64,
}

impl Engine {
    /// Calls between services by spans that start in a range, sorted by caller, then callee.
    ///
    /// # Errors
    /// `Limit` for more than five million spans or fifty thousand names; `Timeout`; of the disk.
    pub async fn dependencies(&self, tenant: &Tenant, range: TimeRange) -> Result<Vec<Dependency>> {
        let snapshot = self.store.snapshot(tenant);
        self.blocking(move |leash| {
            let (mut names, mut found) = (Names::default(), Vec::new());
            let columns = [
                schema::TIMESTAMP,
                schema::TRACE_ID,
                schema::SPAN_ID,
                traces::PARENT_SPAN_ID,
                schema::SERVICE,
                traces::KIND,
                traces::STATUS_CODE,
                schema::ATTRIBUTES,
                schema::ATTRIBUTE_TYPES,
            ];
            scan(&snapshot, range, Vec::new(), &columns, leash, |rows, wanted| {
                let (trace_ids, span_ids): (&FixedSizeBinaryArray, &FixedSizeBinaryArray) = (column(rows, schema::TRACE_ID)?, column(rows, schema::SPAN_ID)?);
                let parents: &FixedSizeBinaryArray = column(rows, traces::PARENT_SPAN_ID)?;
                let (kinds, statuses): (&Int32Array, &Int32Array) = (column(rows, traces::KIND)?, column(rows, traces::STATUS_CODE)?);
                let (services, attributes) = (Texts::of(rows, schema::SERVICE)?, AttributeColumns::of(rows)?);
                if found.len() + wanted.len() > SPANS_MAX {
                    return Err(Error::limit(format!("cannot look at more than {SPANS_MAX} spans: ask for a shorter range")));
                }
                let mut codes: HashMap<usize, u32> = HashMap::new();
                for row in wanted.iter().copied() {
                    let code = services.code(row);
                    let service = match codes.get(&code) {
                        Some(service) => *service,
                        None => *codes.entry(code).or_insert(names.number(services.value(code))?),
                    };
                    let kind = kinds.value(row);
                    let peer = match peer(kind, &attributes, row) {
                        Some(name) => names.number(name)?,
                        None => Row::NOBODY,
                    };
                    let parent = parents.is_valid(row).then(|| key(trace_ids.value(row), parents.value(row)));
                    let span = key(trace_ids.value(row), span_ids.value(row));
                    found.push(Row::new(span, parent, (service, peer), kind, statuses.value(row)));
                }
                Ok(())
            })?;
            leash.check()?;
            let calls: BTreeMap<(&str, &str), (u64, u64)> =
                links(found).into_iter().map(|((parent, child), counts)| ((names.name(parent), names.name(child)), counts)).collect();
            let dependency = |((parent, child), (calls, errors)): ((&str, &str), (u64, u64))| Dependency {
                parent: parent.to_owned(),
                child: child.to_owned(),
                calls,
                errors,
            };
            Ok(calls.into_iter().map(dependency).collect())
        })
        .await
    }
}

/// Names by the order in which they were seen.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> Result<u32> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        if self.names.len() >= NAMES_MAX {
            return Err(Error::limit(format!("cannot name more than {NAMES_MAX} services and peers: ask for a shorter range")));
        }
        // Below the bound.
        let number = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }
}

/// Who a span says is at its other end.
fn peer<'a>(kind: i32, attributes: &AttributeColumns<'a>, row: usize) -> Option<&'a str> {
    let groups: [&[&str]; 2] = match kind {
        links::CLIENT => [&PEER_KEYS, &DATABASE_KEYS],
        // `server.address` of a server is its own, that of a producer or consumer the broker's.
        links::SERVER => [&PEER_KEYS[..1], &[]],
        links::PRODUCER | links::CONSUMER => [&PEER_KEYS[..1], &BROKER_KEYS],
        _ => return None,
    };
    let (mut best, mut best_place) = (None, usize::MAX);
    for (name, value) in attributes.entries_of(row) {
        let place = groups.iter().copied().flatten().position(|wanted| *wanted == name).unwrap_or(usize::MAX);
        if place < best_place && !value.is_empty() {
            (best, best_place) = (Some(value), place);
        }
    }
    best
}

fn key(trace_id: &[u8], span_id: &[u8]) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(trace_id);
    key[16..].copy_from_slice(span_id);
    key
}
