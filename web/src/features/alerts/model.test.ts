import { describe, expect, it } from "vitest";
import type { Rule, RuleGroup } from "../../api/prometheus.ts";
import type { DeskAlert } from "../../api/alertmanager.ts";
import { counts, deskAlertOf, entries, foreign, quietBy, serviceOf, shown, stateOf, summaryOf, timeOf } from "./model.ts";
import { ALERTS_URL, ALERT_URL, LOG_URL } from "./url.ts";

const rule = (name: string, more: Partial<Rule> = {}): Rule => ({
  kind: "alerting", name, lang: "promql", query: "up == 0", state: "inactive", forSeconds: 60, keepFiringSeconds: 0, recovery: "", noData: "", onError: "", labels: {}, annotations: {}, alerts: [], health: "ok", lastError: "", lastEvaluation: "", evaluationSeconds: 0, ...more,
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
  const alert = { labels: {}, toldAs: {}, annotations: { summary: "3 fail" }, state: "firing", activeAt: "", value: "3" } as const;
  const template = { annotations: { summary: "{{ $value }} fail" } };
  expect(summaryOf(rule("a", { annotations: { summary: "Charges fail" } }))).toBe("Charges fail");
  expect(summaryOf(rule("b", { ...template, alerts: [alert] }))).toBe("3 fail");
  expect(summaryOf(rule("c", template))).toBe("up == 0");
  expect(summaryOf(rule("d"))).toBe("up == 0");
});

describe("alerts as they are notified", () => {
  const desk = (labels: Record<string, string>, more: Partial<DeskAlert> = {}): DeskAlert => ({ fingerprint: "", labels, annotations: {}, startsAtMs: 0, endsAtMs: 0, generatorUrl: "", receivers: [], state: "active", silencedBy: [], inhibitedBy: [], mutedBy: [], ...more });
  it("are those of a rule, with external labels besides, or come from elsewhere", () => {
    const labels = { alertname: "A", job: "x" };
    const own = { labels, toldAs: labels, annotations: {}, state: "firing", activeAt: "", value: "" };
    const [first, second] = [desk({ alertname: "A", job: "x", region: "eu" }), desk({ alertname: "B" })];
    expect(foreign([first, second], entries([group("g", [rule("A", { alerts: [own] })])]))).toEqual([second]);
    expect(deskAlertOf(own, [second, first])).toBe(first);
    expect(deskAlertOf({ ...own, toldAs: { alertname: "C" } }, [first])).toBeNull();
  });
  it("have the labels that relabelling made", () => {
    const own = { labels: { alertname: "A", job: "x" }, toldAs: { alertname: "A", team: "web" }, annotations: {}, state: "firing", activeAt: "", value: "" };
    const unheard = { ...own, labels: { alertname: "B" }, toldAs: null };
    const [told, other] = [desk({ alertname: "A", team: "web" }), desk({ alertname: "B" })];
    expect(foreign([told, other], entries([group("g", [rule("A", { alerts: [own, unheard] })])]))).toEqual([other]);
    expect([own, unheard].map((alert) => deskAlertOf(alert, [told, other]))).toEqual([told, null]);
  });
  it("say what keeps them quiet", () => {
    expect(quietBy(desk({}, { silencedBy: ["1"], mutedBy: ["nights"] }))).toEqual(["silenced", "muted by nights"]);
    expect(quietBy(null)).toEqual([]);
  });
});

it("keeps the views of one alert and of the log in the URL", () => {
  expect(ALERT_URL.parse(new URLSearchParams('labels={"a":"b"}&at=1700000000000'))).toEqual({ labels: { a: "b" }, atMs: 1_700_000_000_000 });
  expect(ALERT_URL.parse(new URLSearchParams("at=soon")).atMs).toBeNull();
  expect(LOG_URL.parse(new URLSearchParams("outcome=dead&receiver=x&open=1|2"))).toEqual({ receiver: "x", outcome: "dead", group: "", fingerprint: "", find: "", open: ["1", "2"] });
  expect(LOG_URL.parse(new URLSearchParams("outcome=odd")).outcome).toBe("");
});
