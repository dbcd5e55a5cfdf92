/** What the expression of a rule gives over a range, in whichever language it is written. */

import { logMatrix } from "./loki.ts";
import { queryRange, type Matrix } from "./prometheus.ts";
import { traceMatrix } from "./tempo.ts";

/** Whether a language has an API that answers over a range: SQL has none. */
export function isDrawable(lang: string): boolean {
  return lang === "promql" || lang === "logql" || lang === "traceql";
}

export function ruleMatrix(lang: string, expression: string, range: { start: number; end: number; step: number }, signal: AbortSignal): Promise<Matrix> {
  if (lang === "logql") return logMatrix(expression, range, signal);
  if (lang === "traceql") return traceMatrix(expression, range, signal);
  return queryRange(expression, range, signal);
}
