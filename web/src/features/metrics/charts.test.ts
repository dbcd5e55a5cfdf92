import { expect, it } from "vitest";
import { CHARTS_MAX, plans } from "./charts.ts";
import type { Family } from "./model.ts";

const family = (name: string, kind: Family["kind"]): Family => ({ name, kind, help: "" });

it("shows the rate and the time of requests before anything else", () => {
  const planned = plans([family("process_memory_bytes", "gauge"), family("orders_total", "counter"), family("http_server_request_duration_seconds", "histogram")], 'job="a"', 60);
  expect(planned.map((plan) => plan.query)).toEqual([
    'sum(rate(http_server_request_duration_seconds_count{job="a"}[1m]))',
    'histogram_quantile(0.95, sum by (le) (rate(http_server_request_duration_seconds_bucket{job="a"}[1m])))',
    'sum(rate(orders_total{job="a"}[1m]))',
    'process_memory_bytes{job="a"}',
  ]);
});

it("stops at its limit", () => {
  expect(plans(Array.from({ length: 50 }, (_, index) => family(`m${index}`, "gauge")), "", 60)).toHaveLength(CHARTS_MAX);
});
