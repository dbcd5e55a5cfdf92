import { describe, expect, it } from "vitest";
import { toSteps, toTargets, type Target, type Targets } from "../../api/targets.ts";
import { changes, compared, counts, droppedSummary, isOverdue, isSlow, poolNames, pools, rows, ruleText, selectorOf, summaryOf, webUrl } from "./model.ts";
import { TARGETS_URL, type TargetsView } from "./url.ts";

const NONE: TargetsView = { states: [], find: "", pool: "", open: [], folded: [] };
const target = (pool: string, host: string, more: Partial<Target> = {}): Target => ({
  pool, url: `http://${host}/metrics`, health: "up", labels: { job: pool, instance: host }, discovered: { __address__: host, job: pool }, lastError: "",
  lastScrape: "2026-11-24T04:00:00Z", lastScrapeSeconds: 0.01, interval: "15s", timeout: "10s", ...more,
});
const ALL: Targets = {
  active: [
    target("node", "a:9100"),
    target("node", "b:9100", { health: "down", lastError: "connection refused" }),
    target("api", "c:80", { health: "unknown", lastScrape: "0001-01-01T00:00:00Z" }),
  ],
  dropped: [{ pool: "node", discovered: { __address__: "z:1", job: "node" } }],
  droppedCounts: { node: 40, gone: 2 },
  atMs: Date.UTC(2026, 10, 24, 4, 0, 50),
};

describe("targets", () => {
  it("are counted by state, dropped ones by what the server counted", () => {
    expect(counts(ALL)).toEqual({ up: 1, down: 1, unknown: 1, dropped: 42 });
    expect(poolNames(ALL)).toEqual(["api", "gone", "node"]);
  });
  it("stand in their pools with what needs a human first", () => {
    const node = pools(ALL, NONE).find((pool) => pool.name === "node");
    expect(node?.shown.map((entry) => entry.target.url)).toEqual(["http://b:9100/metrics", "http://a:9100/metrics"]);
    expect(node?.counts).toEqual({ up: 1, down: 1, unknown: 0, dropped: 40 });
  });
  it("are found by state, by pool and by words anywhere", () => {
    const names = (view: Partial<TargetsView>): string[] => pools(ALL, { ...NONE, ...view }).flatMap((pool) => pool.shown.map((entry) => entry.target.url.slice(7, 8)));
    expect(names({ states: ["down", "unknown"] })).toEqual(["c", "b"]);
    expect(names({ pool: "api" })).toEqual(["c"]);
    expect(names({ find: "REFUSED node" })).toEqual(["b"]);
    expect(names({ find: "instance=a" })).toEqual(["a"]);
    expect(pools(ALL, { ...NONE, find: "nothing" })).toEqual([]);
    expect(pools(ALL, { ...NONE, find: "z:1" }).map((pool) => pool.dropped.length)).toEqual([1]);
  });
  it("become rows: heads, targets, and dropped ones when they are asked for", () => {
    const kinds = (view: Partial<TargetsView>): string => rows(pools(ALL, { ...NONE, ...view }), { ...NONE, ...view }).map((row) => row.kind).join(" ");
    expect(kinds({ pool: "node" })).toBe("pool target target dropped");
    expect(kinds({ pool: "node", open: ["dropped node"] })).toBe("pool target target dropped droppedTarget");
    expect(kinds({ pool: "node", states: ["dropped"] })).toBe("pool dropped droppedTarget");
    expect(kinds({ pool: "node", states: ["up"] })).toBe("pool target");
    expect(kinds({ folded: ["node", "api", "gone"] })).toBe("pool pool pool");
  });
  it("have keys of their own even at one address", () => {
    const twice: Targets = { ...ALL, active: [target("node", "a:1"), target("node", "a:1")], dropped: [], droppedCounts: {} };
    expect(new Set(rows(pools(twice, NONE), NONE).map((row) => row.key)).size).toBe(3);
  });
});

