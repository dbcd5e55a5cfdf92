/** What the Logs page loads. */

import { useCallback, useEffect, useMemo, useState } from "react";
import { countLogs, facetLogs, nanosOf, searchLogs, type Facet, type SearchRecord } from "../../api/logs.ts";
import { logLabelValues, logLabels, logMatrix, logPatterns, logs } from "../../api/loki.ts";
import type { Matrix } from "../../api/prometheus.ts";
import { useResource, type Resource } from "../../api/use_resource.ts";
import { stack, type Stack } from "../../charts/Bars/model.ts";
import type { LogsLookup } from "../../editor/search.ts";
import type { Time } from "../../location.tsx";
import { nanosToMs } from "../../time/format.ts";
import type { TimeWindow } from "../../time/range.ts";
import { grid, niceStep } from "../../time/step.ts";
import { askedBy, languageOf } from "./language.ts";
import { appendOlder, facetsOf, olderEnd, recordOf } from "./model.ts";
import { mergedPatterns, patternRows, type PatternRow } from "./patterns.ts";
import { relaxations } from "./search.ts";
import { SEVERITIES, severityOf } from "./severity.ts";
import { EVERYTHING, type LogsView } from "./url.ts";

export const PAGE_ROWS = 500;
/** More rows than anyone reads; a bound for the browser's memory. */
export const ROWS_MAX = 20_000;
const BUCKETS = 100;
const CHART_POINTS = 240;
/** Fields at the side beside service and level, and values of each. */
const FACETS = 14;
export const FACET_VALUES = 8;
/** Values when one field is looked at. */
export const TOP_VALUES = 50;
const PATTERNS = 100;
const PATTERN_BUCKETS = 30;
/** Fields that completion knows. */
const FIELDS_KNOWN = 100;

export interface LogPages {
  rows: SearchRecord[] | undefined;
  /** Rows of the newest page alone. */
  firstRows: SearchRecord[] | undefined;
  error: Error | null;
  loading: boolean;
  loadingOlder: boolean;
  /** Nothing older is left in the range, or `ROWS_MAX` is reached. */
  complete: boolean;
  reload: () => void;
  loadOlder: () => void;
}

/** The services that log. */
export function useServices(time: Time): string[] {
  const resource = useResource(`services ${time.window.startMs} ${time.window.endMs}`, async (signal) => (await logLabelValues("service_name", time.window, signal)).sort());
  return resource.data ?? NOTHING;
}

const NOTHING: string[] = [];

interface Page {
  rows: SearchRecord[];
  /** Where the next older page begins; null when this is the last. */
  next: string | null;
}

/** A page of records, newest first, that begins at `at`: a cursor of the search, the end of a LogQL query. */
async function loadPage(view: LogsView, window: TimeWindow, at: string | null, signal: AbortSignal): Promise<Page> {
  const query = askedBy(view);
  const range = nanosOf(window);
  if (languageOf(view.query) === "logql") {
    const rows = (await logs(query, { ...range, endNanos: at ?? range.endNanos, limit: PAGE_ROWS }, signal)).map(recordOf);
    return { rows, next: rows.length < PAGE_ROWS ? null : olderEnd(rows) };
  }
  try {
    const answer = await searchLogs(query, range, { limit: PAGE_ROWS, cursor: at }, signal);
    return { rows: answer.records, next: answer.cursor };
  } catch (error) {
    // The place of a fault is one in what was typed, not in what was asked.
    if (query !== view.query.trim() && !signal.aborted) await searchLogs(view.query.trim(), range, { limit: 0 }, signal);
    throw error;
  }
}

