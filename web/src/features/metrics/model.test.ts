import { describe, expect, it } from "vitest";
import { unitOf } from "../../charts/unit.ts";
import { lineNames, seriesName } from "../../charts/names.ts";
import { caret, errorPosition } from "../../editor/fault.ts";
import { families, serviceMatchers, suggestedQuery, type Family } from "./model.ts";
import { METRICS_URL, type MetricsView } from "./url.ts";

describe("url", () => {
  it("reads back what it wrote", () => {
    const view: MetricsView = { query: 'sum by (job) (rate(a{b="c"}[5m]))', mode: "instant", step: "30s", service: "cart", find: "http", hidden: [0, 12] };
    const params = new URLSearchParams();
    for (const [name, value] of METRICS_URL.print(view)) if (value !== undefined && value !== "") params.set(name, value);
    expect(METRICS_URL.parse(new URLSearchParams(params.toString()))).toEqual(view);
  });
  it("ignores a step that is none", () => {
    expect(METRICS_URL.parse(new URLSearchParams("step=soon&mode=odd")).step).toBe("");
  });
});

describe("names", () => {
  it("writes a label set as PromQL does", () => {
    expect(seriesName({ __name__: "up", job: 'a"b', env: "x" })).toBe('up{env="x", job="a\\"b"}');
    expect(seriesName({})).toBe("{}");
  });
  it("keeps only the labels in which lines differ", () => {
    expect(lineNames([{ job: "a", env: "x" }, { job: "b", env: "x" }])).toEqual(["a", "b"]);
    expect(lineNames([{ job: "a", le: "1" }, { job: "b", le: "2" }])).toEqual(['{job="a", le="1"}', '{job="b", le="2"}']);
    expect(lineNames([{ job: "a" }, {}])).toEqual(["a", "no job"]);
  });
});

describe("families", () => {
  it("folds the parts of a histogram and guesses what metadata does not say", () => {
    const names = ["http_seconds_bucket", "http_seconds_count", "http_seconds_sum", "jobs_total", "rpc_seconds", "queue_count", "temperature"];
    const about = new Map([["rpc_seconds", { type: "histogram", help: "time", unit: "" }]]);
    expect(families(names, about).map(({ name, kind }) => [name, kind])).toEqual([
      ["http_seconds", "histogram"], ["jobs_total", "counter"], ["queue_count", "gauge"], ["rpc_seconds", "native-histogram"], ["temperature", "gauge"],
    ]);
  });
});

describe("suggestedQuery", () => {
  const family = (name: string, kind: Family["kind"]): Family => ({ name, kind, help: "" });
  it.each<[Family, string, string]>([
    [family("a_total", "counter"), 'job="x"', 'sum(rate(a_total{job="x"}[2m]))'],
    [family("a_seconds", "histogram"), "", "histogram_quantile(0.95, sum by (le) (rate(a_seconds_bucket[2m])))"],
    [family("a_seconds", "native-histogram"), "", "histogram_quantile(0.95, sum(rate(a_seconds[2m])))"],
    [family("a_bytes", "gauge"), 'job="x"', 'a_bytes{job="x"}'],
  ])("%o", (metric, matcher, want) => {
    expect(suggestedQuery(metric, matcher, 120)).toBe(want);
  });
  it("selects a service with and without a namespace, and takes its name literally", () => {
    expect(serviceMatchers("a.b")[0]).toBe('job=~"(.+/)?a\\\\.b"');
  });
});

describe("errors", () => {
  it("finds the position and puts a caret below it", () => {
    const position = errorPosition('invalid parameter "query": 1:9: parse error: unclosed left parenthesis');
    expect(position).toEqual({ line: 1, column: 9 });
    expect(caret("sum(rate(x", { line: 1, column: 9 })).toBe("sum(rate(x\n        ^");
    expect(caret("x", { line: 3, column: 1 })).toBeNull();
    expect(errorPosition("parse error at line 2, col 6: unexpected end")).toEqual({ line: 2, column: 6 });
    expect(errorPosition("query timed out")).toBeNull();
  });
});

describe("unitOf", () => {
  it.each([
    ["histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))", "seconds"],
    ["histogram_quantile(0.95, sum(rate(http_request_duration_seconds[5m])))", "seconds"],
    ["sum(rate(x_total[5m]))", "per-second"],
    ["rate(net_bytes_total[5m])", "bytes-per-second"],
    ["process_memory_bytes", "bytes"],
    ['process_memory_bytes{job="x"}', "bytes"],
    ["sum(rate(a_total[5m])) / sum(rate(b_total[5m]))", "ratio"],
    ["rate(a_seconds_sum[5m]) / rate(a_seconds_count[5m])", "seconds"],
    ["count(up_seconds)", "none"],
    ["up", "none"],
  ] as const)("%s is %s", (query, want) => {
    expect(unitOf(query)).toBe(want);
  });
});
