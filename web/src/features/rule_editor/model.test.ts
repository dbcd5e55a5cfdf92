import { describe, expect, it } from "vitest";
import type { RuleGroup } from "../../api/prometheus.ts";
import { toChecked, toTried } from "../../api/ruler.ts";
import { TEMPLATE, fileOf, firingBands, firingStretches, isFile, located, nameOf, rowsOf, sourcesOf } from "./model.ts";
import { EDITOR_URL } from "./url.ts";

describe("a group as a file", () => {
  it("is an entry of the list of groups", () => {
    expect(fileOf("name: a\n\nrules:\n  - x\n\n")).toBe("groups:\n- name: a\n\n  rules:\n    - x\n");
    expect(isFile(TEMPLATE)).toBe(false);
    expect(fileOf("groups:\n- name: a\n")).toBe("groups:\n- name: a\n");
  });
  it("has remarks where they stand in the text", () => {
    const remark = { line: 3, column: 9, message: "x" };
    expect(located(remark, "name: a\nrules: x")).toEqual({ line: 2, column: 7, message: "x" });
    expect(located(remark, "groups: []\n\n")).toEqual(remark);
    expect(located({ ...remark, line: 0, column: 0 }, "name: a")).toMatchObject({ line: 1, column: 0 });
    expect(located({ ...remark, line: 99, column: 1 }, "name: a\nb")).toMatchObject({ line: 2, column: 1 });
  });
  it.each([["name: a b # c", "a b"], ['x: 1\nname: "q: r"', "q: r"], ["rules: []", ""], ["  name: inner", ""]])("of the name in %j", (text, want) => {
    expect(nameOf(text)).toBe(want);
  });
});

it("shows what can be changed first", () => {
  const group = (name: string, file: string): RuleGroup => ({ name, file, intervalSeconds: 60, lastEvaluation: "", evaluationSeconds: 0, rules: [] });
  const found = sourcesOf([group("a", "x.yaml"), group("b", "team"), group("c", "x.yaml")], [{ name: "x.yaml", isStored: false }, { name: "team", isStored: true }, { name: "empty", isStored: true }]);
  expect(found.map(({ name, isStored, groups }) => [name, isStored, groups.map((each) => each.name)])).toEqual([["team", true, ["b"]], ["x.yaml", false, ["a", "c"]]]);
});

describe("what rules would have done", () => {
  const tried = toTried({
    group: "g", rule: "A", evaluations: 9, errors: [{ error: "e1" }, "e2"], notification_count: 7,
    firings: [
      { labels: { a: "1" }, pending_at: "1970-01-01T00:00:01Z", fired_at: "1970-01-01T00:00:02Z", resolved_at: "1970-01-01T00:00:03Z", value_max: 4 },
      { labels: { a: "2" }, pending_at: "1970-01-01T00:00:01Z", fired_at: null, resolved_at: "1970-01-01T00:00:02Z", value_max: null },
      { labels: { a: "1" }, pending_at: "1970-01-01T00:00:05Z", fired_at: "1970-01-01T00:00:05Z", resolved_at: null, value_max: "NaN" },
    ],
  });
  const bars = (at: number) => firingStretches(tried.firings[at] ?? (undefined as never), 9_000).map(({ state, startMs, endMs, isOpen, note }) => [state, startMs, endMs, isOpen, note]);
  it("are bars: pending, then firing", () => {
    expect(bars(0)).toEqual([["pending", 1_000, 2_000, false, ""], ["firing", 2_000, 3_000, false, "at most 4"]]);
    expect(bars(1)).toEqual([["pending", 1_000, 2_000, false, ""]]);
    expect(bars(2)).toEqual([["firing", 5_000, 9_000, true, ""]]);
    expect(firingBands(tried, 9_000)).toEqual([{ startMs: 2_000, endMs: 3_000, tone: "bad" }, { startMs: 5_000, endMs: 9_000, tone: "bad" }]);
  });
  it("are in one row for the same labels", () => {
    expect(rowsOf(tried).map(({ labels, firings }) => [labels["a"], firings.length])).toEqual([["1", 2], ["2", 1]]);
    expect(tried).toMatchObject({ errors: ["e1", "e2"], notificationCount: 7, evaluations: 9 });
  });
});

it("reads what the checker says", () => {
  expect(toChecked({ errors: [{ line: 3, message: "x" }], groups: [{ name: "g", rules: [{ name: "A", type: "alerting", query: "up" }] }] })).toEqual({
    errors: [{ line: 3, column: 0, message: "x" }], warnings: [], groups: [{ name: "g", rules: [{ name: "A", kind: "alerting", lang: "promql", query: "up" }] }],
  });
});

it("keeps its view in the URL", () => {
  expect(EDITOR_URL.parse(new URLSearchParams("file=a&group=b&backtest=1"))).toEqual({ file: "a", group: "b", backtest: true });
  expect(EDITOR_URL.print({ file: "", group: "", backtest: false })).toEqual([["file", ""], ["group", ""], ["backtest", ""]]);
});
