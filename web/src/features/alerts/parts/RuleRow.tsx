/** One rule: a line when closed; its expression, labels and active alerts when open. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { ActiveAlert, Rule } from "../../../api/prometheus.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatMicros, formatSpan, printSeconds } from "../../../time/duration.ts";
import { formatDateTime } from "../../../time/format.ts";
import { buttonClass } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { Badge, Pairs, type Tone } from "../../../ui/layout.tsx";
import { count, formatExact } from "../../../ui/number.ts";
import { serviceOf, summaryOf, timeOf, type Entry } from "../model.ts";
import styles from "../alerts.module.css";
import type { State } from "../url.ts";

const TONES: Record<State, Tone> = { firing: "bad", broken: "bad", pending: "warn", inactive: "good", recording: "plain" };

export function RuleRow({ entry, open, now, onToggle }: { entry: Entry; open: boolean; now: number; onToggle: () => void }): ReactNode {
  const { rule, state } = entry;
  const evaluated = timeOf(rule.lastEvaluation);
  return (
    <li className={styles.rule} data-state={state} data-testid="rule-row">
      <button type="button" className={styles.line} aria-expanded={open} onClick={onToggle}>
        <Icon name={open ? "chevronDown" : "chevronRight"} size={12} />
        <span className={styles.badge}><Badge tone={TONES[state]} dot>{state}</Badge></span>
        <span className={styles.name}>{rule.name}</span>
        <span className={styles.summary}>{summaryOf(rule)}</span>
        {rule.alerts.length > 0 && <Badge tone={TONES[state]}>{count(rule.alerts.length, "alert")}</Badge>}
        <span className={styles.group}>{entry.group}</span>
        <span className={styles.when}>{evaluated === null ? "never evaluated" : `${formatSpan(now - evaluated)} ago`}</span>
      </button>
      {open && <Details entry={entry} evaluated={evaluated} now={now} />}
    </li>
  );
}

function Details({ entry, evaluated, now }: { entry: Entry; evaluated: number | null; now: number }): ReactNode {
  const { rule } = entry;
  return (
    <div className={styles.details}>
      {rule.lastError !== "" && <pre className={styles.error} role="alert">{rule.lastError}</pre>}
      <div className={styles.expression}>
        <code>{rule.query}</code>
        <Source rule={rule} />
      </div>
      <Pairs pairs={facts(entry, evaluated)} />
      {rule.kind === "alerting" && <Active rule={rule} now={now} />}
    </div>
  );
}

/** The page that shows what the rule asks, in its language; SQL has none. */
function Source({ rule }: { rule: Rule }): ReactNode {
  const { range } = useTime();
  const look = buttonClass("normal", true);
  switch (rule.lang) {
    case "promql":
      return <Link href={paths.metrics(rule.query, range)} className={look}><Icon name="metrics" size={13} />Open in Metrics</Link>;
    case "logql":
      return <Link href={paths.logs({ query: rule.query }, range)} className={look}><Icon name="logs" size={13} />Open in Logs</Link>;
    case "traceql":
      return <Link href={paths.traces({ query: rule.query }, range)} className={look}><Icon name="traces" size={13} />Open in Traces</Link>;
    default:
      return null;
  }
}

function facts({ file, group, rule }: Entry, evaluated: number | null): [string, string][] {
  return [
    ["group", group],
    ["file", file],
    ["last evaluation", evaluated === null ? "never" : `${formatDateTime(evaluated)}, took ${formatMicros(rule.evaluationSeconds * 1e6)}`],
    ...(rule.kind === "alerting" ? [["for", printSeconds(rule.forSeconds)] as [string, string]] : []),
    ...Object.entries(rule.labels).map(([name, value]): [string, string] => [`label ${name}`, value]),
    ...Object.entries(rule.annotations).map(([name, value]): [string, string] => [`annotation ${name}`, value]),
  ].filter(([, value]) => value !== "") as [string, string][];
}

function Active({ rule, now }: { rule: Rule; now: number }): ReactNode {
  if (rule.alerts.length === 0) return <p className={styles.quiet}>Nothing is active.</p>;
  return (
    <table className={styles.active} aria-label={`Active alerts of ${rule.name}`}>
      <thead><tr><th>State</th><th>Labels</th><th>Value</th><th>Since</th><th>Go to</th></tr></thead>
      <tbody>{rule.alerts.map((alert) => <ActiveRow key={JSON.stringify(alert.labels)} alert={alert} now={now} />)}</tbody>
    </table>
  );
}

function ActiveRow({ alert, now }: { alert: ActiveAlert; now: number }): ReactNode {
  const { range } = useTime();
  const since = timeOf(alert.activeAt);
  const service = serviceOf(alert.labels);
  return (
    <tr>
      <td><Badge tone={alert.state === "firing" ? "bad" : "warn"} dot>{alert.state}</Badge></td>
      <td className={styles.labels}>
        {Object.entries(alert.labels).filter(([name]) => name !== "alertname").map(([name, value]) => <span key={name}><i>{name}</i>={value}</span>)}
        {alert.annotations["summary"] !== undefined && <p>{alert.annotations["summary"]}</p>}
      </td>
      <td>{formatExact(Number(alert.value))}</td>
      <td title={since === null ? "" : formatDateTime(since)}>{since === null ? "–" : formatSpan(now - since)}</td>
      <td>
        {service !== null && (
          <span className={styles.pivots}>
            <Link href={paths.serviceMetrics(service, range)} aria-label={`Metrics of ${service}`} title={`Metrics of ${service}`}><Icon name="metrics" size={14} /></Link>
            <Link href={paths.logs({ service }, range)} aria-label={`Logs of ${service}`} title={`Logs of ${service}`}><Icon name="logs" size={14} /></Link>
            <Link href={paths.traces({ service }, range)} aria-label={`Traces of ${service}`} title={`Traces of ${service}`}><Icon name="traces" size={14} /></Link>
          </span>
        )}
      </td>
    </tr>
  );
}
