import { describe, expect, it } from "vitest";
import { toTrace, type Span } from "../../api/jaeger.ts";
import { isSkewed, matchesText, parseTags, sorted, summarize, summarizeFound, searchOf, toTree, visibleRows, withTag } from "./model.ts";
import { SEARCH_URL, TRACE_URL, type SearchView } from "./url.ts";

const span = (spanId: string, parentId: string, startMicros: number, more: Partial<Span> = {}): Span => ({
  traceId: "t", spanId, parentId, service: "s", operation: `op ${spanId}`, startMicros, durationMicros: 10, attributes: [], resource: [], events: [], links: [], failed: false, kind: "", warnings: [], ...more,
});
const ids = (spans: readonly Span[], folded: string[] = []): string[] => visibleRows(toTree(spans), new Set(folded)).map((node) => `${node.depth}${node.span.spanId}`);

describe("toTree", () => {
  it("orders children by start, depth first", () => {
    expect(ids([span("c", "a", 30), span("a", "", 0), span("b", "a", 10), span("d", "b", 15)])).toEqual(["0a", "1b", "2d", "1c"]);
  });
  it("makes a root of a span whose parent is missing, and of one that is its own parent", () => {
    expect(ids([span("b", "gone", 5), span("a", "a", 0)])).toEqual(["0a", "0b"]);
  });
  it("shows every span of a ring of parents once", () => {
    expect(ids([span("a", "b", 0), span("b", "a", 1), span("c", "b", 2)]).map((each) => each.slice(1)).sort()).toEqual(["a", "b", "c"]);
  });
  it("hides what is folded and counts it", () => {
    const spans = [span("a", "", 0), span("b", "a", 1), span("c", "b", 2, { failed: true })];
    expect(ids(spans, ["b"])).toEqual(["0a", "1b"]);
    const [root] = toTree(spans).roots;
    expect(root?.descendants).toBe(2);
    expect(root?.failedBelow).toBe(true);
  });
  it("survives a chain of a hundred thousand spans", () => {
    const chain = Array.from({ length: 100_000 }, (_, index) => span(String(index), index === 0 ? "" : String(index - 1), index));
    expect(visibleRows(toTree(chain), new Set())).toHaveLength(100_000);
  });
});

describe("summarize", () => {
  it("names the root and counts spans, services and errors", () => {
    const summary = summarize({ id: "t", spans: [span("b", "a", 5, { service: "cart", durationMicros: 100, failed: true }), span("a", "", 0, { service: "shop" })] });
    expect(summary).toMatchObject({ service: "shop", operation: "op a", durationMicros: 105, spans: 2, errors: 1, services: [["cart", 1], ["shop", 1]] });
    expect(sorted([summary, { ...summary, durationMicros: 900 }], "longest")[0]?.durationMicros).toBe(900);
  });
});

describe("isSkewed", () => {
  it.each([
    ["This span's timestamps were adjusted by -250ms", true],
    ["clock skew adjustment disabled; not applying calculated delta of 1s", true],
    ["max clock skew adjustment delta of 1s exceeded; not applying calculated delta of 2s", true],
    ["parent span ID=b7ad6b7169203331 is not in the trace; skipping clock skew adjustment", false],
  ])("reads %s", (warning, skewed) => {
    expect(isSkewed(span("a", "", 0, { warnings: [warning] }))).toBe(skewed);
  });
  it("is nothing where nothing is said", () => {
    expect(isSkewed(span("a", "", 0))).toBe(false);
  });
});

describe("tags", () => {
  it.each([
    ["a=b", { a: "b" }],
    ['http.route="/a b" error=true', { "http.route": "/a b", error: "true" }],
    ['q="say \\"x\\""', { q: 'say "x"' }],
    ["a=", { a: "" }],
  ])("reads %s", (text, tags) => {
    expect(parseTags(text)).toEqual({ tags, error: null });
  });
  it.each(["a", 'a="b', "a=b c"])("refuses %s", (text) => {
    expect(parseTags(text).error).not.toBeNull();
  });
  it("adds a pair that reads back", () => {
    expect(parseTags(withTag("a=b", "c", "d e")).tags).toEqual({ a: "b", c: "d e" });
  });
});

describe("urls", () => {
  it("read back what they wrote", () => {
    const view: SearchView = { query: "{ status = error }", service: "cart", operation: "GET /x", tags: "a=b", min: "100ms", max: "2s", limit: 100, sort: "longest" };
    const params = new URLSearchParams();
    for (const [name, value] of SEARCH_URL.print(view)) if (value !== undefined && value !== "") params.set(name, value);
    expect(SEARCH_URL.parse(new URLSearchParams(params.toString()))).toEqual(view);
    expect(TRACE_URL.parse(new URLSearchParams("span=a&folded=b.c"))).toEqual({ span: "a", folded: ["b", "c"], find: "" });
    expect(SEARCH_URL.parse(new URLSearchParams("limit=7&min=soon&sort=odd"))).toMatchObject({ limit: 50, min: "", sort: "newest" });
  });
});

describe("toTrace", () => {
  it("reads references, processes, events and failure from the wire", () => {
    const trace = toTrace({
      traceID: "t",
      processes: { p1: { serviceName: "cart", tags: [{ key: "host.name", type: "string", value: "h" }] } },
      spans: [{
        traceID: "t", spanID: "b", operationName: "op", startTime: 5, duration: 7, processID: "p1",
        references: [{ refType: "CHILD_OF", traceID: "t", spanID: "a" }, { refType: "FOLLOWS_FROM", traceID: "u", spanID: "x" }],
        tags: [{ key: "error", type: "bool", value: true }, { key: "span.kind", type: "string", value: "server" }, { key: "n", type: "int64", value: 3 }],
        logs: [{ timestamp: 6, fields: [{ key: "event", type: "string", value: "exception" }, { key: "exception.type", type: "string", value: "E" }] }],
      }],
    });
    expect(trace.spans[0]).toMatchObject({ parentId: "a", service: "cart", failed: true, kind: "server", links: [{ traceId: "u", spanId: "x" }] });
    expect(trace.spans[0]?.events[0]).toMatchObject({ name: "exception", timeMicros: 6 });
    expect(matchesText(trace.spans[0] as Span, "CART")).toBe(true);
    expect(matchesText(trace.spans[0] as Span, "nothing")).toBe(false);
  });
});

it("a trace that TraceQL found is summed over its services", () => {
  const services = [{ service: "cart", spans: 2, errors: 1 }, { service: "shop", spans: 5, errors: 0 }];
  const summary = summarizeFound({ id: "ab", service: "shop", operation: "GET /", startMs: 1, durationMs: 20, services });
  expect(summary).toMatchObject({ spans: 7, errors: 1, durationMicros: 20_000, services: [["shop", 5], ["cart", 2]] });
});

it.each([
  ["{ status = error }", "{ status = error }"],
  ["{ .a = 1 } | count() > 2", "{ .a = 1 } | count() > 2"],
  ["({ status = error } | rate() by (name)) > 5", "{ status = error }"],
  ["{ .a } >> { .b } | quantile_over_time(duration, .9)", "{ .a } >> { .b }"],
])("searches the spans of %s", (query, search) => {
  expect(searchOf(query)).toBe(search);
});
