/** Services, who calls whom, and their operations: `/api/v1/service_map`. Rates are by second, durations in seconds, NaN where unknown. */

import type { TimeWindow } from "../time/range.ts";
import { getJson, isObject, list, text, type Query } from "./client.ts";

export interface Measured {
  rate: number;
  errorRate: number;
  p50: number;
  p95: number;
  p99: number;
}

export const NODE_KINDS = ["service", "database", "external", "user"] as const;
export type NodeKind = (typeof NODE_KINDS)[number];

export interface ServiceNode extends Measured {
  name: string;
  kind: NodeKind;
}

export interface ServiceEdge extends Measured {
  client: string;
  server: string;
  connection: string;
}

export interface ServiceMap {
  nodes: ServiceNode[];
  edges: ServiceEdge[];
}

export interface Operation extends Measured {
  service: string;
  name: string;
  /** `server`, `client`, `producer`, `consumer` or `internal`. */
  kind: string;
}

const query = (window: TimeWindow, service: string): Query => [
  ["start", String(window.startMs / 1_000)],
  ["end", String(window.endMs / 1_000)],
  ...(service === "" ? [] : [["service", service] as const]),
];

/** All services of a range, or one with its neighbours. */
export async function serviceMap(window: TimeWindow, service: string, signal: AbortSignal): Promise<ServiceMap> {
  return toMap(await getJson("/api/v1/service_map", query(window, service), signal));
}

export function toMap(body: unknown): ServiceMap {
  const answer = isObject(body) ? body : {};
  return {
    nodes: list(answer["nodes"]).filter(isObject).map((node) => ({ name: text(node["name"]), kind: NODE_KINDS.find((kind) => kind === node["kind"]) ?? "external", ...measured(node) })),
    edges: list(answer["edges"]).filter(isObject).map((edge) => ({ client: text(edge["client"]), server: text(edge["server"]), connection: text(edge["connection"]), ...measured(edge) })),
  };
}

/** Operations of one service, the busiest first. */
export async function operations(window: TimeWindow, service: string, signal: AbortSignal): Promise<Operation[]> {
  const body = await getJson("/api/v1/service_map/operations", query(window, service), signal);
  return list(isObject(body) ? body["operations"] : []).filter(isObject).map((each) => ({ service: text(each["service"]), name: text(each["name"]), kind: text(each["kind"]), ...measured(each) }));
}

function measured(each: Record<string, unknown>): Measured {
  const number = (value: unknown): number => (typeof value === "number" ? value : Number.NaN);
  return { rate: number(each["rate"]), errorRate: number(each["error_rate"]), p50: number(each["p50"]), p95: number(each["p95"]), p99: number(each["p99"]) };
}
