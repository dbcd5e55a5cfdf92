/** States over time: a row a thing, a bar for every stretch in which it was in a state. */

import type { ReactNode } from "react";
import { formatDateTime, formatTick } from "../../time/format.ts";
import type { TimeWindow } from "../../time/range.ts";
import { axisTicks } from "../../time/step.ts";
import { placed, type Stretch } from "./model.ts";
import styles from "./timeline.module.css";

export interface TimelineRow {
  key: string;
  label: ReactNode;
  stretches: readonly Stretch[];
}

const TICKS = 8;
const AXIS_END = 0.96;

export function Timeline({ label, rows, window }: { label: string; rows: readonly TimelineRow[]; window: TimeWindow }): ReactNode {
  const share = (at: number): number => (at - window.startMs) / (window.endMs - window.startMs);
  return (
    <div className={styles.timeline} data-chart="timeline">
      <ul aria-label={label}>
        {rows.map((row) => (
          <li key={row.key} className={styles.row}>
            <div className={styles.label}>{row.label}</div>
            <div className={styles.track}>
              {placed(row.stretches, window).map(({ stretch, left, width }) => (
                <span
                  key={`${stretch.startMs} ${stretch.state}`}
                  role="img"
                  className={styles.stretch}
                  data-tone={stretch.tone}
                  style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
                  aria-label={words(stretch)}
                  title={words(stretch)}
                />
              ))}
            </div>
          </li>
        ))}
      </ul>
      <div className={styles.axis} aria-hidden="true">
        <div />
        <div className={styles.ticks}>
          {axisTicks(window, TICKS, new Date(window.endMs).getTimezoneOffset()).filter((tick) => share(tick) < AXIS_END).map((tick) => (
            <span key={tick} style={{ left: `${share(tick) * 100}%` }}>{formatTick(tick, window)}</span>
          ))}
        </div>
      </div>
    </div>
  );
}

function words({ state, startMs, endMs, isOpen, note }: Stretch): string {
  const from = Number.isFinite(startMs) ? formatDateTime(startMs) : "before";
  return `${state} from ${from} to ${isOpen ? "now" : formatDateTime(endMs)}${note === "" ? "" : `, ${note}`}`;
}
