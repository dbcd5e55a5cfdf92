/** What the Metrics page loads. */

import { findSeries, labelNames, labelValues, metadata, queryInstant, queryRange, type Instant, type Matrix, type Metadata } from "../../api/prometheus.ts";
import { services } from "../../api/jaeger.ts";
import { useResource, type Resource } from "../../api/use_resource.ts";
import type { PromqlLookup } from "../../editor/promql.ts";
import type { Time } from "../../location.tsx";
import { parseDuration } from "../../time/duration.ts";
import type { TimeWindow } from "../../time/range.ts";
import { grid, niceStep } from "../../time/step.ts";
import { families, serviceMatchers, type Family } from "./model.ts";

/** Prometheus refuses more points than this per line. */
const POINTS_MAX = 11_000;

/** The step of a view in seconds: as chosen, or such that about `points` points are on the chart. */
export function stepOf(step: string, window: TimeWindow, points: number): number {
  const chosen = parseDuration(step);
  const fitting = niceStep(window, points);
  if (chosen === null || chosen < 1) return fitting;
  return Math.max(chosen / 1_000, niceStep(window, POINTS_MAX - 1, 0.001));
}

export function useRange(query: string, step: number, time: Time, enabled: boolean): Resource<Matrix> {
  const { start, end } = grid(time.window, step);
  const key = !enabled || query.trim() === "" ? null : [query, start, end, step, time.version].join(" ");
  return useResource(key, (signal) => queryRange(query, { start, end, step }, signal));
}

export function useInstant(query: string, time: Time, enabled: boolean): Resource<Instant> {
  const at = time.window.endMs;
  const key = !enabled || query.trim() === "" ? null : [query, at, time.version].join(" ");
  return useResource(key, (signal) => queryInstant(query, at, signal));
}

export interface Catalog {
  families: Family[];
  /** The matcher by which the metrics of the chosen service are found; the empty text without a service. */
  matcher: string;
}

/** The metrics of the range: all, or those of one service. */
export function useCatalog(service: string, time: Time, enabled: boolean): Resource<Catalog> {
  const { window, version } = time;
  const key = enabled ? ["catalog", service, window.startMs, window.endMs, version].join(" ") : null;
  return useResource(key, async (signal) => {
    const about = metadata(signal).catch(() => new Map<string, Metadata>());
    if (service === "") {
      const names = await labelValues("__name__", [], window, signal);
      return { families: families(names, await about), matcher: "" };
    }
    const [byJob = "", byName = ""] = serviceMatchers(service);
    const [job, name] = await Promise.all([byJob, byName].map((matcher) => findSeries([`{${matcher}}`], window, signal)));
    const matcher = (job?.length ?? 0) > 0 ? byJob : byName;
    const chosen = (job?.length ?? 0) > 0 ? job : name;
    const names = [...new Set((chosen ?? []).map((labels) => labels["__name__"] ?? ""))].filter((each) => each !== "");
    return { families: families(names, await about), matcher };
  });
}

/** Services to choose from: those that send traces, and those that send metrics. */
export function useServices(time: Time): string[] {
  const { window } = time;
  const resource = useResource(`services ${window.startMs} ${window.endMs}`, async (signal) => {
    const [traced, jobs] = await Promise.all([services(signal).catch(() => []), labelValues("job", [], window, signal).catch(() => [])]);
    return [...new Set([...traced, ...jobs.map((job) => job.slice(job.lastIndexOf("/") + 1))])].filter((name) => name !== "").sort();
  });
  return resource.data ?? [];
}

/** What the editor completes from, asked at most once per window and question. */
export function promqlLookup(window: TimeWindow): PromqlLookup {
  const answers = new Map<string, Promise<unknown>>();
  const { signal } = new AbortController();
  const once = <T,>(key: string, ask: () => Promise<T>): Promise<T> => {
    const known = answers.get(key) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const asked = ask().catch((error: unknown) => {
      answers.delete(key);
      throw error;
    });
    answers.set(key, asked);
    return asked;
  };
  const matches = (metric: string | undefined): string[] => (metric === undefined || metric === "" ? [] : [metric]);
  return {
    metricNames: () => once("names", () => labelValues("__name__", [], window, signal)).catch(() => []),
    labelNames: (metric) => once(`labels ${metric ?? ""}`, () => labelNames(matches(metric), window, signal)).catch(() => []),
    labelValues: (label, metric) => once(`values ${label} ${metric ?? ""}`, () => labelValues(label, matches(metric), window, signal)).catch(() => []),
    metadata: () => once("metadata", async () => Object.fromEntries([...await metadata(signal)].map(([name, about]) => [name, [about]]))).catch(() => ({})),
  };
}
