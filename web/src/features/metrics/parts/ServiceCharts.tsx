/** Small charts of one service over the same time; cursors move together. */

import { useMemo, type ReactNode } from "react";
import { Link } from "wouter";
import { TimeSeries } from "../../../charts/TimeSeries/TimeSeries.tsx";
import { unitOf } from "../../../charts/unit.ts";
import type { Time } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { niceStep, rateWindow } from "../../../time/step.ts";
import { buttonClass } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { Panel } from "../../../ui/layout.tsx";
import { Empty, Failure, Progress } from "../../../ui/states.tsx";
import { plans, type ChartPlan } from "../charts.ts";
import { lineNames } from "../../../charts/names.ts";
import { useRange, type Catalog } from "../queries.ts";
import styles from "../metrics.module.css";

const HEIGHT = 150;
const POINTS = 120;

export function ServiceCharts({ service, catalog, time }: { service: string; catalog: Catalog; time: Time }): ReactNode {
  const step = niceStep(time.window, POINTS);
  const charts = useMemo(() => plans(catalog.families, catalog.matcher, rateWindow(step)), [catalog, step]);
  return (
    <>
      <div className={styles.serviceHead}>
        <h2>{service}</h2>
        <Link className={buttonClass("normal", true)} href={paths.logs({ service }, time.range)}><Icon name="logs" size={13} />Logs</Link>
        <Link className={buttonClass("normal", true)} href={paths.traces({ service }, time.range)}><Icon name="traces" size={13} />Traces</Link>
      </div>
      <div className={styles.grid}>
        {charts.map((plan) => <Chart key={plan.query} plan={plan} step={step} time={time} sync={`service ${service}`} />)}
      </div>
    </>
  );
}

function Chart({ plan, step, time, sync }: { plan: ChartPlan; step: number; time: Time; sync: string }): ReactNode {
  const { data, error, loading, reload } = useRange(plan.query, step, time, true);
  const lines = useMemo(() => {
    const names = lineNames((data?.series ?? []).map((series) => series.labels));
    return (data?.series ?? []).map((series, index) => ({ label: names[index] === "{}" ? "value" : (names[index] ?? ""), values: series.values }));
  }, [data]);
  return (
    <Panel label={plan.title} className={styles.small}>
      <Link className={styles.smallTitle} href={paths.metrics(plan.query, time.range)} title={plan.query}>{plan.title}</Link>
      <Progress on={loading} label={`Loading ${plan.title}`} />
      {error !== null && !loading ? <Failure title="Failed" error={error} retry={reload} />
        : data === undefined ? <div style={{ height: HEIGHT }} />
          : lines.length === 0 ? <Empty icon="metrics" title="No data in this range" />
            : <TimeSeries label={plan.title} times={data.times} lines={lines} window={time.window} height={HEIGHT} unit={unitOf(plan.query)} syncKey={sync} onZoom={time.setWindow} />}
    </Panel>
  );
}
