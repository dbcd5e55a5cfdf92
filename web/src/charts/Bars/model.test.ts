import { expect, it } from "vitest";
import { bucketCount, bucketWindow, highest, stack, total, totalAt } from "./model.ts";

const WINDOW = { startMs: 1_050, endMs: 1_400 };

it("lays counts into buckets that cover the window and drops what lies outside", () => {
  const stacked = stack(
    [
      { startMs: 1_000, layer: "error", count: 2 },
      { startMs: 1_100, layer: "info", count: 5 },
      { startMs: 1_100, layer: "error", count: 1 },
      { startMs: 1_500, layer: "info", count: 9 },
      { startMs: 1_100, layer: "unknown", count: 9 },
    ],
    ["info", "error"], WINDOW, 100,
  );
  expect(stacked.startMs).toBe(1_000);
  expect(bucketCount(stacked)).toBe(4);
  expect(totalAt(stacked, 0)).toBe(2);
  expect(totalAt(stacked, 1)).toBe(6);
  expect(highest(stacked)).toBe(6);
  expect(total(stacked)).toBe(8);
});

it("turns a dragged range of buckets into a window, in either direction", () => {
  const stacked = stack([], ["info"], WINDOW, 100);
  expect(bucketWindow(stacked, 2, 1)).toEqual({ startMs: 1_100, endMs: 1_300 });
});
