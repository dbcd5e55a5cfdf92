/** Services with requests, errors and time; one click to each signal. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import { Sparkline } from "../../../charts/Sparkline/Sparkline.tsx";
import type { Time } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatMicros } from "../../../time/duration.ts";
import { Icon } from "../../../ui/Icon.tsx";
import { formatNumber, formatShare } from "../../../ui/number.ts";
import type { ServiceRow } from "../model.ts";
import styles from "../home.module.css";

/** A share of failed requests from which a service stands out. */
const ERROR_SHARE_BAD = 0.01;

export function ServiceTable({ rows, colors, time }: { rows: readonly ServiceRow[]; colors: ReadonlyMap<string, string>; time: Time }): ReactNode {
  return (
    <div className={styles.tableScroll}>
      <table className={styles.table} aria-label="Services">
        <thead>
          <tr>
            <th>Service</th>
            <th className={styles.wide}>Requests over time</th>
            <th className={styles.number}>Requests/s</th>
            <th className={styles.number}>Errors</th>
            <th className={styles.number}>Median</th>
            <th className={styles.number}>95 %</th>
            <th className={styles.number}>Logs</th>
            <th className={styles.number}>Error logs</th>
            <th>Go to</th>
          </tr>
        </thead>
        <tbody>{rows.map((row) => <Row key={row.service} row={row} color={colors.get(row.service) ?? ""} time={time} />)}</tbody>
      </table>
    </div>
  );
}

function Row({ row, color, time }: { row: ServiceRow; color: string; time: Time }): ReactNode {
  const { service } = row;
  const traced = !Number.isNaN(row.requestRate);
  const known = (value: number, format: (value: number) => string): string => (Number.isNaN(value) ? "–" : format(value));
  return (
    <tr data-testid="service-row">
      <td>
        <Link href={paths.service(service, time.range)} className={styles.service}>
          <span className={styles.dot} style={{ background: color }} />{service}
        </Link>
      </td>
      <td className={styles.wide}>{traced && <Sparkline values={row.requests} color={color} width={180} height={20} />}</td>
      <td className={styles.number}>{known(row.requestRate, formatNumber)}</td>
      <td className={styles.number}>
        {traced && row.errorShare > 0
          ? <Link href={paths.traces({ service, tags: "error=true" }, time.range)} className={styles.errors} data-bad={row.errorShare >= ERROR_SHARE_BAD}>{formatShare(row.errorShare)}</Link>
          : known(row.errorShare, formatShare)}
      </td>
      <td className={styles.number}>{known(row.p50Micros, formatMicros)}</td>
      <td className={styles.number}>{known(row.p95Micros, formatMicros)}</td>
      <td className={styles.number}>{row.logs === 0 ? "–" : formatNumber(row.logs)}</td>
      <td className={styles.number}>
        {row.errorLogs === 0 ? (row.logs === 0 ? "–" : "0")
          : <Link href={paths.logs({ service, severity: "error,fatal" }, time.range)} className={styles.errors} data-bad="true">{formatNumber(row.errorLogs)}</Link>}
      </td>
      <td>
        <span className={styles.pivots}>
          <Link href={paths.serviceMetrics(service, time.range)} aria-label={`Metrics of ${service}`} title="Metrics"><Icon name="metrics" size={15} /></Link>
          <Link href={paths.logs({ service }, time.range)} aria-label={`Logs of ${service}`} title="Logs"><Icon name="logs" size={15} /></Link>
          <Link href={paths.traces({ service }, time.range)} aria-label={`Traces of ${service}`} title="Traces"><Icon name="traces" size={15} /></Link>
        </span>
      </td>
    </tr>
  );
}
