/** The pure half of the Services page. */

import type { Measured, Operation, ServiceEdge, ServiceMap, ServiceNode } from "../../api/service_map.ts";
import { printSeconds } from "../../time/duration.ts";
import type { ServicesView, Sort } from "./url.ts";

/** More boxes than this are no map that anybody reads: the busiest are drawn. */
export const MAP_MAX = 60;
/** A share of failed requests from which something stands out. */
const ERROR_SHARE_BAD = 0.01;

/** The share of requests that failed; NaN without requests. */
export function errorShare({ rate, errorRate }: Measured): number {
  return rate > 0 ? errorRate / rate : Number.NaN;
}

export type Health = "good" | "warn" | "bad";

export function healthOf(measured: Measured): Health {
  const share = errorShare(measured);
  if (!(share > 0)) return "good";
  return share >= ERROR_SHARE_BAD ? "bad" : "warn";
}

const VALUES: Record<Exclude<Sort, "name">, (measured: Measured) => number> = {
  rate: ({ rate }) => rate, errors: errorShare, p50: ({ p50 }) => p50, p95: ({ p95 }) => p95, p99: ({ p99 }) => p99,
};

/** In the order of a view, the highest first, what is unknown last. */
export function sorted<Row extends Measured & { name: string }>(rows: readonly Row[], sort: Sort): Row[] {
  const byName = (left: Row, right: Row): number => (left.name < right.name ? -1 : left.name > right.name ? 1 : 0);
  if (sort === "name") return [...rows].sort(byName);
  const value = (row: Row): number => {
    const found = VALUES[sort](row);
    return Number.isNaN(found) ? -1 : found;
  };
  return [...rows].sort((left, right) => value(right) - value(left) || byName(left, right));
}

/** Services that a view lists: databases and callers from outside are in the map only. */
export function listed(map: ServiceMap, view: ServicesView): ServiceNode[] {
  const words = view.find.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return sorted(map.nodes.filter((node) => node.kind === "service" && words.every((word) => node.name.toLowerCase().includes(word))), view.sort);
}

/** What is drawn: all of it, or the busiest and the lines between them. */
export function drawn(map: ServiceMap): ServiceMap {
  if (map.nodes.length <= MAP_MAX) return map;
  const nodes = sorted(map.nodes, "rate").slice(0, MAP_MAX);
  const names = new Set(nodes.map((node) => node.name));
  return { nodes, edges: map.edges.filter((edge) => names.has(edge.client) && names.has(edge.server)) };
}

/** Several connections between the same two as one line. */
export function merged(edges: readonly ServiceEdge[]): ServiceEdge[] {
  const found = new Map<string, ServiceEdge>();
  for (const edge of edges) {
    const key = JSON.stringify([edge.client, edge.server]);
    const present = found.get(key);
    if (present === undefined) {
      found.set(key, edge);
      continue;
    }
    const busiest = present.rate >= edge.rate ? present : edge;
    found.set(key, { ...busiest, rate: present.rate + edge.rate, errorRate: present.errorRate + edge.errorRate });
  }
  return [...found.values()];
}

/** How thick a line is: by the logarithm of its rate, against the busiest. */
export function thickness(rate: number, most: number): number {
  if (!(rate > 0) || !(most > 0)) return 1;
  return 1 + 4 * (Math.log1p(rate / most * 99) / Math.log(100));
}

/** Requests first, then what the service calls, each busiest first. */
export function ranked(all: readonly Operation[], find: string): Operation[] {
  const words = find.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const served = ({ kind }: Operation): number => (kind === "server" || kind === "consumer" ? 0 : 1);
  return all.filter((each) => words.every((word) => `${each.name} ${each.kind}`.toLowerCase().includes(word))).sort((left, right) => served(left) - served(right) || right.rate - left.rate);
}

export interface Plan {
  title: string;
  unit: "per-second" | "ratio" | "seconds";
  lines: { label: string; query: string }[];
}

/** Rate, errors and durations of a service over time, from the metrics that are made of spans. `window` in seconds. */
export function plans(service: string, window: number): Plan[] {
  const own = `service=${JSON.stringify(service)}, span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER"`;
  const over = `[${printSeconds(window)}]`;
  const calls = `sum(rate(traces_spanmetrics_calls_total{${own}}${over}))`;
  const errors = `sum(rate(traces_spanmetrics_calls_total{${own}, status_code="STATUS_CODE_ERROR"}${over}))`;
  // Histograms are native, or classic ones where the server was told so.
  const quantile = (q: number): string =>
    `histogram_quantile(${q}, sum(rate(traces_spanmetrics_latency{${own}}${over}))) or histogram_quantile(${q}, sum by (le) (rate(traces_spanmetrics_latency_bucket{${own}}${over})))`;
  return [
    { title: "Requests", unit: "per-second", lines: [{ label: "requests", query: calls }] },
    { title: "Errors", unit: "ratio", lines: [{ label: "failed", query: `(${errors} or vector(0)) / ${calls}` }] },
    { title: "Durations", unit: "seconds", lines: [["99 % below", 0.99], ["95 % below", 0.95], ["median", 0.5]].map(([label, q]) => ({ label: String(label), query: quantile(Number(q)) })) },
  ];
}
