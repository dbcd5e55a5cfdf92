/** What the Logs page loads. */

import { useCallback, useEffect, useMemo, useState } from "react";
import { logLabelValues, logLabels, logs, type LogRow } from "../../api/loki.ts";
import { bucket, sql, within } from "../../api/sql.ts";
import { useResource, type Resource } from "../../api/use_resource.ts";
import { stack, type Stack } from "../../charts/Bars/model.ts";
import type { Time } from "../../location.tsx";
import { msToNanos, nanosToMs } from "../../time/format.ts";
import type { TimeWindow } from "../../time/range.ts";
import { niceStep } from "../../time/step.ts";
import { isObject, text, texts } from "../../api/client.ts";
import { SEVERITIES, appendOlder, logqlOf, olderEnd, severityOf, severityOfNumber, sqlOf } from "./model.ts";
import type { LogsView } from "./url.ts";

export const PAGE_ROWS = 500;
/** More rows than anyone reads; a bound for the browser's memory. */
export const ROWS_MAX = 20_000;
const BUCKETS = 100;

export interface LogPages {
  rows: LogRow[] | undefined;
  error: Error | null;
  loading: boolean;
  loadingOlder: boolean;
  /** Nothing older is left in the range, or `ROWS_MAX` is reached. */
  complete: boolean;
  reload: () => void;
  loadOlder: () => void;
}

/** The label by which streams tell their severity. */
export function useLogLabels(time: Time): { labels: string[]; severityLabel: string | null; services: string[]; ready: boolean } {
  const key = `labels ${time.window.startMs} ${time.window.endMs}`;
  const resource = useResource(key, async (signal) => {
    const [labels, services] = await Promise.all([logLabels(time.window, signal), logLabelValues("service_name", time.window, signal)]);
    return { labels, services: services.sort() };
  });
  const labels = resource.data?.labels ?? [];
  const severityLabel = ["severity", "level", "severity_text", "detected_level"].find((label) => labels.includes(label)) ?? null;
  return { labels, severityLabel, services: resource.data?.services ?? [], ready: resource.data !== undefined || resource.error !== null };
}

/** Pages of records, newest first; older ones on demand. `severityLabel` as of `useLogLabels`. */
export function useLogPages(view: LogsView, time: Time, severityLabel: string | null, ready: boolean): LogPages {
  const { window } = time;
  const query = logqlOf(view, severityLabel);
  const key = ready ? [query, view.trace, view.span, window.startMs, window.endMs, time.version].join(" ") : null;
  const load = useCallback((endNanos: string, signal: AbortSignal) => {
    if (view.trace !== "") return logsOfTrace(view, { startNanos: msToNanos(window.startMs), endNanos }, signal);
    return logs(query, { startNanos: msToNanos(window.startMs), endNanos, limit: PAGE_ROWS }, signal);
  }, [view, query, window]);
  const first = useResource(key, (signal) => load(msToNanos(window.endMs), signal));
  const [older, setOlder] = useState<{ of: LogRow[]; rows: LogRow[]; complete: boolean } | null>(null);
  const [pending, setPending] = useState<{ of: LogRow[]; error: Error | null } | null>(null);
  const present = first.data === undefined ? undefined : older?.of === first.data ? older.rows : first.data;
  const complete = first.data === undefined || (older?.of === first.data ? older.complete : first.data.length < PAGE_ROWS);

  const [abort] = useState(() => ({ current: new AbortController() }));
  useEffect(() => {
    abort.current = new AbortController();
    return () => abort.current.abort();
  }, [key, abort]);

  const loadOlder = useCallback(() => {
    if (first.data === undefined || present === undefined || complete || pending?.of === first.data) return;
    const of = first.data;
    const { signal } = abort.current;
    setPending({ of, error: null });
    load(olderEnd(present), signal).then(
      (page) => {
        if (signal.aborted) return;
        const rows = appendOlder(present, page);
        // A full page of rows that all stand at one instant would come back for ever.
        setOlder({ of, rows, complete: page.length < PAGE_ROWS || rows.length >= ROWS_MAX || rows.length === present.length });
        setPending(null);
      },
      (error: unknown) => {
        if (!signal.aborted) setPending({ of, error: error instanceof Error ? error : new Error(String(error)) });
      },
    );
  }, [first.data, present, complete, pending, load, abort]);

  const failed = pending?.of === first.data ? (pending?.error ?? null) : null;
  return {
    rows: present,
    error: first.error ?? failed,
    loading: first.loading || !ready,
    loadingOlder: pending !== null && pending.of === first.data && pending.error === null,
    complete,
    reload: () => {
      setPending(null);
      first.reload();
    },
    loadOlder,
  };
}

