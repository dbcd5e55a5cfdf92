//! The running shop: second by second, what its instances send.

use std::collections::BTreeMap;

use signalbox_proto::otlp::collector::logs::v1::ExportLogsServiceRequest;
use signalbox_proto::otlp::collector::metrics::v1::ExportMetricsServiceRequest;
use signalbox_proto::otlp::collector::trace::v1::ExportTraceServiceRequest;
use signalbox_proto::otlp::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use signalbox_proto::otlp::trace::v1::{ResourceSpans, ScopeSpans, Span};

use crate::dice::Dice;
use crate::metrics::Meters;
use crate::story::{Event, What};
use crate::world::{Instance, SECOND, demand};
use crate::{logs, trace};

/// Metrics are exported every so many seconds.
pub const METRICS_EVERY: u64 = 10;

/// What the instances send together.
#[derive(Debug, Default)]
pub struct Export {
    spans: BTreeMap<Instance, Vec<Span>>,
    logs: BTreeMap<Instance, Vec<LogRecord>>,
    /// Metrics, oldest first.
    pub metrics: Vec<ExportMetricsServiceRequest>,
}

impl Export {
    /// Number of spans and log records.
    pub fn rows(&self) -> usize {
        self.spans.values().map(Vec::len).sum::<usize>() + self.logs.values().map(Vec::len).sum::<usize>()
    }

    /// Adds what comes later.
    pub fn append(&mut self, later: Self) {
        for (instance, spans) in later.spans {
            self.spans.entry(instance).or_default().extend(spans);
        }
        for (instance, records) in later.logs {
            self.logs.entry(instance).or_default().extend(records);
        }
        self.metrics.extend(later.metrics);
    }

    /// The spans as a request, by instance.
    pub fn traces(&self, seed: u64) -> ExportTraceServiceRequest {
        let resource_spans = self.spans.iter().map(|(instance, spans)| {
            let scope_spans = ScopeSpans { scope: Some(instance.service.scope()), spans: spans.clone(), ..ScopeSpans::default() };
            ResourceSpans { resource: Some(instance.resource(seed)), scope_spans: vec![scope_spans], ..ResourceSpans::default() }
        });
        ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
    }

    /// The log records as a request, by instance.
    pub fn logs(&self, seed: u64) -> ExportLogsServiceRequest {
        let resource_logs = self.logs.iter().map(|(instance, records)| {
            let scope_logs = ScopeLogs { scope: Some(instance.service.scope()), log_records: records.clone(), ..ScopeLogs::default() };
            ResourceLogs { resource: Some(instance.resource(seed)), scope_logs: vec![scope_logs], ..ResourceLogs::default() }
        });
        ExportLogsServiceRequest { resource_logs: resource_logs.collect() }
    }
}

/// A shop that was opened at a time. What happens in a second follows from the seed and the second alone; counters count
/// from the opening on.
#[derive(Debug)]
pub struct Shop {
    seed: u64,
    requests_per_second: f64,
    opened: u64,
    /// The next second to happen.
    second: u64,
    /// What instances will tell, by time and then by order: as much as happens within the longest request.
    pending: BTreeMap<(u64, u64), Event>,
    told: u64,
    meters: Meters,
}

impl Shop {
    /// Opens a shop at a second since the epoch.
    pub fn open(seed: u64, requests_per_second: f64, second: u64) -> Self {
        let meters = Meters::new(second * SECOND);
        Self { seed, requests_per_second, opened: second, second, pending: BTreeMap::new(), told: 0, meters }
    }

    /// The second that happens next.
    pub fn second(&self) -> u64 {
        self.second
    }

    /// Lets a second happen, and returns what the instances send at its end: spans that have ended, records, and metrics
    /// when they are due.
    pub fn step(&mut self) -> Export {
        let second = self.second;
        let expected = self.requests_per_second * demand(second * SECOND);
        let visits = (expected + Dice::new(self.seed, &[8, second]).unit()) as u64;
        let mut events: Vec<Event> = (0..visits).flat_map(|number| trace::visit(self.seed, second, number)).collect();
        events.extend(trace::jobs(self.seed, second));
        events.extend(Instance::all().flat_map(|instance| logs::background(self.seed, instance, second)));
        for event in events {
            self.pending.insert((event.at_ns, self.told), event);
            self.told += 1;
        }
        self.second += 1;
        let end_ns = self.second * SECOND;
        let later = self.pending.split_off(&(end_ns, 0));
        let mut export = Export::default();
        for event in std::mem::replace(&mut self.pending, later).into_values() {
            match event.what {
                What::Span(span) => export.spans.entry(event.from).or_default().push(*span),
                What::Log(record) => export.logs.entry(event.from).or_default().push(*record),
                What::Measure(measure) => self.meters.record(event.from, event.at_ns, &measure),
            }
        }
        if self.second.is_multiple_of(METRICS_EVERY) {
            export.metrics.push(self.meters.export(self.seed, self.opened * SECOND, end_ns));
        }
        export
    }

    /// Skips to a later second: what would have happened in between, did not.
    pub fn skip_to(&mut self, second: u64) {
        self.second = self.second.max(second);
    }
}
