/** Labels with how many values they have. A click lists the values. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Cardinality } from "../../../api/cardinality.ts";
import { formatUnit } from "../../../charts/unit.ts";
import type { Time } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { Icon } from "../../../ui/Icon.tsx";
import { Panel } from "../../../ui/layout.tsx";
import { count, formatNumber } from "../../../ui/number.ts";
import { METRIC_NAME, countBy } from "../model.ts";
import styles from "../cardinality.module.css";
import type { CardinalityView } from "../url.ts";
import { Share } from "./Table.tsx";

export function LabelTable({ counted, view, time, onChange }: { counted: Cardinality; view: CardinalityView; time: Time; onChange: (view: CardinalityView) => void }): ReactNode {
  const words = view.find.toLowerCase().split(/\s+/);
  const labels = counted.labels.filter((label) => label.name !== METRIC_NAME && words.every((word) => label.name.toLowerCase().includes(word)));
  // What was found by its values stays in sight.
  const rows = labels.length === 0 ? counted.labels.filter((label) => label.name !== METRIC_NAME) : labels;
  const most = Math.max(1, ...rows.map((label) => label.values));
  return (
    <Panel title="Labels" note={count(rows.length, "label")}>
      <div className={styles.scroll}>
        <table className={styles.table} aria-label="Labels">
          <thead><tr><th>Label</th><th className={styles.number}>Values</th><th className={styles.number}>Series</th><th className={styles.number}>Bytes</th><th><span className={styles.hidden}>Explore</span></th></tr></thead>
          <tbody>
            {rows.map((label) => (
              <tr key={label.name} data-testid="label-row" data-chosen={view.label === label.name}>
                <td className={styles.name}><button type="button" aria-pressed={view.label === label.name} className={styles.drill} title={label.name} onClick={() => onChange({ ...view, label: view.label === label.name ? "" : label.name, find: "" })}>{label.name}</button></td>
                <Share part={label.values} whole={most}>{formatNumber(label.values)}</Share>
                <td className={styles.number}>{formatNumber(label.series)}</td>
                <td className={styles.number}>{label.bytes === 0 ? "–" : formatUnit(label.bytes, "bytes")}</td>
                <td className={styles.pivot}><Link href={paths.metricsInstant(countBy(label.name, view.only), time.range)} aria-label={`Count series by ${label.name}`} title="Count series by it, in Metrics"><Icon name="metrics" size={14} /></Link></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