/** Records of one trace by the identifier's column, whatever service wrote them. */
async function logsOfTrace(view: LogsView, range: { startNanos: string; endNanos: string }, signal: AbortSignal): Promise<LogRow[]> {
  const where = sqlOf(view) ?? [`trace_id = '${view.trace}'`];
  const window: TimeWindow = { startMs: nanosToMs(range.startNanos), endMs: nanosToMs(range.endNanos) + 1 };
  const { columns, rows } = await sql(
    `SELECT CAST(CAST(timestamp AS BIGINT) AS VARCHAR) AS nanos, service, severity_text, severity_number, body, trace_id, span_id, attributes, resource
     FROM logs WHERE ${[within(window), ...where].join(" AND ")} ORDER BY timestamp DESC LIMIT ${PAGE_ROWS}`,
    signal,
  );
  return rows.map((cells) => {
    const row = Object.fromEntries(columns.map((column, index) => [column, cells[index]]));
    const severity = text(row["severity_text"]) === "" ? severityOfNumber(Number(row["severity_number"])) : text(row["severity_text"]);
    return {
      nanos: String(row["nanos"]),
      line: text(row["body"]),
      stream: { service_name: text(row["service"]), severity },
      metadata: { ...flat(row["resource"]), ...flat(row["attributes"]), trace_id: text(row["trace_id"]), span_id: text(row["span_id"]) },
    };
  });
}

/** Attributes of a cell: an object, or the JSON text of one. */
function flat(cell: unknown): Record<string, string> {
  if (isObject(cell)) return texts(cell);
  try {
    const parsed: unknown = JSON.parse(text(cell));
    if (!isObject(parsed)) return {};
    return texts(isObject(parsed["attributes"]) ? parsed["attributes"] : parsed);
  } catch {
    return {};
  }
}

/** Counts over time by severity: of everything in the range, or of the loaded rows where SQL cannot say what is meant. */
export function useHistogram(view: LogsView, time: Time, rows: readonly LogRow[] | undefined): { stacked: Stack | undefined; exact: boolean; resource: Resource<Stack> } {
  const { window } = time;
  const where = sqlOf(view);
  const step = niceStep(window, BUCKETS);
  const statement = where === null ? null
    : `SELECT ${bucket(step)} AS t, severity_number, count(*) AS n FROM logs WHERE ${[within(window), ...where].join(" AND ")} GROUP BY 1, 2`;
  const resource = useResource(statement === null ? null : `${time.version} ${statement}`, async (signal) => {
    const answer = await sql(statement ?? "", signal);
    const cells = answer.rows.map(([at, severity, count]) => ({ startMs: Number(at) * 1_000, layer: severityOfNumber(Number(severity)), count: Number(count) }));
    return stack(cells, SEVERITIES, window, step * 1_000);
  });
  const ofRows = useMemo(() => {
    if (rows === undefined) return undefined;
    const cells = rows.map((row) => ({ startMs: nanosToMs(row.nanos), layer: severityOf(row.stream["severity"] ?? row.stream["level"] ?? row.metadata["severity_text"] ?? ""), count: 1 }));
    return stack(cells, SEVERITIES, window, step * 1_000);
  }, [rows, window, step]);
  const exact = statement !== null && resource.error === null;
  return { stacked: exact ? resource.data : ofRows, exact, resource };
}
