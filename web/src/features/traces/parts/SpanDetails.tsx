/** Everything one span carries, and the ways from it to the other signals. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Attribute, Span } from "../../../api/jaeger.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { formatMicros } from "../../../time/duration.ts";
import { formatClockMillis } from "../../../time/format.ts";
import { absolute, around } from "../../../time/range.ts";
import { CopyButton, IconButton, buttonClass } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { Badge, Pairs, Panel } from "../../../ui/layout.tsx";
import { Notice } from "../../../ui/states.tsx";
import { isSkewed, marginMs, offsetLabel, withTag, type Tree } from "../model.ts";
import styles from "../traces.module.css";
import { ServiceDot } from "./ServiceDot.tsx";

/** How much of the metrics to show on each side of a span. */
const METRICS_MARGIN_MS = 15 * 60_000;

export function SpanDetails({ span, tree, onClose }: { span: Span; tree: Tree; onClose: () => void }): ReactNode {
  const [startMs, endMs] = [span.startMicros / 1_000, (span.startMicros + span.durationMicros) / 1_000];
  const nearLogs = absolute(around(startMs, endMs, marginMs(span.durationMicros)));
  const nearMetrics = absolute(around(startMs, endMs, METRICS_MARGIN_MS));
  return (
    <Panel label="Span" className={styles.details} title={span.operation} actions={<IconButton icon="close" label="Close the span" small onClick={onClose} />}>
      <div className={styles.detailsBody}>
        <div className={styles.detailsLine}>
          <ServiceDot service={span.service} /><b>{span.service}</b>
          {span.kind !== "" && <Badge>{span.kind}</Badge>}
          {span.failed && <Badge tone="bad" dot>error</Badge>}
          {isSkewed(span) && <Badge tone="warn" dot>clock skew</Badge>}
        </div>
        {span.warnings.map((warning) => <Notice key={warning}>{warning}</Notice>)}
        <div className={styles.detailsLine}>
          <Link href={paths.traceLogs(span.traceId, null, nearLogs)} className={buttonClass("normal", true)}><Icon name="logs" size={13} />Logs of the trace</Link>
          <Link href={paths.traceLogs(span.traceId, span.spanId, nearLogs)} className={buttonClass("normal", true)}><Icon name="logs" size={13} />Logs of this span</Link>
          <Link href={paths.serviceMetrics(span.service, nearMetrics)} className={buttonClass("normal", true)}><Icon name="metrics" size={13} />Metrics of {span.service}</Link>
        </div>
        <dl className={styles.spanFacts}>
          <div><dt>Duration</dt><dd>{formatMicros(span.durationMicros)}</dd></div>
          <div><dt>Starts at</dt><dd>{offsetLabel(span.startMicros - tree.startMicros)}</dd></div>
          <div><dt>Time</dt><dd>{formatClockMillis(startMs)}</dd></div>
          <div><dt>Span id</dt><dd><code>{span.spanId}</code><CopyButton value={span.spanId} label="Copy the span id" /></dd></div>
        </dl>
        <Attributes title="Attributes" attributes={span.attributes} service={span.service} />
        {span.events.length > 0 && <Events span={span} />}
        {span.links.length > 0 && <Links span={span} />}
        <Attributes title="Resource" attributes={span.resource} service={null} />
      </div>
    </Panel>
  );
}

function Attributes({ title, attributes, service }: { title: string; attributes: readonly Attribute[]; service: string | null }): ReactNode {
  const { range } = useTime();
  return (
    <section className={styles.section} aria-label={title}>
      <h3>{title} <span>{attributes.length}</span></h3>
      {attributes.length === 0 ? <p className={styles.none}>none</p> : (
        <Pairs
          pairs={attributes.map((each) => [each.key, each.value] as const)}
          action={service === null ? undefined : (name, value) => (
            <Link href={paths.traces({ service, tags: withTag("", name, value) }, range)} className={buttonClass("quiet", true)} aria-label={`Traces with ${name} = ${value}`} title="Traces with this attribute"><Icon name="search" size={12} /></Link>
          )}
        />
      )}
    </section>
  );
}

function Events({ span }: { span: Span }): ReactNode {
  return (
    <section className={styles.section} aria-label="Events">
      <h3>Events <span>{span.events.length}</span></h3>
      <ol>
        {span.events.map((event, index) => (
          <li key={`${event.timeMicros} ${index}`} className={styles.event}>
            <div className={styles.eventHead}><b>{event.name === "" ? "event" : event.name}</b> <span>{offsetLabel(event.timeMicros - span.startMicros)}</span></div>
            <Pairs pairs={event.attributes.map((each) => [each.key, each.value] as const)} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function Links({ span }: { span: Span }): ReactNode {
  const { range } = useTime();
  return (
    <section className={styles.section} aria-label="Links">
      <h3>Links <span>{span.links.length}</span></h3>
      <ul>
        {span.links.map((link) => (
          <li key={`${link.traceId} ${link.spanId}`}><Link href={paths.trace(link.traceId, link.spanId, range)}><code>{link.traceId.slice(0, 16)}… / {link.spanId}</code></Link></li>
        ))}
      </ul>
    </section>
  );
}
