/** From an alert to everything that tells of it. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Labels } from "../../../api/prometheus.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import type { TimeRange } from "../../../time/range.ts";
import { Icon, type IconName } from "../../../ui/Icon.tsx";
import { evidence, ownLabels } from "../evidence.ts";
import { serviceOf } from "../model.ts";
import styles from "../alerts.module.css";

/** How long before an alert its cause is looked for. */
const LEAD_MS = 900_000;
const WORDS = { metrics: "The metric", logs: "The log lines", traces: "The traces" } as const;

/** Links to the very lines, traces or metric that a rule looks at, and to the service of an alert. */
export function Pivots({ lang, query, labels, added, sinceMs }: { lang: string; query: string; labels: Labels; added: Labels; sinceMs: number | null }): ReactNode {
  const { range } = useTime();
  const service = serviceOf({ ...labels, ...(labels["resource.service.name"] === undefined ? {} : { service: labels["resource.service.name"] }) });
  const found = evidence(lang, query, ownLabels(labels, added));
  const then: TimeRange = sinceMs === null ? range : { from: String(Math.floor(sinceMs - LEAD_MS)), to: "now" };
  const link = (icon: IconName, name: string, href: string): ReactNode => <Link key={name} href={href} aria-label={name} title={name}><Icon name={icon} size={15} /></Link>;
  return (
    <span className={styles.pivots}>
      {found !== null && (
        <Link className={styles.evidence} href={found.signal === "logs" ? paths.logs({ query: found.query }, then) : found.signal === "traces" ? paths.traces({ query: found.query }, then) : paths.metrics(found.query, then)}>
          {WORDS[found.signal]}
        </Link>
      )}
      {service !== null && (
        <>
          {link("service", `${service} among the services`, paths.service(service, range))}
          {link("metrics", `Metrics of ${service}`, paths.serviceMetrics(service, range))}
          {link("logs", `Logs of ${service}`, paths.logs({ service }, range))}
          {link("traces", `Traces of ${service}`, paths.traces({ service }, range))}
        </>
      )}
    </span>
  );
}
