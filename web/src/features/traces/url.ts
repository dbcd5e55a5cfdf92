/** The views of the two pages of traces and their URLs. */

import type { Codec } from "../../location.tsx";
import { parseDuration } from "../../time/duration.ts";

export const SORTS = ["newest", "longest", "spans", "errors"] as const;
export type Sort = (typeof SORTS)[number];
export const LIMITS = [20, 50, 100, 200, 500] as const;

export interface SearchView {
  /** TraceQL; instead of the conditions below, which then say nothing. */
  query: string;
  service: string;
  operation: string;
  /** `key=value` pairs, as logfmt. */
  tags: string;
  /** Durations as written (`100ms`), the empty text for no bound. */
  min: string;
  max: string;
  limit: number;
  sort: Sort;
}

export const SEARCH_URL: Codec<SearchView> = {
  parse: (params) => {
    const limit = Number(params.get("limit"));
    return {
      query: params.get("q") ?? "",
      service: params.get("service") ?? "",
      operation: params.get("operation") ?? "",
      tags: params.get("tags") ?? "",
      min: duration(params.get("min")),
      max: duration(params.get("max")),
      limit: LIMITS.find((each) => each === limit) ?? 50,
      sort: SORTS.find((each) => each === params.get("sort")) ?? "newest",
    };
  },
  print: (view) => [
    ["q", view.query],
    ["service", view.service],
    ["operation", view.operation],
    ["tags", view.tags],
    ["min", view.min],
    ["max", view.max],
    ["limit", view.limit === 50 ? "" : String(view.limit)],
    ["sort", view.sort === "newest" ? "" : view.sort],
  ],
};

export interface TraceView {
  /** The chosen span, by its id. */
  span: string;
  /** Spans whose children are hidden. */
  folded: readonly string[];
  /** Text that spans are marked by. */
  find: string;
}

export const TRACE_URL: Codec<TraceView> = {
  parse: (params) => ({
    span: params.get("span") ?? "",
    folded: (params.get("folded") ?? "").split(".").filter((id) => id !== ""),
    find: params.get("find") ?? "",
  }),
  print: (view) => [["span", view.span], ["folded", view.folded.join(".")], ["find", view.find]],
};

function duration(text: string | null): string {
  return text !== null && parseDuration(text) !== null ? text : "";
}