/** Pages of records, newest first; older ones on demand. */
export function useLogPages(view: LogsView, time: Time, isWanted: boolean): LogPages {
  const { window } = time;
  const query = askedBy(view);
  const key = isWanted ? [languageOf(view.query), query, window.startMs, window.endMs, time.version].join(" ") : null;
  const first = useResource(key, (signal) => loadPage(view, window, null, signal));
  const [older, setOlder] = useState<{ of: Page; rows: SearchRecord[]; next: string | null } | null>(null);
  const [pending, setPending] = useState<{ of: Page; error: Error | null } | null>(null);
  const present = first.data === undefined ? undefined : older?.of === first.data ? older : first.data;
  const complete = present === undefined || present.next === null || present.rows.length >= ROWS_MAX;

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
    loadPage(view, window, present.next, signal).then(
      (page) => {
        if (signal.aborted) return;
        const rows = languageOf(view.query) === "logql" ? appendOlder(present.rows, page.rows) : [...present.rows, ...page.rows];
        // A full page of rows that all stand at one instant would come back for ever.
        setOlder({ of, rows, next: rows.length === present.rows.length ? null : page.next });
        setPending(null);
      },
      (error: unknown) => {
        if (!signal.aborted) setPending({ of, error: error instanceof Error ? error : new Error(String(error)) });
      },
    );
  }, [first.data, present, complete, pending, view, window, abort]);

  const failed = pending?.of === first.data ? (pending?.error ?? null) : null;
  return {
    rows: present?.rows,
    firstRows: first.data?.rows,
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

/** Counts over time by severity: of everything in the range, or of the loaded rows where the server cannot count. */
export function useHistogram(view: LogsView, window: TimeWindow, version: number, rows: readonly SearchRecord[] | undefined): { stacked: Stack | undefined; exact: boolean; resource: Resource<Stack> } {
  const query = askedBy(view);
  const language = languageOf(view.query);
  const step = niceStep(window, BUCKETS);
  const key = language === "metric" ? null : ["histogram", language, query, step, window.startMs, window.endMs, version].join(" ");
  const resource = useResource(key, async (signal) => {
    if (language === "logql") {
      const { start, end } = grid(window, step);
      const matrix = await logMatrix(`sum by (detected_level) (count_over_time(${query} [${step}s]))`, { start, end: end + step, step }, signal);
      const cells = matrix.series.flatMap((series) => {
        const layer = severityOf(series.labels["detected_level"] ?? "");
        // A point counts what lies before it.
        return [...series.values].map((value, index) => ({ startMs: ((matrix.times[index] ?? 0) - step) * 1_000, layer, count: Number.isFinite(value) ? value : 0 }));
      });
      return stack(cells, SEVERITIES, window, step * 1_000);
    }
    const answer = await countLogs(query, nanosOf(window), { stepSeconds: step, by: "level", values: 20 }, signal);
    const cells = answer.buckets.flatMap(({ startMs, count, values }) => {
      const layers = Object.entries(values).map(([level, each]) => ({ startMs, layer: severityOf(level) as string, count: each }));
      return [...layers, { startMs, layer: "info", count: count - layers.reduce((sum, each) => sum + each.count, 0) }];
    });
    return stack(cells, SEVERITIES, window, step * 1_000);
  });
  const ofRows = useMemo(() => {
    if (rows === undefined) return undefined;
    return stack(rows.map((row) => ({ startMs: nanosToMs(row.nanos), layer: severityOf(row.level), count: 1 })), SEVERITIES, window, step * 1_000);
  }, [rows, window, step]);
  const exact = resource.error === null;
  return { stacked: exact ? resource.data : ofRows, exact, resource };
}

export interface Relaxed {
  part: string;
  query: string;
  total: number;
}

/** What there is without one part of a search that found nothing: most first; parts whose absence changes nothing are left out. */
export function useRelaxed(view: LogsView, time: Time): Relaxed[] {
  const { window, version } = time;
  const ways = languageOf(view.query) === "search" ? relaxations(view.query) : [];
  const key = ways.length === 0 ? null : ["relaxed", askedBy(view), window.startMs, window.endMs, version].join(" ");
  const resource = useResource(key, async (signal) => {
    const counted = await Promise.all(ways.map(async (way) => ({ ...way, total: (await searchLogs(askedBy({ ...view, query: way.query }), nanosOf(window), { limit: 0, total: true }, signal)).total ?? 0 })));
    return counted.filter(({ total }) => total > 0).sort((left, right) => right.total - left.total);
  });
  return resource.data ?? NOT_RELAXED;
}

const NOT_RELAXED: Relaxed[] = [];

export interface Facets {
  total: number;
  facets: Facet[];
  /** Of everything in the range; of the loaded rows otherwise. */
  exact: boolean;
}

/** Fields and their most frequent values. Of LogQL's answers the loaded rows are counted. */
export function useFacets(view: LogsView, time: Time, rows: readonly SearchRecord[] | undefined, isWanted: boolean): { data: Facets | undefined; error: Error | null; loading: boolean; reload: () => void } {
  const query = askedBy(view);
  const isSearch = languageOf(view.query) === "search";
  const { window, version } = time;
  const key = isWanted && isSearch ? ["facets", query, window.startMs, window.endMs, version].join(" ") : null;
  const resource = useResource(key, async (signal) => {
    const answer = await facetLogs(query, nanosOf(window), { fields: ["service", "level"], more: FACETS, values: FACET_VALUES }, signal);
    return { ...answer, exact: true };
  });
  const ofRows = useMemo(() => (isSearch || !isWanted || rows === undefined ? undefined : { total: rows.length, facets: facetsOf(rows, FACET_VALUES), exact: false }), [isSearch, isWanted, rows]);
  return { data: isSearch ? resource.data : ofRows, error: resource.error, loading: resource.loading, reload: resource.reload };
}

/** The most frequent values of one field. */
export function useTopValues(field: string, view: LogsView, time: Time, rows: readonly SearchRecord[], isWanted: boolean): { data: Facet | undefined; error: Error | null; loading: boolean; exact: boolean } {
  const query = askedBy(view);
  const isSearch = languageOf(view.query) === "search";
  const { window, version } = time;
  const resource = useResource(isWanted && isSearch ? ["top", field, query, window.startMs, window.endMs, version].join(" ") : null, async (signal) =>
    (await facetLogs(query, nanosOf(window), { fields: [field], more: 0, values: TOP_VALUES }, signal)).facets[0]);
  const ofRows = useMemo(() => (isSearch || !isWanted ? undefined : facetsOf(rows, TOP_VALUES).find((facet) => facet.field === field)), [isSearch, isWanted, rows, field]);
  return { data: isSearch ? resource.data : ofRows, error: resource.error, loading: resource.loading, exact: isSearch };
}

/** Patterns of lines with their counts over time. */
export function usePatterns(view: LogsView, time: Time): Resource<PatternRow[]> {
  const query = askedBy(view);
  const isSearch = languageOf(view.query) === "search";
  const { window, version } = time;
  const step = niceStep(window, PATTERN_BUCKETS);
  return useResource(["patterns", query, window.startMs, window.endMs, version].join(" "), async (signal) => {
    if (!isSearch) return patternRows(await logPatterns(query, { ...grid(window, step), step }, signal), window, step);
    const range = nanosOf(window);
    const [facets, counts] = await Promise.all([
      facetLogs(query, range, { fields: ["pattern"], more: 0, values: PATTERNS }, signal),
      countLogs(query, range, { stepSeconds: step, by: "pattern", values: PATTERNS }, signal),
    ]);
    return mergedPatterns(facets.facets[0]?.values ?? [], counts.buckets);
  });
}

/** The lines of a metric query. */
export function useLogMatrix(view: LogsView, time: Time): Resource<Matrix> & { step: number } {
  const query = askedBy(view);
  const step = niceStep(time.window, CHART_POINTS);
  const { start, end } = grid(time.window, step);
  const isWanted = languageOf(view.query) === "metric";
  const resource = useResource(isWanted ? ["matrix", query, start, end, step, time.version].join(" ") : null, (signal) => logMatrix(query, { start, end, step }, signal));
  return { ...resource, step };
}

/** Records of a stream before and after one, both nearest first. */
export function useContextRows(stream: string, nanos: string, amount: number): Resource<{ before: SearchRecord[]; after: SearchRecord[] }> {
  const dayNanos = 86_400_000_000_000n;
  return useResource(["context", stream, nanos, amount].join(" "), async (signal) => {
    const at = BigInt(nanos);
    const [before, after] = await Promise.all([
      searchLogs(stream, { startNanos: String(at - dayNanos), endNanos: nanos }, { limit: amount }, signal),
      searchLogs(stream, { startNanos: String(at + 1n), endNanos: String(at + dayNanos) }, { limit: amount, forward: true }, signal),
    ]);
    return { before: before.records, after: after.records };
  });
}

/** What completion in the editor offers: asked when it is needed, once per range. */
export function useLookup(view: LogsView, time: Time): LogsLookup {
  const { window } = time;
  const { service } = view;
  return useMemo(() => {
    const known = new Map<string, Promise<unknown>>();
    const once = <T>(key: string, load: (signal: AbortSignal) => Promise<T>): Promise<T> => {
      const found = known.get(key) ?? load(new AbortController().signal).catch((error: unknown) => {
        known.delete(key);
        throw error;
      });
      known.set(key, found);
      return found as Promise<T>;
    };
    const query = askedBy({ ...EVERYTHING, service });
    const facets = (fields: readonly string[], more: number, values: number) => (signal: AbortSignal) => facetLogs(query, nanosOf(window), { fields, more, values }, signal);
    return {
      labels: () => once("labels", (signal) => logLabels(window, signal)),
      values: (label) => once(`values ${label}`, (signal) => logLabelValues(label, window, signal)),
      fields: async () => (await once("fields", facets(["service", "level"], FIELDS_KNOWN, 1))).facets.map(({ field, distinct }) => ({ name: field, distinct })),
      fieldValues: async (field) => (await once(`field ${field}`, facets([field], 0, TOP_VALUES))).facets[0]?.values ?? [],
    };
  }, [window, service]);
}
