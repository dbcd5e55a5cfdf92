import { describe, expect, it } from "vitest";
import { extent, gapsOf, lonely, reaching, readings, statistics, valueRange } from "./model.ts";

const N = Number.NaN;
const values = (...list: number[]): Float64Array => Float64Array.from(list);

describe("gapsOf", () => {
  it.each<[string, Float64Array, [number, number][]]>([
    ["finds none in a full line", values(1, 2, 3), []],
    ["spans from the last value to the next", values(1, N, N, 4, 5), [[0, 3]]],
    ["ignores what is missing at the ends", values(N, 1, 2, N), []],
    ["finds each of several", values(1, N, 3, N, 5), [[0, 2], [2, 4]]],
  ])("%s", (_, line, want) => {
    expect(gapsOf(line, 0, line.length - 1)).toEqual(want);
  });
});

describe("lonely", () => {
  it("finds values that no line segment touches", () => {
    expect(lonely(values(1, N, 3, 4, N, 6))).toEqual([0, 5]);
  });
});

describe("readings", () => {
  it("lists the largest first, skips hidden and missing lines, counts the rest", () => {
    const lines = [values(1), values(5), values(N), values(3), values(4)];
    expect(readings(lines, new Set([1]), 0, 2)).toEqual({ top: [{ line: 4, value: 4 }, { line: 3, value: 3 }], more: 1 });
  });
});

describe("extent", () => {
  it("looks at finite values only, at those between the indexes only, and at all lines", () => {
    expect(extent([values(N, N, 7, 3), values(N, Number.POSITIVE_INFINITY, 1, 9)], 0, 2)).toEqual([1, 7]);
    expect(extent([values(N, 5)], -3, 99)).toEqual([5, 5]);
    expect(extent([values(N, N)], 0, 1)).toEqual([null, null]);
    expect(extent([], 0, 1)).toEqual([null, null]);
  });
});

describe("reaching", () => {
  it("takes marks in, also where there are no lines", () => {
    expect(reaching([2, 5], [{ value: 9 }, { value: 3 }])).toEqual([2, 9]);
    expect(reaching([null, null], [{ value: 1 }])).toEqual([1, 1]);
    expect(reaching([null, null], [])).toEqual([null, null]);
    expect(reaching([2, 5], [{ value: Number.POSITIVE_INFINITY }])).toEqual([2, 5]);
  });
});

describe("valueRange", () => {
  it.each<[string, number | null, number | null, [number, number]]>([
    ["starts at zero when zero is near", 1, 10, [0, 10.72]],
    ["stays away from zero when it is far", 100, 110, [99.2, 110.8]],
    ["has a height for a constant", 4, 4, [0, 4.8]],
    ["has a height for nothing", null, null, [0, 1]],
    ["ends at zero when all is negative and near", -10, -1, [-10.72, 0]],
  ])("%s", (_, low, high, want) => {
    const [bottom, top] = valueRange(low, high);
    expect(bottom).toBeCloseTo(want[0]);
    expect(top).toBeCloseTo(want[1]);
  });
});

describe("statistics", () => {
  it("skips what is missing", () => {
    expect(statistics(values(N, 1, 3, N))).toEqual({ last: 3, minimum: 1, maximum: 3, mean: 2 });
    expect(statistics(values(N)).mean).toBeNaN();
  });
});
