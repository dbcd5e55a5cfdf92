/** Home: what arrives now, which services there are and how they do, what is on fire. */

import { useEffect, useMemo, type ReactNode } from "react";
import { Link } from "wouter";
import { distinctColors } from "../../charts/color.ts";
import { Sparkline } from "../../charts/Sparkline/Sparkline.tsx";
import { useTime, type Time } from "../../location.tsx";
import { paths } from "../../paths.ts";
import { Icon, type IconName } from "../../ui/Icon.tsx";
import { Panel } from "../../ui/layout.tsx";
import { count, formatNumber } from "../../ui/number.ts";
import { Failure, Progress, Skeleton } from "../../ui/states.tsx";
import type { Signal } from "./model.ts";
import { LatestErrors } from "./parts/LatestErrors.tsx";
import { Start } from "./parts/Start.tsx";
import { ServiceTable } from "./parts/ServiceTable.tsx";
import { useAlerts, useArrivals, useLatestErrors, useServices } from "./queries.ts";
import styles from "./home.module.css";

const SIGNAL_TILES: readonly { signal: Signal; title: string; unit: string; icon: IconName; href: (time: Time) => string }[] = [
  { signal: "metrics", title: "Metrics", unit: "samples/s", icon: "metrics", href: (time) => paths.metrics("", time.range) },
  { signal: "logs", title: "Logs", unit: "records/s", icon: "logs", href: (time) => paths.logs({}, time.range) },
  { signal: "traces", title: "Traces", unit: "spans/s", icon: "traces", href: (time) => paths.traces({}, time.range) },
];

/** Pause between looks for the first data. */
const FIRST_DATA_MS = 3_000;

export function HomePage(): ReactNode {
  const time = useTime();
  const arriving = useArrivals(time);
  const services = useServices(time);
  const alerts = useAlerts(time);
  const errors = useLatestErrors(time);
  const rows = services.data?.rows;
  const colors = useMemo(() => distinctColors((rows ?? []).map((row) => row.service)), [rows]);
  // A server that has just started knows nothing yet: look again soon, until there is something to see.
  const waiting = (rows !== undefined && rows.length === 0) || (arriving.data?.signals.every((arrival) => Number.isNaN(arrival.now)) ?? false);
  const { reload } = time;
  useEffect(() => {
    if (!waiting) return;
    const timer = setInterval(reload, FIRST_DATA_MS);
    return () => clearInterval(timer);
  }, [waiting, reload]);
  const firing = (alerts.data ?? []).filter((alert) => alert.state === "firing").length;
  const pending = (alerts.data ?? []).length - firing;
  return (
    <div className={styles.page}>
      {arriving.error !== null && !arriving.loading && <Failure title="The rates could not be loaded" error={arriving.error} retry={arriving.reload} />}
      <div className={styles.tiles}>
        {SIGNAL_TILES.map((tile) => {
          const arrival = arriving.data?.signals.find((each) => each.signal === tile.signal);
          return (
            <Link key={tile.signal} href={tile.href(time)} className={styles.tile} aria-label={`${tile.title}: ${arrival === undefined ? "loading" : `${formatNumber(arrival.now)} ${tile.unit}`}`} data-testid={`tile-${tile.signal}`}>
              <span className={styles.tileTitle} style={{ color: `var(--signal-${tile.signal})` }}><Icon name={tile.icon} size={14} />{tile.title}</span>
              <span className={styles.tileValue}>{arrival !== undefined ? formatNumber(arrival.now) : arriving.loading ? "…" : "–"}<i>{tile.unit}</i></span>
              <span className={styles.spark}>{arrival !== undefined && <Sparkline values={arrival.rates} color={`var(--signal-${tile.signal})`} width={300} height={38} fill />}</span>
            </Link>
          );
        })}
        <Link href={paths.alerts(time.range)} className={styles.tile} data-firing={firing > 0} aria-label={`Alerts: ${firing} firing`} data-testid="tile-alerts">
          <span className={styles.tileTitle}><Icon name="alerts" size={14} />Alerts</span>
          <span className={styles.tileValue}>{alerts.data === undefined ? (alerts.error === null ? "…" : "–") : firing}<i>firing</i></span>
          <span className={styles.tileNote}>{alerts.error !== null ? alerts.error.message : pending > 0 ? `${count(pending, "alert")} pending` : firing === 0 ? "All quiet" : "See what is wrong"}</span>
        </Link>
      </div>
      {services.error !== null && !services.loading && <Failure title="The services could not be loaded" error={services.error} retry={services.reload} />}
      {services.data?.failure !== null && services.data?.failure !== undefined && <Failure title="The services could not be counted" error={services.data.failure} retry={services.reload} />}
      <Panel title="Services" note={services.data === undefined ? undefined : `${count(services.data.rows.length, "service")} in this range`}>
        <Progress on={services.loading} label="Loading the services" />
        {services.data === undefined ? (services.loading && <Skeleton lines={8} />) : services.data.rows.length === 0 ? <Start /> : <ServiceTable rows={services.data.rows} colors={colors} time={time} />}
      </Panel>
      {rows !== undefined && errors.error !== null && !errors.loading && <Failure title="The errors could not be loaded" error={errors.error} retry={errors.reload} />}
      {rows !== undefined && rows.length > 0 && (
        <Panel title="Latest errors" note="from all logs">
          <Progress on={errors.loading} label="Loading the errors" />
          {errors.data === undefined ? (errors.loading && <Skeleton lines={5} />) : <LatestErrors rows={errors.data} colors={colors} time={time} />}
        </Panel>
      )}
    </div>
  );
}
