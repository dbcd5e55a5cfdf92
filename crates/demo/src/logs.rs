//! What services write into their logs, beside what a request makes them write.

use signalbox_proto::otlp::common::v1::{AnyValue, KeyValue};
use signalbox_proto::otlp::logs::v1::LogRecord;

use crate::attributes::{body, int, text};
use crate::services::Route;
use crate::story::{Event, What};
use crate::world::{Incident, Instance, SECOND, Service, incident};

/// A request that takes longer is worth a warning.
const SLOW_NS: u64 = SECOND;
/// How long a record lies around before its SDK sends it.
const OBSERVED_AFTER_NS: u64 = 1_000_000;

/// How serious a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Severity {
    fn number_and_text(self) -> (i32, &'static str) {
        match self {
            Self::Debug => (5, "DEBUG"),
            Self::Info => (9, "INFO"),
            Self::Warn => (13, "WARN"),
            Self::Error => (17, "ERROR"),
            Self::Fatal => (21, "FATAL"),
        }
    }

    /// A record of this severity.
    pub(crate) fn record(self, at_ns: u64, body: AnyValue, attributes: Vec<KeyValue>) -> LogRecord {
        let (severity_number, severity_text) = self.number_and_text();
        LogRecord {
            time_unix_nano: at_ns,
            observed_time_unix_nano: at_ns + OBSERVED_AFTER_NS,
            severity_number,
            severity_text: severity_text.to_owned(),
            body: Some(body),
            attributes,
            ..LogRecord::default()
        }
    }
}

/// The line that a server writes about a request.
pub(crate) fn access(route: &Route, path: &str, status: u16, took_ns: u64) -> (Severity, String) {
    let severity = match status {
        500.. => Severity::Error,
        _ if took_ns > SLOW_NS => Severity::Warn,
        400.. => Severity::Info,
        _ if route.service == Service::Frontend => Severity::Info,
        _ => Severity::Debug,
    };
    (severity, format!("{} {path} {status} in {:.1} ms", route.method, took_ns as f64 / 1e6))
}

/// Records of an instance that belong to no request, in a second.
pub(crate) fn background(seed: u64, instance: Instance, second: u64) -> Vec<Event> {
    let mut dice = instance.dice(seed, &[5, second]);
    let at_ns = second * SECOND + dice.below(SECOND as usize) as u64;
    let mut events = Vec::new();
    let mut write = |severity: Severity, line: String, attributes: Vec<KeyValue>| {
        let record = severity.record(at_ns, body(line), attributes);
        events.push(Event { at_ns, from: instance, what: What::Log(Box::new(record)) });
    };
    if instance.service == Service::Postgres {
        if second % 60 == 20 {
            let buffers = 20 + dice.below(400);
            write(
                Severity::Info,
                format!("checkpoint complete: wrote {buffers} buffers; {} WAL file(s) added", dice.below(3)),
                vec![int("buffers", buffers as i64)],
            );
        }
        if incident(second * SECOND) == Some(Incident::SlowDatabase) {
            if dice.chance(0.25) {
                write(
                    Severity::Warn,
                    format!("process {} still waiting for ShareLock on transaction {}", 100 + dice.below(900), 4_000_000 + second % 1_000_000),
                    Vec::new(),
                );
            }
            if dice.chance(0.05) {
                write(
                    Severity::Fatal,
                    "remaining connection slots are reserved for roles with the SUPERUSER attribute".to_owned(),
                    vec![text("db.user", "shop")],
                );
            }
        }
        return events;
    }
    if dice.chance(1.0 / 45.0) {
        let pause_us = 300 + dice.below(9_000);
        write(Severity::Debug, format!("garbage collection finished in {pause_us} us"), vec![int("gc.pause_us", pause_us as i64)]);
    }
    if dice.chance(1.0 / 240.0) {
        write(Severity::Info, format!("reloaded configuration, {} settings", 40 + dice.below(8)), vec![text("config.source", "configmap")]);
    }
    events
}
