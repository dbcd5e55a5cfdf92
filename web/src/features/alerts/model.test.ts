import { describe, expect, it } from "vitest";
import type { Rule, RuleGroup } from "../../api/prometheus.ts";
import { counts, entries, serviceOf, shown, stateOf, summaryOf, timeOf } from "./model.ts";
import { ALERTS_URL } from "./url.ts";

const rule = (name: string, more: Partial<Rule> = {}): Rule => ({
  kind: "alerting", name, lang: "promql", query: "up == 0", state: "inactive", forSeconds: 60, labels: {}, annotations: {}, alerts: [], health: "ok", lastError: "", lastEvaluation: "", evaluationSeconds: 0, ...more,
});
const group = (name: string, rules: Rule[]): RuleGroup => ({ name, file: "a.yaml", intervalSeconds: 30, lastEvaluation: "", evaluationSeconds: 0, rules });
const NONE = { states: [], find: "", open: [] } as const;

describe("rules", () => {
  const all = entries([
    group("a", [rule("Calm"), rule("Fires", { state: "firing", labels: { severity: "page" } }), rule("r:sum", { kind: "recording" })]),
    group("b", [rule("Waits", { state: "pending" }), rule("Bad", { health: "err", state: "firing" })]),
  ]);
  it("stand with what needs a human first", () => {
    expect(all.map((entry) => entry.rule.name)).toEqual(["Fires", "Bad", "Waits", "Calm", "r:sum"]);
    expect(counts(all)).toEqual({ firing: 1, pending: 1, inactive: 1, recording: 1, broken: 1 });
  });
  it("are found by state and by words anywhere", () => {
    expect(shown(all, { ...NONE, states: ["pending", "broken"] }).map((entry) => entry.rule.name)).toEqual(["Bad", "Waits"]);
    expect(shown(all, { ...NONE, find: "PAGE fires" })).toHaveLength(1);
    expect(shown(all, { ...NONE, find: "nothing" })).toHaveLength(0);
  });
  it("are broken when their evaluation failed", () => {
    expect(stateOf(rule("x", { state: "firing", lastError: "many-to-many" }))).toBe("broken");
  });
});

it("reads times, and takes Go's zero time for never", () => {
  expect(timeOf("2026-11-24T04:00:00Z")).toBe(Date.UTC(2026, 10, 24, 4));
  expect(timeOf("0001-01-01T00:00:00Z")).toBeNull();
  expect(timeOf("")).toBeNull();
});

it("finds the service of an alert", () => {
  expect(serviceOf({ job: "shop/cart" })).toBe("cart");
  expect(serviceOf({ instance: "x" })).toBeNull();
});

it("keeps its view in the URL", () => {
  expect(ALERTS_URL.parse(new URLSearchParams("state=firing,odd&open=a/b/0|c/d/1&find=x"))).toEqual({ states: ["firing"], find: "x", open: ["a/b/0", "c/d/1"] });
});

it("says what a rule is about, and never shows a template", () => {
  const alert = { labels: {}, annotations: { summary: "3 fail" }, state: "firing", activeAt: "", value: "3" } as const;
  const template = { annotations: { summary: "{{ $value }} fail" } };
  expect(summaryOf(rule("a", { annotations: { summary: "Charges fail" } }))).toBe("Charges fail");
  expect(summaryOf(rule("b", { ...template, alerts: [alert] }))).toBe("3 fail");
  expect(summaryOf(rule("c", template))).toBe("up == 0");
  expect(summaryOf(rule("d"))).toBe("up == 0");
});
