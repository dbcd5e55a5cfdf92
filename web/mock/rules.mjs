// The rules of the shop and their alerts, some of files, one group made by the ruler's API.
const iso = (ms) => new Date(ms).toISOString();

/** Groups that were made by the API, by namespace and name: the YAML as it was sent. */
export const stored = new Map([["team-shop/latency", `name: latency
interval: 1m
rules:
  - alert: CheckoutSlow
    expr: histogram_quantile(0.99, sum by (job, le) (rate(http_server_request_duration_seconds_bucket{job="shop/checkout"}[5m]))) > 0.8
    for: 5m
    labels:
      severity: ticket
    annotations:
      summary: Checkout is slow
`]]);

/** Alerts that are active at an instant; those that fire began at a whole quarter of an hour. */
export function activeAlerts(now) {
  const since = Math.floor((now - 300_000) / 900_000) * 900_000;
  return [
    { rule: "PaymentFailures", labels: { alertname: "PaymentFailures", job: "shop/payment", severity: "page", team: "shop" }, annotations: { summary: "0.24 charges a second fail", description: "Customers cannot pay. See https://status.bank.example/incidents for the bank.", runbook_url: "https://runbooks.shop.example/payment-failures" }, state: "firing", since, value: 0.237 },
    { rule: "ErrorsInLogs", labels: { alertname: "ErrorsInLogs", service_name: "checkout", severity: "ticket", team: "shop" }, annotations: { summary: "checkout logs errors" }, state: "firing", since: since - 3_600_000, value: 14 },
    { rule: "ErrorsInLogs", labels: { alertname: "ErrorsInLogs", service_name: "payment", severity: "ticket", team: "shop" }, annotations: { summary: "payment logs errors" }, state: "firing", since, value: 6 },
    { rule: "SlowSpans", labels: { alertname: "SlowSpans", "resource.service.name": "catalog", severity: "ticket", team: "search" }, annotations: { summary: "catalog answers slowly" }, state: "pending", since: now - 90_000, value: 0.31 },
    { rule: "SlowRequests", labels: { alertname: "SlowRequests", job: "shop/catalog", severity: "ticket", team: "search" }, annotations: { summary: "catalog is slow" }, state: "pending", since: now - 90_000, value: 0.31 },
  ];
}

const ALERTS = (name, now) => activeAlerts(now).filter((alert) => alert.rule === name).map(({ labels, annotations, state, since, value }) => ({ labels, annotations, state, activeAt: iso(since), value: String(value) }));

/** All groups as `/api/v1/rules` shows them. */
export function rules(now) {
  const evaluated = { health: "ok", lastEvaluation: iso(now - 12_000), evaluationTime: 0.0021 };
  const alerting = (name, query, duration, labels, annotations, more = {}) => {
    const alerts = ALERTS(name, now);
    const state = alerts.some((alert) => alert.state === "firing") ? "firing" : alerts.length > 0 ? "pending" : "inactive";
    return { type: "alerting", name, query, duration, keepFiringFor: 0, state, labels, annotations, alerts, ...evaluated, ...more };
  };
  const files = [
    {
      name: "shop", file: "rules/shop.yaml", interval: 30, lastEvaluation: iso(now - 12_000), evaluationTime: 0.006,
      rules: [
        alerting("PaymentFailures", "sum by (job) (rate(payment_failures_total[5m])) > 0.1", 120, { severity: "page", team: "shop" }, { summary: "Charges fail", runbook_url: "https://runbooks.shop.example/payment-failures" }),
        alerting("SlowRequests", "histogram_quantile(0.95, sum by (job, le) (rate(http_server_request_duration_seconds_bucket[5m]))) > 0.2", 300, { severity: "ticket", team: "search" }, { summary: "Requests are slow" }, { recovery_expr: "histogram_quantile(0.95, sum by (job, le) (rate(http_server_request_duration_seconds_bucket[5m]))) < 0.15", no_data: "keep_last" }),
        alerting("ServiceDown", "up == 0", 60, { severity: "page" }, { summary: "{{ $labels.job }} does not answer" }),
        { type: "recording", name: "job:http_requests:rate5m", query: "sum by (job) (rate(http_server_request_duration_seconds_count[5m]))", labels: {}, ...evaluated },
      ],
    },
    {
      name: "signals", file: "rules/signals.yaml", interval: 60, lastEvaluation: iso(now - 31_000), evaluationTime: 0.011,
      rules: [
        alerting("ErrorsInLogs", 'sum by (service_name) (count_over_time({service_name=~".+"} |= "failed" [5m])) > 5', 0, { severity: "ticket", team: "shop" }, { summary: "{{ $labels.service_name }} logs errors" }, { lang: "logql" }),
        alerting("SlowSpans", "{ duration > 200ms } | rate() by (resource.service.name) > 0.2", 300, { severity: "ticket", team: "search" }, { summary: "{{ $labels.service }} answers slowly" }, { lang: "traceql" }),
      ],
    },
    {
      name: "capacity", file: "rules/capacity.yaml", interval: 60, lastEvaluation: iso(now - 40_000), evaluationTime: 0.001,
      rules: [
        alerting("QueueGrows", "deriv(queue_size[30m]) > 0", 600, {}, {}),
        alerting("Ambiguous", "up * on (job) process_memory_usage_bytes", 0, {}, {}, { health: "err", lastError: "found duplicate series for the match group {job=\"shop/cart\"} on the right side: many-to-many matching not allowed" }),
      ],
    },
  ];
  const byApi = [...stored].map(([key, yaml]) => {
    const read = (pattern) => pattern.exec(yaml)?.[1].trim() ?? "";
    const [namespace, name] = key.split("/");
    const found = [...yaml.matchAll(/- alert: (.*)\n\s+expr: (.*)/g)].map(([, alert, expr]) => alerting(alert.trim(), expr.trim(), 300, { severity: read(/severity: (.*)/) || "ticket" }, { summary: read(/summary: (.*)/) }));
    return { name, file: namespace, interval: 60, lastEvaluation: iso(now - 20_000), evaluationTime: 0.001, rules: found };
  });
  return [...files, ...byApi];
}
