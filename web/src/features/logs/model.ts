/** The pure half of the Logs page: what a record shows, pages in one list, counts of what is loaded. */

import { type Attribute, type Facet, type SearchRecord } from "../../api/logs.ts";
import { compareNanos, type LogRow } from "../../api/loki.ts";
import { nanosToMs } from "../../time/format.ts";
import { clause } from "./search.ts";
import { severityOf, type Severity } from "./severity.ts";

/** A record as the page shows it. */
export interface Entry extends SearchRecord {
  key: string;
  ms: number;
  severity: Severity;
}

/** By what names a record may tell its severity; the first is the label of streams. */
const SEVERITY_LABELS = ["detected_level", "level", "severity", "severity_text"];

/** A row of the Loki API as a record. */
export function recordOf(row: LogRow): SearchRecord {
  const all = { ...row.metadata, ...row.stream };
  const pick = (...names: string[]): string => names.map((name) => all[name] ?? "").find((value) => value !== "") ?? "";
  const attributes = (of: Attribute["of"], values: Readonly<Record<string, string>>): Attribute[] =>
    Object.entries(values).sort(([left], [right]) => (left < right ? -1 : 1)).map(([name, value]) => ({ name, value, type: "text", of }));
  return {
    nanos: row.nanos,
    level: pick(...SEVERITY_LABELS),
    service: pick("service_name", "service.name", "service", "job"),
    line: row.line,
    trace: pick("trace_id", "traceID", "traceid"),
    span: pick("span_id", "spanID", "spanid"),
    attributes: [...attributes("record", row.metadata), ...attributes("stream", row.stream)],
  };
}

/** Records as entries in their order, each with a key that stays the same when older ones are added. */
export function toEntries(records: readonly SearchRecord[]): Entry[] {
  const seen = new Map<string, number>();
  return records.map((record) => {
    const place = seen.get(record.nanos) ?? 0;
    seen.set(record.nanos, place + 1);
    return { ...record, key: place === 0 ? record.nanos : `${record.nanos}.${place}`, ms: nanosToMs(record.nanos), severity: severityOf(record.level) };
  });
}

/** What tells a record from others at its instant. */
export function identity(record: SearchRecord): string {
  return `${record.nanos} ${record.service} ${record.line} ${JSON.stringify(record.attributes)}`;
}

/** Two pages as one list without doubles; both newest first, the second older. */
export function appendOlder(newer: readonly SearchRecord[], older: readonly SearchRecord[]): SearchRecord[] {
  const oldest = newer.at(-1)?.nanos;
  if (oldest === undefined) return [...older];
  const known = new Set(newer.filter((row) => row.nanos === oldest).map(identity));
  return [...newer, ...older.filter((row) => compareNanos(row.nanos, oldest) < 0 || (row.nanos === oldest && !known.has(identity(row))))];
}

/** The exclusive end of the next older page: just after the oldest row, so that its equals are not lost. */
export function olderEnd(rows: readonly SearchRecord[]): string {
  const oldest = rows.at(-1)?.nanos;
  return oldest === undefined ? "0" : String(BigInt(oldest) + 1n);
}

/** Fields of the loaded records, by how many have them: what the server would count, for queries that it cannot count by. */
export function facetsOf(records: readonly SearchRecord[], valuesMax: number): Facet[] {
  const fields = new Map<string, Map<string, number>>();
  for (const record of records) {
    for (const { name, value } of record.attributes) {
      const values = fields.get(name) ?? new Map<string, number>();
      fields.set(name, values.set(value, (values.get(value) ?? 0) + 1));
    }
  }
  const facets = [...fields].map(([field, values]) => {
    const sorted = [...values].map(([value, count]) => ({ value, count })).sort((left, right) => right.count - left.count);
    return { field, count: sorted.reduce((sum, each) => sum + each.count, 0), distinct: values.size, isCut: false, values: sorted.slice(0, valuesMax) };
  });
  const isFirst = (facet: Facet): number => (["service_name", "detected_level"].includes(facet.field) ? 0 : 1);
  // A field with a value for each record tells nothing.
  return facets.filter((facet) => facet.distinct < facet.count || facet.count === 1)
    .sort((left, right) => isFirst(left) - isFirst(right) || right.count - left.count || left.distinct - right.distinct);
}

/** A field of an attribute: the record's own one is named in full where the resource has one of the same name. */
export function fieldOf(attribute: Attribute, all: readonly Attribute[]): string {
  const isHidden = attribute.of === "record" && all.some((each) => each.of === "resource" && each.name === attribute.name);
  return isHidden ? `attributes.${attribute.name}` : attribute.name;
}

/** The most that names a stream; more only make the query longer. */
const STREAM_CLAUSES = 12;

/** The search for the records of the same stream. */
export function streamOf(record: SearchRecord): string {
  const ofStream = record.attributes.filter((each) => (each.of === "resource" || each.of === "stream") && each.type === "text" && each.value !== "" && !/^(service[._]name|detected_level|level|severity)$/.test(each.name));
  return [...(record.service === "" || record.service === "unknown_service" ? [] : [clause("service", record.service)]), ...ofStream.slice(0, STREAM_CLAUSES).map((each) => clause(each.name, each.value))].join(" ");
}
