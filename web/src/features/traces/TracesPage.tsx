/** Traces: search, dots over time, a list. */

import { useMemo, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { distinctColors } from "../../charts/color.ts";
import { Scatter } from "../../charts/Scatter/Scatter.tsx";
import { useTime, useUrlState } from "../../location.tsx";
import { paths } from "../../paths.ts";
import { formatMicros } from "../../time/duration.ts";
import { formatShort } from "../../time/format.ts";
import { Field, Select } from "../../ui/controls.tsx";
import { Badge, Panel } from "../../ui/layout.tsx";
import { count } from "../../ui/number.ts";
import { Empty, Failure, Progress, Skeleton } from "../../ui/states.tsx";
import { VirtualList } from "../../ui/VirtualList.tsx";
import { sorted, type Summary } from "./model.ts";
import { SearchForm } from "./parts/SearchForm.tsx";
import { ServiceColors, ServiceDot } from "./parts/ServiceDot.tsx";
import { useSearch, useServices } from "./queries.ts";
import styles from "./traces.module.css";
import { SEARCH_URL, SORTS, type Sort } from "./url.ts";

const ROW_HEIGHT = 46;
const SORT_NAMES: Record<Sort, string> = { newest: "Newest first", longest: "Longest first", spans: "Most spans first", errors: "Most errors first" };

export function TracesPage(): ReactNode {
  const time = useTime();
  const [, navigate] = useLocation();
  const { state: view, update } = useUrlState(SEARCH_URL);
  const services = useServices();
  const search = useSearch(view, time);
  const summaries = useMemo(() => sorted(search.data ?? [], view.sort), [search.data, view.sort]);
  const dots = useMemo(() => summaries.map((summary) => ({
    id: summary.id,
    ms: summary.startMs,
    durationMicros: summary.durationMicros,
    failed: summary.errors > 0,
    title: `${summary.service}: ${summary.operation}, ${formatMicros(summary.durationMicros)}`,
  })), [summaries]);
  const colors = useMemo(() => distinctColors([...(services.data ?? []), ...summaries.flatMap((summary) => summary.services.map(([service]) => service))]), [services.data, summaries]);
  // A full page of results is only the newest part of the range: the dots show that part.
  const shown = summaries.length < view.limit ? time.window : { startMs: Math.min(...summaries.map((summary) => summary.startMs)), endMs: time.window.endMs };
  const error = search.error ?? services.error;
  const { loading } = search;
  return (
    <div className={styles.page}>
      <SearchForm key={JSON.stringify(SEARCH_URL.print(view))} view={view} services={services.data ?? []} onChange={update} />
      {error !== null && !loading && <Failure title="The traces could not be searched" error={error} retry={() => { services.reload(); search.reload(); }} />}
      <Panel
        title="Found"
        className={styles.found}
        note={search.data === undefined ? undefined : `${count(summaries.length, "trace")}${summaries.length >= view.limit ? `, the limit: there may be more` : ""}`}
        actions={
          <Field label="" className={styles.sort}>
            <Select aria-label="Order" value={view.sort} onChange={(event) => update({ ...view, sort: event.target.value as Sort })}>
              {SORTS.map((sort) => <option key={sort} value={sort}>{SORT_NAMES[sort]}</option>)}
            </Select>
          </Field>
        }
      >
        <Progress on={loading} label="Searching" />
        {search.data === undefined ? (loading && <Skeleton lines={12} />) : summaries.length === 0
          ? <Empty icon="traces" title="No traces match"><p>Choose a longer range or fewer conditions. Traces arrive by OTLP on port 4317 (gRPC) or 4318 (HTTP).</p></Empty>
          : (
            <>
              <Scatter label="Traces by time and duration" dots={dots} window={shown} height={120} onOpen={(id) => navigate(paths.trace(id, null, time.range))} />
              <ServiceColors value={colors}><Found summaries={summaries} /></ServiceColors>
            </>
          )}
      </Panel>
    </div>
  );
}

function Found({ summaries }: { summaries: readonly Summary[] }): ReactNode {
  const { range } = useTime();
  const longest = Math.max(1, ...summaries.map((summary) => summary.durationMicros));
  return (
    <VirtualList
      label="Traces"
      className={styles.list}
      count={summaries.length}
      estimate={ROW_HEIGHT}
      keyOf={(index) => summaries[index]?.id ?? index}
      render={(index) => {
        const summary = summaries[index];
        return summary === undefined ? null : (
          <Link href={paths.trace(summary.id, null, range)} className={styles.result} data-row="" data-testid="trace-row">
            <span className={styles.resultMain}>
              <span className={styles.resultTitle}>
                <ServiceDot service={summary.service} />
                <b>{summary.service}</b>
                <span className={styles.operation}>{summary.operation}</span>
                {summary.errors > 0 && <Badge tone="bad">{count(summary.errors, "error")}</Badge>}
              </span>
              <span className={styles.resultServices}>
                <code>{summary.id.slice(0, 8)}</code>
                <span>{count(summary.spans, "span")}</span>
                {summary.services.map(([service, spans]) => <span key={service} className={styles.chip}><ServiceDot service={service} />{service} {spans}</span>)}
              </span>
            </span>
            <span className={styles.resultTime}>
              <span className={styles.durationBar}><span style={{ width: `${Math.max(1, (summary.durationMicros / longest) * 100)}%` }} data-failed={summary.errors > 0} /></span>
              <b>{formatMicros(summary.durationMicros)}</b>
              <time>{formatShort(summary.startMs)}</time>
            </span>
          </Link>
        );
      }}
    />
  );
}
