/** What series there are, what they cost, how fast new ones come, and who asks for them: `GET /api/v1/cardinality`. */

import type { TimeWindow } from "../time/range.ts";
import { ApiError, getJson, isObject, list, text, type Query } from "./client.ts";

/** What the lists of metrics and pairs are sorted by, largest first. */
export type Order = "series" | "bytes" | "created";

export interface Asked {
  /** Program, and the dashboard if it says so. */
  asker: string;
  queries: number;
  lastMs: number | null;
}

export interface MetricCount {
  name: string;
  series: number;
  rows: number;
  /** In segments; rows in memory count nothing. */
  bytes: number;
  /** Series that are new in the range. */
  created: number;
  /** Queries that read it since the server started. */
  queries: number;
  lastQueryMs: number | null;
  askedBy: Asked[];
}

export interface LabelCount {
  name: string;
  values: number;
  series: number;
  bytes: number;
}

export interface PairCount {
  name: string;
  value: string;
  series: number;
  bytes: number;
}

export interface MetricUsage {
  name: string;
  queries: number;
  lastQueryMs: number | null;
  askedBy: Asked[];
}

export interface Cardinality {
  series: number;
  rows: number;
  bytes: number;
  created: number;
  /** 1 when every series was looked at; else one in so many, and the numbers are estimates. */
  sampledOneIn: number;
  metricNames: number;
  labelNames: number;
  labelPairs: number;
  stepMs: number;
  /** Start of a step in milliseconds, series that are new in it. */
  createdByStep: [number, number][];
  metrics: MetricCount[];
  labels: LabelCount[];
  pairs: PairCount[];
  usage: { sinceMs: number; metrics: number; most: MetricUsage[] };
}

export interface CardinalityQuestion {
  window: TimeWindow;
  /** Only series that this selector finds; the empty text means all. */
  selector: string;
  /** The label whose values are listed; the empty text lists those of all labels. */
  label: string;
  top: number;
  order: Order;
  stepSeconds: number;
}

/** Counts the series of a window. */
export async function cardinality(question: CardinalityQuestion, signal: AbortSignal): Promise<Cardinality> {
  const { window, selector, label, top, order, stepSeconds } = question;
  const query: Query = [
    ["start", String(window.startMs / 1_000)], ["end", String(window.endMs / 1_000)], ["top", String(top)], ["order", order], ["step", String(stepSeconds)],
    ...(selector === "" ? [] : [["match[]", selector] as const]),
    ...(label === "" ? [] : [["label", label] as const]),
  ];
  const body = await getJson("/api/v1/cardinality", query, signal);
  if (!isObject(body)) throw new ApiError("The answer is none of the cardinality API.", 200, "format");
  return toCardinality(body);
}

const number = (value: unknown): number => (typeof value === "number" ? value : 0);
const instant = (value: unknown): number | null => (typeof value === "number" ? value : null);

export function toCardinality(body: Record<string, unknown>): Cardinality {
  const usage = isObject(body["usage"]) ? body["usage"] : {};
  return {
    series: number(body["series"]),
    rows: number(body["rows"]),
    bytes: number(body["bytes"]),
    created: number(body["created"]),
    sampledOneIn: Math.max(1, number(body["sampled_one_in"])),
    metricNames: number(body["metric_names"]),
    labelNames: number(body["label_names"]),
    labelPairs: number(body["label_pairs"]),
    stepMs: number(body["step_ms"]),
    createdByStep: list(body["created_by_step"]).filter(Array.isArray).map((step: unknown[]): [number, number] => [number(step[0]), number(step[1])]),
    metrics: list(body["metrics"]).filter(isObject).map((metric) => ({ ...toUsage(metric), series: number(metric["series"]), rows: number(metric["rows"]), bytes: number(metric["bytes"]), created: number(metric["created"]) })),
    labels: list(body["labels"]).filter(isObject).map((label) => ({ name: text(label["name"]), values: number(label["values"]), series: number(label["series"]), bytes: number(label["bytes"]) })),
    pairs: list(body["pairs"]).filter(isObject).map((pair) => ({ name: text(pair["name"]), value: text(pair["value"]), series: number(pair["series"]), bytes: number(pair["bytes"]) })),
    usage: { sinceMs: number(usage["since_ms"]), metrics: number(usage["metrics"]), most: list(usage["most"]).filter(isObject).map(toUsage) },
  };
}

function toUsage(metric: Record<string, unknown>): MetricUsage {
  return {
    name: text(metric["name"]),
    queries: number(metric["queries"]),
    lastQueryMs: instant(metric["last_query_ms"]),
    askedBy: list(metric["asked_by"]).filter(isObject).map((each) => ({ asker: text(each["asker"]), queries: number(each["queries"]), lastMs: instant(each["last_query_ms"]) })),
  };
}
