/** Services with rate, errors and durations, sorted by any of them. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { ServiceNode } from "../../../api/service_map.ts";
import type { Time } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { Icon } from "../../../ui/Icon.tsx";
import { errorShare, healthOf } from "../model.ts";
import styles from "../services.module.css";
import type { ServicesView, Sort } from "../url.ts";
import { duration, perSecond, share } from "./numbers.ts";

const COLUMNS: readonly { sort: Sort; title: string }[] = [
  { sort: "name", title: "Service" },
  { sort: "rate", title: "Requests/s" },
  { sort: "errors", title: "Errors" },
  { sort: "p50", title: "Median" },
  { sort: "p95", title: "95 %" },
  { sort: "p99", title: "99 %" },
];

export function ServiceTable({ rows, view, time, onChange }: { rows: readonly ServiceNode[]; view: ServicesView; time: Time; onChange: (view: ServicesView) => void }): ReactNode {
  return (
    <div className={styles.scroll}>
      <table className={styles.table} aria-label="Services">
        <thead>
          <tr>
            {COLUMNS.map(({ sort, title }) => (
              <th key={sort} className={sort === "name" ? undefined : styles.number} aria-sort={view.sort === sort ? (sort === "name" ? "ascending" : "descending") : undefined}>
                <button type="button" className={styles.sort} data-on={view.sort === sort} onClick={() => onChange({ ...view, sort })}>{title}</button>
              </th>
            ))}
            <th>Go to</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name} data-testid="service-row">
              <td><Link href={paths.service(row.name, time.range)} className={styles.name}>{row.name}</Link></td>
              <td className={styles.number}>{perSecond(row.rate)}</td>
              <td className={styles.number}>
                {errorShare(row) > 0
                  ? <Link href={paths.traces({ service: row.name, tags: "error=true" }, time.range)} data-health={healthOf(row)} className={styles.errors}>{share(errorShare(row))}</Link>
                  : share(errorShare(row))}
              </td>
              <td className={styles.number}>{duration(row.p50)}</td>
              <td className={styles.number}>{duration(row.p95)}</td>
              <td className={styles.number}>{duration(row.p99)}</td>
              <td><Signals service={row.name} time={time} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Links to what a service sends. */
export function Signals({ service, time }: { service: string; time: Time }): ReactNode {
  return (
    <span className={styles.pivots}>
      <Link href={paths.traces({ service }, time.range)} aria-label={`Traces of ${service}`} title="Traces"><Icon name="traces" size={15} /></Link>
      <Link href={paths.logs({ service }, time.range)} aria-label={`Logs of ${service}`} title="Logs"><Icon name="logs" size={15} /></Link>
      <Link href={paths.serviceMetrics(service, time.range)} aria-label={`Metrics of ${service}`} title="Metrics"><Icon name="metrics" size={15} /></Link>
    </span>
  );
}
