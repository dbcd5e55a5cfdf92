/** One record: a line when closed, everything it carries when open. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatDate, formatNanos, formatClockMillis } from "../../../time/format.ts";
import { absolute, around } from "../../../time/range.ts";
import { CopyButton, IconButton, buttonClass } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { Pairs } from "../../../ui/layout.tsx";
import type { Entry } from "../model.ts";
import styles from "../logs.module.css";

/** How much of the metrics to show on each side of a record. */
const MARGIN_MS = 15 * 60_000;

interface Props {
  entry: Entry;
  /** Colour of its service. */
  color: string;
  open: boolean;
  onToggle: () => void;
  onNarrow: (label: string, value: string, wanted: boolean) => void;
}

export function LogRowView({ entry, color, open, onToggle, onNarrow }: Props): ReactNode {
  const { range } = useTime();
  return (
    <div className={styles.record} data-open={open} data-testid="log-row">
      <div className={styles.line}>
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
      {open && <Details entry={entry} onNarrow={onNarrow} />}
    </div>
  );
}

function Details({ entry, onNarrow }: { entry: Entry; onNarrow: Props["onNarrow"] }): ReactNode {
  const { range } = useTime();
  const near = absolute(around(entry.ms, entry.ms, MARGIN_MS));
  return (
    <div className={styles.details}>
      <div className={styles.actions}>
        {entry.trace !== "" && <Link href={paths.trace(entry.trace, entry.span === "" ? null : entry.span, range)} className={buttonClass("normal", true)}><Icon name="traces" size={13} />Trace</Link>}
        {entry.trace !== "" && <Link href={paths.traceLogs(entry.trace, null, range)} className={buttonClass("normal", true)}><Icon name="logs" size={13} />All logs of the trace</Link>}
        {entry.service !== "" && <Link href={paths.serviceMetrics(entry.service, near)} className={buttonClass("normal", true)}><Icon name="metrics" size={13} />Metrics of {entry.service}</Link>}
        <CopyButton value={entry.line} label="Copy the line" />
      </div>
      <pre className={styles.body}>{entry.line}</pre>
      <Pairs
        pairs={[["time", `${formatDate(entry.ms)} ${formatNanos(entry.nanos)}`], ...entry.attributes]}
        action={(name, value) => name === "time" || name === "trace_id" || name === "span_id" ? <CopyButton value={value} label={`Copy ${name}`} /> : (
          <>
            <IconButton small icon="plus" label={`Only ${name} = ${value}`} onClick={() => onNarrow(name, value, true)} />
            <IconButton small icon="minus" label={`Without ${name} = ${value}`} onClick={() => onNarrow(name, value, false)} />
            <CopyButton value={value} label={`Copy ${name}`} />
          </>
        )}
      />
    </div>
  );
}
