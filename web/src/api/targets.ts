/** What the server scrapes: `/api/v1/targets`, in Prometheus' shape. */

import { ApiError, getJson, isObject, list, text, texts } from "./client.ts";
import type { Labels } from "./prometheus.ts";

export interface Target {
  /** The `job_name` of its section, which relabelling cannot change. */
  pool: string;
  /** Where it is scraped, parameters included. */
  url: string;
  health: "up" | "down" | "unknown";
  /** After relabelling. */
  labels: Labels;
  /** Before relabelling. */
  discovered: Labels;
  /** What went wrong the last time, the empty text when nothing did. */
  lastError: string;
  /** ISO time; the zero time of Go when it was never scraped. */
  lastScrape: string;
  lastScrapeSeconds: number;
  /** As written: `15s`. */
  interval: string;
  timeout: string;
}

/** A target that relabelling threw away. */
export interface DroppedTarget {
  pool: string;
  discovered: Labels;
}

export interface Targets {
  active: Target[];
  /** Those that the server remembers. */
  dropped: DroppedTarget[];
  /** All that were dropped, by pool. */
  droppedCounts: Readonly<Record<string, number>>;
  /** When the answer came, milliseconds: ages are counted from here. */
  atMs: number;
}

/** One rule of relabelling and what it made of the labels. */
export interface RelabelStep {
  /** The rule as the configuration has it: source labels, regex, action and so on. */
  rule: Readonly<Record<string, unknown>>;
  labels: Labels;
  /** Whether the target was still there after it. */
  kept: boolean;
}

/** What the rules of a pool make of labels, one after the other, up to the one that drops them. */
export async function relabelSteps(pool: string, labels: Labels, signal: AbortSignal): Promise<RelabelStep[]> {
  const body = await getJson("/api/v1/targets/relabel_steps", [["scrapePool", pool], ["labels", JSON.stringify(labels)]], signal);
  return toSteps(isObject(body) ? body["data"] : undefined);
}

export function toSteps(data: unknown): RelabelStep[] {
  const steps = list(isObject(data) ? data["steps"] : []).filter(isObject).map((step) => ({
    rule: isObject(step["rule"]) ? step["rule"] : {},
    labels: texts(step["output"]),
    kept: step["keep"] !== false,
  }));
  // The server goes on to the last rule, with nothing in its hands.
  const dropped = steps.findIndex((step) => !step.kept);
  return dropped === -1 ? steps : steps.slice(0, dropped + 1);
}

/** All targets. */
export async function targets(signal: AbortSignal): Promise<Targets> {
  const body = await getJson("/api/v1/targets", [], signal);
  if (!isObject(body) || !isObject(body["data"])) throw new ApiError("The answer is not one of the Prometheus API.", 200, "format");
  return toTargets(body["data"], Date.now());
}

export function toTargets(data: Record<string, unknown>, atMs: number): Targets {
  const counts = isObject(data["droppedTargetCounts"]) ? data["droppedTargetCounts"] : {};
  return {
    active: list(data["activeTargets"]).filter(isObject).map(toTarget),
    dropped: list(data["droppedTargets"]).filter(isObject).map((each) => {
      const discovered = texts(each["discoveredLabels"]);
      return { pool: text(each["scrapePool"]) || (discovered["job"] ?? ""), discovered };
    }),
    droppedCounts: Object.fromEntries(Object.entries(counts).map(([pool, amount]) => [pool, Number(amount)])),
    atMs,
  };
}

function toTarget(target: Record<string, unknown>): Target {
  const health = target["health"];
  return {
    pool: text(target["scrapePool"]),
    url: text(target["scrapeUrl"]),
    health: health === "up" || health === "down" ? health : "unknown",
    labels: texts(target["labels"]),
    discovered: texts(target["discoveredLabels"]),
    lastError: text(target["lastError"]),
    lastScrape: text(target["lastScrape"]),
    lastScrapeSeconds: Number(target["lastScrapeDuration"] ?? 0),
    interval: text(target["scrapeInterval"]),
    timeout: text(target["scrapeTimeout"]),
  };
}
