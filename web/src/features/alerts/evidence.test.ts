import { expect, it } from "vitest";
import { evidence, logsOf, ownLabels } from "./evidence.ts";

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
