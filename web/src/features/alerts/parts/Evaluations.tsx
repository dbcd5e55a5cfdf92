/** What the rule gave for the alert each time that it was evaluated, newest first. */

import type { ReactNode } from "react";
import type { Evaluation } from "../../../api/alerting.ts";
import { Sparkline } from "../../../charts/Sparkline/Sparkline.tsx";
import { printThreshold, threshold } from "../../../charts/threshold.ts";
import { formatDateTime } from "../../../time/format.ts";
import { Badge } from "../../../ui/layout.tsx";
import { formatExact } from "../../../ui/number.ts";
import { Empty } from "../../../ui/states.tsx";
import { toneOf } from "../history.ts";
import styles from "../alert.module.css";

export function Evaluations({ evaluations, query }: { evaluations: readonly Evaluation[]; query: string }): ReactNode {
  if (evaluations.length === 0) return <Empty icon="clock" title="No evaluation is on record" />;
  const byTime = [...evaluations].sort((left, right) => left.atMs - right.atMs);
  const limit = threshold(query);
  return (
    <>
      <div className={styles.spark}><Sparkline values={byTime.map(({ value }) => value)} color="var(--series-0)" width={400} height={36} /></div>
      <div className={styles.scroll}>
        <table className={styles.table} aria-label="Evaluations">
          <thead><tr><th>When</th><th>State</th><th className={styles.number}>Value{limit === null ? "" : `, fires ${printThreshold(limit)}`}</th><th>Error</th></tr></thead>
          <tbody>
            {byTime.reverse().map((each) => (
              <tr key={each.atMs}>
                <td>{formatDateTime(each.atMs)}</td>
                <td>{each.state === "" ? "–" : <Badge tone={toneOf(each.state)} dot>{each.state}</Badge>}</td>
                <td className={styles.number}>{Number.isNaN(each.value) ? "nothing" : formatExact(each.value)}</td>
                <td className={styles.note}>{each.error}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
