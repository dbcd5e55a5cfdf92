/** The Prometheus HTTP API: `/api/v1/*`. Samples become typed arrays on one time grid as soon as they arrive. */

import type { TimeWindow } from "../time/range.ts";
import { ApiError, getJson, isObject, list, postForm, text, texts, type Query } from "./client.ts";

export type Labels = Readonly<Record<string, string>>;

/** One line of a chart: a value for every point of the grid, NaN where there is none. */
export interface Series {
  labels: Labels;
  values: Float64Array;
}

export interface Matrix {
  /** Seconds since the epoch, ascending, evenly spaced. */
  times: Float64Array;
  series: Series[];
  warnings: string[];
}

export interface InstantSample {
  labels: Labels;
  value: number;
  /** Set when the sample is a native histogram; `value` is then its count. */
  histogram: { count: number; sum: number } | null;
}

export interface Instant {
  type: "vector" | "scalar" | "string" | "matrix";
  samples: InstantSample[];
  /** The value of a string result. */
  text: string;
  warnings: string[];
}

export interface Metadata {
  type: string;
  help: string;
  unit: string;
}

const seconds = (ms: number): string => String(ms / 1_000);

function data(body: unknown): { data: unknown; warnings: string[] } {
  if (!isObject(body) || body["status"] !== "success") throw new ApiError("The answer is not one of the Prometheus API.", 200, "format");
  return { data: body["data"], warnings: [...list(body["warnings"]), ...list(body["infos"])].map(text).filter((line) => line !== "") };
}

/** The expression over a range; `start` and `end` in seconds, on the grid of `step`. */
export async function queryRange(query: string, range: { start: number; end: number; step: number }, signal: AbortSignal): Promise<Matrix> {
  const { start, end, step } = range;
  const body = await postForm("/api/v1/query_range", [["query", query], ["start", String(start)], ["end", String(end)], ["step", String(step)]], signal);
  const answer = data(body);
  return { ...toMatrix(isObject(answer.data) ? list(answer.data["result"]) : [], range), warnings: answer.warnings };
}

/** Results of `query_range` laid on the grid. */
export function toMatrix(result: unknown[], range: { start: number; end: number; step: number }): { times: Float64Array; series: Series[] } {
  const count = Math.round((range.end - range.start) / range.step) + 1;
  const times = Float64Array.from({ length: count }, (_, index) => range.start + index * range.step);
  const series = result.filter(isObject).map((each) => {
    const values = new Float64Array(count).fill(Number.NaN);
    const place = (at: unknown, value: number): void => {
      const index = Math.round((Number(at) - range.start) / range.step);
      if (index >= 0 && index < count) values[index] = value;
    };
    for (const sample of list(each["values"])) if (Array.isArray(sample)) place(sample[0], parseValue(sample[1]));
    for (const sample of list(each["histograms"])) {
      if (Array.isArray(sample) && isObject(sample[1])) place(sample[0], parseValue(sample[1]["count"]));
    }
    return { labels: texts(each["metric"]), values };
  });
  return { times, series };
}

/** A value as the API writes it: decimal text, `NaN`, `+Inf`, `-Inf`. */
export function parseValue(value: unknown): number {
  if (value === "+Inf" || value === "Inf") return Number.POSITIVE_INFINITY;
  if (value === "-Inf") return Number.NEGATIVE_INFINITY;
  return Number(value);
}

/** The expression at one instant. */
export async function queryInstant(query: string, atMs: number, signal: AbortSignal): Promise<Instant> {
  const answer = data(await postForm("/api/v1/query", [["query", query], ["time", seconds(atMs)]], signal));
  const result = isObject(answer.data) ? answer.data["result"] : [];
  const type = isObject(answer.data) ? text(answer.data["resultType"]) : "";
  const warnings = answer.warnings;
  if (type === "string") return { type, samples: [], text: Array.isArray(result) ? text(result[1]) : "", warnings };
  if (type === "scalar") return { type, samples: [{ labels: {}, value: Array.isArray(result) ? parseValue(result[1]) : Number.NaN, histogram: null }], text: "", warnings };
  return { type: type === "matrix" ? "matrix" : "vector", samples: list(result).filter(isObject).map(toSample), text: "", warnings };
}

function toSample(each: Record<string, unknown>): InstantSample {
  const labels = texts(each["metric"]);
  const histogram = each["histogram"] ?? list(each["histograms"]).at(-1);
  if (Array.isArray(histogram) && isObject(histogram[1])) {
    const [count, sum] = [parseValue(histogram[1]["count"]), parseValue(histogram[1]["sum"])];
    return { labels, value: count, histogram: { count, sum } };
  }
  // A range vector at an instant: its last sample is what can be shown in a table.
  const sample = each["value"] ?? list(each["values"]).at(-1);
  return { labels, value: Array.isArray(sample) ? parseValue(sample[1]) : Number.NaN, histogram: null };
}

function selection(matches: readonly string[], window: TimeWindow | null): Query {
  const chosen = matches.map((match) => ["match[]", match] as const);
  return window === null ? chosen : [...chosen, ["start", seconds(window.startMs)], ["end", seconds(window.endMs)]];
}

