/** The Loki HTTP API: `/loki/api/v1/*`. */

import { msToNanos } from "../time/format.ts";
import type { TimeWindow } from "../time/range.ts";
import { ApiError, getJson, isObject, list, text, texts } from "./client.ts";
import { toMatrix, type Matrix } from "./prometheus.ts";

/** One log record. */
export interface LogRow {
  /** Nanoseconds since the epoch; they do not fit a number. */
  nanos: string;
  line: string;
  /** Labels of its stream. */
  stream: Readonly<Record<string, string>>;
  /** What the record carries beside: trace_id, span_id, attributes. */
  metadata: Readonly<Record<string, string>>;
}

/** At most `limit` records, newest first. `endNanos` is exclusive. */
export async function logs(query: string, range: { startNanos: string; endNanos: string; limit: number }, signal: AbortSignal): Promise<LogRow[]> {
  const body = await getJson("/loki/api/v1/query_range", [
    ["query", query],
    ["start", range.startNanos],
    ["end", range.endNanos],
    ["limit", String(range.limit)],
    ["direction", "backward"],
  ], signal, CATEGORIZED);
  return toRows(results(body));
}

/** Keeps labels of streams, structured metadata and what a parser found apart. */
const CATEGORIZED = { "X-Loki-Response-Encoding-Flags": "categorize-labels" };

function results(body: unknown): unknown[] {
  if (!isObject(body) || body["status"] !== "success" || !isObject(body["data"])) throw new ApiError("The answer is not one of the Loki API.", 200, "format");
  return list(body["data"]["result"]);
}

/** A metric query over a range; `start` and `end` in seconds, on the grid of `step`. */
export async function logMatrix(query: string, range: { start: number; end: number; step: number }, signal: AbortSignal): Promise<Matrix> {
  const body = await getJson("/loki/api/v1/query_range", [["query", query], ["start", String(range.start)], ["end", String(range.end)], ["step", String(range.step)]], signal);
  return { ...toMatrix(results(body), range), warnings: isObject(body) ? list(body["warnings"]).map(text).filter((line) => line !== "") : [] };
}

/** A pattern of lines, and how many there were over time. */
export interface LogPattern {
  pattern: string;
  /** Seconds since the epoch and a count. */
  samples: [number, number][];
}

export async function logPatterns(query: string, range: { start: number; end: number; step: number }, signal: AbortSignal): Promise<LogPattern[]> {
  const body = await getJson("/loki/api/v1/patterns", [["query", query], ["start", String(range.start)], ["end", String(range.end)], ["step", `${range.step}s`]], signal);
  if (!isObject(body)) throw new ApiError("The answer is not one of the Loki API.", 200, "format");
  return list(body["data"]).filter(isObject).map((each) => ({
    pattern: text(each["pattern"]),
    samples: list(each["samples"]).filter(Array.isArray).map((sample) => [Number(sample[0]), Number(sample[1])]),
  }));
}

/** Where new records are streamed from: a WebSocket. */
export function tailUrl(query: string, startNanos: string, limit: number): string {
  const url = new URL("/loki/api/v1/tail", globalThis.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams({ query, start: startNanos, limit: String(limit) }).toString();
  return url.href;
}

/** A message of the stream: records, newest first, and how many the server had to leave out. */
export function toTail(message: string): { rows: LogRow[]; dropped: number } {
  const body: unknown = JSON.parse(message);
  if (!isObject(body)) return { rows: [], dropped: 0 };
  return { rows: toRows(list(body["streams"])), dropped: list(body["dropped_entries"]).length };
}

/** Streams merged into one list, newest first. */
export function toRows(streams: unknown[]): LogRow[] {
  const rows: LogRow[] = [];
  for (const each of streams.filter(isObject)) {
    const stream = texts(each["stream"]);
    for (const value of list(each["values"])) {
      if (!Array.isArray(value)) continue;
      const carried = value[2];
      // Loki itself nests the third element when it was asked to categorize labels.
      const isCategorized = isObject(carried) && (isObject(carried["structuredMetadata"]) || isObject(carried["parsed"]));
      const metadata = isCategorized ? { ...texts(carried["structuredMetadata"]), ...texts(carried["parsed"]) } : carried;
      rows.push({ nanos: text(value[0]), line: text(value[1]), stream, metadata: texts(metadata) });
    }
  }
  return rows.sort((left, right) => compareNanos(right.nanos, left.nanos));
}

/** Order of two instants in nanoseconds. */
export function compareNanos(left: string, right: string): number {
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

function span(window: TimeWindow): [string, string][] {
  return [["start", msToNanos(window.startMs)], ["end", msToNanos(window.endMs)]];
}

/** Names of the labels of streams. */
export async function logLabels(window: TimeWindow, signal: AbortSignal): Promise<string[]> {
  const body = await getJson("/loki/api/v1/labels", span(window), signal);
  return isObject(body) ? list(body["data"]).map(text) : [];
}

/** Values of one label of streams. */
export async function logLabelValues(label: string, window: TimeWindow, signal: AbortSignal): Promise<string[]> {
  const body = await getJson(`/loki/api/v1/label/${encodeURIComponent(label)}/values`, span(window), signal);
  return isObject(body) ? list(body["data"]).map(text) : [];
}
