/** Which charts show first how a service does. Pure. */

import { printSeconds } from "../../time/duration.ts";
import { suggestedQuery, type Family } from "./model.ts";

export interface ChartPlan {
  title: string;
  query: string;
}

/** More charts than fit on two screens help nobody; the list below has the rest. */
export const CHARTS_MAX = 12;

/** Charts in order of what matters: requests and their time first, then counters, then the process. `window` in seconds. */
export function plans(families: readonly Family[], matcher: string, window: number): ChartPlan[] {
  const ranked = families.map((family) => ({ family, rank: rank(family) })).sort((left, right) => left.rank - right.rank || (left.family.name < right.family.name ? -1 : 1));
  return ranked.flatMap(({ family }) => chartsOf(family, matcher, window)).slice(0, CHARTS_MAX);
}

function rank({ name, kind }: Family): number {
  if (name.startsWith("signalbox_") || name === "target_info") return 9;
  const timed = /duration|latency|response_time/.test(name);
  if (timed && /^(http|rpc|grpc)_server|^http_request/.test(name)) return 0;
  if (timed && /server/.test(name)) return 1;
  if (timed) return 2;
  if (/error|fail|reject/.test(name)) return 3;
  if (kind === "counter" || kind.includes("histogram")) return 4;
  return /cpu|memory|thread|goroutine|connection|queue/.test(name) ? 5 : 6;
}

function chartsOf(family: Family, matcher: string, window: number): ChartPlan[] {
  const main: ChartPlan = { title: family.name, query: suggestedQuery(family, matcher, window) };
  const over = `[${printSeconds(window)}]`;
  const selector = matcher === "" ? "" : `{${matcher}}`;
  switch (family.kind) {
    case "histogram":
      return [{ title: `${family.name}, per second`, query: `sum(rate(${family.name}_count${selector}${over}))` }, { ...main, title: `${family.name}, 95 % below` }];
    case "native-histogram":
      return [{ title: `${family.name}, per second`, query: `histogram_count(sum(rate(${family.name}${selector}${over})))` }, { ...main, title: `${family.name}, 95 % below` }];
    case "counter":
      return [{ ...main, title: `${family.name}, per second` }];
    case "summary":
      return [{ ...main, title: `${family.name}, mean` }];
    case "gauge":
      return [main];
  }
}
