//! Who asks for which metrics: counted in memory since the start, bounded, forgotten with the process.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use signalbox_lang::promql::{Expr, ExprKind};
use signalbox_model::labels::METRIC_NAME;
use signalbox_model::{MatchOp, Tenant};

use crate::Engine;

/// Metrics of all tenants that are counted; the one that was asked for longest ago makes room for a new one.
const METRICS_MAX: usize = 10_000;
/// Askers that are told apart for one metric; the one that asked longest ago makes room.
const ASKERS_MAX: usize = 16;
/// Bytes of the text that says who asks.
const ASKER_BYTES_MAX: usize = 200;

tokio::task_local! {
    /// Who asks what this task asks.
    static ASKER: Arc<str>;
}

/// Runs a future whose questions are asked by somebody: a user agent, a rule. Without it the asker is unknown.
pub async fn asked_by<F: Future>(asker: &str, future: F) -> F::Output {
    let mut end = asker.len().min(ASKER_BYTES_MAX);
    while !asker.is_char_boundary(end) {
        end -= 1;
    }
    ASKER.scope(asker[..end].into(), future).await
}

/// How often a metric was asked for in PromQL, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricUsage {
    /// Name of the metric; empty for selectors that do not name one.
    pub name: String,
    /// Questions since the start.
    pub queries: u64,
    /// When the last one was asked, in nanoseconds since the Unix epoch.
    pub last_ns: i64,
    /// By whom, the most frequent first; of the latest [`ASKERS_MAX`].
    pub askers: Vec<AskerUsage>,
}

/// How often somebody asked for a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskerUsage {
    /// Who: a user agent, `rule <group>/<name>`; empty if it is not known.
    pub asker: String,
    /// Questions.
    pub queries: u64,
    /// When the last one was asked, in nanoseconds since the Unix epoch.
    pub last_ns: i64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    queries: u64,
    last_ns: i64,
}

impl Count {
    fn add(&mut self, now_ns: i64) {
        self.queries += 1;
        self.last_ns = now_ns;
    }
}

#[derive(Debug, Default)]
struct OfMetric {
    count: Count,
    askers: HashMap<Arc<str>, Count>,
}

/// The counts of one process.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    metrics: Mutex<HashMap<(Tenant, Box<str>), OfMetric>>,
}

impl Usage {
    /// Counts a question once for each metric that it names.
    pub(crate) fn note(&self, tenant: &Tenant, expr: &Expr, now_ns: i64) {
        let asker = ASKER.try_with(Arc::clone).unwrap_or_default();
        let mut metrics = self.metrics.lock();
        for name in names(expr) {
            let key = (tenant.clone(), name);
            if !metrics.contains_key(&key) {
                make_room(&mut metrics, METRICS_MAX, |metric| metric.count.last_ns);
            }
            let metric = metrics.entry(key).or_default();
            metric.count.add(now_ns);
            if !metric.askers.contains_key(&asker) {
                make_room(&mut metric.askers, ASKERS_MAX, |count| count.last_ns);
            }
            metric.askers.entry(Arc::clone(&asker)).or_default().add(now_ns);
        }
    }

    fn of(&self, tenant: &Tenant) -> Vec<MetricUsage> {
        let metrics = self.metrics.lock();
        let of_tenant = metrics.iter().filter(|((owner, _), _)| owner == tenant);
        let mut found: Vec<MetricUsage> = of_tenant.map(|((_, name), metric)| metric.usage(name)).collect();
        found.sort_by(|left, right| (Reverse(left.queries), &left.name).cmp(&(Reverse(right.queries), &right.name)));
        found
    }
}

impl OfMetric {
    fn usage(&self, name: &str) -> MetricUsage {
        let asker = |(asker, count): (&Arc<str>, &Count)| AskerUsage { asker: asker.to_string(), queries: count.queries, last_ns: count.last_ns };
        let mut askers: Vec<AskerUsage> = self.askers.iter().map(asker).collect();
        askers.sort_by(|left, right| (Reverse(left.queries), &left.asker).cmp(&(Reverse(right.queries), &right.asker)));
        MetricUsage { name: name.to_owned(), queries: self.count.queries, last_ns: self.count.last_ns, askers }
    }
}

/// Forgets the oldest eighth of a map that is full, so that a flood of new keys costs a pass only now and then.
fn make_room<K: Clone + Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, max: usize, last_ns: impl Fn(&V) -> i64) {
    if map.len() < max {
        return;
    }
    let mut oldest: Vec<(i64, K)> = map.iter().map(|(key, value)| (last_ns(value), key.clone())).collect();
    let forgotten = (max / 8).max(1).min(oldest.len());
    oldest.select_nth_unstable_by_key(forgotten - 1, |(last_ns, _)| *last_ns);
    oldest.iter().take(forgotten).for_each(|(_, key)| drop(map.remove(key)));
}

/// Names of the metrics that an expression selects, each once.
fn names(expr: &Expr) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> = Vec::new();
    expr.visit(&mut |below| {
        let matchers = match &below.kind {
            ExprKind::VectorSelector(selector) => &selector.matchers,
            ExprKind::MatrixSelector(matrix) => &matrix.selector.matchers,
            _ => return,
        };
        let named = matchers.iter().find(|matcher| matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal);
        let name = named.map_or("", |matcher| matcher.value.as_str());
        if names.iter().all(|other| other.as_ref() != name) {
            names.push(name.into());
        }
    });
    names
}

impl Engine {
    /// How often metrics of a tenant were asked for since the start, the most frequent first.
    pub fn metric_usage(&self, tenant: &Tenant) -> Vec<MetricUsage> {
        self.usage.of(tenant)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use signalbox_lang::promql::parse;

    use super::*;

    #[tokio::test]
    async fn metrics_are_counted_once_a_question_by_tenant_and_asker() {
        let (usage, tenant) = (Usage::default(), Tenant::default());
        let note = |query: &str, now_ns| usage.note(&tenant, &parse(query).unwrap(), now_ns);
        note("rate(a[5m]) / a + b", 1);
        asked_by("Grafana/11 ü", async { note("a", 2) }).await;
        asked_by(&"ü".repeat(200), async { note("{job=\"x\"}", 3) }).await;
        usage.note(&Tenant::new("other").unwrap(), &parse("c").unwrap(), 4);
        let found = usage.of(&tenant);
        let counts: Vec<(&str, u64, i64)> = found.iter().map(|metric| (metric.name.as_str(), metric.queries, metric.last_ns)).collect();
        assert_eq!(counts, [("a", 2, 2), ("", 1, 3), ("b", 1, 1)]);
        assert_eq!(found[0].askers.iter().map(|asker| asker.asker.as_str()).collect::<Vec<_>>(), ["", "Grafana/11 ü"]);
        assert_eq!(found[1].askers[0].asker.len(), ASKER_BYTES_MAX);
    }

    #[test]
    fn what_was_asked_for_long_ago_makes_room() {
        let (usage, tenant) = (Usage::default(), Tenant::default());
        for number in 0..3 * METRICS_MAX as i64 {
            usage.note(&tenant, &parse(&format!("m{number}")).unwrap(), number);
            if number % 100 == 0 {
                usage.note(&tenant, &parse("often").unwrap(), number);
            }
        }
        let found = usage.of(&tenant);
        assert!(found.len() <= METRICS_MAX && found.len() > METRICS_MAX / 2);
        assert_eq!((found[0].name.as_str(), found[0].queries), ("often", 300));
        assert!(found.iter().any(|metric| metric.name == format!("m{}", 3 * METRICS_MAX - 1)));
    }
}
