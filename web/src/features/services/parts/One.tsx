/** One service: its numbers, how they went, who calls it, what it does. */

import { useMemo, type ReactNode } from "react";
import { Link } from "wouter";
import type { ServiceEdge, ServiceNode } from "../../../api/service_map.ts";
import { TimeSeries } from "../../../charts/TimeSeries/TimeSeries.tsx";
import type { Time } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { rateWindow } from "../../../time/step.ts";
import { buttonClass } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { Panel } from "../../../ui/layout.tsx";
import { Empty, Failure, Progress } from "../../../ui/states.tsx";
import { errorShare, plans, type Plan } from "../model.ts";
import { stepOf, useLines } from "../queries.ts";
import styles from "../services.module.css";
import type { ServicesView } from "../url.ts";
import { duration, perSecond, share } from "./numbers.ts";
import { Operations } from "./Operations.tsx";

const HEIGHT = 150;

export function One({ view, node, time, edges, onChange, onFind, children }: {
  view: ServicesView;
  node: ServiceNode | undefined;
  edges: readonly ServiceEdge[];
  time: Time;
  onChange: (view: ServicesView) => void;
  onFind: (view: ServicesView) => void;
  /** The map of its neighbours. */
  children: ReactNode;
}): ReactNode {
  const { service } = view;
  const step = stepOf(time);
  const charts = useMemo(() => plans(service, rateWindow(step)), [service, step]);
  return (
    <>
      <header className={styles.head}>
        <button type="button" className={buttonClass("quiet", true)} onClick={() => onChange({ ...view, service: "", find: "" })}><Icon name="chevronLeft" size={13} />All services</button>
        <h2>{service}</h2>
        {node !== undefined && (
          <dl className={styles.facts}>
            {[["requests/s", perSecond(node.rate)], ["errors", share(errorShare(node))], ["median", duration(node.p50)], ["95 %", duration(node.p95)], ["99 %", duration(node.p99)]].map(([name, value]) => (
              <div key={name}><dt>{name}</dt><dd>{value}</dd></div>
            ))}
          </dl>
        )}
        <span className={styles.links}>
          <Link href={paths.traces({ service }, time.range)} className={buttonClass("normal", true)}><Icon name="traces" size={13} />Traces</Link>
          <Link href={paths.logs({ service }, time.range)} className={buttonClass("normal", true)}><Icon name="logs" size={13} />Logs</Link>
          <Link href={paths.serviceMetrics(service, time.range)} className={buttonClass("normal", true)}><Icon name="metrics" size={13} />Metrics</Link>
          <Link href={paths.alerts(time.range, service)} className={buttonClass("normal", true)}><Icon name="alerts" size={13} />Rules</Link>
        </span>
      </header>
      <div className={styles.charts}>{charts.map((plan) => <Chart key={plan.title} plan={plan} time={time} sync={`service ${service}`} />)}</div>
      {children}
      <Neighbours service={service} edges={edges} time={time} />
      <Operations view={view} time={time} onFind={onFind} />
    </>
  );
}

function Chart({ plan, time, sync }: { plan: Plan; time: Time; sync: string }): ReactNode {
  const { data, error, loading, reload } = useLines(plan, time);
  const [first] = plan.lines;
  return (
    <Panel label={plan.title}>
      <div className={styles.chartHead}>
        <Link href={paths.metrics(first?.query ?? "", time.range)} title={first?.query}>{plan.title}</Link>
        {plan.lines.length > 1 && <span className={styles.legend}>{plan.lines.map(({ label }, index) => <span key={label} data-line={index}>{label}</span>)}</span>}
      </div>
      <Progress on={loading} label={`Loading ${plan.title}`} />
      {error !== null && !loading ? <Failure title="Failed" error={error} retry={reload} />
        : data === undefined ? <div style={{ height: HEIGHT }} />
          : data.lines.length === 0 ? <Empty icon="metrics" title="No data in this range" />
            : <TimeSeries label={plan.title} times={data.times} lines={data.lines} window={time.window} height={HEIGHT} unit={plan.unit} syncKey={sync} onZoom={time.setWindow} />}
    </Panel>
  );
}

/** Who calls the service, and whom it calls. */
function Neighbours({ service, edges, time }: { service: string; edges: readonly ServiceEdge[]; time: Time }): ReactNode {
  const own = edges.filter((edge) => edge.client === service || edge.server === service);
  if (own.length === 0) return null;
  return (
    <Panel title="Connections">
      <div className={styles.scroll}>
        <table className={styles.table} aria-label="Connections">
          <thead><tr><th>Direction</th><th>Service</th><th>By</th><th className={styles.number}>Calls/s</th><th className={styles.number}>Errors</th><th className={styles.number}>Median</th><th className={styles.number}>95 %</th><th className={styles.number}>99 %</th></tr></thead>
          <tbody>
            {own.map((edge) => {
              const isOut = edge.client === service;
              const other = isOut ? edge.server : edge.client;
              return (
                <tr key={`${edge.client} ${edge.server} ${edge.connection}`}>
                  <td>{isOut ? "calls" : "is called by"}</td>
                  <td>{edge.connection === "request" || edge.connection === "" || edge.connection === "messaging_system" ? <Link href={paths.service(other, time.range)} className={styles.name}>{other}</Link> : other}</td>
                  <td>{edge.connection.replaceAll("_", " ")}</td>
                  <td className={styles.number}>{perSecond(edge.rate)}</td>
                  <td className={styles.number}>{share(errorShare(edge))}</td>
                  <td className={styles.number}>{duration(edge.p50)}</td>
                  <td className={styles.number}>{duration(edge.p95)}</td>
                  <td className={styles.number}>{duration(edge.p99)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
