/** Cardinality: which metrics, labels and values the series are made of, what they cost, how fast new ones come, who asks. */

import { useMemo, type ReactNode } from "react";
import { cardinality, type Cardinality } from "../../api/cardinality.ts";
import { useResource } from "../../api/use_resource.ts";
import { Bars } from "../../charts/Bars/Bars.tsx";
import { formatUnit } from "../../charts/unit.ts";
import { useTime, useUrlState, type Time } from "../../location.tsx";
import { niceStep } from "../../time/step.ts";
import { printSeconds } from "../../time/duration.ts";
import { Button, Input, classes } from "../../ui/controls.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { Panel } from "../../ui/layout.tsx";
import { count, formatExact, formatNumber, formatShare } from "../../ui/number.ts";
import { Empty, Failure, Notice, Progress, Skeleton } from "../../ui/states.tsx";
import { METRIC_NAME, bytesPerRow, churn, metricOf, metricsOf, orderOf, pairsOf, selectorOf, widened } from "./model.ts";
import { LabelTable } from "./parts/LabelTable.tsx";
import { MetricTable } from "./parts/MetricTable.tsx";
import { PairTable } from "./parts/PairTable.tsx";
import { Askers } from "./parts/Askers.tsx";
import styles from "./cardinality.module.css";
import { CARDINALITY_URL, TOP_MAX, type CardinalityView } from "./url.ts";

const STEPS = 60;
const CHURN_HEIGHT = 64;
const CHURN_COLORS = ["var(--signal-metrics)"];

export function CardinalityPage(): ReactNode {
  const time = useTime();
  const { state: view, update, replace } = useUrlState(CARDINALITY_URL);
  const { window, version } = time;
  const [selector, order] = [selectorOf(view.only), orderOf(view.sort)];
  const stepSeconds = niceStep(window, STEPS);
  const key = `cardinality ${window.startMs} ${window.endMs} ${version} ${selector} ${view.label} ${order} ${view.top}`;
  const { data, error, loading, reload } = useResource(key, (signal) => cardinality({ window, selector, label: view.label, top: view.top, order, stepSeconds }, signal));
  return (
    <div className={styles.page}>
      <div className={styles.filters}>
        <Scope view={view} onChange={update} />
        <Input data-search="" className={styles.find} aria-label="Find names and values" placeholder="Find names and values" value={view.find} onChange={(event) => replace({ ...view, find: event.target.value })} />
      </div>
      {error !== null && !loading && <Failure title="The series could not be counted" error={error} retry={reload} />}
      {data !== undefined && data.sampledOneIn > 1 && <Notice>There are too many series to look at each: one in {formatExact(data.sampledOneIn)} was. Numbers of series, samples and bytes are estimates, those of values are lower bounds.</Notice>}
      <Tiles counted={data} />
      <Churn counted={data} loading={loading} time={time} />
      {data !== undefined && data.series === 0 && !loading
        ? <Panel title="Metrics"><Empty icon="cardinality" title={view.only.length === 0 ? "No series in this range" : "No series has all of these labels in this range"} /></Panel>
        : <Tables counted={data} loading={loading} view={view} update={update} time={time} />}
    </div>
  );
}

/** What was drilled into, each step with a way back. */
function Scope({ view, onChange }: { view: CardinalityView; onChange: (view: CardinalityView) => void }): ReactNode {
  return (
    <div role="group" aria-label="Only series with" className={styles.scope}>
      <button type="button" className={classes(styles.step, view.only.length === 0 && styles.current)} disabled={view.only.length === 0} onClick={() => onChange({ ...view, only: [], label: "" })}>All series</button>
      {view.only.map(([label, value]) => (
        <span key={label} className={styles.only}>
          <Icon name="chevronRight" size={11} />
          <button type="button" className={classes(styles.step, styles.current)} aria-label={`Not only ${label} = ${value}`} title="Take this away" onClick={() => onChange(widened(view, label))}>
            {label === METRIC_NAME ? value : <><i>{label}</i>={value}</>}
            <Icon name="close" size={11} />
          </button>
        </span>
      ))}
    </div>
  );
}

function Tiles({ counted }: { counted: Cardinality | undefined }): ReactNode {
  const perRow = counted === undefined ? Number.NaN : bytesPerRow(counted);
  const tiles: [string, string, string][] = counted === undefined ? [["Series", "…", ""], ["New series", "…", ""], ["Bytes", "…", ""], ["Label values", "…", ""]] : [
    ["Series", formatNumber(counted.series), `of ${count(counted.metricNames, "metric")}`],
    ["New series", formatNumber(counted.created), counted.series === 0 ? "in this range" : `${formatShare(counted.created / counted.series)} of all in this range`],
    ["Bytes", counted.bytes === 0 && counted.rows > 0 ? "–" : formatUnit(counted.bytes, "bytes"), counted.bytes === 0 ? "nothing in segments yet" : `${formatNumber(counted.rows)} samples${Number.isNaN(perRow) ? "" : `, ${formatNumber(perRow)} B each`}`],
    ["Label values", formatNumber(counted.labelPairs), `of ${count(counted.labelNames, "label")}`],
  ];
  return (
    <div className={styles.tiles}>
      {tiles.map(([title, value, note]) => (
        <div key={title} className={styles.tile} data-testid={`tile-${title.toLowerCase().replace(" ", "-")}`}>
          <span className={styles.tileTitle}>{title}</span>
          <span className={styles.tileValue}>{value}</span>
          <span className={styles.tileNote}>{note}</span>
        </div>
      ))}
    </div>
  );
}

function Churn({ counted, loading, time }: { counted: Cardinality | undefined; loading: boolean; time: Time }): ReactNode {
  const bars = useMemo(() => (counted === undefined ? null : churn(counted)), [counted]);
  return (
    <Panel title="New series" note={counted === undefined ? undefined : `every ${printSeconds(counted.stepMs / 1_000)}`}>
      <Progress on={loading} label="Counting the series" />
      <div className={styles.churn}>
        {bars !== null && <Bars label="New series" stacked={bars} colors={CHURN_COLORS} height={CHURN_HEIGHT} noun="series" onZoom={time.setWindow} />}
      </div>
    </Panel>
  );
}

function Tables({ counted, loading, view, update, time }: { counted: Cardinality | undefined; loading: boolean; view: CardinalityView; update: (view: CardinalityView) => void; time: Time }): ReactNode {
  if (counted === undefined) return loading ? <Panel title="Metrics"><Skeleton lines={10} /></Panel> : null;
  const metric = metricOf(view);
  const table = { counted, view, time, onChange: update };
  return (
    <>
      <div className={classes(styles.columns, metric === null && styles.metricsFirst)}>
        <div className={styles.column}>
          {metric === null ? <MetricTable metrics={metricsOf(counted, view)} {...table} /> : <LabelTable {...table} />}
          <Askers counted={counted} metric={metric} view={view} onChange={update} />
        </div>
        <div className={styles.column}>
          {metric === null && <LabelTable {...table} />}
          <PairTable pairs={pairsOf(counted, view)} {...table} />
        </div>
      </div>
      {view.top < TOP_MAX && [counted.metrics, counted.pairs].some((rows) => rows.length >= view.top) && (
        <div className={styles.more}><Button onClick={() => update({ ...view, top: Math.min(TOP_MAX, view.top * 4) })}>Show more than the first {view.top}</Button></div>
      )}
    </>
  );
}
