/** The pure half of Home: what each signal brings, how each service does. */

import type { Instant, Matrix } from "../../api/prometheus.ts";
import type { Rows } from "../../api/sql.ts";

export const SIGNALS = ["metrics", "logs", "traces"] as const;
export type Signal = (typeof SIGNALS)[number];

/** What arrives of one signal. */
export interface Arrival {
  signal: Signal;
  /** Rows a second over time, NaN where unknown. */
  rates: Float64Array;
  /** The newest known rate; NaN when there is none. */
  now: number;
}

/** How the server and others call a signal. */
const NAMES: Record<Signal, readonly string[]> = { metrics: ["metrics", "samples"], logs: ["logs"], traces: ["traces", "spans"] };

/** Lines by signal, whatever order they came in. The rate now is of `newest`, which is no step old, where it knows one. */
export function arrivals(matrix: Matrix, newest: Instant): Arrival[] {
  return SIGNALS.map((signal) => {
    const present = newest.samples.filter((sample) => NAMES[signal].includes(sample.labels["signal"] ?? "") && !Number.isNaN(sample.value));
    const rates = new Float64Array(matrix.times.length).fill(Number.NaN);
    for (const series of matrix.series) {
      if (!NAMES[signal].includes(series.labels["signal"] ?? "")) continue;
      series.values.forEach((value, index) => {
        if (Number.isNaN(value)) return;
        const sum = rates[index] ?? Number.NaN;
        rates[index] = Number.isNaN(sum) ? value : sum + value;
      });
    }
    return { signal, rates, now: present.length > 0 ? present.reduce((sum, sample) => sum + sample.value, 0) : lastOf(rates) };
  });
}

function lastOf(values: Float64Array): number {
  for (let index = values.length - 1; index >= 0; index -= 1) {
    const value = values[index] ?? Number.NaN;
    if (!Number.isNaN(value)) return value;
  }
  return Number.NaN;
}

/** How one service did over the range. */
export interface ServiceRow {
  service: string;
  /** Requests (server and consumer spans) a second; NaN when it sends no traces. */
  requestRate: number;
  /** Share of requests that failed. */
  errorShare: number;
  p50Micros: number;
  p95Micros: number;
  /** Requests by bucket of time. */
  requests: Float64Array;
  logs: number;
  errorLogs: number;
}

interface Buckets {
  start: number;
  step: number;
  count: number;
}

/** One row a service from three answers: spans by service, spans by service and bucket, logs by service. */
export function serviceRows(known: readonly string[], spans: Rows | undefined, overTime: Rows | undefined, logs: Rows | undefined, seconds: number, buckets: Buckets): ServiceRow[] {
  const rows = new Map<string, ServiceRow>();
  const of = (service: string): ServiceRow => {
    const present = rows.get(service);
    if (present !== undefined) return present;
    const row = { service, requestRate: Number.NaN, errorShare: Number.NaN, p50Micros: Number.NaN, p95Micros: Number.NaN, requests: new Float64Array(buckets.count), logs: 0, errorLogs: 0 };
    rows.set(service, row);
    return row;
  };
  for (const service of known) of(service);
  for (const [service, requests, errors, p50, p95] of spans?.rows ?? []) {
    const row = of(String(service));
    row.requestRate = Number(requests) / seconds;
    row.errorShare = Number(requests) === 0 ? Number.NaN : Number(errors) / Number(requests);
    row.p50Micros = p50 === null ? Number.NaN : Number(p50) / 1_000;
    row.p95Micros = p95 === null ? Number.NaN : Number(p95) / 1_000;
  }
  for (const [service, at, requests] of overTime?.rows ?? []) {
    const index = Math.round((Number(at) - buckets.start) / buckets.step);
    if (index >= 0 && index < buckets.count) of(String(service)).requests[index] = Number(requests);
  }
  for (const [service, total, errors] of logs?.rows ?? []) {
    const row = of(String(service));
    row.logs = Number(total);
    row.errorLogs = Number(errors);
  }
  const rate = (row: ServiceRow): number => (Number.isNaN(row.requestRate) ? -1 : row.requestRate);
  return [...rows.values()].filter((row) => row.service !== "").sort((left, right) => rate(right) - rate(left) || (left.service < right.service ? -1 : 1));
}
