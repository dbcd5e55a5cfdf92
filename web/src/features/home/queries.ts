/** What Home loads: nothing that a user had to configure, only what the server knows by itself. */

import { services } from "../../api/jaeger.ts";
import { logLabelValues, logs, type LogRow } from "../../api/loki.ts";
import { msToNanos } from "../../time/format.ts";
import { alerts, labelValues, queryInstant, queryRange, type ActiveAlert } from "../../api/prometheus.ts";
import { bucket, sql, within, type Rows } from "../../api/sql.ts";
import { useResource, type Resource } from "../../api/use_resource.ts";
import type { Time } from "../../location.tsx";
import { printSeconds } from "../../time/duration.ts";
import { grid, niceStep, rateWindow } from "../../time/step.ts";
import { arrivals, serviceRows, type Arrival, type ServiceRow } from "./model.ts";

const POINTS = 120;
const BUCKETS = 40;
/** Kinds of spans that are requests to a service: server and consumer. */
const REQUEST_KINDS = "kind IN (2, 5)";

export interface Arrivals {
  times: Float64Array;
  signals: Arrival[];
}

/** Rows a second by signal: by the server's own counters. */
export function useArrivals(time: Time): Resource<Arrivals> {
  const step = niceStep(time.window, POINTS);
  const { start, end } = grid(time.window, step);
  return useResource(`arrivals ${start} ${end} ${step} ${time.version}`, async (signal) => {
    const query = (window: number): string => `sum by (signal) (rate(signalbox_ingest_rows_total[${printSeconds(window)}]))`;
    const [matrix, newest] = await Promise.all([
      queryRange(query(rateWindow(step)), { start, end, step }, signal),
      queryInstant(query(rateWindow(1)), time.window.endMs, signal),
    ]);
    return { times: matrix.times, signals: arrivals(matrix, newest) };
  });
}

export interface Services {
  rows: ServiceRow[];
  /** What could not be counted; the list of services is then all there is. */
  failure: Error | null;
}

/** All services that sent anything, with requests, errors and time from their spans. */
export function useServices(time: Time): Resource<Services> {
  const { window, version } = time;
  return useResource(`services ${window.startMs} ${window.endMs} ${version}`, async (signal) => {
    const step = niceStep(window, BUCKETS);
    const { start, count } = bucketGrid(window.startMs, window.endMs, step);
    let failure: Error | null = null;
    const failed = (error: unknown): void => {
      failure = error instanceof Error ? error : new Error(String(error));
    };
    const optional = (query: string): Promise<Rows | undefined> => sql(query, signal).catch((error: unknown) => {
      failed(error);
      return undefined;
    });
    const names = (list: Promise<string[]>): Promise<string[]> => list.catch((error: unknown) => {
      failed(error);
      return [];
    });
    const where = within(window);
    const [traced, logging, jobs, spans, overTime, logs] = await Promise.all([
      names(services(signal)),
      names(logLabelValues("service_name", window, signal)),
      names(labelValues("job", [], window, signal)),
      optional(`SELECT service, count(*) AS n, sum(CASE WHEN status_code = 2 THEN 1 ELSE 0 END) AS errors,
        approx_percentile_cont(duration_ns, 0.5) AS p50, approx_percentile_cont(duration_ns, 0.95) AS p95
        FROM spans WHERE ${REQUEST_KINDS} AND ${where} GROUP BY service`),
      optional(`SELECT service, ${bucket(step)} AS t, count(*) AS n FROM spans WHERE ${REQUEST_KINDS} AND ${where} GROUP BY 1, 2`),
      optional(`SELECT service, count(*) AS n, sum(CASE WHEN severity_number >= 17 THEN 1 ELSE 0 END) AS errors FROM logs WHERE ${where} GROUP BY service`),
    ]);
    const known = [...new Set([...traced, ...logging, ...jobs.map((job) => job.slice(job.lastIndexOf("/") + 1))])];
    const seconds = (window.endMs - window.startMs) / 1_000;
    const rows = serviceRows(known, spans, overTime, logs, seconds, { start, step, count });
    // Nothing found and something failed is no empty list.
    if (rows.length === 0 && failure !== null) throw failure;
    return { rows, failure };
  });
}

function bucketGrid(startMs: number, endMs: number, step: number): { start: number; count: number } {
  // Whole buckets only: one that is half in the range looks like a drop.
  const start = Math.ceil(startMs / 1_000 / step) * step;
  return { start, count: Math.max(1, Math.floor((endMs / 1_000 - start) / step)) };
}

/** How many error records Home shows. */
const ERRORS_SHOWN = 10;

/** The newest records that tell of an error. */
export function useLatestErrors(time: Time): Resource<LogRow[]> {
  const { window, version } = time;
  return useResource(`errors ${window.startMs} ${window.endMs} ${version}`, (signal) =>
    logs('{level=~"(?i)(err|fatal|crit).*"}', { startNanos: msToNanos(window.startMs), endNanos: msToNanos(window.endMs), limit: ERRORS_SHOWN }, signal));
}

export function useAlerts(time: Time): Resource<ActiveAlert[]> {
  return useResource(`alerts ${time.version}`, alerts);
}
