import { describe, expect, it } from "vitest";
import { toEvent, toExplanation, toNotification, type AlertEvent } from "../../api/alerting.ts";
import { labelsKey, stretches, tracks } from "./history.ts";

const event = (atMs: number, change: string, state: string, more: Partial<AlertEvent> = {}): AlertEvent => ({ atMs, file: "f", group: "g", rule: "r", fingerprint: "1", labels: { a: "1" }, change, state, value: Number.NaN, late: false, error: "", receiver: "", silencedBy: [], inhibitedBy: [], mutedBy: [], ...more });
const bars = (events: AlertEvent[]) => stretches(events, 1_000).map(({ state, startMs, endMs, isOpen }) => [state, startMs, endMs, isOpen]);

describe("stretches", () => {
  it("go from change to change, and the last on until now", () => {
    expect(bars([event(100, "pending", "pending"), event(200, "firing", "firing")])).toEqual([["pending", 100, 200, false], ["firing", 200, 1_000, true]]);
    expect(bars([event(100, "firing", "firing"), event(300, "resolved", "inactive")])).toEqual([["firing", 100, 300, false]]);
  });
  it("reach back beyond what is known where the change tells what was before", () => {
    expect(bars([event(100, "resolved", "inactive")])).toEqual([["firing", Number.NEGATIVE_INFINITY, 100, false]]);
    expect(bars([event(100, "cleared", "inactive")])).toEqual([["pending", Number.NEGATIVE_INFINITY, 100, false]]);
  });
  it("join where the state stayed the same", () => {
    expect(bars([event(100, "firing", "firing"), event(200, "kept", "firing"), event(300, "resolved", "inactive")])).toEqual([["firing", 100, 300, false]]);
  });
  it("do not end where somebody is no longer told, or the rule fails", () => {
    expect(bars([event(300, "resolved", "inactive"), event(100, "firing", "firing"), event(200, "silenced", "firing"), event(400, "unmuted", "firing"), event(500, "error", "error")])).toEqual([["firing", 100, 300, false]]);
  });
  it("say the value, and that it was made up for", () => {
    expect(stretches([event(100, "firing", "firing", { value: 0.25, late: true })], 200)[0]?.note).toBe("value 0.25, made up for later");
  });
});

describe("tracks", () => {
  it("put the latest change first, and know of active alerts that did not change", () => {
    const found = tracks([event(300, "firing", "firing"), event(500, "firing", "firing", { labels: { a: "2" } })], [
      { labels: { a: "1" }, toldAs: { a: "1" }, annotations: {}, state: "firing", activeAt: "1970-01-01T00:00:00.300Z", value: "1" },
      { labels: { a: "3" }, toldAs: { a: "3" }, annotations: {}, state: "pending", activeAt: "1970-01-01T00:00:00.400Z", value: "1" },
    ], 1_000);
    expect(found.map(({ labels }) => labels["a"])).toEqual(["2", "3", "1"]);
    expect(found[1]?.stretches).toMatchObject([{ state: "pending", tone: "warn", startMs: 400, isOpen: true }]);
  });
  it("know an active alert by its labels, whatever the server adds to them", () => {
    const found = tracks([event(300, "firing", "firing", { labels: { a: "1", region: "eu" } })], [{ labels: { a: "1" }, toldAs: { a: "1" }, annotations: {}, state: "firing", activeAt: "1970-01-01T00:00:00.300Z", value: "1" }], 1_000);
    expect(found.map(({ labels }) => labels)).toEqual([{ a: "1", region: "eu" }]);
  });
  it("take the same labels in any order for the same alert", () => {
    expect(labelsKey({ a: "1", b: "2" })).toBe(labelsKey({ b: "2", a: "1" }));
  });
});

describe("the wire", () => {
  it("gives changes with and without a value", () => {
    expect(toEvent({ at: "1970-01-01T00:00:01.500Z", change: "firing", state: "firing", value: "0.5", late: true })).toMatchObject({ atMs: 1_500, value: 0.5, late: true, labels: {}, error: "" });
    expect(toEvent({ value: null }).value).toBeNaN();
    expect(toEvent({ value: "+Inf" }).value).toBe(Number.POSITIVE_INFINITY);
  });
  it("gives an explanation, whatever of it is there", () => {
    const found = toExplanation({ state: "firing", rule: { name: "r", for: "5m", keep_firing_for: 30 }, muted: { silenced_by: ["s"] }, routes: [{ receiver: "x", path: [{ matchers: ["a=1"], receiver: "x", continue: true }], group_by: ["a"], group_wait: "30s" }] });
    expect(found).toMatchObject({ rule: { name: "r", lang: "promql", hold: "5m", keepFiring: "30s" }, silencedBy: ["s"], mutedBy: [], evaluations: [], notifications: [] });
    expect(found.routes).toEqual([{ receiver: "x", path: [{ matchers: ["a=1"], receiver: "x", continues: true }], groupKey: "", groupBy: ["a"], groupWait: "30s", groupInterval: "", repeatInterval: "" }]);
    expect(toExplanation({}).routes).toEqual([]);
  });
  it("gives notifications with their attempts", () => {
    expect(toNotification({ id: 7, at: "1970-01-01T00:00:01Z", attempts: [{ at: "1970-01-01T00:00:02Z", ok: false, answer: "503" }], alerts: [{ labels: { a: "b" }, status: "firing" }] })).toMatchObject({ id: "7", atMs: 1_000, attempts: [{ atMs: 2_000, ok: false, answer: "503" }], alerts: [{ labels: { a: "b" }, status: "firing" }] });
  });
});
