/** Time ranges as they stand in the URL (`now-1h` .. `now`, or milliseconds), and what they mean at one instant. */

import { parseDuration } from "./duration.ts";

/** A range as written. */
export interface TimeRange {
  from: string;
  to: string;
}

/** A range as numbers: milliseconds since the epoch, `startMs < endMs`. */
export interface TimeWindow {
  startMs: number;
  endMs: number;
}

export const DEFAULT_RANGE: TimeRange = { from: "now-1h", to: "now" };

/** The ranges that the picker offers. */
export const QUICK_RANGES: readonly { label: string; from: string }[] = [
  { label: "5 minutes", from: "now-5m" },
  { label: "15 minutes", from: "now-15m" },
  { label: "30 minutes", from: "now-30m" },
  { label: "1 hour", from: "now-1h" },
  { label: "3 hours", from: "now-3h" },
  { label: "6 hours", from: "now-6h" },
  { label: "12 hours", from: "now-12h" },
  { label: "1 day", from: "now-1d" },
  { label: "2 days", from: "now-2d" },
  { label: "7 days", from: "now-7d" },
  { label: "30 days", from: "now-30d" },
];

/** Milliseconds of `now`, `now-15m`, an epoch in milliseconds, or a date as the browser reads it; null when none. */
export function parseInstant(text: string, nowMs: number): number | null {
  const trimmed = text.trim();
  if (trimmed === "now") return nowMs;
  const relative = /^now([+-])(.+)$/.exec(trimmed);
  if (relative !== null) {
    const duration = parseDuration(relative[2] ?? "");
    return duration === null ? null : nowMs + (relative[1] === "-" ? -duration : duration);
  }
  if (/^\d{12,14}$/.test(trimmed)) return Number(trimmed);
  if (!/^\d{4}-\d{2}-\d{2}/.test(trimmed)) return null;
  const parsed = Date.parse(trimmed.replace(" ", "T"));
  return Number.isNaN(parsed) ? null : parsed;
}

/** The range at `nowMs`. A range that cannot be read is the default one; one that is upside down is turned. */
export function resolveRange(range: TimeRange, nowMs: number): TimeWindow {
  const start = parseInstant(range.from, nowMs);
  const end = parseInstant(range.to, nowMs);
  if (start === null || end === null) return resolveRange(DEFAULT_RANGE, nowMs);
  if (start === end) return { startMs: start - 1_000, endMs: end };
  return start < end ? { startMs: start, endMs: end } : { startMs: end, endMs: start };
}

/** Whether the range moves with the clock. */
export function isRelative(range: TimeRange): boolean {
  return range.from.startsWith("now") || range.to.startsWith("now");
}

/** The absolute range of a window. */
export function absolute(window: TimeWindow): TimeRange {
  return { from: String(Math.floor(window.startMs)), to: String(Math.ceil(window.endMs)) };
}

/** The window moved by a part of its width: -0.5 is half a width back. */
export function shifted(window: TimeWindow, part: number): TimeWindow {
  const by = (window.endMs - window.startMs) * part;
  return { startMs: window.startMs + by, endMs: window.endMs + by };
}

/** The window around its middle, `factor` times as wide. */
export function scaled(window: TimeWindow, factor: number): TimeWindow {
  const middle = (window.startMs + window.endMs) / 2;
  const half = ((window.endMs - window.startMs) / 2) * factor;
  return { startMs: middle - half, endMs: middle + half };
}

/** A window around something that happened, with at least `marginMs` on both sides. */
export function around(startMs: number, endMs: number, marginMs: number): TimeWindow {
  return { startMs: Math.floor(startMs - marginMs), endMs: Math.ceil(endMs + marginMs) };
}
