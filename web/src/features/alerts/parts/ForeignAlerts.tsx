/** Alerts that no rule of this server made. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { DeskAlert } from "../../../api/alertmanager.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatSpan } from "../../../time/duration.ts";
import { formatDateTime } from "../../../time/format.ts";
import { buttonClass } from "../../../ui/controls.tsx";
import { LabelList } from "../../../ui/LabelList.tsx";
import { Badge, Panel } from "../../../ui/layout.tsx";
import { count } from "../../../ui/number.ts";
import { quietBy } from "../model.ts";
import styles from "../alerts.module.css";
import { Annotations } from "./ActiveAlerts.tsx";

export function ForeignAlerts({ alerts, nowMs }: { alerts: readonly DeskAlert[]; nowMs: number }): ReactNode {
  const { range } = useTime();
  return (
    <Panel title="From elsewhere" note={`${count(alerts.length, "alert")} that other rulers sent, or whose rule is gone`}>
      <ul className={styles.active} aria-label="Alerts from elsewhere">
        {alerts.map((alert) => (
          <li key={alert.fingerprint} className={styles.alert} data-testid="foreign-alert">
            <div className={styles.alertHead}>
              <Badge tone="bad" dot>firing</Badge>
              <b>{alert.labels["alertname"] ?? "alert"}</b>
              {quietBy(alert).map((word) => <Badge key={word}>{word}</Badge>)}
              <LabelList labels={alert.labels} without={["alertname"]} />
              <span className={styles.alertValue} title={`since ${formatDateTime(alert.startsAtMs)}`}>for {formatSpan(nowMs - alert.startsAtMs)}</span>
            </div>
            <Annotations annotations={alert.annotations} />
            <div className={styles.alertActions}>
              <Link href={paths.newSilence(alert.labels, range)} className={buttonClass("normal", true)}>Silence</Link>
              <Link href={paths.routing(alert.labels, range)} className={buttonClass("normal", true)}>Route</Link>
              {/^https?:/.test(alert.generatorUrl) && <a href={alert.generatorUrl} target="_blank" rel="noreferrer noopener">Where it comes from</a>}
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