it("tells what is late", () => {
  expect(isOverdue(target("node", "a"), ALL.atMs)).toBe(true);
  expect(isOverdue(target("node", "a", { interval: "30s" }), ALL.atMs)).toBe(false);
  expect(isOverdue(target("node", "a", { lastScrape: "0001-01-01T00:00:00Z" }), ALL.atMs)).toBe(false);
  expect(isSlow(target("node", "a", { lastScrapeSeconds: 8.5 }))).toBe(true);
  expect(isSlow(target("node", "a", { timeout: "" }))).toBe(false);
});

it("compares labels on both sides of relabelling", () => {
  expect(compared({ job: "x", a: "1" }, { job: "y", a: "1" })).toEqual([{ name: "a", value: "1", differs: false }, { name: "job", value: "x", differs: true }]);
});

it("says in a line what pool and address do not tell", () => {
  expect(summaryOf(target("node", "a:9100", { labels: { job: "node", instance: "a:9100", rack: "r1" } }))).toBe("rack=r1");
  expect(summaryOf(target("node", "a:9100", { labels: { job: "other", instance: "b" } }))).toBe("job=other instance=b");
});

it("selects the series of a target, and sends browsers to web pages only", () => {
  expect(selectorOf({ job: 'a"b', instance: "c:1", extra: "d" })).toBe('{job="a\\"b",instance="c:1"}');
  expect(webUrl("http://a/metrics")).toBe("http://a/metrics");
  expect(webUrl("javascript:alert(1)")).toBeNull();
});

it("tells what a rule says and does", () => {
  expect(ruleText({ source_labels: ["__address__"], separator: ";", regex: "(.*):.*", target_label: "host", replacement: "$1", action: "replace" })).toBe("source_labels: [__address__]  regex: (.*):.*  target_label: host");
  expect(ruleText({ source_labels: [], regex: "__meta_(.+)", action: "labelmap" })).toBe("action: labelmap  regex: __meta_(.+)");
  expect(changes({ a: "1", b: "2", c: "3" }, { a: "1", b: "x", d: "4" })).toEqual([
    { name: "b", before: "2", after: "x" }, { name: "c", before: "3", after: null }, { name: "d", before: null, after: "4" },
  ]);
  expect(toSteps({ steps: [{ output: { a: "b" } }, null, { rule: { action: "keep" }, output: {}, keep: false }, { output: {}, keep: false }] })).toEqual([
    { rule: {}, labels: { a: "b" }, kept: true }, { rule: { action: "keep" }, labels: {}, kept: false },
  ]);
  expect(droppedSummary({ __address__: "a:1", __scheme__: "http", __meta_filepath: "/x", job: "j" })).toBe("__meta_filepath=/x job=j");
  expect(toSteps(undefined)).toEqual([]);
});

it("reads Prometheus' answer, and survives one that is none", () => {
  const read = toTargets({
    activeTargets: [{ scrapePool: "p", scrapeUrl: "http://a/m", health: "odd", labels: { job: "p" }, discoveredLabels: {}, lastError: "", lastScrape: "", lastScrapeDuration: 0.5, scrapeInterval: "1m", scrapeTimeout: "10s" }, null],
    droppedTargets: [{ discoveredLabels: { job: "q" } }, { scrapePool: "p", discoveredLabels: { job: "q" } }],
    droppedTargetCounts: { q: 3 },
  }, 7);
  expect(read.active).toEqual([{ pool: "p", url: "http://a/m", health: "unknown", labels: { job: "p" }, discovered: {}, lastError: "", lastScrape: "", lastScrapeSeconds: 0.5, interval: "1m", timeout: "10s" }]);
  expect(read.dropped.map((each) => each.pool)).toEqual(["q", "p"]);
  expect(read.droppedCounts).toEqual({ q: 3 });
  expect(toTargets({}, 0)).toEqual({ active: [], dropped: [], droppedCounts: {}, atMs: 0 });
});

it("keeps its view in the URL", () => {
  const params = new URLSearchParams("state=down,odd&pool=node&find=x&open=a|b&folded=c");
  const view = TARGETS_URL.parse(params);
  expect(view).toEqual({ states: ["down"], pool: "node", find: "x", open: ["a", "b"], folded: ["c"] });
  expect(TARGETS_URL.print(view).map(([name, value]) => `${name}=${value}`).join("&")).toBe("state=down&pool=node&find=x&open=a|b&folded=c");
});
