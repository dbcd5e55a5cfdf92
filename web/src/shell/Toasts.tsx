/** Alerts that began to fire since somebody last looked, on whatever page one is. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { DeskAlert } from "../api/alertmanager.ts";
import { paths } from "../paths.ts";
import { formatSpan } from "../time/duration.ts";
import type { TimeRange } from "../time/range.ts";
import { Button, IconButton } from "../ui/controls.tsx";
import { LabelList } from "../ui/LabelList.tsx";
import { Badge } from "../ui/layout.tsx";
import { episode } from "./firing.ts";
import styles from "./toasts.module.css";

const SHOWN = 3;

export function Toasts({ alerts, range, onDismiss }: { alerts: readonly DeskAlert[]; range: TimeRange; onDismiss: (alerts: readonly DeskAlert[]) => void }): ReactNode {
  const now = Date.now();
  return (
    <section aria-label="New alerts" aria-live="polite" className={styles.toasts}>
      {alerts.slice(0, SHOWN).map((alert) => (
        <article key={episode(alert)} className={styles.toast} data-testid="toast">
          <div className={styles.head}>
            <Badge tone="bad" dot>firing</Badge>
            <Link href={paths.alert(alert.labels, null, range)} className={styles.name} onClick={() => onDismiss([alert])}>{alert.labels["alertname"] ?? "alert"}</Link>
            <span className={styles.since}>{formatSpan(now - alert.startsAtMs)} ago</span>
            <IconButton small icon="close" label={`Dismiss ${alert.labels["alertname"] ?? "the alert"}`} onClick={() => onDismiss([alert])} />
          </div>
          <p className={styles.text}>{alert.annotations["summary"] ?? alert.annotations["description"] ?? ""}</p>
          <LabelList className={styles.labels} labels={alert.labels} without={["alertname"]} />
        </article>
      ))}
      {alerts.length > 1 && (
        <div className={styles.more}>
          <Link href={paths.alerts(range)}>{alerts.length > SHOWN ? `and ${alerts.length - SHOWN} more` : "All alerts"}</Link>
          <Button small onClick={() => onDismiss(alerts)}>Dismiss all</Button>
        </div>
      )}
    </section>
  );
}
