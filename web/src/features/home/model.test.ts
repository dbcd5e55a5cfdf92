import { describe, expect, it } from "vitest";
import { arrivals, serviceRows } from "./model.ts";

const N = Number.NaN;

describe("arrivals", () => {
  it("sums the lines of a signal, keeps gaps, and takes the newest value", () => {
    const found = arrivals({
      times: Float64Array.of(0, 10, 20),
      series: [
        { labels: { signal: "logs" }, values: Float64Array.of(1, 2, N) },
        { labels: { signal: "logs", protocol: "x" }, values: Float64Array.of(N, 3, N) },
        { labels: { signal: "spans" }, values: Float64Array.of(7, 8, 9) },
      ],
      warnings: [],
    }, { type: "vector", samples: [{ labels: { signal: "spans" }, value: 9.5, histogram: null }], text: "", warnings: [] });
    expect(found.map(({ signal, now }) => [signal, now])).toEqual([["metrics", N], ["logs", 5], ["traces", 9.5]]);
    expect([...(found[1]?.rates ?? [])]).toEqual([1, 5, N]);
  });
});

describe("serviceRows", () => {
  it("joins spans, buckets and logs by service; services without spans stand last", () => {
    const rows = serviceRows(
      ["cart", "quiet"],
      { columns: [], rows: [["shop", 120, 6, 5_000_000, 90_000_000], ["cart", 60, 0, null, null]] },
      { columns: [], rows: [["shop", 100, 4], ["shop", 999, 4]] },
      { columns: [], rows: [["cart", 10, 2]] },
      60, { start: 90, step: 10, count: 3 },
    );
    expect(rows.map((row) => row.service)).toEqual(["shop", "cart", "quiet"]);
    expect(rows[0]).toMatchObject({ requestRate: 2, errorShare: 0.05, p50Micros: 5_000, p95Micros: 90_000 });
    expect([...(rows[0]?.requests ?? [])]).toEqual([0, 4, 0]);
    expect(rows[1]).toMatchObject({ requestRate: 1, errorShare: 0, p50Micros: N, logs: 10, errorLogs: 2 });
    expect(rows[2]?.requestRate).toBeNaN();
  });
});
