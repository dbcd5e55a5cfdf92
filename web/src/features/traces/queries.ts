/** What the pages of traces load. */

import { operations, searchTraces, services, trace, type Trace } from "../../api/jaeger.ts";
import { useResource, type Resource } from "../../api/use_resource.ts";
import type { Time } from "../../location.tsx";
import { parseTags } from "./model.ts";
import type { SearchView } from "./url.ts";

/** Services asked at once when none is chosen: the API wants one for each search. */
const SERVICES_MAX = 24;

export function useServices(): Resource<string[]> {
  return useResource("services", services);
}

export function useOperations(service: string): string[] {
  const resource = useResource(service === "" ? null : service, (signal) => operations(service, signal));
  return resource.data ?? [];
}

/** Traces that fit the view, each once. */
export function useSearch(view: SearchView, time: Time, known: readonly string[] | undefined): Resource<Trace[]> {
  const { window } = time;
  const { tags, error } = parseTags(view.tags);
  const asked = view.service === "" ? known?.slice(0, SERVICES_MAX) : [view.service];
  const key = asked === undefined || error !== null ? null
    : [asked.join(), view.operation, view.tags, view.min, view.max, view.limit, window.startMs, window.endMs, time.version].join(" ");
  return useResource(key, async (signal) => {
    const bounds = { tags, minDuration: view.min, maxDuration: view.max, limit: view.limit };
    const answers = await Promise.all((asked ?? []).map((service) => searchTraces({ ...bounds, service, operation: view.service === "" ? "" : view.operation }, window, signal)));
    const found = new Map<string, Trace>();
    for (const each of answers.flat()) if (!found.has(each.id)) found.set(each.id, each);
    return [...found.values()].sort((left, right) => (right.spans[0]?.startMicros ?? 0) - (left.spans[0]?.startMicros ?? 0)).slice(0, view.limit);
  });
}

export function useTrace(id: string, version: number): Resource<Trace | null> {
  return useResource(`${id} ${version}`, (signal) => trace(id, signal));
}
