/** Instants as people read them, in the time zone of the browser. */

import { QUICK_RANGES, isRelative, type TimeRange, type TimeWindow } from "./range.ts";

const two = (value: number): string => String(value).padStart(2, "0");
const three = (value: number): string => String(value).padStart(3, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `14:03:09` */
export function formatClock(ms: number): string {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** `14:03:09.123` */
export function formatClockMillis(ms: number): string {
  return `${formatClock(ms)}.${three(Math.floor(ms) % 1_000)}`;
}

/** `2026-11-24` */
export function formatDate(ms: number): string {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** `2026-11-24 14:03:09`: what the absolute fields of the picker show and read. */
export function formatDateTime(ms: number): string {
  return `${formatDate(ms)} ${formatClock(ms)}`;
}

/** `24 Nov 14:03:09.123` */
export function formatShort(ms: number): string {
  const at = new Date(ms);
  return `${at.getDate()} ${MONTHS[at.getMonth()] ?? ""} ${formatClockMillis(ms)}`;
}

/** Nanoseconds (as text, they do not fit a number) to `14:03:09.123456789`. */
export function formatNanos(nanos: string): string {
  const ms = nanosToMs(nanos);
  return `${formatClock(ms)}.${nanos.slice(-9).padStart(9, "0")}`;
}

/** Nanoseconds as text to milliseconds; the fraction below is dropped. */
export function nanosToMs(nanos: string): number {
  return Number(nanos.length > 6 ? nanos.slice(0, -6) : "0");
}

/** Milliseconds to nanoseconds as text. */
export function msToNanos(ms: number): string {
  return `${Math.floor(ms)}000000`;
}

/** What the picker's button says: `Last 1 hour`, or both ends. */
export function describeRange(range: TimeRange, window: TimeWindow): string {
  if (range.to === "now") {
    const quick = QUICK_RANGES.find((candidate) => candidate.from === range.from);
    if (quick !== undefined) return `Last ${quick.label}`;
    if (range.from.startsWith("now-")) return `Last ${range.from.slice(4)}`;
  }
  if (isRelative(range)) return `${range.from} to ${range.to}`;
  const end = formatDate(window.startMs) === formatDate(window.endMs) ? formatClock(window.endMs) : formatDateTime(window.endMs);
  return `${formatDateTime(window.startMs)} to ${end}`;
}

/** A label of a time axis: as much as the width of the window needs. */
export function formatTick(ms: number, window: TimeWindow): string {
  const width = window.endMs - window.startMs;
  const at = new Date(ms);
  if (width > 4 * 86_400_000) return `${at.getDate()} ${MONTHS[at.getMonth()] ?? ""}`;
  if (width > 86_400_000) return `${at.getDate()} ${MONTHS[at.getMonth()] ?? ""} ${two(at.getHours())}:${two(at.getMinutes())}`;
  if (width > 10 * 60_000) return `${two(at.getHours())}:${two(at.getMinutes())}`;
  return formatClock(ms);
}
