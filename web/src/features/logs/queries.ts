/** What the Logs page loads. */

import { useCallback, useEffect, useMemo, useState } from "react";
import { logLabelValues, logLabels, logs, type LogRow } from "../../api/loki.ts";
import { bucket, sql, within } from "../../api/sql.ts";
import { useResource, type Resource } from "../../api/use_resource.ts";
import { stack, type Stack } from "../../charts/Bars/model.ts";
import type { Time } from "../../location.tsx";
import { msToNanos, nanosToMs } from "../../time/format.ts";
import { niceStep } from "../../time/step.ts";
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

/** Names of labels, and the services that log. */
export function useLogLabels(time: Time): { labels: string[]; services: string[] } {
  const key = `labels ${time.window.startMs} ${time.window.endMs}`;
  const resource = useResource(key, async (signal) => {
    const [labels, services] = await Promise.all([logLabels(time.window, signal), logLabelValues("service_name", time.window, signal)]);
    return { labels, services: services.sort() };
  });
  return resource.data ?? NOTHING_KNOWN;
}

const NOTHING_KNOWN = { labels: [], services: [] };

/** Pages of records, newest first; older ones on demand. */
export function useLogPages(view: LogsView, time: Time): LogPages {
  const { window } = time;
  const query = logqlOf(view);
  const key = [query, window.startMs, window.endMs, time.version].join(" ");
  const load = useCallback(
    (endNanos: string, signal: AbortSignal) => logs(query, { startNanos: msToNanos(window.startMs), endNanos, limit: PAGE_ROWS }, signal),
    [query, window],
  );
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
    loading: first.loading,
    loadingOlder: pending !== null && pending.of === first.data && pending.error === null,
    complete,
    reload: () => {
      setPending(null);
      first.reload();
    },
    loadOlder,
  };
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
    const cells = rows.map((row) => ({ startMs: nanosToMs(row.nanos), layer: severityOf(row.stream["detected_level"] ?? row.stream["level"] ?? row.metadata["severity_text"] ?? ""), count: 1 }));
    return stack(cells, SEVERITIES, window, step * 1_000);
  }, [rows, window, step]);
  const exact = statement !== null && resource.error === null;
  return { stacked: exact ? resource.data : ofRows, exact, resource };
}
