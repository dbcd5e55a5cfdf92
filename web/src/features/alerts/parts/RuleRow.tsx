/** One rule: a line when closed; its chart, alerts, history and facts when open. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { DeskAlert } from "../../../api/alertmanager.ts";
import type { Rule } from "../../../api/prometheus.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatMicros, formatSpan, printSeconds } from "../../../time/duration.ts";
import { formatDateTime } from "../../../time/format.ts";
import { buttonClass } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { Badge, Pairs, type Tone } from "../../../ui/layout.tsx";
import { count } from "../../../ui/number.ts";
import { summaryOf, timeOf, type Entry } from "../model.ts";
import styles from "../alerts.module.css";
import type { State } from "../url.ts";
import { ActiveAlerts } from "./ActiveAlerts.tsx";
import { History } from "./History.tsx";
import { RuleChart } from "./RuleChart.tsx";

export const TONES: Record<State, Tone> = { firing: "bad", broken: "bad", pending: "warn", inactive: "good", recording: "plain" };

export function RuleRow({ entry, desk, open, nowMs, onToggle }: { entry: Entry; desk: readonly DeskAlert[]; open: boolean; nowMs: number; onToggle: () => void }): ReactNode {
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
        <span className={styles.when}>{evaluated === null ? "never evaluated" : `${formatSpan(nowMs - evaluated)} ago`}</span>
      </button>
      {open && <Details entry={entry} desk={desk} evaluated={evaluated} nowMs={nowMs} />}
    </li>
  );
}

function Details({ entry, desk, evaluated, nowMs }: { entry: Entry; desk: readonly DeskAlert[]; evaluated: number | null; nowMs: number }): ReactNode {
  const { rule, group, file } = entry;
  const time = useTime();
  return (
    <div className={styles.details}>
      {rule.lastError !== "" && <pre className={styles.error} role="alert">{rule.lastError}</pre>}
      <div className={styles.expression}>
        <code>{rule.query}</code>
        <Source rule={rule} />
        <Link href={paths.editor(file, group, time.range)} className={buttonClass("normal", true)}>Edit</Link>
      </div>
      <RuleChart rule={rule} window={time.window} />
      {rule.kind === "alerting" && (
        <>
          <ActiveAlerts rule={rule} desk={desk} nowMs={nowMs} />
          <History group={group} rule={rule.name} active={rule.alerts} added={["alertname", ...Object.keys(rule.labels)]} />
        </>
      )}
      <Pairs pairs={facts(entry, evaluated)} />
    </div>
  );
}

/** The page that shows what the rule asks, in its language; SQL has none. */
export function Source({ rule }: { rule: Pick<Rule, "lang" | "query"> }): ReactNode {
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
    ["language", rule.lang === "promql" ? "" : rule.lang],
    ["last evaluation", evaluated === null ? "never" : `${formatDateTime(evaluated)}, took ${formatMicros(rule.evaluationSeconds * 1e6)}`],
    ...(rule.kind === "alerting" ? [["for", printSeconds(rule.forSeconds)] as [string, string]] : []),
    ...(rule.keepFiringSeconds > 0 ? [["keep firing for", printSeconds(rule.keepFiringSeconds)] as [string, string]] : []),
    ["recovers when", rule.recovery],
    ["without data", rule.noData],
    ["when it fails", rule.onError],
    ...Object.entries(rule.labels).map(([name, value]): [string, string] => [`label ${name}`, value]),
    ...Object.entries(rule.annotations).map(([name, value]): [string, string] => [`annotation ${name}`, value]),
  ].filter(([, value]) => value !== "") as [string, string][];
}
