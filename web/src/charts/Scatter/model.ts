/** The pure half of dots over time: where a dot is, on a logarithmic height. */

import type { TimeWindow } from "../../time/range.ts";

export interface Dot {
  id: string;
  ms: number;
  /** Microseconds. */
  durationMicros: number;
  failed: boolean;
  title: string;
}

export interface Scale {
  /** Powers of ten, in microseconds. */
  low: number;
  high: number;
}

/** Whole decades around all durations, at least one. */
export function decades(dots: readonly Dot[]): Scale {
  let [low, high] = [Number.POSITIVE_INFINITY, 1];
  for (const dot of dots) {
    low = Math.min(low, Math.max(1, dot.durationMicros));
    high = Math.max(high, dot.durationMicros);
  }
  if (!Number.isFinite(low)) return { low: 1_000, high: 1_000_000 };
  const from = Math.floor(Math.log10(low));
  return { low: 10 ** from, high: 10 ** Math.max(from + 1, Math.ceil(Math.log10(high))) };
}

/** Place of a dot, both from 0 to 1, from the left and from the bottom. */
export function place(dot: Dot, window: TimeWindow, scale: Scale): { x: number; y: number } {
  const x = (dot.ms - window.startMs) / (window.endMs - window.startMs);
  const y = Math.log10(Math.max(scale.low, dot.durationMicros) / scale.low) / Math.log10(scale.high / scale.low);
  return { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) };
}

/** The lines of the scale, one a decade. */
export function decadeLines(scale: Scale): number[] {
  const lines: number[] = [];
  for (let value = scale.low; value <= scale.high * 1.001; value *= 10) lines.push(value);
  return lines;
}
