import { expect, it } from "vitest";
import { mergedPatterns, patternRows, pieces } from "./patterns.ts";

it("joins counts of patterns with their counts over time", () => {
  const buckets = [{ startMs: 0, count: 3, values: { a: 2, b: 1 } }, { startMs: 1, count: 1, values: { a: 1 } }];
  expect(mergedPatterns([{ value: "a", count: 3 }, { value: "c", count: 0 }], buckets)).toEqual([
    { pattern: "a", count: 3, values: Float64Array.of(2, 1) },
    { pattern: "c", count: 0, values: Float64Array.of(0, 0) },
  ]);
});

it("lays samples of the Loki API into buckets, all levels of a pattern in one row, most frequent first", () => {
  const rows = patternRows([{ pattern: "a", samples: [[60, 1]] }, { pattern: "b", samples: [[0, 2]] }, { pattern: "b", samples: [[119, 3]] }], { startMs: 0, endMs: 120_000 }, 60);
  expect(rows.map(({ pattern, count, values }) => [pattern, count, [...values]])).toEqual([["b", 5, [2, 3]], ["a", 1, [0, 1]]]);
});

it("tells what varies from what does not", () => {
  expect(pieces("GET <_> in <_>")).toEqual([{ text: "GET ", varies: false }, { text: "<_>", varies: true }, { text: " in ", varies: false }, { text: "<_>", varies: true }]);
});
