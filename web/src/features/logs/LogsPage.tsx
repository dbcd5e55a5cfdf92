/** Logs: search, how many over time, fields, rows that open, patterns, a live tail, charts of LogQL. */

import { useEffect, useState, type ReactNode } from "react";
import { Bars } from "../../charts/Bars/Bars.tsx";
import { total } from "../../charts/Bars/model.ts";
import { QueryFailure } from "../../editor/QueryFailure.tsx";
import { useTime, useUrlState, type Time } from "../../location.tsx";
import { DEFAULT_RANGE, resolveRange, type TimeWindow } from "../../time/range.ts";
import { Button, Segmented, classes } from "../../ui/controls.tsx";
import { Panel } from "../../ui/layout.tsx";
import { count } from "../../ui/number.ts";
import { Progress, Skeleton } from "../../ui/states.tsx";
import { languageOf } from "./language.ts";
import styles from "./logs.module.css";
import { ExportMenu } from "./parts/ExportMenu.tsx";
import { Facets } from "./parts/Facets.tsx";
import { MetricResult } from "./parts/MetricResult.tsx";
import { Patterns } from "./parts/Patterns.tsx";
import { Records } from "./parts/Records.tsx";
import { SearchBar } from "./parts/SearchBar.tsx";
import { SeverityFilter } from "./parts/SeverityFilter.tsx";
import { useHistogram, useLogPages, useServices, type LogPages } from "./queries.ts";
import { SEVERITIES } from "./severity.ts";
import { LOGS_URL, type LogsView } from "./url.ts";
import { useTail } from "./use_tail.ts";

const COLORS = SEVERITIES.map((severity) => `var(--severity-${severity})`);
/** How often the histogram moves on while records are followed. */
const LIVE_TICK_MS = 5_000;
/** Where fields have room beside the records. */
const WIDE = "(min-width: 1080px)";

export function LogsPage(): ReactNode {
  const time = useTime();
  const { state: view, update, replace } = useUrlState(LOGS_URL);
  const services = useServices(time);
  return (
    <div className={styles.page}>
      <SearchBar view={view} services={services} onChange={update} />
      {languageOf(view.query) === "metric"
        ? <MetricResult view={view} onChange={replace} />
        : <Found view={view} time={time} services={services} update={update} replace={replace} />}
    </div>
  );
}

function Found({ view, time, services, update, replace }: { view: LogsView; time: Time; services: readonly string[]; update: (view: LogsView) => void; replace: (view: LogsView) => void }): ReactNode {
  const pages = useLogPages(view, time, true);
  const live = useTail(view, view.live && view.tab === "records", pages.firstRows, time.window.endMs);
  const window = useMovingWindow(time, view.live);
  const histogram = useHistogram(view, window, time.version, pages.rows);
  const isWide = useMedia(WIDE);
  const hasFields = view.fields === "shown" || (view.fields === "" && isWide);
  const toggleLive = (): void => {
    update({ ...view, live: !view.live, tab: "records", row: "", context: false });
    // What is new lies at the end of a range that ends now.
    if (!view.live && time.range.to !== "now") time.setRange(DEFAULT_RANGE);
  };
  return (
    <>
      <Panel
        title="Records over time"
        className={styles.histogram}
        note={histogram.stacked === undefined ? undefined : histogram.exact ? count(total(histogram.stacked), "record") : `of the ${pages.rows?.length ?? 0} loaded rows only`}
        actions={<SeverityFilter view={view} onChange={update} />}
      >
        <Progress on={histogram.resource.loading && !view.live} label="Loading the histogram" />
        {histogram.stacked === undefined
          ? <div className={styles.histogramSpace} />
          : <Bars label="Records over time by severity" stacked={histogram.stacked} colors={COLORS} height={84} noun="record" onZoom={time.setWindow} />}
      </Panel>
      {pages.error !== null && !pages.loading && <QueryFailure query={view.query} error={pages.error} retry={pages.reload} />}
      <div className={styles.found}>
        {hasFields && <Facets view={view} rows={pages.rows} isFailed={pages.error !== null} onChange={update} onClose={() => replace({ ...view, fields: "hidden" })} />}
        <section className={styles.rows} aria-label="Records">
          <div className={styles.rowsHead}>
            <Segmented label="View" value={view.tab} options={[{ value: "records", label: "Records" }, { value: "patterns", label: "Patterns" }]} onChange={(tab) => update({ ...view, tab, row: "", context: false })} />
            <Button small look="quiet" icon="filter" aria-pressed={hasFields} onClick={() => replace({ ...view, fields: hasFields ? "hidden" : "shown" })}>Fields</Button>
            {view.tab === "records" && <Button small look="quiet" aria-pressed={view.wrap} onClick={() => replace({ ...view, wrap: !view.wrap })}>Wrap lines</Button>}
            <span className={styles.rowsSpace} />
            <Button small icon="play" aria-pressed={view.live} className={classes(view.live && styles.liveOn)} onClick={toggleLive}>Live</Button>
            <ExportMenu view={view} window={time.window} />
          </div>
          {view.tab === "patterns" ? <Patterns view={view} onChange={update} /> : <Body pages={pages}>{() => <Records pages={pages} live={live} services={services} view={view} onOpen={replace} onNarrow={update} />}</Body>}
        </section>
      </div>
    </>
  );
}

function Body({ pages, children }: { pages: LogPages; children: () => ReactNode }): ReactNode {
  return (
    <>
      <Progress on={pages.loading} label="Loading records" />
      {pages.rows === undefined ? pages.loading && <Skeleton lines={14} /> : children()}
    </>
  );
}

/** The window of the page; while records are followed, it moves with the clock. */
function useMovingWindow(time: Time, isLive: boolean): TimeWindow {
  const [moved, setMoved] = useState<{ of: TimeWindow; window: TimeWindow } | null>(null);
  const { range, window } = time;
  useEffect(() => {
    if (!isLive || range.to !== "now") {
      setMoved(null);
      return;
    }
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") setMoved({ of: window, window: resolveRange(range, Date.now()) });
    }, LIVE_TICK_MS);
    return () => clearInterval(timer);
  }, [isLive, range.from, range.to, window]);
  return moved?.of === window && isLive ? moved.window : window;
}

function useMedia(query: string): boolean {
  const [fits, setFits] = useState(() => globalThis.matchMedia(query).matches);
  useEffect(() => {
    const list = globalThis.matchMedia(query);
    const change = (): void => setFits(list.matches);
    list.addEventListener("change", change);
    return () => list.removeEventListener("change", change);
  }, [query]);
  return fits;
}
