/** The view of the Logs page and its URL. */

import type { Codec } from "../../location.tsx";
import { SEVERITIES, type Severity } from "./model.ts";

export interface LogsView {
  /** LogQL when it starts with `{`, otherwise text that a line must contain. */
  query: string;
  service: string;
  /** Severities that are shown; none means all. */
  severities: readonly Severity[];
  /** Only records of this trace. */
  trace: string;
  /** Only records of this span. */
  span: string;
  /** The row that is open, by its time in nanoseconds and its place among equals. */
  row: string;
}

export const LOGS_URL: Codec<LogsView> = {
  parse: (params) => ({
    query: params.get("q") ?? "",
    service: params.get("service") ?? "",
    severities: SEVERITIES.filter((severity) => (params.get("severity") ?? "").split(",").includes(severity)),
    trace: identifier(params.get("trace")),
    span: identifier(params.get("span")),
    row: params.get("row") ?? "",
  }),
  print: (view) => [
    ["q", view.query],
    ["service", view.service],
    ["severity", view.severities.join(",")],
    ["trace", view.trace],
    ["span", view.span],
    ["row", view.row],
  ],
};

/** Hexadecimal digits only: identifiers become part of a query. */
function identifier(text: string | null): string {
  return text !== null && /^[0-9a-fA-F]{1,32}$/.test(text) ? text.toLowerCase() : "";
}
