/** Traces as dots: when, how long, whether failed. */

import { memo, type ReactNode } from "react";
import { formatMicros } from "../../time/duration.ts";
import { formatTick } from "../../time/format.ts";
import type { TimeWindow } from "../../time/range.ts";
import { axisTicks } from "../../time/step.ts";
import { decadeLines, decades, place, type Dot } from "./model.ts";
import styles from "./scatter.module.css";

const TICKS = 10;

export const Scatter = memo(function Scatter({ label, dots, window, height, onOpen }: {
  label: string;
  dots: readonly Dot[];
  window: TimeWindow;
  height: number;
  onOpen: (id: string) => void;
}): ReactNode {
  const scale = decades(dots);
  const lines = decadeLines(scale);
  return (
    <div className={styles.root}>
      <div className={styles.area} style={{ height }} role="group" aria-label={label}>
        {lines.map((line, index) => (
          <div key={line} className={styles.line} style={{ bottom: `${(index / (lines.length - 1)) * 100}%` }}>
            <span>{formatMicros(line)}</span>
          </div>
        ))}
        <div className={styles.plot}>
          {dots.map((dot) => {
            const { x, y } = place(dot, window, scale);
            return (
              // The list below has the same traces for the keyboard.
              <button key={dot.id} type="button" tabIndex={-1} aria-label={dot.title} title={dot.title} data-failed={dot.failed} className={styles.dot} style={{ left: `${x * 100}%`, bottom: `${y * 100}%` }} onClick={() => onOpen(dot.id)} />
            );
          })}
        </div>
      </div>
      <div className={styles.axis} aria-hidden="true">
        {axisTicks(window, TICKS, new Date(window.endMs).getTimezoneOffset()).map((tick) => (
          <span key={tick} style={{ left: `${((tick - window.startMs) / (window.endMs - window.startMs)) * 100}%` }}>{formatTick(tick, window)}</span>
        ))}
      </div>
    </div>
  );
});
