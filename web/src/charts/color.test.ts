import { expect, it } from "vitest";
import { SERIES_COLORS, distinctColors, nameColor, severityName } from "./color.ts";

it("gives names that are seen together different colours, in any order the same", () => {
  const names = ["frontend", "checkout", "cart", "payment", "catalog", "shipping"];
  const colors = distinctColors(names);
  expect(new Set(colors.values()).size).toBe(names.length);
  expect(distinctColors([...names].reverse())).toEqual(colors);
  expect(distinctColors(["alone"]).get("alone")).toBe(nameColor("alone"));
});

it("repeats colours when there are more names than colours", () => {
  const colors = distinctColors(Array.from({ length: SERIES_COLORS * 2 + 3 }, (_, index) => `s${index}`));
  expect(colors.size).toBe(SERIES_COLORS * 2 + 3);
  expect(new Set(colors.values()).size).toBe(SERIES_COLORS);
});

it.each([[0, "info"], [4, "trace"], [8, "debug"], [12, "info"], [16, "warn"], [17, "error"], [24, "fatal"]] as const)("severity %i is %s", (number, name) => {
  expect(severityName(number)).toBe(name);
});
