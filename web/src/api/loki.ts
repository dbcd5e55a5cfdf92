/** The Loki HTTP API: `/loki/api/v1/*`. */

import { msToNanos } from "../time/format.ts";
import type { TimeWindow } from "../time/range.ts";
import { ApiError, getJson, isObject, list, text, texts } from "./client.ts";

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
  ], signal);
  if (!isObject(body) || body["status"] !== "success" || !isObject(body["data"])) throw new ApiError("The answer is not one of the Loki API.", 200, "format");
  return toRows(list(body["data"]["result"]));
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
      const metadata = isObject(carried) && isObject(carried["structuredMetadata"]) ? carried["structuredMetadata"] : carried;
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
