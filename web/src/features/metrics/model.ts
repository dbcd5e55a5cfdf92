/** The pure half of the Metrics page: a fitting query for each metric. */

import type { Metadata } from "../../api/prometheus.ts";
import { printSeconds } from "../../time/duration.ts";

export type Kind = "counter" | "gauge" | "histogram" | "native-histogram" | "summary";

/** One metric as the list shows it: the parts of a classic histogram are one. */
export interface Family {
  name: string;
  kind: Kind;
  help: string;
}

const PART = /_(bucket|sum|count)$/;

/** Names of metrics folded into families, by name. */
export function families(names: readonly string[], metadata: ReadonlyMap<string, Metadata>): Family[] {
  const known = new Set(names);
  const found = new Map<string, Family>();
  for (const name of names) {
    const base = name.replace(PART, "");
    const isPart = base !== name && (known.has(`${base}_bucket`) || ["histogram", "summary"].includes(metadata.get(base)?.type ?? ""));
    const family = isPart ? base : name;
    if (found.has(family)) continue;
    const about = metadata.get(family) ?? metadata.get(family.replace(/_total$/, ""));
    found.set(family, { name: family, kind: kindOf(family, about?.type ?? "", known), help: about?.help ?? "" });
  }
  return [...found.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

function kindOf(name: string, type: string, known: ReadonlySet<string>): Kind {
  if (known.has(`${name}_bucket`)) return "histogram";
  if (type === "histogram" || type === "gaugehistogram") return "native-histogram";
  if (type === "summary") return "summary";
  if (type === "counter" || (type !== "gauge" && name.endsWith("_total"))) return "counter";
  return "gauge";
}

/** The matcher that selects a service by the conventions of OpenTelemetry: `job` is `namespace/name` or `name`. */
export function serviceMatchers(service: string): string[] {
  const quoted = service.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  return [`job=~${JSON.stringify(`(.+/)?${quoted}`)}`, `service_name=${JSON.stringify(service)}`];
}

/** A query that shows what such a metric is for. `matcher` goes into the selector; `window` in seconds. */
export function suggestedQuery(family: Family, matcher: string, window: number): string {
  const selector = matcher === "" ? "" : `{${matcher}}`;
  const over = `[${printSeconds(window)}]`;
  switch (family.kind) {
    case "counter":
      return `sum(rate(${family.name}${selector}${over}))`;
    case "histogram":
      return `histogram_quantile(0.95, sum by (le) (rate(${family.name}_bucket${selector}${over})))`;
    case "native-histogram":
      return `histogram_quantile(0.95, sum(rate(${family.name}${selector}${over})))`;
    case "summary":
      return `sum(rate(${family.name}_sum${selector}${over})) / sum(rate(${family.name}_count${selector}${over}))`;
    case "gauge":
      return `${family.name}${selector}`;
  }
}
