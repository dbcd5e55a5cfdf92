/** The pure half of states over time. */

import type { TimeWindow } from "../../time/range.ts";

export type StretchTone = "bad" | "warn" | "plain";

/** From when to when something was in a state. */
export interface Stretch {
  state: string;
  tone: StretchTone;
  /** Minus infinity when it began before anything is known. */
  startMs: number;
  endMs: number;
  /** Whether it still goes on. */
  isOpen: boolean;
  /** What is said beside the times; the empty text for nothing. */
  note: string;
}

/** The part of the track that each stretch within the window takes, from 0 to 1. */
export function placed(stretches: readonly Stretch[], window: TimeWindow): { stretch: Stretch; left: number; width: number }[] {
  const wide = window.endMs - window.startMs;
  return stretches.filter((stretch) => stretch.endMs >= window.startMs && stretch.startMs <= window.endMs).map((stretch) => {
    const left = Math.max(0, (stretch.startMs - window.startMs) / wide);
    return { stretch, left, width: Math.min(1, (stretch.endMs - window.startMs) / wide) - left };
  });
}
