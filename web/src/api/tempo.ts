/** Tempo's search API below `/tempo`: TraceQL. */

import type { TimeWindow } from "../time/range.ts";
import { getJson, isObject, list, text } from "./client.ts";
import { toMatrix, type Matrix } from "./prometheus.ts";

/** A trace that was found, without its spans. */
export interface FoundTrace {
  id: string;
  /** Service and operation of the root; the empty text while it is not there. */
  service: string;
  operation: string;
  startMs: number;
  durationMs: number;
  /** Spans and errors by service. */
  services: { service: string; spans: number; errors: number }[];
}

/** Traces that a TraceQL query finds, newest first. */
export async function searchTraceql(query: string, limit: number, window: TimeWindow, signal: AbortSignal): Promise<FoundTrace[]> {
  const parameters: [string, string][] = [
    ["q", query],
    ["limit", String(limit)],
    ["start", String(Math.floor(window.startMs / 1_000))],
    ["end", String(Math.ceil(window.endMs / 1_000))],
  ];
  const body = await getJson("/tempo/api/search", parameters, signal);
  return isObject(body) ? list(body["traces"]).map(foundTrace) : [];
}

function foundTrace(json: unknown): FoundTrace {
  const trace = isObject(json) ? json : {};
  const stats = isObject(trace["serviceStats"]) ? trace["serviceStats"] : {};
  const services = Object.entries(stats).map(([service, counts]) => {
    const { spanCount, errorCount } = isObject(counts) ? counts as { spanCount?: unknown; errorCount?: unknown } : {};
    return { service, spans: Number(spanCount ?? 0), errors: Number(errorCount ?? 0) };
  });
  return {
    id: text(trace["traceID"]),
    service: text(trace["rootServiceName"]),
    operation: text(trace["rootTraceName"]),
    startMs: Number(trace["startTimeUnixNano"] ?? 0) / 1e6,
    durationMs: Number(trace["durationMs"] ?? 0),
    services,
  };
}

/** A TraceQL metrics query over a range; `start` and `end` in seconds, on the grid of `step`. */
export async function traceMatrix(query: string, range: { start: number; end: number; step: number }, signal: AbortSignal): Promise<Matrix> {
  const body = await getJson("/tempo/api/metrics/query_range", [["q", query], ["start", String(range.start)], ["end", String(range.end)], ["step", `${range.step}s`]], signal);
  const series = (isObject(body) ? list(body["series"]) : []).filter(isObject).map((each) => ({
    metric: Object.fromEntries(list(each["labels"]).filter(isObject).map((label) => [text(label["key"]), anyValue(label["value"])])),
    values: list(each["samples"]).filter(isObject).map((sample) => [Number(sample["timestampMs"] ?? 0) / 1_000, sample["value"] ?? 0]),
  }));
  return { ...toMatrix(series, range), warnings: [] };
}

/** A value as OTLP writes it in JSON, as text. */
function anyValue(value: unknown): string {
  const [first] = isObject(value) ? Object.values(value) : [];
  return typeof first === "string" ? first : JSON.stringify(first ?? "");
}
