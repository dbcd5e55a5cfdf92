/** The view of the Logs page and its URL. */

import type { Codec } from "../../location.tsx";
import { SEVERITIES, type Severity } from "./severity.ts";

export interface LogsView {
  /** LogQL when it starts with `{` or counts over such a selector, otherwise the search language. */
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
  /** What came before and after the open row is shown. */
  context: boolean;
  tab: "records" | "patterns";
  /** New records are shown as they come. */
  live: boolean;
  /** Long lines are shown whole. */
  wrap: boolean;
  /** The fields at the side: shown where there is room, unless said. */
  fields: "" | "shown" | "hidden";
  /** Lines of a chart that are not shown. */
  hidden: readonly number[];
}

export const EVERYTHING: LogsView = { query: "", service: "", severities: [], trace: "", span: "", row: "", context: false, tab: "records", live: false, wrap: false, fields: "", hidden: [] };

export const LOGS_URL: Codec<LogsView> = {
  parse: (params) => ({
    query: params.get("q") ?? "",
    service: params.get("service") ?? "",
    severities: SEVERITIES.filter((severity) => (params.get("severity") ?? "").split(",").includes(severity)),
    trace: identifier(params.get("trace")),
    span: identifier(params.get("span")),
    row: params.get("row") ?? "",
    context: params.get("context") === "1",
    tab: params.get("tab") === "patterns" ? "patterns" : "records",
    live: params.get("live") === "1",
    wrap: params.get("wrap") === "1",
    fields: params.get("fields") === "shown" ? "shown" : params.get("fields") === "hidden" ? "hidden" : "",
    hidden: [...(params.get("hidden") ?? "").matchAll(/\d{1,5}/g)].map(([number]) => Number(number)),
  }),
  print: (view) => [
    ["q", view.query],
    ["service", view.service],
    ["severity", view.severities.join(",")],
    ["trace", view.trace],
    ["span", view.span],
    ["row", view.row],
    ["context", view.context && view.row !== "" ? "1" : ""],
    ["tab", view.tab === "patterns" ? "patterns" : ""],
    ["live", view.live ? "1" : ""],
    ["wrap", view.wrap ? "1" : ""],
    ["fields", view.fields],
    ["hidden", view.hidden.join(",")],
  ],
};

/** Hexadecimal digits only: identifiers become part of a query. */
function identifier(text: string | null): string {
  return text !== null && /^[0-9a-fA-F]{1,32}$/.test(text) ? text.toLowerCase() : "";
}
