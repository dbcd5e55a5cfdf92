/** What the pages of traces load. */

import { operations, searchTraces, services, trace, type Trace } from "../../api/jaeger.ts";
import { searchTraceql } from "../../api/tempo.ts";
import { useResource, type Resource } from "../../api/use_resource.ts";
import type { Time } from "../../location.tsx";
import { parseTags, searchOf, summarize, summarizeFound, type Summary } from "./model.ts";
import type { SearchView } from "./url.ts";

export function useServices(): Resource<string[]> {
  return useResource("services", services);
}

export function useOperations(service: string): string[] {
  const resource = useResource(service === "" ? null : service, (signal) => operations(service, signal));
  return resource.data ?? [];
}

/** Traces that fit the view, newest first. */
export function useSearch(view: SearchView, time: Time): Resource<Summary[]> {
  const { window } = time;
  const { tags, error } = parseTags(view.tags);
  const key = error !== null && view.query === "" ? null
    : [view.query, view.service, view.operation, view.tags, view.min, view.max, view.limit, window.startMs, window.endMs, time.version].join(" ");
  return useResource(key, async (signal) => view.query !== ""
    ? (await searchTraceql(searchOf(view.query), view.limit, window, signal)).map(summarizeFound)
    : (await searchTraces({ ...view, tags, minDuration: view.min, maxDuration: view.max }, window, signal)).map(summarize));
}

export function useTrace(id: string, version: number): Resource<Trace | null> {
  return useResource(`${id} ${version}`, (signal) => trace(id, signal));
}
