/** The pure half of stacked bars over time. */

import type { TimeWindow } from "../../time/range.ts";

/** Counts by bucket and by layer (of a severity, of a service). */
export interface Stack {
  /** Start of the first bucket, milliseconds. */
  startMs: number;
  stepMs: number;
  /** Name of each layer, from the bottom up. */
  layers: string[];
  /** `counts[layer][bucket]` */
  counts: Float64Array[];
}

/** Counts laid into buckets that cover the window; what lies outside is left out. */
export function stack(cells: Iterable<{ startMs: number; layer: string; count: number }>, layers: readonly string[], window: TimeWindow, stepMs: number): Stack {
  const startMs = Math.floor(window.startMs / stepMs) * stepMs;
  const buckets = Math.max(1, Math.ceil((window.endMs - startMs) / stepMs));
  const counts = layers.map(() => new Float64Array(buckets));
  for (const cell of cells) {
    const bucket = Math.floor((cell.startMs - startMs) / stepMs);
    const layer = counts[layers.indexOf(cell.layer)];
    if (layer !== undefined && bucket >= 0 && bucket < buckets) layer[bucket] = (layer[bucket] ?? 0) + cell.count;
  }
  return { startMs, stepMs, layers: [...layers], counts };
}

/** Sum of one bucket over the layers. */
export function totalAt(stacked: Stack, bucket: number): number {
  return stacked.counts.reduce((sum, layer) => sum + (layer[bucket] ?? 0), 0);
}

export function bucketCount(stacked: Stack): number {
  return stacked.counts[0]?.length ?? 0;
}

/** The highest bucket, at least 1. */
export function highest(stacked: Stack): number {
  let maximum = 1;
  for (let bucket = 0; bucket < bucketCount(stacked); bucket += 1) maximum = Math.max(maximum, totalAt(stacked, bucket));
  return maximum;
}

export function total(stacked: Stack): number {
  return stacked.counts.reduce((sum, layer) => sum + layer.reduce((each, value) => each + value, 0), 0);
}

/** The window of the buckets `from` to `to`, in either order. */
export function bucketWindow(stacked: Stack, from: number, to: number): TimeWindow {
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  return { startMs: stacked.startMs + first * stacked.stepMs, endMs: stacked.startMs + (last + 1) * stacked.stepMs };
}
