import { describe, expect, it } from "vitest";
import { refusal } from "./client.ts";
import { compareNanos, toRows } from "./loki.ts";
import { parseValue, toMatrix } from "./prometheus.ts";
import { literal } from "./sql.ts";

describe("refusal", () => {
  it.each<[string, string, string, string]>([
    ["Prometheus", '{"status":"error","errorType":"bad_data","error":"1:2: parse error"}', "1:2: parse error", "bad_data"],
    ["Jaeger", '{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}', "trace not found", ""],
    ["ours", '{"error":{"kind":"limit","message":"too many rows"}}', "too many rows", "limit"],
    ["plain text", "parse error at line 1", "parse error at line 1", ""],
    ["a proxy's page", "<html>Bad gateway</html>", "The server answered with status 502.", ""],
    ["nothing", "", "The server answered with status 502.", ""],
  ])("reads the words of %s", (_, text, message, kind) => {
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      body = undefined;
    }
    expect(refusal(502, body, text)).toMatchObject({ message, kind, status: 502 });
  });
});

describe("toMatrix", () => {
  const range = { start: 100, end: 130, step: 10 };
  it("lays samples on the grid, leaves gaps, drops what is outside", () => {
    const { times, series } = toMatrix([{ metric: { job: "a" }, values: [[100, "1"], [120.0004, "+Inf"], [990, "9"]] }], range);
    expect([...times]).toEqual([100, 110, 120, 130]);
    expect([...(series[0]?.values ?? [])]).toEqual([1, Number.NaN, Number.POSITIVE_INFINITY, Number.NaN]);
  });
  it("shows the count of a native histogram", () => {
    const { series } = toMatrix([{ metric: {}, histograms: [[110, { count: "42", sum: "1.5", buckets: [] }]] }], range);
    expect(series[0]?.values[1]).toBe(42);
  });
  it.each([["NaN", Number.NaN], ["-Inf", Number.NEGATIVE_INFINITY], ["1e-3", 0.001]])("reads %s", (text, want) => {
    expect(parseValue(text)).toBe(want);
  });
});

describe("toRows", () => {
  it("merges streams newest first, with attributes in either shape", () => {
    const rows = toRows([
      { stream: { service_name: "a" }, values: [["3", "c"], ["1", "a", { trace_id: "t" }]] },
      { stream: { service_name: "b" }, values: [["2", "b", { structuredMetadata: { pod: "p" }, parsed: {} }]] },
    ]);
    expect(rows.map((row) => row.line)).toEqual(["c", "b", "a"]);
    expect(rows[1]?.metadata).toEqual({ pod: "p" });
    expect(rows[2]?.metadata).toEqual({ trace_id: "t" });
  });
  it("orders instants that are too large for a number", () => {
    expect(compareNanos("1764000000000000001", "1764000000000000002")).toBeLessThan(0);
    expect(compareNanos("999", "1000")).toBeLessThan(0);
    expect(compareNanos("5", "5")).toBe(0);
  });
});

it("quotes text for SQL", () => {
  expect(literal("it's")).toBe("'it''s'");
});
