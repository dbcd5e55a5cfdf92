//! The questions in PromQL behind the service map.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use signalbox_lang::promql;
use signalbox_model::{Result, Tenant, TimeRange};
use signalbox_query::promql::{Point, PromqlRequest, Times, Value};

use crate::ApiState;

/// Quantiles of an answer, by their names.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

/// What was measured, by the values of labels in the order in which they were asked for.
pub(super) type Measures = BTreeMap<Vec<String>, Measured>;

/// Rate, errors and durations of one thing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Measured {
    /// By second.
    pub(super) rate: f64,
    error_rate: f64,
    /// Seconds, in the order of [`QUANTILES`].
    quantiles: [Option<f64>; QUANTILES.len()],
}

impl Measured {
    /// Adds what the same thing does elsewhere: of durations those of the busier one stay.
    pub(super) fn add(&mut self, other: &Self) {
        if other.rate > self.rate {
            self.quantiles = other.quantiles;
        }
        self.rate += other.rate;
        self.error_rate += other.error_rate;
    }

    /// An object with the numbers behind its fields.
    pub(super) fn join(&self, mut object: Json) -> Json {
        object["rate"] = json!(self.rate);
        object["error_rate"] = json!(self.error_rate);
        for ((name, _), quantile) in QUANTILES.iter().zip(self.quantiles) {
            object[*name] = json!(quantile);
        }
        object
    }
}

/// Asks about a range of time.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) state: &'a ApiState,
    pub(super) tenant: &'a Tenant,
    pub(super) range: TimeRange,
}

impl Question<'_> {
    /// Rate, errors and quantiles by labels: counters and histograms with the matchers of their selectors. Of several histograms
    /// the first that knows a thing counts.
    pub(super) async fn measure(&self, by: &[&str], calls: (&str, &str), errors: (&str, &str), histograms: &[(&str, &str)]) -> Result<Measures> {
        let mut measures: Measures = BTreeMap::new();
        for (labels, rate) in self.rates(by, calls.0, calls.1).await? {
            measures.entry(labels).or_default().rate = rate;
        }
        for (labels, error_rate) in self.rates(by, errors.0, errors.1).await? {
            if let Some(measured) = measures.get_mut(&labels) {
                measured.error_rate = error_rate;
            }
        }
        for (name, matchers) in histograms {
            for (place, (_, quantile)) in QUANTILES.iter().enumerate() {
                for (labels, seconds) in self.quantile(by, name, matchers, *quantile).await? {
                    if let Some(measured) = measures.get_mut(&labels) {
                        measured.quantiles[place] = measured.quantiles[place].or(Some(seconds).filter(|seconds| seconds.is_finite()));
                    }
                }
            }
        }
        Ok(measures)
    }

    /// Rates of a counter by second; what did not move is left out.
    pub(super) async fn rates(&self, by: &[&str], counter: &str, matchers: &str) -> Result<BTreeMap<Vec<String>, f64>> {
        let rates = self.ask(by, &format!("sum by ({}) (rate({counter}{{{matchers}}}[{}]))", by.join(", "), self.window())).await?;
        Ok(rates.into_iter().filter(|(_, rate)| *rate > 0.0).collect())
    }

    /// A quantile of native histograms, or of classic ones where there are no native ones.
    async fn quantile(&self, by: &[&str], name: &str, matchers: &str, quantile: f64) -> Result<BTreeMap<Vec<String>, f64>> {
        let (by_all, window) = (by.join(", "), self.window());
        let native = self.ask(by, &format!("histogram_quantile({quantile}, sum by ({by_all}) (rate({name}{{{matchers}}}[{window}])))")).await?;
        if !native.is_empty() {
            return Ok(native);
        }
        self.ask(by, &format!("histogram_quantile({quantile}, sum by ({by_all}, le) (rate({name}_bucket{{{matchers}}}[{window}])))")).await
    }

    fn window(&self) -> String {
        format!("{}ms", self.range.end_ms().saturating_sub(self.range.start_ms()).max(1))
    }

    async fn ask(&self, by: &[&str], text: &str) -> Result<BTreeMap<Vec<String>, f64>> {
        let times = Times::Instant(self.range.end_ms());
        let request = PromqlRequest { expr: promql::parse(text)?, text: text.to_owned(), times, lookback: None, timeout: None };
        let Value::Vector(samples) = self.state.engine.promql(self.tenant, request).await?.value else { return Ok(BTreeMap::new()) };
        let value = |point: &Point| if let Point::Float(value) = point { Some(*value) } else { None };
        let labels = |labels: &signalbox_model::Labels| by.iter().map(|name| labels.get(name).unwrap_or("").to_owned()).collect();
        Ok(samples.iter().filter_map(|sample| Some((labels(&sample.labels), value(&sample.point)?))).collect())
    }
}
