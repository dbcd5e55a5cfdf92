/** Search over logs in the search language: `/api/v1/logs/*`. */

import { msToNanos } from "../time/format.ts";
import type { TimeWindow } from "../time/range.ts";
import { ApiError, isObject, list, postFormExact, text, type Query } from "./client.ts";

/** What a value is: JSON's types, with integers apart. */
export type ValueType = "text" | "integer" | "number" | "boolean" | "list" | "map" | "empty";

/** A name, a value as text, and what the value is. */
export interface Attribute {
  name: string;
  value: string;
  type: ValueType;
  /** Whose it is. */
  of: "record" | "resource" | "scope" | "stream";
}

export interface SearchRecord {
  nanos: string;
  level: string;
  service: string;
  line: string;
  trace: string;
  span: string;
  attributes: Attribute[];
}

export interface SearchAnswer {
  records: SearchRecord[];
  /** Where the next page begins; null when there is none. */
  cursor: string | null;
  /** How many fit, when that was asked. */
  total: number | null;
}

export interface SearchRange {
  startNanos: string;
  /** Not included; now when there is none. */
  endNanos?: string;
}

/** The nanoseconds of a window. */
export function nanosOf(window: TimeWindow): { startNanos: string; endNanos: string } {
  return { startNanos: msToNanos(window.startMs), endNanos: msToNanos(window.endMs) };
}

function ranged(query: string, { startNanos, endNanos }: SearchRange): [string, string][] {
  return [["query", query], ["start", startNanos], ...(endNanos === undefined ? [] : [["end", endNanos] as [string, string]])];
}

async function ask(name: string, query: Query, signal: AbortSignal): Promise<Record<string, unknown>> {
  const body = await postFormExact(`/api/v1/logs/${name}`, query, signal);
  if (!isObject(body)) throw new ApiError("The answer is not one of the search over logs.", 200, "format");
  return body;
}

/** Records that fit, newest first unless `forward`. */
export async function searchLogs(query: string, range: SearchRange, more: { limit: number; cursor?: string | null; forward?: boolean; total?: boolean }, signal: AbortSignal): Promise<SearchAnswer> {
  const body = await ask("search", [
    ...ranged(query, range),
    ["limit", String(more.limit)],
    ["direction", more.forward === true ? "forward" : "backward"],
    ...(more.cursor === undefined || more.cursor === null ? [] : [["cursor", more.cursor] as const]),
    ...(more.total === true ? [["total", "true"] as const] : []),
  ], signal);
  return {
    records: list(body["records"]).filter(isObject).map(toRecord),
    cursor: typeof body["cursor"] === "string" ? body["cursor"] : null,
    total: typeof body["total"] === "number" ? body["total"] : null,
  };
}

/** Fields of a record that are shown among its attributes. */
const OWN_FIELDS = ["severity_text", "severity_number", "event_name", "trace_id", "span_id", "flags", "observed_timestamp", "dropped_attributes_count"];

/** A record as the API writes it. */
export function toRecord(each: Record<string, unknown>): SearchRecord {
  const scope = isObject(each["scope"]) ? each["scope"] : {};
  const { attributes: scoped, ...named } = scope;
  return {
    nanos: text(each["timestamp_ns"]),
    level: text(each["level"]),
    service: text(each["service"]),
    line: each["body"] === undefined ? "" : printValue(each["body"]),
    trace: text(each["trace_id"]),
    span: text(each["span_id"]),
    attributes: [
      ...toAttributes(each["attributes"], "record", ""),
      ...toAttributes(each["resource"], "resource", ""),
      ...toAttributes(Object.fromEntries(OWN_FIELDS.filter((name) => each[name] !== undefined).map((name) => [name, each[name]])), "record", ""),
      ...toAttributes(named, "scope", "scope."),
      ...toAttributes(scoped, "scope", "scope.attributes."),
    ],
  };
}

function toAttributes(value: unknown, of: Attribute["of"], prefix: string): Attribute[] {
  if (!isObject(value)) return [];
  return Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)).map(([name, each]) => ({ name: prefix + name, value: printValue(each), type: typeOf(each), of }));
}

/** What a value of JSON is. */
export function typeOf(value: unknown): ValueType {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) return "list";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  if (typeof value === "boolean") return "boolean";
  return typeof value === "object" ? "map" : "text";
}

function printValue(value: unknown): string {
  return typeof value === "string" ? value : value === null ? "" : JSON.stringify(value);
}

export interface TimeBucket {
  startMs: number;
  count: number;
  /** Counts by the value of the field that was asked for. */
  values: Readonly<Record<string, number>>;
}

/** How many fit over time, and of those how many by the most frequent values of a field. */
export async function countLogs(query: string, range: SearchRange, more: { stepSeconds: number; by: string; values: number }, signal: AbortSignal): Promise<{ total: number; buckets: TimeBucket[] }> {
  const body = await ask("histogram", [...ranged(query, range), ["interval", `${more.stepSeconds}s`], ["by", more.by], ["values", String(more.values)]], signal);
  const buckets = list(body["buckets"]).filter(isObject).map((bucket) => ({
    startMs: Number(bucket["start_ms"]),
    count: Number(bucket["count"]),
    values: isObject(bucket["values"]) ? (bucket["values"] as Record<string, number>) : {},
  }));
  return { total: Number(body["total"] ?? 0), buckets };
}

/** A field, and which values it has how often. */
export interface Facet {
  field: string;
  /** Records that have it. */
  count: number;
  /** How many values there are. */
  distinct: number;
  /** There were too many values to count each. */
  isCut: boolean;
  values: { value: string; count: number }[];
}

/** Values of the named fields, and of `more` others that most records have. */
export async function facetLogs(query: string, range: SearchRange, more: { fields: readonly string[]; more: number; values: number }, signal: AbortSignal): Promise<{ total: number; facets: Facet[] }> {
  const body = await ask("facets", [...ranged(query, range), ["fields", more.fields.join(",")], ["more", String(more.more)], ["values", String(more.values)]], signal);
  const facets = list(body["facets"]).filter(isObject).map((facet) => ({
    field: text(facet["field"]),
    count: Number(facet["count"]),
    distinct: Number(facet["distinct"]),
    isCut: facet["is_cut"] === true,
    values: list(facet["values"]).filter(isObject).map((each) => ({ value: printValue(each["value"]), count: Number(each["count"]) })),
  }));
  return { total: Number(body["total"] ?? 0), facets };
}
