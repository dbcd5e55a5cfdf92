/** Patterns of lines and how many there were over time. Pure. */

import type { TimeBucket } from "../../api/logs.ts";
import type { LogPattern } from "../../api/loki.ts";
import type { TimeWindow } from "../../time/range.ts";

export interface PatternRow {
  pattern: string;
  count: number;
  /** Counts over time, from the start of the range. */
  values: Float64Array;
}

/** Counts of patterns as rows, most frequent first; what the buckets do not have is 0. */
export function mergedPatterns(totals: readonly { value: string; count: number }[], buckets: readonly TimeBucket[]): PatternRow[] {
  return totals.map(({ value, count }) => ({ pattern: value, count, values: Float64Array.from(buckets, (bucket) => bucket.values[value] ?? 0) }));
}

/** Patterns of the Loki API as rows, most frequent first. It tells a pattern once for each level; here it is one. */
export function patternRows(patterns: readonly LogPattern[], window: TimeWindow, step: number): PatternRow[] {
  const start = Math.floor(window.startMs / 1_000 / step) * step;
  const buckets = Math.max(1, Math.ceil((window.endMs / 1_000 - start) / step));
  const rows = new Map<string, PatternRow>();
  for (const { pattern, samples } of patterns) {
    const row = rows.get(pattern) ?? { pattern, count: 0, values: new Float64Array(buckets) };
    rows.set(pattern, row);
    for (const [at, amount] of samples) {
      const bucket = Math.min(buckets - 1, Math.max(0, Math.floor((at - start) / step)));
      row.values[bucket] = (row.values[bucket] ?? 0) + amount;
      row.count += amount;
    }
  }
  return [...rows.values()].sort((left, right) => right.count - left.count);
}

/** The fixed and the varying parts of a pattern, in turn. */
export function pieces(pattern: string): { text: string; varies: boolean }[] {
  return pattern.split(/(<_>)/).filter((text) => text !== "").map((text) => ({ text, varies: text === "<_>" }));
}
