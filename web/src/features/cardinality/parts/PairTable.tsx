/** Values of a label, or the largest pairs of all labels. A click drills down. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Cardinality, PairCount } from "../../../api/cardinality.ts";
import { formatUnit } from "../../../charts/unit.ts";
import type { Time } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { Button } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { Panel } from "../../../ui/layout.tsx";
import { count, formatNumber } from "../../../ui/number.ts";
import { Empty } from "../../../ui/states.tsx";
import { METRIC_NAME, countBy, narrowed } from "../model.ts";
import styles from "../cardinality.module.css";
import type { CardinalityView } from "../url.ts";
import { Share } from "./Table.tsx";

interface Props {
  pairs: readonly PairCount[];
  counted: Cardinality;
  view: CardinalityView;
  time: Time;
  onChange: (view: CardinalityView) => void;
}

export function PairTable({ pairs, counted, view, time, onChange }: Props): ReactNode {
  const all = counted.labels.find((label) => label.name === view.label)?.values ?? 0;
  const note = view.label === "" ? "the largest of all labels" : pairs.length < all && view.find === "" ? `the first ${pairs.length} of ${count(all, "value")}` : count(pairs.length, "value");
  return (
    <Panel
      title={view.label === "" ? "Values" : `Values of ${view.label}`}
      note={note}
      actions={view.label !== "" && <Button small look="quiet" icon="close" onClick={() => onChange({ ...view, label: "" })}>All labels</Button>}
    >
      {pairs.length === 0 ? <Empty icon="search" title="No value here" /> : (
        <div className={styles.scroll}>
          <table className={styles.table} aria-label="Values">
            <thead><tr><th>Value</th><th className={styles.number}>Series</th><th className={styles.number}>Bytes</th><th><span className={styles.hidden}>Explore</span></th></tr></thead>
            <tbody>{pairs.map((pair) => <Row key={`${pair.name} ${pair.value}`} pair={pair} counted={counted} view={view} time={time} onChange={onChange} />)}</tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Row({ pair, counted, view, time, onChange }: Omit<Props, "pairs"> & { pair: PairCount }): ReactNode {
  const down = narrowed(view, pair.name, pair.value);
  return (
    <tr data-testid="pair-row">
      <td className={styles.name}><button type="button" className={styles.drill} title={pair.value} onClick={() => onChange(down)}>{view.label === "" && <i>{pair.name}=</i>}{pair.value}</button></td>
      <Share part={pair.series} whole={counted.series}>{formatNumber(pair.series)}</Share>
      <td className={styles.number}>{pair.bytes === 0 ? "–" : formatUnit(pair.bytes, "bytes")}</td>
      <td className={styles.pivot}><Link href={paths.metricsInstant(countBy(METRIC_NAME, down.only), time.range)} aria-label={`Explore ${pair.name} = ${pair.value}`} title="Its metrics, in Metrics"><Icon name="metrics" size={14} /></Link></td>
    </tr>
  );
}
