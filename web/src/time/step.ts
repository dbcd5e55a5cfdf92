/** Steps and buckets: how fine a range is cut. */

import type { TimeWindow } from "./range.ts";

/** Steps that divide minutes, hours and days, in seconds. */
const NICE_SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800];

/** The smallest nice step with at most `points` points in the window, at least `minimum` seconds. */
export function niceStep(window: TimeWindow, points: number, minimum = 1): number {
  const wanted = Math.max(minimum, (window.endMs - window.startMs) / 1_000 / Math.max(1, points));
  return NICE_SECONDS.find((step) => step >= wanted) ?? Math.ceil(wanted / 604_800) * 604_800;
}

/** The window widened to whole steps, as seconds: first point, last point, count of points. */
export function grid(window: TimeWindow, stepSeconds: number): { start: number; end: number; count: number } {
  const start = Math.ceil(window.startMs / 1_000 / stepSeconds) * stepSeconds;
  const end = Math.max(start, Math.floor(window.endMs / 1_000 / stepSeconds) * stepSeconds);
  return { start, end, count: Math.round((end - start) / stepSeconds) + 1 };
}

/** Round instants in the window for the labels of an axis, at most `most`, as milliseconds. `offsetMinutes` is that of the time zone. */
export function axisTicks(window: TimeWindow, most: number, offsetMinutes: number): number[] {
  const step = niceStep(window, most) * 1_000;
  // Days and hours are round in the zone of the reader.
  const offset = offsetMinutes * 60_000;
  const ticks: number[] = [];
  for (let at = Math.ceil((window.startMs - offset) / step) * step + offset; at <= window.endMs; at += step) ticks.push(at);
  return ticks;
}

/** A window for `rate()` that always holds several samples: four steps, at least a minute. */
export function rateWindow(stepSeconds: number): number {
  return Math.max(60, stepSeconds * 4);
}
