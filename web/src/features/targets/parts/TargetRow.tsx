/** One target: a line when closed; its error, its facts and its labels on both sides of relabelling when open. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Labels } from "../../../api/prometheus.ts";
import type { Target } from "../../../api/targets.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatMicros, formatSpan } from "../../../time/duration.ts";
import { formatDateTime } from "../../../time/format.ts";
import { Button, buttonClass, classes } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { Badge, Pairs, type Tone } from "../../../ui/layout.tsx";
import { compared, isOverdue, isSlow, selectorOf, summaryOf, timeOf, webUrl } from "../model.ts";
import { RelabelSteps } from "./RelabelSteps.tsx";
import styles from "../targets.module.css";

const TONES: Record<Target["health"], Tone> = { up: "good", down: "bad", unknown: "plain" };

interface Props {
  target: Target;
  open: boolean;
  /** Whether the rules that made it are shown. */
  steps: boolean;
  atMs: number;
  onToggle: () => void;
  onSteps: () => void;
}

export function TargetRow({ target, open, steps, atMs, onToggle, onSteps }: Props): ReactNode {
  const scraped = timeOf(target.lastScrape);
  return (
    <div className={styles.target} data-health={target.health} data-testid="target-row">
      <button type="button" data-row="" className={styles.line} aria-expanded={open} onClick={onToggle}>
        <Icon name={open ? "chevronDown" : "chevronRight"} size={12} />
        <span className={styles.badge}><Badge tone={TONES[target.health]} dot>{target.health}</Badge></span>
        <span className={styles.url}>{target.url}</span>
        {target.lastError === ""
          ? <span className={styles.summary}>{summaryOf(target)}</span>
          : <span className={classes(styles.summary, styles.fault)}>{target.lastError}</span>}
        <span className={classes(styles.figure, isSlow(target) && styles.late)} title="Duration of the last scrape">{scraped === null ? "" : formatMicros(target.lastScrapeSeconds * 1e6)}</span>
        <span className={classes(styles.when, isOverdue(target, atMs) && styles.late)} title="Last scrape">{scraped === null ? "not yet" : `${formatSpan(atMs - scraped)} ago`}</span>
      </button>
      {open && <Details target={target} scraped={scraped} steps={steps} onSteps={onSteps} />}
    </div>
  );
}

function Details({ target, scraped, steps, onSteps }: { target: Target; scraped: number | null; steps: boolean; onSteps: () => void }): ReactNode {
  const { range } = useTime();
  const selector = selectorOf(target.labels);
  const address = webUrl(target.url);
  return (
    <div className={styles.details}>
      {target.lastError !== "" && <pre className={styles.error} role="alert">{target.lastError}</pre>}
      <div className={styles.actions}>
        <Link href={paths.metrics(`up${selector}`, range)} className={buttonClass("normal", true)}><Icon name="metrics" size={13} />When it was up</Link>
        <Link href={paths.metricsInstant(selector, range)} className={buttonClass("normal", true)}><Icon name="table" size={13} />All its series</Link>
        <Button small icon="filter" aria-pressed={steps} onClick={onSteps}>{steps ? "Hide the rules" : "Rule by rule"}</Button>
        {address !== null && <a href={address} target="_blank" rel="noreferrer" className={buttonClass("quiet", true)}><Icon name="link" size={13} />Open the page</a>}
      </div>
      <Pairs pairs={facts(target, scraped)} />
      {steps && <RelabelSteps pool={target.pool} discovered={target.discovered} />}
      <div className={styles.sides}>
        <Side title="Labels" note="of its series" labels={target.labels} other={target.discovered} />
        <Side title="Before relabelling" note="as discovered" labels={target.discovered} other={target.labels} />
      </div>
    </div>
  );
}

function facts(target: Target, scraped: number | null): [string, string][] {
  return [
    ["address", target.url],
    ["pool", target.pool],
    ["last scrape", scraped === null ? "not yet" : `${formatDateTime(scraped)}, took ${formatMicros(target.lastScrapeSeconds * 1e6)}`],
    ["interval, timeout", `${target.interval}, ${target.timeout}`],
  ];
}

/** Labels; those that the other side has not, or with another value, stand out. */
export function Side({ title, note, labels, other }: { title: string; note: string; labels: Labels; other: Labels }): ReactNode {
  return (
    <section aria-label={title} className={styles.side}>
      <h3>{title}<i>{note}</i></h3>
      <dl>
        {compared(labels, other).map(({ name, value, differs }) => (
          <div key={name} data-differs={differs}>
            <dt>{name}</dt>
            <dd>{value === "" ? <i>empty</i> : value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
