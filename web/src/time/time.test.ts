import { describe, expect, it } from "vitest";
import { formatMicros, formatSpan, parseDuration, printSeconds } from "./duration.ts";
import { describeRange, formatNanos, formatTick, msToNanos, nanosToMs } from "./format.ts";
import { absolute, around, isRelative, parseInstant, resolveRange, scaled, shifted } from "./range.ts";
import { axisTicks, grid, niceStep, rateWindow } from "./step.ts";

const NOW = Date.UTC(2026, 10, 24, 14, 3, 9, 250);
const HOUR = 3_600_000;

describe("durations", () => {
  it.each<[string, number | null]>([["90s", 90_000], ["1h30m", 5_400_000], ["250ms", 250], ["1.5m", 90_000], ["100us", 0.1], ["", null], ["5", null], ["m", null], ["5x", null], ["-5m", null]])("reads %j", (text, want) => {
    expect(parseDuration(text)).toBe(want);
  });
  it.each([[90, "1m30s"], [3_600, "1h"], [0, "0s"], [86_461, "1d1m1s"]])("writes %i seconds", (seconds, want) => {
    expect(printSeconds(seconds)).toBe(want);
  });
  it.each([[0.25, "250 ns"], [812, "812 µs"], [1_234, "1.23 ms"], [83_100_000, "83.1 s"], [300_000_000, "5 min"]])("shows %f microseconds", (micros, want) => {
    expect(formatMicros(micros)).toBe(want);
  });
  it.each([[12_000, "12 s"], [300_000, "5 min"], [3 * HOUR, "3 h"], [50 * HOUR, "2 d"]])("says how long ago %i is", (ms, want) => {
    expect(formatSpan(ms)).toBe(want);
  });
});

describe("instants", () => {
  it.each<[string, number | null]>([
    ["now", NOW], ["now-15m", NOW - 900_000], ["now+1h", NOW + HOUR], [String(NOW), NOW],
    ["2026-11-24 14:00:00", Date.UTC(2026, 10, 24, 14)], ["2026-11-24T14:00:00Z", Date.UTC(2026, 10, 24, 14)],
    ["now-", null], ["yesterday", null], ["17", null], ["", null],
  ])("reads %j", (text, want) => {
    expect(parseInstant(text, NOW)).toBe(want);
  });
});

describe("ranges", () => {
  it("mean the default when they cannot be read, and are turned when upside down", () => {
    expect(resolveRange({ from: "soon", to: "now" }, NOW)).toEqual({ startMs: NOW - HOUR, endMs: NOW });
    expect(resolveRange({ from: "now", to: "now-1h" }, NOW)).toEqual({ startMs: NOW - HOUR, endMs: NOW });
  });
  it("are never empty", () => {
    expect(resolveRange({ from: "now", to: "now" }, NOW)).toEqual({ startMs: NOW - 1_000, endMs: NOW });
  });
  it("move, widen and surround", () => {
    const window = { startMs: 1_000, endMs: 2_000 };
    expect(shifted(window, -0.5)).toEqual({ startMs: 500, endMs: 1_500 });
    expect(scaled(window, 2)).toEqual({ startMs: 500, endMs: 2_500 });
    expect(around(1_000.5, 1_001.2, 10)).toEqual({ startMs: 990, endMs: 1_012 });
    expect(absolute({ startMs: 1.7, endMs: 2.2 })).toEqual({ from: "1", to: "3" });
  });
  it("know whether they move with the clock", () => {
    expect(isRelative({ from: "now-1h", to: "now" })).toBe(true);
    expect(isRelative({ from: "1764000000000", to: "1764000100000" })).toBe(false);
  });
  it("describe themselves", () => {
    const window = { startMs: NOW - HOUR, endMs: NOW };
    expect(describeRange({ from: "now-1h", to: "now" }, window)).toBe("Last 1 hour");
    expect(describeRange({ from: "now-90m", to: "now" }, window)).toBe("Last 90m");
    expect(describeRange(absolute(window), window)).toBe("2026-11-24 13:03:09 to 14:03:09");
  });
});

describe("nanoseconds", () => {
  it("keep all their digits", () => {
    expect(formatNanos("1764000000123456789")).toMatch(/\.123456789$/);
    expect(nanosToMs("1764000000123456789")).toBe(1_764_000_000_123);
    expect(msToNanos(1_764_000_000_123.9)).toBe("1764000000123000000");
  });
});

describe("steps", () => {
  it.each([[HOUR, 240, 15], [HOUR, 100, 60], [60_000, 240, 1], [30 * 24 * HOUR, 240, 14_400]])("a window of %i ms in %i points has a step of %i s", (width, points, want) => {
    expect(niceStep({ startMs: 0, endMs: width }, points)).toBe(want);
  });
  it("grow past the largest nice one", () => {
    expect(niceStep({ startMs: 0, endMs: 604_800_000 * 1_000 }, 100)).toBe(6_048_000);
  });
  it("lie on a grid that does not move with the window", () => {
    expect(grid({ startMs: 61_000, endMs: 299_000 }, 60)).toEqual({ start: 120, end: 240, count: 3 });
    expect(grid({ startMs: 61_000, endMs: 62_000 }, 60)).toEqual({ start: 120, end: 120, count: 1 });
  });
  it("put labels of an axis at round instants of the zone", () => {
    expect(axisTicks({ startMs: 100_000, endMs: 400_000 }, 6, 0)).toEqual([120_000, 180_000, 240_000, 300_000, 360_000]);
    expect(axisTicks({ startMs: 0, endMs: 5 * HOUR }, 6, -30)).toEqual([0.5, 1.5, 2.5, 3.5, 4.5].map((hour) => hour * HOUR));
  });
  it("leave room for a rate", () => {
    expect([rateWindow(1), rateWindow(60)]).toEqual([60, 240]);
  });
});

it("labels ticks as finely as the window needs", () => {
  const tick = (width: number): string => formatTick(NOW, { startMs: NOW - width, endMs: NOW });
  expect([tick(60_000), tick(HOUR), tick(48 * HOUR), tick(240 * HOUR)]).toEqual(["14:03:09", "14:03", "24 Nov 14:03", "24 Nov"]);
});
