//! Calls between services, counted by client, server and how they are connected.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use signalbox_model::{Labels, LabelsBuilder};

use super::dimensions::Dimension;
use super::durations::{self, Durations, Example};
use super::operations::OVERFLOW;
use super::output::{Output, Series};
use super::pairs::{Call, Connection};
use super::settings::SpanMetricsSettings;

/// Calls.
pub(super) const REQUESTS: &str = "traces_service_graph_request_total";
/// Those that failed on either side.
pub(super) const FAILED: &str = "traces_service_graph_request_failed_total";
/// Their durations as servers saw them.
pub(super) const SERVER_SECONDS: &str = "traces_service_graph_request_server_seconds";
/// Their durations as clients saw them.
pub(super) const CLIENT_SECONDS: &str = "traces_service_graph_request_client_seconds";
/// How long messages were on their way.
pub(super) const QUEUE_SECONDS: &str = "traces_service_graph_request_messaging_system_seconds";

/// Labels that are no dimensions.
const OWN_LABELS: [&str; 3] = ["client", "server", "connection_type"];

/// The edges of one tenant.
#[derive(Debug)]
pub(super) struct Edges {
    bounds_ns: Vec<u64>,
    groups_max: usize,
    /// How many attributes are looked at, and the labels that they become: one for each, or one for each of both sides.
    attributes: usize,
    labels: Vec<String>,
    hasher: DefaultHashBuilder,
    by_key: HashTable<u32>,
    edges: Vec<Edge>,
    overflow: Option<u32>,
}

#[derive(Debug)]
struct Edge {
    client: Arc<str>,
    server: Arc<str>,
    connection: Connection,
    dimensions: Box<[Box<str>]>,
    requests: u64,
    failed: u64,
    server_seconds: Durations,
    client_seconds: Durations,
    queue_seconds: Durations,
    series: Series,
    touched: Duration,
}

impl Edge {
    fn is(&self, call: &Call, dimensions: &[Box<str>]) -> bool {
        self.connection == call.connection && self.client == call.client && self.server == call.server && *self.dimensions == *dimensions
    }

    fn hash(&self, hasher: &DefaultHashBuilder) -> u64 {
        hash(hasher, &self.client, &self.server, self.connection, &self.dimensions)
    }
}

fn hash(hasher: &DefaultHashBuilder, client: &str, server: &str, connection: Connection, dimensions: &[Box<str>]) -> u64 {
    hasher.hash_one((client, server, connection, dimensions))
}

impl Edges {
    pub(super) fn new(settings: &SpanMetricsSettings) -> Self {
        let label = |attribute: &String| Dimension::new(attribute, &OWN_LABELS).label;
        let of_side = |side: &'static str| settings.edge_dimensions.iter().map(move |attribute| format!("{side}_{}", Dimension::new(attribute, &[]).label));
        let labels = if settings.edge_dimensions_by_side {
            of_side("client").chain(of_side("server")).collect()
        } else {
            settings.edge_dimensions.iter().map(label).collect()
        };
        Self {
            attributes: settings.edge_dimensions.len(),
            labels,
            bounds_ns: durations::bounds_ns(&settings.edge_buckets_seconds),
            groups_max: settings.groups_max,
            hasher: DefaultHashBuilder::default(),
            by_key: HashTable::new(),
            edges: Vec::new(),
            overflow: None,
        }
    }

    /// Counts a call.
    pub(super) fn add(&mut self, call: &Call, now: Duration) {
        let at = self.find_or_begin(call);
        let Some(edge) = self.edges.get_mut(at as usize) else { return };
        edge.touched = now;
        edge.requests += 1;
        edge.failed += u64::from(call.is_failed);
        let seen = [(&mut edge.server_seconds, call.server_ns), (&mut edge.client_seconds, call.client_ns), (&mut edge.queue_seconds, call.queue_ns)];
        for (durations, duration_ns) in seen {
            let Some(duration_ns) = duration_ns else { continue };
            durations.add(duration_ns, &self.bounds_ns);
            durations.exemplify(duration_ns, || Some(Example { duration_ns, end_ms: call.end_ms, trace_id: call.trace_id?, span_id: call.span_id }));
        }
    }