/** Names of labels of the matching series, or of all. */
export async function labelNames(matches: readonly string[], window: TimeWindow | null, signal: AbortSignal): Promise<string[]> {
  return list(data(await getJson("/api/v1/labels", selection(matches, window), signal)).data).map(text);
}

/** Values of one label of the matching series, or of all. */
export async function labelValues(label: string, matches: readonly string[], window: TimeWindow | null, signal: AbortSignal): Promise<string[]> {
  return list(data(await getJson(`/api/v1/label/${encodeURIComponent(label)}/values`, selection(matches, window), signal)).data).map(text);
}

/** Label sets of the matching series. */
export async function findSeries(matches: readonly string[], window: TimeWindow | null, signal: AbortSignal): Promise<Labels[]> {
  return list(data(await getJson("/api/v1/series", selection(matches, window), signal)).data).map(texts);
}

/** Type, help and unit by name of the metric family. */
export async function metadata(signal: AbortSignal): Promise<Map<string, Metadata>> {
  const families = data(await getJson("/api/v1/metadata", [], signal)).data;
  const found = new Map<string, Metadata>();
  for (const [name, entries] of Object.entries(isObject(families) ? families : {})) {
    const first = list(entries)[0];
    if (isObject(first)) found.set(name, { type: text(first["type"]), help: text(first["help"]), unit: text(first["unit"]) });
  }
  return found;
}

export interface ActiveAlert {
  labels: Labels;
  /** The labels that silences, routes and receivers see; null when nobody is told. Labels of the server may come on top. */
  toldAs: Labels | null;
  annotations: Labels;
  state: string;
  /** ISO time since when the expression holds. */
  activeAt: string;
  value: string;
}

export interface Rule {
  kind: "alerting" | "recording";
  name: string;
  /** `promql`, `logql`, `traceql` or `sql`. */
  lang: string;
  query: string;
  /** `firing`, `pending` or `inactive`; the empty text of a recording rule. */
  state: string;
  forSeconds: number;
  keepFiringSeconds: number;
  /** What ends an alert besides that the expression no longer holds; the empty text for nothing. */
  recovery: string;
  /** What it does where there is no data, and where it fails; the empty text for what Prometheus does. */
  noData: string;
  onError: string;
  labels: Labels;
  annotations: Labels;
  alerts: ActiveAlert[];
  /** `ok`, `err` or `unknown`. */
  health: string;
  lastError: string;
  /** ISO time; the zero time of Go when it never ran. */
  lastEvaluation: string;
  evaluationSeconds: number;
}

export interface RuleGroup {
  name: string;
  /** The file, or the namespace of a group that was made by the API. */
  file: string;
  intervalSeconds: number;
  lastEvaluation: string;
  evaluationSeconds: number;
  rules: Rule[];
}

/** All rules by group, with their active alerts. */
export async function rules(signal: AbortSignal): Promise<RuleGroup[]> {
  const answer = data(await getJson("/api/v1/rules", [], signal)).data;
  return list(isObject(answer) ? answer["groups"] : []).filter(isObject).map((group) => ({
    name: text(group["name"]),
    file: text(group["file"]),
    intervalSeconds: Number(group["interval"] ?? 0),
    lastEvaluation: text(group["lastEvaluation"]),
    evaluationSeconds: Number(group["evaluationTime"] ?? 0),
    rules: list(group["rules"]).filter(isObject).map(toRule),
  }));
}

function toRule(rule: Record<string, unknown>): Rule {
  return {
    kind: rule["type"] === "recording" ? "recording" : "alerting",
    name: text(rule["name"]),
    lang: text(rule["lang"]) || "promql",
    query: text(rule["query"]),
    state: text(rule["state"]),
    forSeconds: Number(rule["duration"] ?? 0),
    keepFiringSeconds: Number(rule["keepFiringFor"] ?? 0),
    recovery: text(rule["recovery_expr"]),
    noData: text(rule["no_data"]),
    onError: text(rule["on_error"]),
    labels: texts(rule["labels"]),
    annotations: texts(rule["annotations"]),
    alerts: list(rule["alerts"]).filter(isObject).map(toAlert),
    health: text(rule["health"]),
    lastError: text(rule["lastError"]),
    lastEvaluation: text(rule["lastEvaluation"]),
    evaluationSeconds: Number(rule["evaluationTime"] ?? 0),
  };
}

function toAlert(alert: Record<string, unknown>): ActiveAlert {
  const toldAs = alert["toldAs"] === undefined ? texts(alert["labels"]) : isObject(alert["toldAs"]) ? texts(alert["toldAs"]) : null;
  return { labels: texts(alert["labels"]), toldAs, annotations: texts(alert["annotations"]), state: text(alert["state"]), activeAt: text(alert["activeAt"]), value: text(alert["value"]) };
}

/** The active alerts. */
export async function alerts(signal: AbortSignal): Promise<ActiveAlert[]> {
  const answer = data(await getJson("/api/v1/alerts", [], signal)).data;
  return list(isObject(answer) ? answer["alerts"] : []).filter(isObject).map(toAlert);
}

/** The version of the server. */
export async function serverVersion(signal: AbortSignal): Promise<string> {
  const answer = data(await getJson("/api/v1/status/buildinfo", [], signal)).data;
  return isObject(answer) ? text(answer["version"]) : "";
}
