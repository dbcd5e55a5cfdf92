//! What instances see when they look at themselves: processes, runtimes, the queue, the database.

use signalbox_proto::otlp::common::v1::KeyValue;
use signalbox_proto::otlp::metrics::v1::metric::Data;
use signalbox_proto::otlp::metrics::v1::number_data_point::Value;
use signalbox_proto::otlp::metrics::v1::{AggregationTemporality, Gauge, Metric, NumberDataPoint, Sum};

use super::Times;
use crate::attributes::text;
use crate::world::{Incident, Instance, SECOND, Service, demand, incident};

/// Memory is given back by the runtime this often.
const COLLECT_EVERY_S: f64 = 240.0;

/// The metrics of one instance at a time.
pub(super) fn metrics(seed: u64, instance: Instance, times: Times) -> Vec<Metric> {
    let mut watch = Watch { times, metrics: Vec::new() };
    let size = instance.dice(seed, &[6]).unit();
    let mut noise = instance.dice(seed, &[7, times.at_ns]);
    let seconds = (times.at_ns - times.start_ns) as f64 / SECOND as f64;
    let trouble = incident(times.at_ns);
    if instance.service == Service::Postgres {
        let is_slow = trouble == Some(Incident::SlowDatabase);
        let backends = 12 + noise.below(6) as i64 + if is_slow { 60 } else { 0 };
        watch.gauge("postgresql.backends", "Connections.", "{connection}", &[(vec![text("postgresql.database.name", "shop")], Value::AsInt(backends))]);
        let waiting = if is_slow { 8 + noise.below(20) as i64 } else { noise.below(2) as i64 };
        watch.gauge("postgresql.locks.waiting", "Backends that wait for a lock.", "{backend}", &[(Vec::new(), Value::AsInt(waiting))]);
        let commits = busy_seconds(times) * 14.0;
        watch.counter("postgresql.commits", "Transactions committed.", "{transaction}", &[(Vec::new(), Value::AsInt(commits as i64))]);
        watch.gauge("postgresql.db_size", "Size of the database.", "By", &[(Vec::new(), Value::AsInt(734_003_200 + (seconds * 912.0) as i64))]);
        return watch.metrics;
    }
    let share = 0.04 + 0.1 * size;
    let used = busy_seconds(times) * share;
    let by_mode = [("user", 0.8), ("system", 0.2)].map(|(mode, part)| (vec![text("cpu.mode", mode)], Value::AsDouble(used * part)));
    watch.counter("process.cpu.time", "CPU time used.", "s", &by_mode);
    let grown = (seconds + 240.0 * size) % COLLECT_EVERY_S / COLLECT_EVERY_S;
    let bytes = 9e7 + 2e8 * size + 6e7 * grown + 1e6 * noise.unit();
    watch.gauge("process.memory.usage", "Memory in use.", "By", &[(Vec::new(), Value::AsInt(bytes as i64))]);
    match instance.service {
        Service::Frontend => {
            let utilization = (share * demand(times.at_ns) * 2.0 + 0.02 * noise.unit()).min(1.0);
            watch.gauge("nodejs.eventloop.utilization", "Share of time in which the event loop is active.", "1", &[(Vec::new(), Value::AsDouble(utilization))]);
        }
        Service::Catalog | Service::Checkout => {
            let goroutines = 18 + noise.below(12) as i64 + if trouble.is_some() { 90 } else { 0 };
            watch.gauge("go.goroutine.count", "Goroutines that live.", "{goroutine}", &[(Vec::new(), Value::AsInt(goroutines))]);
        }
        Service::Payment => {
            let pools = [("G1 Eden Space", 4e7), ("G1 Old Gen", 1.2e8), ("Metaspace", 6e7)];
            let used = pools.map(|(pool, bytes)| (vec![text("jvm.memory.pool.name", pool)], Value::AsInt((bytes * (1.0 + 0.3 * grown)) as i64)));
            watch.gauge("jvm.memory.used", "Memory used by pool.", "By", &used);
            let is_up = trouble != Some(Incident::PaymentOutage);
            watch.gauge("payment.bank.up", "Whether the bank answers.", "", &[(Vec::new(), Value::AsInt(i64::from(is_up)))]);
        }
        Service::Email => {
            let waiting = noise.below(4) as i64 + if trouble == Some(Incident::SlowDatabase) { 25 } else { 0 };
            watch.gauge("orders.queue.depth", "Orders that wait for their confirmation.", "{order}", &[(Vec::new(), Value::AsInt(waiting))]);
        }
        Service::Cart | Service::Shipping | Service::Postgres => {}
    }
    watch.metrics
}

/// Seconds since the start, weighted by how busy the shop was: what only grows, as a counter must.
fn busy_seconds(times: Times) -> f64 {
    const PERIOD_S: f64 = 840.0;
    let turn = |at_ns: u64| (at_ns as f64 / SECOND as f64 % PERIOD_S) / PERIOD_S * std::f64::consts::TAU;
    let seconds = (times.at_ns - times.start_ns) as f64 / SECOND as f64;
    seconds - 0.3 * PERIOD_S / std::f64::consts::TAU * (turn(times.at_ns).cos() - turn(times.start_ns).cos())
}

struct Watch {
    times: Times,
    metrics: Vec<Metric>,
}

impl Watch {
    fn points(&self, values: &[(Vec<KeyValue>, Value)], start_ns: u64) -> Vec<NumberDataPoint> {
        let point = |(attributes, value): &(Vec<KeyValue>, Value)| NumberDataPoint {
            attributes: attributes.clone(),
            start_time_unix_nano: start_ns,
            time_unix_nano: self.times.at_ns,
            value: Some(*value),
            ..NumberDataPoint::default()
        };
        values.iter().map(point).collect()
    }

    fn push(&mut self, name: &str, description: &str, unit: &str, data: Data) {
        self.metrics.push(Metric { name: name.into(), description: description.into(), unit: unit.into(), metadata: Vec::new(), data: Some(data) });
    }

    fn gauge(&mut self, name: &str, description: &str, unit: &str, values: &[(Vec<KeyValue>, Value)]) {
        let data = Data::Gauge(Gauge { data_points: self.points(values, 0) });
        self.push(name, description, unit, data);
    }

    fn counter(&mut self, name: &str, description: &str, unit: &str, values: &[(Vec<KeyValue>, Value)]) {
        let data_points = self.points(values, self.times.start_ns);
        let sum = Sum { data_points, aggregation_temporality: AggregationTemporality::Cumulative as i32, is_monotonic: true };
        self.push(name, description, unit, Data::Sum(sum));
    }
}
