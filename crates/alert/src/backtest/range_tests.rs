//! Over a real engine: rules that are tried by ranges do what they do when every instant is asked alone.

use std::time::Duration;

use async_trait::async_trait;
use signalbox_query::logql::{MetricAnswer, MetricRequest};
use signalbox_query::promql::{PromqlAnswer, PromqlRequest, Times, VectorSample};
use signalbox_query::traceql::{MetricsAnswer, MetricsRequest};

use super::*;
use crate::rule_file;
use crate::unit_test::tests::laboratory;
use crate::unit_test::{self, Laboratory};

/// Answers instants only.
#[derive(Debug)]
struct InstantsOnly(Arc<dyn Answers>);

#[async_trait]
impl Answers for InstantsOnly {
    async fn promql(&self, tenant: &Tenant, request: PromqlRequest) -> Result<PromqlAnswer> {
        match request.times {
            Times::Instant(_) => self.0.promql(tenant, request).await,
            Times::Range { .. } => Err(Error::limit("no ranges")),
        }
    }

    async fn logql(&self, tenant: &Tenant, request: MetricRequest) -> Result<MetricAnswer> {
        if request.start_ns == request.end_ns { self.0.logql(tenant, request).await } else { Err(Error::limit("no ranges")) }
    }

    async fn traceql_metrics(&self, tenant: &Tenant, request: MetricsRequest) -> Result<MetricsAnswer> {
        self.0.traceql_metrics(tenant, request).await
    }

    async fn sql_vector(&self, tenant: &Tenant, text: &str, at_ms: i64, timeout: Duration) -> Result<Vec<VectorSample>> {
        self.0.sql_vector(tenant, text, at_ms, timeout).await
    }
}

/// Counters with resets and gaps, a gauge that ends, native histograms, log records; two hours.
const HISTORY: &str = r#"
tests:
- interval: 15s
  input_series:
  - {series: 'c{i="a"}', values: '0+3x99 0+7x99 _x40 5+1x240'}
  - {series: 'c{i="b"}', values: '10+0x200 10+9x50 0+1x230'}
  - {series: 'g{i="a", j="1"}', values: '5x60 9x30 1x60 8x10 2x40 stale _x20 7x50'}
  - {series: 'g{i="b", j="1"}', values: '_x30 1+1x60 60-1x60 3x100'}
  - {series: 'h', values: '{{schema:0 count:1 sum:1 buckets:[1]}}+{{schema:0 count:2 sum:9 buckets:[1 0 1]}}x400'}
  input_logs:
  - {stream: {app: shop}, body: "error: a", at: 10m, every: 20s, times: 60}
  - {stream: {app: cart}, body: "error: b", at: 50m, every: 70s, times: 30}
  promql_expr_test:
  - {expr: vector(1), eval_time: 2h, exp_samples: [{value: 1}]}
"#;

const RULES: &str = r#"
groups:
- name: metrics
  interval: 30s
  rules:
  - {alert: Rate, expr: 'rate(c[2m]) > 0.3', for: 1m}
  - {alert: Increase, expr: 'sum by (i) (increase(c[5m])) > 50', keep_firing_for: 3m}
  - {alert: Gauge, expr: 'g > 6', for: 90s, annotations: {summary: '{{ with query "count(g > 6)" }}{{ . | first | value }}{{ end }} of {{ $value }}'}}
  - {alert: Absent, expr: 'absent(g{i="a"})'}
  - {alert: AbsentOverTime, expr: 'absent_over_time(g{i="a"}[3m])'}
  - {alert: Top, expr: 'topk(1, g) > 2'}
  - {alert: Subquery, expr: 'max_over_time((g * 2)[4m:1m]) > 17'}
  - {alert: Quantile, expr: 'histogram_quantile(0.9, rate(h[5m])) > 1'}
  - {alert: Joined, expr: 'g > 4 unless on (i) rate(c[1m]) == 0'}
  - {alert: Offset, expr: 'g - g offset 5m > 3'}
  - {alert: Always, expr: '1'}
  - {alert: Clock, expr: 'minute() > 30'}
  - {alert: Name, expr: '{__name__=~"c|g", i="a"} > 100'}
  - {alert: Pinned, expr: 'g > 6 and on (i) c @ end() > 0'}
  - {alert: Clash, expr: 'g * on () group_left () c'}
  - {alert: Recovers, expr: 'g > 8', recovery_expr: 'g < 4'}
  - {alert: NoData, expr: 'g{i="a"} > 8', no_data: alert, for: 1m}
  - {record: recorded, expr: 'sum(g)'}
- name: logs
  lang: logql
  interval: 45s
  rules:
  - {alert: Errors, expr: 'sum by (app) (count_over_time({app=~".+"} |= "error" [2m])) > 1', for: 1m30s}
  - {alert: Rates, expr: 'sum(rate({app="cart"}[5m])) > 0.01'}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn ranges_say_what_instants_say() {
    let mut file = unit_test::read(HISTORY).unwrap();
    let Laboratory { engine, sink } = laboratory(60_000).await;
    let (test, laboratory) = (file.tests.pop().unwrap(), Laboratory { engine: Arc::clone(&engine), sink });
    let loaded = unit_test::run(&file, &[], test, &laboratory, &Tenant::default(), &unit_test::Options::default()).await;
    assert!(loaded.failures.is_empty(), "{:?}", loaded.failures);
    let settings = Settings { group_wait_seconds: 30, group_interval_seconds: 60, ..Settings::default() };
    let bench = |engine| Bench::new(engine, Tenant::default(), &settings, &signalbox_notify::Settings::default()).unwrap();
    let request = Request { groups: rule_file::parse("r", RULES).unwrap(), start_ms: 0, end_ms: 7_200_000, step_ms: None };
    let by_ranges = run(&bench(Arc::clone(&engine)), &request).await.unwrap();
    let by_instants = run(&bench(Arc::new(InstantsOnly(engine)) as Arc<dyn Answers>), &request).await.unwrap();
    for (left, right) in by_ranges.iter().zip(&by_instants) {
        // As text, because a value may be no number.
        assert_eq!(format!("{left:#?}"), format!("{right:#?}"), "{}", left.rule);
    }
    let fired = |name: &str| {
        by_ranges.iter().find(|report| report.rule == name).map(|report| report.firings.iter().filter(|firing| firing.fired_at_ms.is_some()).count())
    };
    let silent: Vec<&str> = by_ranges.iter().filter(|report| fired(&report.rule) == Some(0)).map(|report| report.rule.as_str()).collect();
    assert_eq!(silent, ["recorded"], "all others fire at some time");
    let clash = by_ranges.iter().find(|report| report.rule == "Clash").unwrap();
    assert!(!clash.errors.is_empty() && clash.evaluations == 241, "{clash:?}");
}
