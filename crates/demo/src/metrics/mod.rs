//! What the shop measures: instruments that take values in, and points that go out.

mod observed;
mod point;

use std::collections::BTreeMap;

use signalbox_proto::otlp::collector::metrics::v1::ExportMetricsServiceRequest;
use signalbox_proto::otlp::metrics::v1::metric::Data;
use signalbox_proto::otlp::metrics::v1::{AggregationTemporality, ExponentialHistogram, Histogram, Metric, ResourceMetrics, ScopeMetrics, Sum};

use self::point::Point;
use crate::story::Measure;
use crate::world::Instance;

/// The boundaries that the conventions recommend for durations of HTTP requests, in seconds.
const HTTP_BOUNDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// What is measured in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Instrument {
    /// Duration of served requests.
    HttpServerDuration,
    /// Duration of requests to others.
    HttpClientDuration,
    /// Duration of statements.
    DbDuration,
    /// Duration of charges with all their attempts.
    ChargeDuration,
    /// Duration of processing a message.
    ProcessDuration,
    /// Orders taken.
    OrdersPlaced,
    /// Money taken.
    OrdersRevenue,
    /// Charges that failed.
    PaymentFailures,
    /// Items in carts.
    CartItems,
}

/// How an instrument aggregates.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Histogram(&'static [f64]),
    Exponential(AggregationTemporality),
    Counter(AggregationTemporality),
    UpDown,
}

#[derive(Debug, Clone, Copy)]
struct About {
    name: &'static str,
    description: &'static str,
    unit: &'static str,
    kind: Kind,
}

impl Instrument {
    fn about(self) -> About {
        use AggregationTemporality::{Cumulative, Delta};
        let about = |name, unit, kind, description| About { name, description, unit, kind };
        match self {
            Self::HttpServerDuration => about("http.server.request.duration", "s", Kind::Histogram(HTTP_BOUNDS), "Duration of HTTP server requests."),
            Self::HttpClientDuration => about("http.client.request.duration", "s", Kind::Histogram(HTTP_BOUNDS), "Duration of HTTP client requests."),
            Self::DbDuration => about("db.client.operation.duration", "s", Kind::Exponential(Cumulative), "Duration of database client operations."),
            Self::ChargeDuration => about("payment.charge.duration", "s", Kind::Exponential(Cumulative), "Duration of charges with all their attempts."),
            Self::ProcessDuration => about("messaging.process.duration", "s", Kind::Exponential(Delta), "Duration of processing one message."),
            Self::OrdersPlaced => about("shop.orders.placed", "{order}", Kind::Counter(Cumulative), "Orders placed."),
            Self::OrdersRevenue => about("shop.orders.revenue", "EUR", Kind::Counter(Cumulative), "Money taken for orders."),
            Self::PaymentFailures => about("payment.failures", "{charge}", Kind::Counter(Delta), "Charges that failed, by reason."),
            Self::CartItems => about("cart.items", "{item}", Kind::UpDown, "Items in carts."),
        }
    }
}

/// The points of one instrument of one instance, by their encoded attributes.
type Points = BTreeMap<Vec<u8>, Point>;

/// The state of all instruments. It grows with instances, instruments and their attributes, which are few and fixed.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    points: BTreeMap<Instance, BTreeMap<Instrument, Points>>,
    last_export_ns: u64,
}

impl Meters {
    /// Instruments of processes that started at a time.
    pub(crate) fn new(start_ns: u64) -> Self {
        Self { points: BTreeMap::new(), last_export_ns: start_ns }
    }

    /// Takes a measurement in.
    pub(crate) fn record(&mut self, from: Instance, at_ns: u64, measure: &Measure) {
        let key: Vec<u8> = measure.attributes.iter().flat_map(prost::Message::encode_length_delimited_to_vec).collect();
        let points = self.points.entry(from).or_default().entry(measure.instrument).or_default();
        let point = points.entry(key).or_insert_with(|| Point::new(measure.instrument.about().kind, measure.attributes.clone()));
        point.record(at_ns, measure);
    }

    /// What the instances export at a time: the instruments, and what they observe of themselves.
    pub(crate) fn export(&mut self, seed: u64, start_ns: u64, at_ns: u64) -> ExportMetricsServiceRequest {
        let since_ns = std::mem::replace(&mut self.last_export_ns, at_ns);
        let times = Times { start_ns, since_ns, at_ns };
        let resource_metrics = Instance::all()
            .map(|instance| {
                let mut metrics: Vec<Metric> = Vec::new();
                for (instrument, points) in self.points.entry(instance).or_default() {
                    metrics.extend(metric(*instrument, points, times));
                }
                metrics.extend(observed::metrics(seed, instance, times));
                let scope_metrics = ScopeMetrics { scope: Some(instance.service.scope()), metrics, ..ScopeMetrics::default() };
                ResourceMetrics { resource: Some(instance.resource(seed)), scope_metrics: vec![scope_metrics], ..ResourceMetrics::default() }
            })
            .collect();
        ExportMetricsServiceRequest { resource_metrics }
    }
}

/// The times of one export.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// When the processes started.
    start_ns: u64,
    /// When they exported before.
    since_ns: u64,
    /// Now.
    at_ns: u64,
}

fn metric(instrument: Instrument, points: &mut Points, times: Times) -> Option<Metric> {
    let About { name, description, unit, kind } = instrument.about();
    let temporality = match kind {
        Kind::Exponential(temporality) | Kind::Counter(temporality) => temporality,
        Kind::Histogram(_) | Kind::UpDown => AggregationTemporality::Cumulative,
    };
    let is_delta = temporality == AggregationTemporality::Delta;
    let start_ns = if is_delta { times.since_ns } else { times.start_ns };
    // A delta of nothing is not sent.
    let chosen = points.values_mut().filter(|point| !is_delta || point.is_changed());
    let aggregation_temporality = temporality as i32;
    let data = match kind {
        Kind::Histogram(bounds) => {
            let data_points = chosen.map(|point| point.histogram(bounds, start_ns, times.at_ns)).collect();
            Data::Histogram(Histogram { data_points, aggregation_temporality })
        }
        Kind::Exponential(_) => {
            let data_points: Vec<_> = chosen.map(|point| point.exponential(start_ns, times.at_ns, is_delta)).collect();
            if data_points.is_empty() {
                return None;
            }
            Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
        }
        Kind::Counter(_) | Kind::UpDown => {
            let data_points: Vec<_> = chosen.map(|point| point.number(start_ns, times.at_ns, is_delta)).collect();
            if data_points.is_empty() {
                return None;
            }
            Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: kind != Kind::UpDown })
        }
    };
    Some(Metric { name: name.into(), description: description.into(), unit: unit.into(), metadata: Vec::new(), data: Some(data) })
}
