/** Notifications: to whom, through what, why, how it went; every attempt with its answer when open. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Attempt, Notification } from "../../../api/alerting.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatClock, formatDateTime } from "../../../time/format.ts";
import { Icon } from "../../../ui/Icon.tsx";
import { LabelList } from "../../../ui/LabelList.tsx";
import { Badge, type Tone } from "../../../ui/layout.tsx";
import { count } from "../../../ui/number.ts";
import styles from "../notifications.module.css";

export const OUTCOME_TONES: Record<string, Tone> = { delivered: "good", pending: "warn", dead: "bad" };

interface Props {
  notifications: readonly Notification[];
  /** All are open, and cannot be closed. */
  openAll?: boolean;
  open?: readonly string[];
  onToggle?: (id: string) => void;
}

export function NotificationList({ notifications, openAll = false, open = [], onToggle }: Props): ReactNode {
  return (
    <ul aria-label="Notifications">
      {notifications.map((each) => {
        const isOpen = openAll || open.includes(each.id);
        const line = <Line notification={each} isOpen={isOpen} />;
        return (
          <li key={each.id} className={styles.notification} data-testid="notification-row" data-outcome={each.outcome}>
            {openAll ? <div className={styles.line}>{line}</div> : <button type="button" className={styles.line} aria-expanded={isOpen} onClick={() => onToggle?.(each.id)}>{line}</button>}
            {isOpen && <Details notification={each} />}
          </li>
        );
      })}
    </ul>
  );
}

function Line({ notification: each, isOpen }: { notification: Notification; isOpen: boolean }): ReactNode {
  const told = [each.firing > 0 ? `${each.firing} firing` : "", each.resolved > 0 ? `${each.resolved} resolved` : ""].filter((part) => part !== "").join(", ");
  return (
    <>
      <Icon name={isOpen ? "chevronDown" : "chevronRight"} size={12} />
      <span className={styles.when}>{formatDateTime(each.atMs)}</span>
      <span className={styles.outcome}><Badge tone={OUTCOME_TONES[each.outcome] ?? "plain"} dot>{each.outcome}</Badge></span>
      <span className={styles.receiver}>{each.receiver}</span>
      <span className={styles.labels}><LabelList labels={each.groupLabels} /></span>
      <span className={styles.told}>{[each.reason, told].filter((part) => part !== "").join(": ")}</span>
      {each.attempts.length > 1 && <Badge tone={each.outcome === "delivered" ? "plain" : "warn"}>{count(each.attempts.length, "attempt")}</Badge>}
    </>
  );
}

function Details({ notification: each }: { notification: Notification }): ReactNode {
  const { range } = useTime();
  return (
    <div className={styles.details}>
      <p className={styles.through}>through {each.channel}</p>
      {each.attempts.length === 0 ? <p className={styles.quiet}>No attempt was made yet.</p> : <ol className={styles.attempts} aria-label="Attempts">{each.attempts.map((attempt, index) => <AttemptRow key={`${attempt.atMs} ${index}`} attempt={attempt} />)}</ol>}
      {each.alerts.length > 0 && (
        <ul className={styles.alerts} aria-label="Alerts of it">
          {each.alerts.map((alert, index) => (
            <li key={`${alert.fingerprint} ${index}`}>
              <Badge tone={alert.status === "firing" ? "bad" : "good"} dot>{alert.status}</Badge>
              <Link href={paths.alert(alert.labels, each.atMs, range)}>{alert.labels["alertname"] ?? "alert"}</Link>
              <LabelList labels={alert.labels} without={["alertname"]} />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function AttemptRow({ attempt }: { attempt: Attempt }): ReactNode {
  return (
    <li>
      <span className={styles.clock} title={formatDateTime(attempt.atMs)}>{formatClock(attempt.atMs)}</span>
      <span data-ok={attempt.ok} className={styles.mark}><Icon name={attempt.ok ? "check" : "close"} size={12} /></span>
      <span className={styles.answer}>{attempt.answer === "" ? (attempt.ok ? "accepted" : "failed") : attempt.answer}</span>
    </li>
  );
}
