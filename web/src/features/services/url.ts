/** The view of the Services page and its URL. */

import type { Codec } from "../../location.tsx";

export const SORTS = ["rate", "errors", "p50", "p95", "p99", "name"] as const;
export type Sort = (typeof SORTS)[number];

export interface ServicesView {
  /** The service that is looked at; the empty text shows all. */
  service: string;
  find: string;
  sort: Sort;
}

export const SERVICES_URL: Codec<ServicesView> = {
  parse: (params) => ({
    service: params.get("service") ?? "",
    find: params.get("find") ?? "",
    sort: SORTS.find((sort) => sort === params.get("sort")) ?? "rate",
  }),
  print: (view) => [["service", view.service], ["find", view.find], ["sort", view.sort === "rate" ? "" : view.sort]],
};
