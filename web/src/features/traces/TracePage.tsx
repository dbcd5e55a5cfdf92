/** One trace: what it took, its spans over time, one span in full. */

import { useMemo, type ReactNode } from "react";
import { Link, useParams } from "wouter";
import type { Trace } from "../../api/jaeger.ts";
import { distinctColors } from "../../charts/color.ts";
import { useTime, useUrlState } from "../../location.tsx";
import { paths } from "../../paths.ts";
import { formatMicros } from "../../time/duration.ts";
import { formatDate, formatClockMillis } from "../../time/format.ts";
import { absolute, around } from "../../time/range.ts";
import { Button, CopyButton, Input, buttonClass } from "../../ui/controls.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { Badge, Panel } from "../../ui/layout.tsx";
import { count, formatExact } from "../../ui/number.ts";
import { Empty, Failure, Skeleton } from "../../ui/states.tsx";
import { ApiError } from "../../api/client.ts";
import { isSkewed, marginMs, matchesText, summarize, toTree, type Summary } from "./model.ts";
import { ServiceColors, ServiceDot } from "./parts/ServiceDot.tsx";
import { SpanDetails } from "./parts/SpanDetails.tsx";
import { Waterfall } from "./parts/Waterfall.tsx";
import { useTrace } from "./queries.ts";
import styles from "./traces.module.css";
import { TRACE_URL, type TraceView } from "./url.ts";

export function TracePage(): ReactNode {
  const { id = "" } = useParams<{ id: string }>();
  const time = useTime();
  const { data, error, loading, reload } = useTrace(id, time.version);
  const missing = data === null || (error instanceof ApiError && error.status === 404);
  if (missing && !loading) {
    return (
      <Empty icon="traces" title="There is no such trace">
        <p>No span with the trace id <code>{id}</code> is stored. Its spans may still be on their way, or past the retention.</p>
        <Button onClick={reload}>Look again</Button>
      </Empty>
    );
  }
  if (error !== null && !loading) return <Failure title="The trace could not be loaded" error={error} retry={reload} />;
  return data === undefined || data === null ? <Skeleton lines={14} /> : <Loaded trace={data} />;
}

function Loaded({ trace }: { trace: Trace }): ReactNode {
  const { state: view, update, replace } = useUrlState(TRACE_URL);
  const tree = useMemo(() => toTree(trace.spans), [trace]);
  const summary = useMemo(() => summarize(trace), [trace]);
  const skewed = useMemo(() => trace.spans.filter(isSkewed).length, [trace]);
  const marked = useMemo(() => new Set(view.find === "" ? [] : trace.spans.filter((span) => matchesText(span, view.find)).map((span) => span.spanId)), [trace, view.find]);
  const colors = useMemo(() => distinctColors(summary.services.map(([service]) => service)), [summary]);
  const chosen = trace.spans.find((span) => span.spanId === view.span);
  return (
    <ServiceColors value={colors}>
      <div className={styles.page}>
        <Head summary={summary} skewed={skewed} view={view} found={marked.size} onFind={(find) => replace({ ...view, find })} />
        <div className={styles.split} data-details={chosen !== undefined}>
          <Panel label="Spans over time" className={styles.waterfall}>
            <Waterfall tree={tree} view={view} marked={marked} onChange={replace} onChoose={(span) => update({ ...view, span })} />
          </Panel>
          {chosen !== undefined && <SpanDetails span={chosen} tree={tree} onClose={() => update({ ...view, span: "" })} />}
        </div>
      </div>
    </ServiceColors>
  );
}

function Head({ summary, skewed, view, found, onFind }: { summary: Summary; skewed: number; view: TraceView; found: number; onFind: (find: string) => void }): ReactNode {
  const { range } = useTime();
  const near = absolute(around(summary.startMs, summary.startMs + summary.durationMicros / 1_000, marginMs(summary.durationMicros)));
  return (
    <header className={styles.traceHead}>
      <div className={styles.traceTitle}>
        <Link href={paths.traces({}, range)} className={buttonClass("quiet", true)} aria-label="Back to the search"><Icon name="chevronLeft" size={13} />Search</Link>
        <h2><ServiceDot service={summary.service} />{summary.service} <span className={styles.operation}>{summary.operation}</span></h2>
        {summary.errors > 0 ? <Badge tone="bad" dot>{count(summary.errors, "error")}</Badge> : <Badge tone="good" dot>no errors</Badge>}
        {skewed > 0 && <span title="The clocks of hosts disagree: these spans do not lie within the time of their parents"><Badge tone="warn" dot>clocks disagree: {count(skewed, "span")}</Badge></span>}
      </div>
      <dl className={styles.facts}>
        <div><dt>Duration</dt><dd>{formatMicros(summary.durationMicros)}</dd></div>
        <div><dt>Start</dt><dd>{formatDate(summary.startMs)} {formatClockMillis(summary.startMs)}</dd></div>
        <div><dt>Spans</dt><dd>{formatExact(summary.spans)}</dd></div>
        <div><dt>Services</dt><dd>{summary.services.length}</dd></div>
        <div><dt>Trace id</dt><dd><code>{summary.id}</code><CopyButton value={summary.id} label="Copy the trace id" /></dd></div>
      </dl>
      <div className={styles.traceActions}>
        <Link href={paths.traceLogs(summary.id, null, near)} className={buttonClass("normal", false)}><Icon name="logs" size={14} />Logs of this trace</Link>
        <ul className={styles.legend} aria-label="Services">
          {summary.services.slice(0, 10).map(([service, spans]) => <li key={service}><ServiceDot service={service} />{service} <span>{spans}</span></li>)}
        </ul>
        <Input data-search="" className={styles.findSpan} aria-label="Find in spans" placeholder="Find in spans" value={view.find} onChange={(event) => onFind(event.target.value)} />
        {view.find !== "" && <span className={styles.foundCount} role="status">{found} found</span>}
      </div>
    </header>
  );
}
