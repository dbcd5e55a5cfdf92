/** The Jaeger HTTP API below `/jaeger`. Times and durations are microseconds, as on the wire. */

import type { TimeWindow } from "../time/range.ts";
import { getJson, isObject, list, text } from "./client.ts";

export interface Attribute {
  key: string;
  type: string;
  value: string;
}

export interface SpanEvent {
  timeMicros: number;
  name: string;
  attributes: Attribute[];
}

export interface SpanLink {
  traceId: string;
  spanId: string;
}

export interface Span {
  traceId: string;
  spanId: string;
  /** The empty text of a root. */
  parentId: string;
  service: string;
  operation: string;
  startMicros: number;
  durationMicros: number;
  attributes: Attribute[];
  resource: Attribute[];
  events: SpanEvent[];
  links: SpanLink[];
  /** Whether the span says that it failed. */
  failed: boolean;
  /** `server`, `client`, `producer`, `consumer`, `internal`, or the empty text. */
  kind: string;
  /** What the server has to say about the span, about clocks that disagree above all. */
  warnings: string[];
}

export interface Trace {
  id: string;
  /** By start. */
  spans: Span[];
}

export interface TraceSearch {
  service: string;
  operation: string;
  /** Attributes that one span must carry. */
  tags: Readonly<Record<string, string>>;
  /** Duration of a span as Jaeger writes it (`100ms`), the empty text for no bound. */
  minDuration: string;
  maxDuration: string;
  limit: number;
}

export async function services(signal: AbortSignal): Promise<string[]> {
  const body = await getJson("/jaeger/api/services", [], signal);
  return isObject(body) ? list(body["data"]).map(text).filter((name) => name !== "").sort() : [];
}

export async function operations(service: string, signal: AbortSignal): Promise<string[]> {
  const body = await getJson(`/jaeger/api/services/${encodeURIComponent(service)}/operations`, [], signal);
  return isObject(body) ? [...new Set(list(body["data"]).map(text))].sort() : [];
}

/** Traces with a span that fits, newest first. */
export async function searchTraces(search: TraceSearch, window: TimeWindow, signal: AbortSignal): Promise<Trace[]> {
  const query: [string, string][] = [
    ["service", search.service],
    ["operation", search.operation],
    ["tags", Object.keys(search.tags).length === 0 ? "" : JSON.stringify(search.tags)],
    ["minDuration", search.minDuration],
    ["maxDuration", search.maxDuration],
    ["start", String(Math.floor(window.startMs) * 1_000)],
    ["end", String(Math.ceil(window.endMs) * 1_000)],
    ["limit", String(search.limit)],
  ];
  const body = await getJson("/jaeger/api/traces", query.filter(([, value]) => value !== ""), signal);
  return isObject(body) ? list(body["data"]).filter(isObject).map(toTrace) : [];
}

/** One trace; null when there is none of that id. */
export async function trace(id: string, signal: AbortSignal): Promise<Trace | null> {
  const body = await getJson(`/jaeger/api/traces/${encodeURIComponent(id)}`, [], signal);
  const first = isObject(body) ? list(body["data"])[0] : undefined;
  return isObject(first) ? toTrace(first) : null;
}

/** A trace of the wire as spans in order of start. */
export function toTrace(body: Record<string, unknown>): Trace {
  const processes = isObject(body["processes"]) ? body["processes"] : {};
  const spans = list(body["spans"]).filter(isObject).map((span) => {
    const process = processes[text(span["processID"])] ?? span["process"];
    return toSpan(span, isObject(process) ? process : {});
  });
  return { id: text(body["traceID"]), spans: spans.sort((left, right) => left.startMicros - right.startMicros) };
}

function toSpan(span: Record<string, unknown>, process: Record<string, unknown>): Span {
  const attributes = toAttributes(span["tags"]);
  const value = (key: string): string => attributes.find((each) => each.key === key)?.value ?? "";
  const references = list(span["references"]).filter(isObject);
  const traceId = text(span["traceID"]);
  const parent = references.find((each) => each["refType"] === "CHILD_OF" && (text(each["traceID"]) === traceId || text(each["traceID"]) === ""));
  return {
    traceId,
    spanId: text(span["spanID"]),
    parentId: parent === undefined ? text(span["parentSpanID"]) : text(parent["spanID"]),
    service: text(process["serviceName"]),
    operation: text(span["operationName"]),
    startMicros: Number(span["startTime"]),
    durationMicros: Number(span["duration"]),
    attributes,
    resource: toAttributes(process["tags"]),
    events: list(span["logs"]).filter(isObject).map(toEvent),
    links: references.filter((each) => each !== parent).map((each) => ({ traceId: text(each["traceID"]), spanId: text(each["spanID"]) })),
    failed: value("error") === "true" || value("otel.status_code") === "ERROR",
    kind: value("span.kind"),
    warnings: list(span["warnings"]).map(text).filter((line) => line !== ""),
  };
}

function toEvent(log: Record<string, unknown>): SpanEvent {
  const attributes = toAttributes(log["fields"]);
  const name = attributes.find((each) => each.key === "event")?.value ?? "";
  return { timeMicros: Number(log["timestamp"]), name, attributes: attributes.filter((each) => each.key !== "event") };
}

function toAttributes(tags: unknown): Attribute[] {
  return list(tags).filter(isObject).map((tag) => {
    const value = tag["value"];
    return { key: text(tag["key"]), type: text(tag["type"]), value: typeof value === "string" ? value : JSON.stringify(value) ?? "" };
  });
}
