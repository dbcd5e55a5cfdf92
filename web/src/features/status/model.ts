/** The pure half of the Status page. */

import type { Segment, Status } from "../../api/status.ts";
import { formatSpan } from "../../time/duration.ts";
import { formatDateTime } from "../../time/format.ts";

export type Pair = readonly [string, string];

/** Words of Prometheus that mean something here, in the order in which one asks. The others are Go's. */
const RUNTIME: readonly Pair[] = [
  ["startTime", "started"],
  ["hostname", "host"],
  ["CWD", "working directory"],
  ["GOMAXPROCS", "cores"],
  ["goroutineCount", "threads"],
  ["storageRetention", "metrics are kept"],
  ["lastConfigTime", "configuration read"],
  ["corruptionCount", "damage found"],
];

/** Build and runtime as people read them. */
export function factsOf(status: Status, nowMs: number): Pair[] {
  const version = status.build["version"] ?? "";
  const revision = status.build["revision"] ?? "";
  const known = RUNTIME.map(([key, name]): Pair => [name, worded(key, status.runtime[key] ?? "", nowMs)]);
  return [["version", revision === "" ? version : `${version}, ${revision}`] as Pair, ...known].filter(([, value]) => value !== "");
}

function worded(key: string, value: string, nowMs: number): string {
  if (key === "startTime" || key === "lastConfigTime") {
    const at = Date.parse(value);
    return Number.isNaN(at) ? "" : `${formatDateTime(at)}, ${formatSpan(nowMs - at)} ago`;
  }
  if (key === "storageRetention" && value === "") return "for ever";
  if (key === "corruptionCount") return value === "0" ? "none" : value;
  return value;
}

export interface Level {
  level: number;
  segments: number;
  samples: number;
  startMs: number;
  endMs: number;
}

/** Segments by level, the youngest first. */
export function levelsOf(segments: readonly Segment[]): Level[] {
  const found = new Map<number, Level>();
  for (const { level, samples, startMs, endMs } of segments) {
    const sum = found.get(level) ?? { level, segments: 0, samples: 0, startMs: Number.POSITIVE_INFINITY, endMs: Number.NEGATIVE_INFINITY };
    found.set(level, { level, segments: sum.segments + 1, samples: sum.samples + samples, startMs: Math.min(sum.startMs, startMs), endMs: Math.max(sum.endMs, endMs) });
  }
  return [...found.values()].sort((left, right) => left.level - right.level);
}

/** Options, sorted by name. */
export function sortedPairs(values: Readonly<Record<string, string>>): Pair[] {
  return Object.entries(values).sort(([left], [right]) => (left < right ? -1 : 1)).map(([name, value]): Pair => [name, value === "" ? "–" : value]);
}
