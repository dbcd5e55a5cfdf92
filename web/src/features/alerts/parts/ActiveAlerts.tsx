/** The active alerts of a rule: labels, what they say, what keeps them quiet, and what can be done. */

import { useState, type ReactNode } from "react";
import { Link } from "wouter";
import type { DeskAlert } from "../../../api/alertmanager.ts";
import type { ActiveAlert, Rule } from "../../../api/prometheus.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatSpan } from "../../../time/duration.ts";
import { formatDateTime } from "../../../time/format.ts";
import { Button, buttonClass } from "../../../ui/controls.tsx";
import { LabelList, LinkedText } from "../../../ui/LabelList.tsx";
import { Badge } from "../../../ui/layout.tsx";
import { formatExact } from "../../../ui/number.ts";
import { deskAlertOf, quietBy, timeOf } from "../model.ts";
import styles from "../alerts.module.css";
import { Pivots } from "./Pivots.tsx";

/** More alerts of one rule than this are shown when asked for. */
const SHOWN = 20;

export function ActiveAlerts({ rule, desk, nowMs }: { rule: Rule; desk: readonly DeskAlert[]; nowMs: number }): ReactNode {
  const [isWhole, setIsWhole] = useState(false);
  if (rule.alerts.length === 0) return <p className={styles.quiet}>Nothing is active.</p>;
  return (
    <>
      <ul className={styles.active} aria-label={`Active alerts of ${rule.name}`}>
        {rule.alerts.slice(0, isWhole ? undefined : SHOWN).map((alert) => <ActiveRow key={JSON.stringify(alert.labels)} rule={rule} alert={alert} desk={desk} nowMs={nowMs} />)}
      </ul>
      {!isWhole && rule.alerts.length > SHOWN && <div><Button small onClick={() => setIsWhole(true)}>Show all {rule.alerts.length}</Button></div>}
    </>
  );
}

function ActiveRow({ rule, alert, desk, nowMs }: { rule: Rule; alert: ActiveAlert; desk: readonly DeskAlert[]; nowMs: number }): ReactNode {
  const { range } = useTime();
  const since = timeOf(alert.activeAt);
  return (
    <li className={styles.alert} data-testid="active-alert">
      <div className={styles.alertHead}>
        <Badge tone={alert.state === "firing" ? "bad" : "warn"} dot>{alert.state}</Badge>
        {quietBy(deskAlertOf(alert, desk)).map((word) => <Badge key={word}>{word}</Badge>)}
        {alert.toldAs === null && <Badge>told to nobody</Badge>}
        <LabelList labels={alert.labels} without={["alertname"]} />
        <span className={styles.alertValue} title={since === null ? "" : `since ${formatDateTime(since)}`}>
          {alert.value !== "" && <><b>{formatExact(Number(alert.value))}</b>, </>}
          {since === null ? "–" : `for ${formatSpan(nowMs - since)}`}
        </span>
      </div>
      <Annotations annotations={alert.annotations} />
      <div className={styles.alertActions}>
        <Link href={paths.alert(alert.labels, null, range)} className={buttonClass("normal", true)}>Explain</Link>
        {alert.toldAs !== null && <Link href={paths.newSilence(alert.toldAs, range)} className={buttonClass("normal", true)}>Silence</Link>}
        <Pivots lang={rule.lang} query={rule.query} labels={alert.labels} added={rule.labels} sinceMs={since} />
      </div>
    </li>
  );
}

/** Summary and description as text, others by name; addresses can be followed. */
export function Annotations({ annotations }: { annotations: Readonly<Record<string, string>> }): ReactNode {
  const entries = Object.entries(annotations);
  if (entries.length === 0) return null;
  const plain = ["summary", "description", "message"];
  return (
    <div className={styles.annotations}>
      {plain.filter((name) => annotations[name] !== undefined).map((name) => <p key={name}><LinkedText text={annotations[name] ?? ""} /></p>)}
      {entries.filter(([name]) => !plain.includes(name)).map(([name, value]) => <p key={name}><i>{name.replaceAll("_", " ")}</i> <LinkedText text={value} /></p>)}
    </div>
  );
}
