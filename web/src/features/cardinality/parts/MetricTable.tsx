/** Metrics with what they cost and who wants them. A click drills down; the icon leads to the explorer. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Cardinality, MetricCount } from "../../../api/cardinality.ts";
import { formatUnit } from "../../../charts/unit.ts";
import type { Time } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatSpan } from "../../../time/duration.ts";
import { formatDateTime } from "../../../time/format.ts";
import { Icon } from "../../../ui/Icon.tsx";
import { Panel } from "../../../ui/layout.tsx";
import { count, formatNumber } from "../../../ui/number.ts";
import { Empty } from "../../../ui/states.tsx";
import { METRIC_NAME, narrowed, selectorOf } from "../model.ts";
import styles from "../cardinality.module.css";
import type { CardinalityView } from "../url.ts";
import { Head, Share } from "./Table.tsx";

interface Props {
  metrics: readonly MetricCount[];
  counted: Cardinality;
  view: CardinalityView;
  time: Time;
  onChange: (view: CardinalityView) => void;
}

export function MetricTable({ metrics, counted, view, time, onChange }: Props): ReactNode {
  const heads = { view, onChange };
  return (
    <Panel
      title="Metrics"
      note={counted.metrics.length < counted.metricNames ? `the first ${counted.metrics.length} of ${count(counted.metricNames, "metric")}` : count(metrics.length, "metric")}
      actions={<label className={styles.check}><input type="checkbox" checked={view.unasked} onChange={() => onChange({ ...view, unasked: !view.unasked })} />Never asked for</label>}
    >
      {metrics.length === 0 ? <Empty icon="metrics" title={view.unasked ? "Every metric here was asked for" : "No metric has such a name"} /> : (
        <div className={styles.scroll}>
          <table className={styles.table} aria-label="Metrics">
            <thead>
              <tr>
                <Head sort="name" title="Metric" {...heads} />
                <Head sort="series" title="Series" {...heads} />
                <Head sort="created" title="New" hint="Series whose first sample lies in this range" {...heads} />
                <Head sort="rows" title="Samples" {...heads} />
                <Head sort="bytes" title="Bytes" hint="In segments; what is in memory only counts nothing" {...heads} />
                <Head sort="queries" title="Queries" hint="PromQL that read it since the server started" {...heads} />
                <th><span className={styles.hidden}>Explore</span></th>
              </tr>
            </thead>
            <tbody>{metrics.map((metric) => <Row key={metric.name} metric={metric} counted={counted} view={view} time={time} onChange={onChange} />)}</tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Row({ metric, counted, view, time, onChange }: Omit<Props, "metrics"> & { metric: MetricCount }): ReactNode {
  const down = narrowed(view, METRIC_NAME, metric.name);
  return (
    <tr data-testid="metric-row">
      <td className={styles.name}><button type="button" className={styles.drill} title={metric.name} onClick={() => onChange(down)}>{metric.name === "" ? <i>no name</i> : metric.name}</button></td>
      <Share part={metric.series} whole={counted.series}>{formatNumber(metric.series)}</Share>
      <td className={styles.number}>{metric.created === 0 ? "–" : formatNumber(metric.created)}</td>
      <td className={styles.number}>{formatNumber(metric.rows)}</td>
      <Share part={metric.bytes} whole={counted.bytes}>{metric.bytes === 0 ? "–" : formatUnit(metric.bytes, "bytes")}</Share>
      <td className={styles.number} title={asked(metric)}>{metric.queries === 0 ? <span className={styles.never}>never</span> : formatNumber(metric.queries)}</td>
      <td className={styles.pivot}><Link href={paths.metrics(selectorOf(down.only), time.range)} aria-label={`Explore ${metric.name}`} title="Open in Metrics"><Icon name="metrics" size={14} /></Link></td>
    </tr>
  );
}

function asked(metric: MetricCount): string {
  if (metric.queries === 0 || metric.lastQueryMs === null) return "Nobody asked for it since the server started";
  const by = metric.askedBy.map((each) => `${each.asker === "" ? "unnamed" : each.asker}: ${each.queries}`).join("\n");
  return `last ${formatDateTime(metric.lastQueryMs)}, ${formatSpan(Date.now() - metric.lastQueryMs)} ago\n${by}`;
}
