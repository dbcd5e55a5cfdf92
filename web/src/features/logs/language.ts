/** Which language a query is in, and what a view asks for in it. */

import { narrowedLogql, narrowedToPattern, quote, withConditions } from "./logql.ts";
import { asOperand, clause, narrowedSearch } from "./search.ts";
import { SPELLINGS } from "./severity.ts";
import type { LogsView } from "./url.ts";

/** `metric` is LogQL whose answer is lines of a chart. */
export type Language = "search" | "logql" | "metric";

/** Every metric query counts over a range of a selector. */
const METRIC = /\b(?:rate|rate_counter|bytes_rate|\w+_over_time)\s*\(\s*\{[\s\S]*\[/;
/** A record without a service is called so by the Loki API. */
const NO_SERVICE = "unknown_service";

export function languageOf(query: string): Language {
  if (query.trim().startsWith("{")) return "logql";
  return METRIC.test(query) ? "metric" : "search";
}

/** The search of a view: what was chosen beside the text, and the text. */
export function searchOf(view: LogsView): string {
  return [...chosen(view), view.query.trim() === "" ? "" : chosen(view).length === 0 ? view.query.trim() : asOperand(view.query)].filter((part) => part !== "").join(" ");
}

function chosen({ service, severities, trace, span }: LogsView): string[] {
  // A record that says no level counts as info.
  const levels = severities.flatMap((severity) => (severity === "info" ? ["info", "unknown"] : [severity]));
  return [
    service === "" ? "" : service === NO_SERVICE ? "-service:*" : clause("service", service),
    levels.length === 0 ? "" : levels.length === 1 ? `level:${levels[0]}` : `level:(${levels.join(" OR ")})`,
    trace === "" ? "" : clause("trace_id", trace),
    span === "" ? "" : clause("span_id", span),
  ].filter((part) => part !== "");
}

/** The LogQL of a view whose text is LogQL. */
export function logqlOf(view: LogsView): string {
  const stages = [];
  if (view.severities.length > 0) stages.push(`| detected_level=~${quote(`(?i)(${view.severities.map((severity) => SPELLINGS[severity]).join("|")}).*`)}`);
  if (view.trace !== "") stages.push(`| trace_id=${quote(view.trace)}`);
  if (view.span !== "") stages.push(`| span_id=${quote(view.span)}`);
  return withConditions(view.query.trim(), view.service === "" ? [] : [`service_name=${quote(view.service)}`], stages);
}

/** What the server is asked, in either language. */
export function askedBy(view: LogsView): string {
  return languageOf(view.query) === "search" ? searchOf(view) : logqlOf(view);
}

/** The view narrowed to records whose field has the value, or to the others. */
export function narrowed(view: LogsView, field: string, value: string, wanted: boolean): LogsView {
  const next = { ...view, row: "", context: false };
  if (wanted && /^service([._]name)?$/.test(field)) return { ...next, service: value };
  const query = languageOf(view.query) === "search" ? narrowedSearch(view.query, field, value, wanted) : narrowedLogql(view.query, field, value, wanted);
  return { ...next, query };
}

/** The view narrowed to lines of a pattern, or to the others. */
export function ofPattern(view: LogsView, pattern: string, wanted: boolean): LogsView {
  const query = languageOf(view.query) === "search" ? narrowedSearch(view.query, "pattern", pattern, wanted) : narrowedToPattern(view.query, pattern, wanted);
  return { ...view, row: "", context: false, tab: wanted ? "records" : view.tab, query };
}