    fn find_or_begin(&mut self, call: &Call) -> u32 {
        let dimensions = self.dimensions(call);
        let (hasher, edges) = (&self.hasher, &self.edges);
        let wanted = hash(hasher, &call.client, &call.server, call.connection, &dimensions);
        let entry = self.by_key.entry(wanted, |edge| edges[*edge as usize].is(call, &dimensions), |edge| edges[*edge as usize].hash(hasher));
        let vacant = match entry {
            Entry::Occupied(found) => return *found.get(),
            Entry::Vacant(vacant) => vacant,
        };
        let next = self.edges.len() as u32;
        let mut begin = |labels, dimensions| {
            self.edges.push(Edge {
                dimensions,
                client: Arc::clone(&call.client),
                server: Arc::clone(&call.server),
                connection: call.connection,
                requests: 0,
                failed: 0,
                server_seconds: Durations::default(),
                client_seconds: Durations::default(),
                queue_seconds: Durations::default(),
                series: Series::new(labels),
                touched: Duration::ZERO,
            });
            next
        };
        if next as usize >= self.groups_max {
            return *self.overflow.get_or_insert_with(|| begin(Labels::from_pairs([OVERFLOW]), Box::default()));
        }
        vacant.insert(next);
        let mut labels = LabelsBuilder::default();
        for (label, text) in OWN_LABELS.into_iter().zip([&*call.client, &*call.server, call.connection.as_str()]) {
            labels.set(label, text);
        }
        for (label, text) in self.labels.iter().zip(&dimensions) {
            labels.set(label, text);
        }
        begin(labels.build(), dimensions)
    }

    /// What a call says of the labels. Of a label for both sides the server knows better, as it is it that does the work.
    fn dimensions(&self, call: &Call) -> Box<[Box<str>]> {
        let text = |side: usize, at: usize| call.dimensions[side].as_ref().and_then(|texts| texts.get(at)).cloned().unwrap_or_default();
        if self.labels.len() > self.attributes {
            return (0..2).flat_map(|side| (0..self.attributes).map(move |at| text(side, at))).collect();
        }
        (0..self.attributes).map(|at| [text(1, at), text(0, at)].into_iter().find(|text| !text.is_empty()).unwrap_or_default()).collect()
    }

    /// Writes all series.
    pub(super) fn write(&mut self, output: &mut Output<'_>) {
        for edge in &mut self.edges {
            output.begin(&mut edge.series, edge.touched);
            output.counter(REQUESTS, &mut edge.series, edge.requests);
            output.counter(FAILED, &mut edge.series, edge.failed);
            output.durations(SERVER_SECONDS, &mut edge.series, &edge.server_seconds, &self.bounds_ns);
            output.durations(CLIENT_SECONDS, &mut edge.series, &edge.client_seconds, &self.bounds_ns);
            if edge.connection == Connection::Messaging {
                output.durations(QUEUE_SECONDS, &mut edge.series, &edge.queue_seconds, &self.bounds_ns);
            }
        }
    }

    /// What [`Edges::write`] wrote is durable.
    pub(super) fn written(&mut self, start_ms: i64, idle_before: Duration) {
        for edge in &mut self.edges {
            edge.series.written(start_ms);
            for durations in [&mut edge.server_seconds, &mut edge.client_seconds, &mut edge.queue_seconds] {
                durations.example = None;
            }
        }
        if self.edges.iter().all(|edge| edge.touched >= idle_before) {
            return;
        }
        self.edges.retain(|edge| edge.touched >= idle_before);
        self.overflow = self.edges.iter().position(|edge| edge.series.labels().get(OVERFLOW.0).is_some()).map(|at| at as u32);
        let (hasher, edges, overflow) = (&self.hasher, &self.edges, self.overflow);
        self.by_key.clear();
        for edge in (0..edges.len() as u32).filter(|edge| Some(*edge) != overflow) {
            self.by_key.insert_unique(edges[edge as usize].hash(hasher), edge, |edge| edges[*edge as usize].hash(hasher));
        }
    }
}
