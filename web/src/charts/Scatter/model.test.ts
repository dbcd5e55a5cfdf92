import { expect, it } from "vitest";
import { decadeLines, decades, place, type Dot } from "./model.ts";

const dot = (ms: number, durationMicros: number): Dot => ({ id: "a", ms, durationMicros, failed: false, title: "" });

it("covers the durations by whole decades", () => {
  expect(decades([dot(0, 1_500), dot(0, 90_000)])).toEqual({ low: 1_000, high: 100_000 });
  expect(decades([dot(0, 1_000)])).toEqual({ low: 1_000, high: 10_000 });
  expect(decadeLines({ low: 1_000, high: 100_000 })).toEqual([1_000, 10_000, 100_000]);
  expect(decades([])).toEqual({ low: 1_000, high: 1_000_000 });
});

it("places dots by time and by the logarithm of their duration", () => {
  const at = place(dot(150, 10_000), { startMs: 100, endMs: 200 }, { low: 1_000, high: 100_000 });
  expect(at.x).toBeCloseTo(0.5);
  expect(at.y).toBeCloseTo(0.5);
});
