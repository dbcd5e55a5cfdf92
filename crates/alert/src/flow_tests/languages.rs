//! Rules over logs, over spans and in SQL: records in, messages out.

use signalbox_model::builder::{LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::{SpanId, TraceId};

use super::*;

const SHOP: &str = r#"{"service.name":"shop"}"#;

impl Server {
    async fn write_line(&self, body: &str) {
        let mut builder = LogBuilder::default();
        builder.set_resource(SHOP, "shop");
        let timestamp_ns = self.now_ms() * 1_000_000;
        builder.close_row(&LogRow { timestamp_ns, body: Some(body), ..LogRow::default() });
        self.world.parts.sink.write(&Tenant::default(), vec![Batch::Logs(builder.finish())]).await.unwrap();
    }

    async fn write_span(&self, name: &str, status_code: i32) {
        let mut builder = SpanBuilder::default();
        builder.set_resource(SHOP, "shop");
        let start_ns = self.now_ms() * 1_000_000 - 500_000_000;
        builder.close_row(&SpanRow {
            trace_id: TraceId::from_slice(&start_ns.to_be_bytes().repeat(2)).unwrap(),
            span_id: SpanId::from_slice(&start_ns.to_be_bytes()).unwrap(),
            parent_span_id: None,
            start_ns,
            end_ns: start_ns + 400_000_000,
            name,
            kind: 2,
            status_code,
            status_message: "",
            trace_state: "",
            flags: 0,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
        });
        self.world.parts.sink.write(&Tenant::default(), vec![Batch::Traces(builder.finish())]).await.unwrap();
    }

    /// Lets seconds pass; every second one has a line and a span, good or bad.
    pub(super) async fn pass_with_traffic(&mut self, seconds: u32, is_bad: bool) {
        for second in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            if second % 2 == 0 {
                self.write_line(if is_bad { "charge failed" } else { "charge done" }).await;
                self.write_span("POST /pay", if is_bad { 2 } else { 1 }).await;
            }
            self.turn().await;
        }
    }
}

/// While all is well nothing fires; while it is not, one alert does, and it is over when all is well again.
async fn fires_and_resolves(rules: &str, want_labels: &[(&str, &str)], want_url: &str, record: &str) {
    let mut server = Server::new(rules).await;
    server.pass_with_traffic(30, false).await;
    assert_eq!((server.active("Failing"), server.rule("Failing").last_error), (vec![], None));
    server.pass_with_traffic(80, true).await;
    assert_eq!((server.rule("Failing").health.as_str(), server.rule("Failing").last_error), ("ok", None));
    let messages = server.messages().await;
    let [message] = &messages[..] else { panic!("{messages:?}") };
    let [alert] = &message.alerts[..] else { panic!("{message:?}") };
    let labels: Vec<(&str, &str)> = alert.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!((message.reason, labels), (Reason::FirstNotification, want_labels.to_vec()));
    assert_eq!(alert.generator_url, format!("http://127.0.0.1:4400{want_url}"));
    // Ten seconds have five bad ones.
    assert_eq!(alert.annotations["summary"], "5 of 5", "queries of templates are PromQL");
    assert_eq!(server.values(record).await, [5.0]);
    server.pass_with_traffic(90, false).await;
    let messages = server.messages().await;
    assert_eq!(messages.iter().map(|message| message.reason).collect::<Vec<_>>(), [Reason::AllAlertsResolved]);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_make_alerts_and_series() {
    let rules = "
groups:
- name: logs
  lang: logql
  rules:
  - record: failed:count
    expr: sum by (service_name) (count_over_time({service_name=\"shop\"} |= `failed` [10s]))
  - alert: Failing
    expr: sum by (service_name) (count_over_time({service_name=\"shop\"} |= `failed` [10s])) > 2
    for: 20s
    annotations: {summary: '{{ $value }} of {{ query \"failed:count\" | first | value }}'}
";
    let labels = [("alertname", "Failing"), ("service_name", "shop")];
    let url = "/ui/logs?q=sum+by+%28service_name%29%28count_over_time%28%7Bservice_name%3D%22shop%22%7D+%7C%3D+%22failed%22%5B10s%5D%29%29+%3E+2";
    fires_and_resolves(rules, &labels, url, "failed:count{service_name=\"shop\"}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_make_alerts_and_series() {
    let rules = "
groups:
- name: spans
  lang: traceql
  rules:
  - record: failed:count
    expr: '{ status = error } | count_over_time() by (resource.service.name)'
  - alert: Failing
    expr: '{ status = error } | count_over_time() by (resource.service.name) > 2'
    range: 10s
    for: 20s
    annotations: {summary: '{{ $value }} of {{ query \"failed:count\" | first | value }}'}
";
    let labels = [("alertname", "Failing"), ("resource.service.name", "shop")];
    let url = "/ui/traces?q=%7B+status+%3D+error+%7D+%7C+count_over_time%28%29+by+%28resource.service.name%29+%3E+2&service=shop";
    fires_and_resolves(rules, &labels, url, "failed:count").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_makes_alerts_and_series() {
    let rules = "
groups:
- name: sql
  rules:
  - record: failed:count
    lang: sql
    expr: SELECT count(*) AS value FROM logs WHERE body LIKE '%failed' AND timestamp > now() - INTERVAL '10 seconds' AND timestamp <= now()
  - alert: Failing
    lang: sql
    expr: |
      SELECT service, count(*) AS value FROM logs
      WHERE body LIKE '%failed' AND timestamp > now() - INTERVAL '10 seconds' AND timestamp <= now()
      GROUP BY service HAVING count(*) > 2
    for: 20s
    annotations: {summary: '{{ $value }} of {{ query \"failed:count\" | first | value }}'}
";
    fires_and_resolves(rules, &[("alertname", "Failing"), ("service", "shop")], "/ui/alerts?find=Failing", "failed:count").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_answers_no_vector_says_so() {
    let cases = [
        ("SELECT count(*) FROM logs", "the query answers no column \"value\": name the number so, as by count(*) AS value"),
        ("SELECT body AS value FROM logs", "cannot take values from column \"value\" of type Utf8: want numbers"),
        ("SELECT 1 AS value, 2 AS code", "cannot take labels from column \"code\" of type Int64: want text, as by CAST(code AS TEXT)"),
        ("SELECT 1 AS value FROM nowhere", "nowhere"),
        ("SELECT 'a' AS x, 1 AS value UNION ALL SELECT 'a', 2", "vector contains metrics with the same labelset after applying rule labels"),
    ];
    let rules: Vec<String> =
        cases.iter().enumerate().map(|(at, (query, _))| format!("  - {{record: r{at}, expr: \"{}\"}}\n", query.replace('"', "\\\""))).collect();
    let good = "  - {record: good, expr: \"SELECT 'a' AS x, '' AS y, 1.5 AS value UNION ALL SELECT 'b', 'c', NULL UNION ALL SELECT NULL, 'c', 2\"}\n";
    let mut server = Server::new(&format!("groups:\n- name: g\n  lang: sql\n  rules:\n{}{good}", rules.concat())).await;
    server.pass(15, 1.0).await;
    for (at, (query, want)) in cases.iter().enumerate() {
        let error = server.rule(&format!("r{at}")).last_error.unwrap_or_default();
        assert!(error.contains(want), "{query}: {error}");
    }
    let shown: Vec<String> = server.ask("good").await.iter().map(|sample| format!("{} {:?}", sample.labels, sample.point)).collect();
    assert_eq!(shown, ["good{x=\"a\"} Float(1.5)", "good{y=\"c\"} Float(2.0)"]);
}
