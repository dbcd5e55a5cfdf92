/** Who asks: for the metric at hand, or for which metrics most. */

import type { ReactNode } from "react";
import type { Asked, Cardinality } from "../../../api/cardinality.ts";
import { formatSpan } from "../../../time/duration.ts";
import { formatDateTime } from "../../../time/format.ts";
import { Panel } from "../../../ui/layout.tsx";
import { count, formatNumber } from "../../../ui/number.ts";
import { Empty } from "../../../ui/states.tsx";
import { METRIC_NAME, narrowed } from "../model.ts";
import styles from "../cardinality.module.css";
import type { CardinalityView } from "../url.ts";

/** Metrics that are shown at most. */
const MOST_SHOWN = 20;

export function Askers({ counted, metric, view, onChange }: { counted: Cardinality; metric: string | null; view: CardinalityView; onChange: (view: CardinalityView) => void }): ReactNode {
  const since = counted.usage.sinceMs === 0 ? "since the server started" : `since ${formatDateTime(counted.usage.sinceMs)}`;
  if (metric !== null) {
    const asked = counted.metrics.find((each) => each.name === metric)?.askedBy ?? [];
    return (
      <Panel title={`Who asks for ${metric}`} note={since}>
        {asked.length === 0 ? <Empty icon="search" title="Nobody asked for it" /> : (
          <div className={styles.scroll}>
            <table className={styles.table} aria-label="Askers">
              <thead><tr><th>Who</th><th className={styles.number}>Queries</th><th className={styles.number}>Last</th></tr></thead>
              <tbody>{asked.map((each) => <tr key={each.asker}><td className={styles.name}>{nameOf(each)}</td><td className={styles.number}>{formatNumber(each.queries)}</td><td className={styles.number}>{ago(each.lastMs)}</td></tr>)}</tbody>
            </table>
          </div>
        )}
      </Panel>
    );
  }
  const most = counted.usage.most.filter((each) => each.name !== "").slice(0, MOST_SHOWN);
  return (
    <Panel title="Most asked for" note={`${count(counted.usage.metrics, "metric")} ${since}`}>
      {most.length === 0 ? <Empty icon="search" title="Nobody asked for anything yet" /> : (
        <div className={styles.scroll}>
          <table className={styles.table} aria-label="Most asked for">
            <thead><tr><th>Metric</th><th className={styles.number}>Queries</th><th className={styles.number}>Last</th><th>By</th></tr></thead>
            <tbody>
              {most.map((each) => (
                <tr key={each.name}>
                  <td className={styles.name}><button type="button" className={styles.drill} onClick={() => onChange(narrowed(view, METRIC_NAME, each.name))}>{each.name}</button></td>
                  <td className={styles.number}>{formatNumber(each.queries)}</td>
                  <td className={styles.number}>{ago(each.lastQueryMs)}</td>
                  <td className={styles.by} title={each.askedBy.map(nameOf).join("\n")}>{each.askedBy.map(nameOf).join(", ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

const nameOf = ({ asker }: Asked): string => (asker === "" ? "unnamed" : asker);
const ago = (ms: number | null): string => (ms === null ? "–" : `${formatSpan(Date.now() - ms)} ago`);
