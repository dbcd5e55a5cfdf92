/** The pure half of the Logs page: which query a view means, what a record shows. */

import { compareNanos, type LogRow } from "../../api/loki.ts";
import { nanosToMs } from "../../time/format.ts";
import { conditions, parseSelection, printSelection, type Matcher, type Selection } from "./logql.ts";
import type { LogsView } from "./url.ts";

export const SEVERITIES = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** How sources spell each severity; the first letters decide. */
const SPELLINGS: Record<Severity, string> = { trace: "trace", debug: "debug", info: "info|notice|unknown", warn: "warn", error: "err", fatal: "fatal|crit|emerg|alert|panic" };

/** Where a severity lies among OpenTelemetry's numbers. */
const NUMBERS: Record<Severity, readonly [number, number]> = { trace: [1, 4], debug: [5, 8], info: [9, 12], warn: [13, 16], error: [17, 20], fatal: [21, 24] };

/** The severity that a text names; the empty text and unknown ones are `info`. */
export function severityOf(text: string): Severity {
  const lower = text.toLowerCase();
  return SEVERITIES.find((severity) => SPELLINGS[severity].split("|").some((start) => lower.startsWith(start))) ?? "info";
}

/** The severity of an OpenTelemetry number; 0, unknown, counts as `info`. */
export function severityOfNumber(value: number): Severity {
  return SEVERITIES.find((severity) => value >= NUMBERS[severity][0] && value <= NUMBERS[severity][1]) ?? "info";
}

/** A record as the page shows it. */
export interface Entry {
  key: string;
  nanos: string;
  ms: number;
  service: string;
  severity: Severity;
  line: string;
  trace: string;
  span: string;
  /** Everything it carries, by name. */
  attributes: [string, string][];
}

/** By what names a record may tell its severity; the first is the label of streams. */
const SEVERITY_LABELS = ["detected_level", "level", "severity", "severity_text"];
/** The name of the severity in selectors. */
const LEVEL = "level";

/** Records as entries in their order, each with a key that stays the same when older ones are added. */
export function toEntries(rows: readonly LogRow[]): Entry[] {
  const seen = new Map<string, number>();
  return rows.map((row) => {
    const place = seen.get(row.nanos) ?? 0;
    seen.set(row.nanos, place + 1);
    const all = { ...row.metadata, ...row.stream };
    const pick = (...names: string[]): string => names.map((name) => all[name] ?? "").find((value) => value !== "") ?? "";
    return {
      key: place === 0 ? row.nanos : `${row.nanos}.${place}`,
      nanos: row.nanos,
      ms: nanosToMs(row.nanos),
      service: pick("service_name", "service.name", "service", "job"),
      severity: severityOf(pick(...SEVERITY_LABELS)),
      line: row.line,
      trace: pick("trace_id", "traceID", "traceid"),
      span: pick("span_id", "spanID", "spanid"),
      attributes: Object.entries(all).sort(([left], [right]) => (left < right ? -1 : 1)),
    };
  });
}

/** The selection of what was typed and of the service; null when only the server can judge the query. */
function selectionOf(view: LogsView): Selection | null {
  const typed = view.query.trim();
  const selection = typed.startsWith("{") ? parseSelection(typed) : { matchers: [], filters: typed === "" ? [] : [{ operator: "|=" as const, value: typed }] };
  if (selection === null || view.service === "" || selection.matchers.some((each) => each.label === "service_name" && each.value === view.service)) return selection;
  return { ...selection, matchers: [{ label: "service_name", operator: "=", value: view.service }, ...selection.matchers] };
}

/** The LogQL of a view. */
export function logqlOf(view: LogsView): string {
  const selection = selectionOf(view);
  if (selection === null) return view.query.trim();
  const matchers: Matcher[] = [...selection.matchers];
  if (view.trace !== "") matchers.push({ label: "trace_id", operator: "=", value: view.trace });
  if (view.span !== "") matchers.push({ label: "span_id", operator: "=", value: view.span });
  if (view.severities.length > 0) matchers.push({ label: LEVEL, operator: "=~", value: `(?i)(${view.severities.map((severity) => SPELLINGS[severity]).join("|")}).*` });
  return printSelection({ ...selection, matchers });
}

/** The conditions of a view on the table `logs`; null when it cannot be said in SQL. */
export function sqlOf(view: LogsView): string[] | null {
  const selection = selectionOf(view);
  const found = selection === null ? null : conditions(selection);
  if (found === null) return null;
  if (view.severities.length > 0) found.push(`(${view.severities.map(severityCondition).join(" OR ")})`);
  if (view.trace !== "") found.push(`trace_id = '${view.trace}'`);
  if (view.span !== "") found.push(`span_id = '${view.span}'`);
  return found;
}

function severityCondition(severity: Severity): string {
  const [low, high] = NUMBERS[severity];
  return severity === "info" ? `severity_number = 0 OR severity_number BETWEEN ${low} AND ${high}` : `severity_number BETWEEN ${low} AND ${high}`;
}

/** Two pages as one list without doubles; both newest first, the second older. */
export function appendOlder(newer: readonly LogRow[], older: readonly LogRow[]): LogRow[] {
  const oldest = newer.at(-1)?.nanos;
  if (oldest === undefined) return [...older];
  const same = (row: LogRow): string => `${row.nanos} ${row.line} ${JSON.stringify(row.stream)}`;
  const known = new Set(newer.filter((row) => row.nanos === oldest).map(same));
  return [...newer, ...older.filter((row) => compareNanos(row.nanos, oldest) < 0 || (row.nanos === oldest && !known.has(same(row))))];
}

/** The exclusive end of the next older page: just after the oldest row, so that its equals are not lost. */
export function olderEnd(rows: readonly LogRow[]): string {
  const oldest = rows.at(-1)?.nanos;
  return oldest === undefined ? "0" : String(BigInt(oldest) + 1n);
}

/** The query with one more matcher or filter; what cannot be parsed is left alone. */
export function narrowed(view: LogsView, label: string, value: string, wanted: boolean): LogsView {
  if (label === "service_name" && wanted) return { ...view, service: value };
  const typed = view.query.trim();
  const selection = typed.startsWith("{") ? parseSelection(typed) : { matchers: [], filters: typed === "" ? [] : [{ operator: "|=" as const, value: typed }] };
  if (selection === null) return view;
  const matchers = selection.matchers.filter((each) => !(each.label === label && each.value === value));
  return { ...view, row: "", query: printSelection({ ...selection, matchers: [...matchers, { label, operator: wanted ? "=" : "!=", value }] }) };
}
