import { describe, expect, it } from "vitest";
import { toCardinality, type Cardinality } from "../../api/cardinality.ts";
import { bytesPerRow, churn, countBy, metricOf, metricsOf, narrowed, orderOf, pairsOf, queryOf, selectorOf, widened } from "./model.ts";
import { CARDINALITY_URL, TOP_DEFAULT, type CardinalityView } from "./url.ts";

const NONE: CardinalityView = { only: [], label: "", sort: "series", find: "", unasked: false, top: TOP_DEFAULT };
const metric = (name: string, series: number, more: Record<string, unknown> = {}): Record<string, unknown> => ({ name, series, rows: series * 10, bytes: series * 20, created: 0, queries: 0, last_query_ms: null, asked_by: [], ...more });
const COUNTED: Cardinality = toCardinality({
  series: 60, rows: 600, bytes: 1200, created: 3, sampled_one_in: 1, metric_names: 3, label_names: 3, label_pairs: 9, step_ms: 60_000, created_by_step: [[1_000_000, 0], [1_060_000, 3]],
  metrics: [metric("b", 20, { bytes: 900 }), metric("a", 20, { queries: 4, last_query_ms: 5, asked_by: [{ asker: "curl", queries: 4, last_query_ms: 5 }] }), metric("c", 30)],
  labels: [{ name: "pod", values: 40, series: 40, bytes: 10, text_bytes: 1 }],
  pairs: [{ name: "__name__", value: "c", series: 30, bytes: 1 }, { name: "job", value: "api", series: 25, bytes: 2 }, { name: "pod", value: "x", series: 2, bytes: 9 }],
  usage: { since_ms: 7, metrics: 1, most: [{ name: "a", queries: 4, last_query_ms: 5, asked_by: [] }] },
});

describe("selectors", () => {
  it("name what was drilled into", () => {
    expect(selectorOf([])).toBe("");
    expect(queryOf([])).toBe('{__name__!=""}');
    expect(selectorOf([["__name__", "up"]])).toBe("up");
    expect(selectorOf([["job", 'a"b\n'], ["__name__", "up"]])).toBe('up{job="a\\"b\\n"}');
  });
  it("quote names that are none of Prometheus' old ones", () => {
    expect(selectorOf([["__name__", "disk.io"], ["a-b", "c"]])).toBe('{__name__="disk.io","a-b"="c"}');
    expect(countBy("a-b", [["__name__", "up"]])).toBe('sort_desc(count by ("a-b") (up))');
  });
});

describe("drilling", () => {
  it("goes down and up again", () => {
    const down = narrowed({ ...NONE, label: "pod", find: "x", unasked: true }, "pod", "p1");
    expect(down).toEqual({ ...NONE, only: [["pod", "p1"]] });
    const further = narrowed(down, "__name__", "up");
    expect([metricOf(down), metricOf(further)]).toEqual([null, "up"]);
    expect(narrowed(further, "pod", "p2").only).toEqual([["__name__", "up"], ["pod", "p2"]]);
    expect(widened(further, "pod").only).toEqual([["__name__", "up"]]);
  });
});

describe("tables", () => {
  const names = (view: Partial<CardinalityView>): string => metricsOf(COUNTED, { ...NONE, ...view }).map((each) => each.name).join("");
  it("sort metrics, largest first, by name where equal", () => {
    expect([names({}), names({ sort: "bytes" }), names({ sort: "name" }), names({ sort: "queries" })]).toEqual(["cab", "bca", "abc", "acb"]);
    expect([orderOf("bytes"), orderOf("created"), orderOf("queries"), orderOf("name")]).toEqual(["bytes", "created", "series", "series"]);
  });
  it("find metrics by words, and those that nobody asked for", () => {
    expect([names({ find: "A" }), names({ unasked: true })]).toEqual(["a", "cb"]);
  });
  it("show the largest pairs, or the values of one label", () => {
    const values = (view: Partial<CardinalityView>): string[] => pairsOf(COUNTED, { ...NONE, ...view }).map((pair) => pair.value);
    expect([values({}), values({ label: "pod" }), values({ sort: "bytes" }), values({ find: "job api" })]).toEqual([["api", "x"], ["x"], ["x", "api"], ["api"]]);
  });
});

it("lays new series out as bars", () => {
  expect(churn(COUNTED)).toEqual({ startMs: 1_000_000, stepMs: 60_000, layers: ["new series"], counts: [Float64Array.from([0, 3])] });
  expect(churn(toCardinality({})).counts[0]?.length).toBe(0);
});

it("says what a sample takes only when some are in segments", () => {
  expect(bytesPerRow({ rows: 10, bytes: 15 })).toBe(1.5);
  expect([bytesPerRow({ rows: 10, bytes: 0 }), bytesPerRow({ rows: 0, bytes: 0 })]).toEqual([Number.NaN, Number.NaN]);
});

it("survives an answer that is none", () => {
  expect(toCardinality({ metrics: [null, { name: "x" }], usage: 3, created_by_step: ["odd"] })).toMatchObject({ series: 0, sampledOneIn: 1, metrics: [{ name: "x", series: 0, askedBy: [] }], createdByStep: [], usage: { sinceMs: 0, most: [] } });
});

it("keeps its view in the URL", () => {
  const view: CardinalityView = { only: [["__name__", "up"], ["path", 'a|b,"c"']], label: "pod", sort: "bytes", find: "x", unasked: true, top: 400 };
  const params = new URLSearchParams(CARDINALITY_URL.print(view).map(([name, value]) => [name, value ?? ""]));
  expect(CARDINALITY_URL.parse(params)).toEqual(view);
  expect(CARDINALITY_URL.print(NONE).every(([, value]) => value === "")).toBe(true);
  for (const odd of ['["a"]', "{", '[1,"b"]', '"a"']) expect(CARDINALITY_URL.parse(new URLSearchParams({ only: odd, top: "9999999", sort: "odd" })).only).toEqual([]);
  expect(CARDINALITY_URL.parse(new URLSearchParams({ top: "9999999" })).top).toBe(1_000);
});
