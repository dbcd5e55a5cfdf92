//! Loads and evaluates.

use std::sync::Arc;

use signalbox_lang::logql::{self, Expr};
use signalbox_model::builder::{LogBuilder, LogRow};
use signalbox_model::{Batch, Error, Tenant};
use signalbox_query::logql::{MetricAnswer, MetricRequest, MetricSeries, MetricValue};
use signalbox_query::{Engine, Settings};
use signalbox_store::Store;
use signalbox_testkit::ManualClock;

use super::script::{Entries, Eval, Message, Want, Wanted};

/// Where the records are when they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Head,
    Segments,
    /// Every other record in a segment, the others in the head.
    Both,
}

impl Place {
    pub(super) const ALL: [Self; 3] = [Self::Head, Self::Segments, Self::Both];
}

pub(super) struct World {
    place: Place,
    store: Store,
    engine: Engine,
    /// After each `clear` another tenant: one store is opened once.
    tenant: Tenant,
    cleared: usize,
    _dir: tempfile::TempDir,
}

impl World {
    pub(super) async fn new(place: Place) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at_ns(86_400_000_000_000));
        let disk = Arc::new(signalbox_store::disk::RealDisk::new(dir.path()));
        let store = Store::open(signalbox_store::Settings::small(), dir.path(), disk, clock.clone()).await.unwrap();
        // The scripts know nothing of what a distributor adds.
        let settings = Settings { logql_adds_service_name: false, logql_adds_detected_level: false, ..Settings::default() };
        let engine = Engine::new(store.clone(), clock, settings);
        Self { place, store, engine, tenant: Tenant::default(), cleared: 0, _dir: dir }
    }

    pub(super) fn clear(&mut self) {
        self.cleared += 1;
        self.tenant = Tenant::new(&format!("cleared-{}", self.cleared)).unwrap();
    }

    pub(super) async fn load(&self, loads: Vec<Entries>) {
        let mut batches = [LogBuilder::default(), LogBuilder::default()];
        let mut rows = 0;
        for entries in &loads {
            let resource: serde_json::Map<String, serde_json::Value> =
                entries.labels.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.clone(), value.clone().into())).collect();
            let resource = serde_json::Value::Object(resource).to_string();
            for number in 0..entries.count {
                let builder = &mut batches[if self.place == Place::Both { rows % 2 } else { 0 }];
                rows += 1;
                builder.set_resource(&resource, "");
                for (name, value) in &entries.metadata {
                    builder.attributes().append_string(name, value);
                }
                let line = entries.line.replace("{{.i}}", &number.to_string());
                builder.close_row(&LogRow { timestamp_ns: entries.start_ns + number * entries.every_ns, body: Some(&line), ..LogRow::default() });
            }
        }
        for builder in batches.into_iter().filter(|builder| !builder.is_empty()).map(LogBuilder::finish) {
            let is_first = rows > 0;
            rows = 0;
            self.store.append(&self.tenant, vec![Batch::Logs(builder)]).await.unwrap();
            if is_first && self.place != Place::Head {
                self.store.flush().await.unwrap();
            }
        }
    }

    pub(super) async fn check(&self, eval: &Eval) -> Result<(), String> {
        match (self.evaluate(eval).await, &eval.want) {
            (Err(error), Want::Failure(want)) => {
                let is_wanted = match want {
                    Message::Any => true,
                    Message::Holds(text) => error.message().contains(text),
                    Message::Matches(regex) => regex.is_match(error.message()),
                };
                if is_wanted { Ok(()) } else { Err(format!("fails with {:?}, want {want:?}", error.message())) }
            }
            (Err(error), _) => Err(format!("fails with {:?}", error.message())),
            (Ok(_), Want::Failure(_)) => Err("does not fail".into()),
            (Ok(MetricAnswer { value: MetricValue::Scalar(found), .. }), Want::Scalar(want)) => equal(found, *want),
            (Ok(MetricAnswer { value: MetricValue::Vector(found) | MetricValue::Matrix(found), .. }), Want::Series { is_ordered, series }) => {
                compare(eval, found, *is_ordered, series)
            }
            (Ok(answer), want) => Err(format!("is {:?}, want {want:?}", answer.value)),
        }
    }

    async fn evaluate(&self, eval: &Eval) -> Result<MetricAnswer, Error> {
        let Expr::Metric(expr) = logql::parse(&eval.query)? else { return Err(Error::invalid("a log query")) };
        let request = MetricRequest { expr, start_ns: eval.start_ns, end_ns: eval.end_ns, step_ns: eval.step_ns };
        self.engine.logql(&self.tenant, request).await
    }
}

fn equal(found: f64, want: f64) -> Result<(), String> {
    let is_same = found == want || found.is_nan() && want.is_nan() || (found - want).abs() <= 1e-9 * want.abs().max(1e-9);
    if is_same { Ok(()) } else { Err(format!("is {found}, want {want}")) }
}

fn compare(eval: &Eval, mut found: Vec<MetricSeries>, is_ordered: bool, want: &[Wanted]) -> Result<(), String> {
    let mut want: Vec<&Wanted> = want.iter().collect();
    if !is_ordered {
        found.sort_by(|left, right| left.labels.cmp(&right.labels));
        want.sort_by(|left, right| left.0.cmp(&right.0));
    }
    if found.len() != want.len() {
        return Err(format!("has {} series, want {}: {found:?}", found.len(), want.len()));
    }
    for (found, (labels, points)) in found.iter().zip(want) {
        if found.labels != *labels {
            return Err(format!("has {:?}, want {labels:?}", found.labels));
        }
        let mut rest = found.points.iter();
        for (step, point) in points.iter().enumerate() {
            let time_ns = eval.start_ns + eval.step_ns * step as i64;
            let Some(want) = point else { continue };
            let (found_ns, value) = rest.next().ok_or_else(|| format!("{labels:?} has {:?}, want {points:?}", found.points))?;
            if *found_ns != time_ns {
                return Err(format!("{labels:?} has {:?}, want {points:?}", found.points));
            }
            equal(*value, *want).map_err(|error| format!("{labels:?} at step {step} {error}"))?;
        }
        if let Some(more) = rest.next() {
            return Err(format!("{labels:?} has {more:?} too, want {points:?}"));
        }
    }
    Ok(())
}
