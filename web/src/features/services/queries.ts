/** What the Services page loads. */

import { queryRange, type Matrix } from "../../api/prometheus.ts";
import { operations, serviceMap, type Operation, type ServiceMap } from "../../api/service_map.ts";
import { useResource, type Resource } from "../../api/use_resource.ts";
import type { Line } from "../../charts/TimeSeries/TimeSeries.tsx";
import type { Time } from "../../location.tsx";
import { grid, niceStep } from "../../time/step.ts";
import type { Plan } from "./model.ts";

const POINTS = 120;

export function useMap(service: string, time: Time): Resource<ServiceMap> {
  const { window, version } = time;
  return useResource(`map ${service} ${window.startMs} ${window.endMs} ${version}`, (signal) => serviceMap(window, service, signal));
}

export function useOperations(service: string, time: Time): Resource<Operation[]> {
  const { window, version } = time;
  return useResource(`operations ${service} ${window.startMs} ${window.endMs} ${version}`, (signal) => operations(window, service, signal));
}

/** The step of the charts of a range, in seconds. */
export function stepOf(time: Time): number {
  return niceStep(time.window, POINTS);
}

/** The lines of a chart: each query gives one. */
export function useLines(plan: Plan, time: Time): Resource<{ times: Float64Array; lines: Line[] }> {
  const step = stepOf(time);
  const { start, end } = grid(time.window, step);
  const key = ["lines", ...plan.lines.map(({ query }) => query), start, end, step, time.version].join(" ");
  return useResource(key, async (signal) => {
    const answers = await Promise.all(plan.lines.map(({ query }): Promise<Matrix> => queryRange(query, { start, end, step }, signal)));
    const lines = answers.flatMap((answer, index) => answer.series.slice(0, 1).map((series) => ({ label: plan.lines[index]?.label ?? "", values: series.values })));
    return { times: answers[0]?.times ?? new Float64Array(0), lines };
  });
}
