/** The newest error records: where one looks first. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { LogRow } from "../../../api/loki.ts";
import { nameColor } from "../../../charts/color.ts";
import type { Time } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatClockMillis, nanosToMs } from "../../../time/format.ts";
import { Icon } from "../../../ui/Icon.tsx";
import { Empty } from "../../../ui/states.tsx";
import styles from "../home.module.css";

export function LatestErrors({ rows, colors, time }: { rows: readonly LogRow[]; colors: ReadonlyMap<string, string>; time: Time }): ReactNode {
  if (rows.length === 0) return <Empty icon="check" title="No errors were logged in this range" />;
  return (
    <ul aria-label="Latest errors">
      {rows.map((row, index) => {
        const service = row.stream["service_name"] ?? "";
        const trace = row.metadata["trace_id"] ?? "";
        return (
          <li key={`${row.nanos} ${index}`} className={styles.error}>
            <time>{formatClockMillis(nanosToMs(row.nanos))}</time>
            <Link href={paths.logs({ service, severity: "error,fatal" }, time.range)} className={styles.errorService} style={{ color: colors.get(service) ?? nameColor(service) }}>{service}</Link>
            <span className={styles.errorLine} title={row.line}>{row.line.split("\n")[0]}</span>
            {trace !== "" && <Link href={paths.trace(trace, row.metadata["span_id"] ?? null, time.range)} className={styles.errorTrace} aria-label="Open the trace of this error" title="Open the trace"><Icon name="traces" size={14} /></Link>}
          </li>
        );
      })}
    </ul>
  );
}
