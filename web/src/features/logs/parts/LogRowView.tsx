/** One record: a line when closed, everything it carries when open. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { SearchRecord } from "../../../api/logs.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatClockMillis, formatDate } from "../../../time/format.ts";
import { Icon } from "../../../ui/Icon.tsx";
import type { Entry } from "../model.ts";
import styles from "../logs.module.css";
import type { LogsView } from "../url.ts";
import { Details } from "./Details.tsx";

interface Props {
  entry: Entry;
  /** All that is loaded. */
  rows: readonly SearchRecord[];
  view: LogsView;
  /** Colour of its service. */
  color: string;
  open: boolean;
  onToggle: () => void;
  onContext: (isShown: boolean) => void;
  onNarrow: (field: string, value: string, wanted: boolean) => void;
}

export function LogRowView({ entry, rows, view, color, open, onToggle, onContext, onNarrow }: Props): ReactNode {
  const { range } = useTime();
  return (
    <div className={styles.record} data-open={open} data-testid="log-row">
      <div className={styles.line} data-wrap={view.wrap}>
        <button type="button" data-row="" className={styles.lineButton} aria-expanded={open} onClick={onToggle}>
          <span className={styles.bar} style={{ background: `var(--severity-${entry.severity})` }} />
          <time className={styles.time} title={formatDate(entry.ms)}>{formatClockMillis(entry.ms)}</time>
          <span className={styles.level} data-severity={entry.severity}>{entry.severity}</span>
          <span className={styles.service} style={{ color }}>{entry.service}</span>
          <span className={styles.message}>{entry.line === "" ? <i>no body</i> : entry.line}</span>
        </button>
        {entry.trace !== "" && (
          <Link href={paths.trace(entry.trace, entry.span === "" ? null : entry.span, range)} className={styles.pivot} aria-label="Open the trace of this record" title="Open the trace">
            <Icon name="traces" size={14} />
          </Link>
        )}
      </div>
      {open && <Details entry={entry} rows={rows} view={view} onContext={onContext} onNarrow={onNarrow} />}
    </div>
  );
}
