import { expect, it } from "vitest";
import { drawn, evidence, logsOf, ownLabels } from "./evidence.ts";

it.each([
  ["promql", "sum(rate(x[5m])) > 1", {}, { signal: "metrics", query: "sum(rate(x[5m]))" }],
  ["logql", 'sum by (app) (count_over_time({a="b"} |= "x [y)" | json [5m])) > 5', { app: "cart" }, { signal: "logs", query: '{a="b"} |= "x [y)" | json | app="cart"' }],
  ["logql", "vector(1)", {}, null],
  ["traceql", "{ duration > 1s } | rate() by (resource.service.name) > 2", { "resource.service.name": "cart" }, { signal: "traces", query: '{ duration > 1s && resource.service.name = "cart" }' }],
  ["traceql", "{ a = 1 || b = 2 } | count_over_time()", { c: "d" }, { signal: "traces", query: '{ (a = 1 || b = 2) && c = "d" }' }],
  ["traceql", "{} | rate()", { c: "d" }, { signal: "traces", query: '{ c = "d" }' }],
  ["traceql", '{ name = "a | rate()" } >> { b = 1 } | rate()', { c: "d" }, { signal: "traces", query: '{ name = "a | rate()" } >> { b = 1 }' }],
  ["sql", "SELECT 1 AS value", {}, null],
])("%s %s", (lang, query, labels, want) => {
  expect(evidence(lang, query, labels)).toEqual(want);
});

it("finds the lines inside of a count", () => {
  expect(logsOf('rate({a="b"}[1m])')).toBe('{a="b"}');
  expect(logsOf('sum(rate({a="}"} | logfmt | x > 3 [1m]))')).toBe('{a="}"} | logfmt | x > 3');
});

it("tells labels of the expression from those of the rule", () => {
  expect(ownLabels({ alertname: "A", severity: "page", job: "x" }, { severity: "page" })).toEqual({ job: "x" });
});

it("draws what is compared, and of SQL what was found", () => {
  const rule = { kind: "alerting", lang: "promql", name: "A", query: "up == 0", recovery: "" } as const;
  expect(drawn(rule)).toEqual({ lang: "promql", expression: "up", limit: { expression: "up", comparison: "==", value: 0 }, back: null });
  expect(drawn({ ...rule, query: "absent(up)" })).toEqual({ lang: "promql", expression: "absent(up)", limit: null, back: null });
  expect(drawn({ ...rule, lang: "sql" })).toEqual({ lang: "promql", expression: 'signalbox_alert_value{alertname="A"}', limit: null, back: null });
  expect(drawn({ ...rule, query: "x > 9", recovery: "x < 7" }).back).toEqual({ expression: "x", comparison: "<", value: 7 });
  expect(drawn({ ...rule, lang: "sql", kind: "recording", name: "a:b" }).expression).toBe('{__name__="a:b"}');
});
