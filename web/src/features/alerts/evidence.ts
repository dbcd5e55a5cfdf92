/** From an alert to what it is about: the lines, the traces, the metric. */

import type { Labels } from "../../api/prometheus.ts";
import { threshold, type Threshold } from "../../charts/threshold.ts";

export interface Evidence {
  signal: "metrics" | "logs" | "traces";
  query: string;
}

/** What shows why a rule fired for these labels, which are those that the expression gave; null where no page shows it. */
export function evidence(lang: string, query: string, labels: Labels): Evidence | null {
  if (lang === "promql") return { signal: "metrics", query: threshold(query)?.expression ?? query };
  if (lang === "logql") {
    const lines = logsOf(query);
    return lines === null ? null : { signal: "logs", query: [lines, ...Object.entries(labels).map(([name, value]) => `| ${name}=${JSON.stringify(value)}`)].join(" ") };
  }
  if (lang !== "traceql") return null;
  return { signal: "traces", query: narrowed(spansOf(query), labels) };
}

/** What a chart of a rule draws. */
export interface Drawn {
  lang: string;
  expression: string;
  limit: Threshold | null;
  /** What ends an alert, where that is another number. */
  back: Threshold | null;
}

/** The series of the values of alerts at each evaluation, while they were active. */
const VALUES = "signalbox_alert_value";

/** What its expression compares, with the number; of SQL, which gives nothing over a range, what its evaluations left behind. */
export function drawn({ kind, lang, name, query, recovery }: { kind: "alerting" | "recording"; lang: string; name: string; query: string; recovery: string }): Drawn {
  if (lang === "sql") return { lang: "promql", expression: kind === "recording" ? `{__name__=${JSON.stringify(name)}}` : `${VALUES}{alertname=${JSON.stringify(name)}}`, limit: null, back: null };
  const [limit, back] = [threshold(query), recovery === "" ? null : threshold(recovery)];
  return { lang, expression: limit?.expression ?? query, limit, back };
}

/** The labels that the expression gave to an alert: without its name and what the rule added. */
export function ownLabels(labels: Labels, added: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => name !== "alertname" && added[name] === undefined));
}

/** The query for lines inside of one that counts them; null where there is none. */
export function logsOf(query: string): string | null {
  const begin = query.indexOf("{");
  if (begin < 0) return null;
  const end = outside(query, begin, (character, depth) => depth === 0 && (character === "[" || character === ")"));
  return query.slice(begin, end < 0 ? undefined : end).trim();
}

/** The spans of a query of series: what stands before its first function. */
function spansOf(query: string): string {
  const end = outside(query, 0, (character, depth, rest) => depth === 0 && character === "|" && /^\|\s*[a-z_]+\s*\(/.test(rest));
  return (end < 0 ? query : query.slice(0, end)).trim();
}

/** Only spans that have these attributes, where the query is one set of conditions. */
function narrowed(spans: string, labels: Labels): string {
  const wanted = Object.entries(labels).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  const inside = /^\{([^{}]*)\}$/.exec(spans)?.[1]?.trim();
  if (inside === undefined || wanted.length === 0) return spans;
  return `{ ${[...(inside === "" || inside === "true" ? [] : [/\|\|/.test(inside) ? `(${inside})` : inside]), ...wanted].join(" && ")} }`;
}

/** The first place from `begin` on, outside of texts, at which `stops` holds; -1 for none. Braces and parentheses open a depth. */
function outside(query: string, begin: number, stops: (character: string, depth: number, rest: string) => boolean): number {
  let [quote, depth] = ["", 0];
  for (let index = begin; index < query.length; index += 1) {
    const character = query[index] ?? "";
    if (quote !== "") {
      if (character === "\\" && quote !== "`") index += 1;
      else if (character === quote) quote = "";
    } else if (character === '"' || character === "`") quote = character;
    else if (stops(character, depth, query.slice(index))) return index;
    else if (character === "{" || character === "(") depth += 1;
    else if (character === "}" || character === ")") depth -= 1;
  }
  return -1;
}
