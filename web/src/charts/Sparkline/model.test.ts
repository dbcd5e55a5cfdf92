import { expect, it } from "vitest";
import { sparkPath } from "./model.ts";

it("draws from zero up and breaks where values are missing", () => {
  expect(sparkPath([0, 10, Number.NaN, 5], 30, 12)).toBe("M0.0 11.0L10.0 1.0M30.0 6.0");
});

it("draws a flat line at the bottom for zeros and nothing for nothing", () => {
  expect(sparkPath([0, 0], 10, 12)).toBe("M0.0 11.0L10.0 11.0");
  expect(sparkPath([], 10, 12)).toBe("");
});
