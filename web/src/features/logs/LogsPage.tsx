/** Logs: search, how many over time, rows that open. */

import { useCallback, useEffect, useMemo, useState, type ReactNode } from "react";
import { logLabelValues } from "../../api/loki.ts";
import { Bars } from "../../charts/Bars/Bars.tsx";
import { total } from "../../charts/Bars/model.ts";
import { distinctColors, nameColor } from "../../charts/color.ts";
import { QueryEditor, type Language } from "../../editor/QueryEditor.tsx";
import { useTime, useUrlState } from "../../location.tsx";
import { Button, Field, Select, classes } from "../../ui/controls.tsx";
import { Badge, Panel } from "../../ui/layout.tsx";
import { count } from "../../ui/number.ts";
import { Empty, Failure, Notice, Progress, Skeleton } from "../../ui/states.tsx";
import { VirtualList } from "../../ui/VirtualList.tsx";
import { SEVERITIES, narrowed, toEntries, type Entry, type Severity } from "./model.ts";
import { LogRowView } from "./parts/LogRowView.tsx";
import { PAGE_ROWS, ROWS_MAX, useHistogram, useLogLabels, useLogPages } from "./queries.ts";
import styles from "./logs.module.css";
import { LOGS_URL, type LogsView } from "./url.ts";

const COLORS = SEVERITIES.map((severity) => `var(--severity-${severity})`);
const ROW_HEIGHT = 26;

export function LogsPage(): ReactNode {
  const time = useTime();
  const { state: view, update, replace } = useUrlState(LOGS_URL);
  const known = useLogLabels(time);
  const pages = useLogPages(view, time);
  const histogram = useHistogram(view, time, pages.rows);
  const entries = useMemo(() => toEntries(pages.rows ?? []), [pages.rows]);

  return (
    <div className={styles.page}>
      <SearchBar view={view} services={known.services} labels={known.labels} onChange={update} />
      <Panel
        title="Records over time"
        note={histogram.stacked === undefined ? undefined : histogram.exact ? count(total(histogram.stacked), "record") : `of the ${entries.length} loaded rows only`}
        actions={<SeverityFilter view={view} onChange={update} />}
      >
        <Progress on={histogram.resource.loading} label="Loading the histogram" />
        {histogram.stacked === undefined
          ? <div className={styles.histogramSpace} />
          : <Bars label="Records over time by severity" stacked={histogram.stacked} colors={COLORS} height={84} noun="record" onZoom={time.setWindow} />}
      </Panel>
      {pages.error !== null && <Failure title="The logs could not be loaded" error={pages.error} retry={pages.reload} />}
      <Panel label="Records" className={styles.rows}>
        <Progress on={pages.loading} label="Loading records" />
        {pages.rows === undefined ? (pages.loading && <Skeleton lines={14} />) : entries.length === 0
          ? <NoRows view={view} onClear={() => update({ query: "", service: "", severities: [], trace: "", span: "", row: "" })} />
          : <Rows entries={entries} services={known.services} view={view} pages={pages} onOpen={replace} onNarrow={update} />}
      </Panel>
    </div>
  );
}

function SearchBar({ view, services, labels, onChange }: { view: LogsView; services: readonly string[]; labels: readonly string[]; onChange: (view: LogsView) => void }): ReactNode {
  const time = useTime();
  const [draft, setDraft] = useState(view.query);
  useEffect(() => setDraft(view.query), [view.query]);
  const run = useCallback(() => {
    if (draft.trim() === view.query) time.reload();
    else onChange({ ...view, query: draft.trim(), row: "" });
  }, [draft, view, onChange, time]);
  const language = useMemo<Language>(() => ({
    name: "logql",
    lookup: { labels: () => Promise.resolve(labels), values: (label) => logLabelValues(label, time.window, new AbortController().signal) },
  }), [labels, time.window]);
  const choices = view.service !== "" && !services.includes(view.service) ? [view.service, ...services] : services;
  return (
    <div className={styles.search} role="search">
      <Field label="Service">
        <Select value={view.service} onChange={(event) => onChange({ ...view, service: event.target.value, row: "" })}>
          <option value="">All services</option>
          {choices.map((service) => <option key={service} value={service}>{service}</option>)}
        </Select>
      </Field>
      <div className={styles.query}>
        <span className={styles.queryLabel}>Text, or LogQL that starts with {"{"}</span>
        <QueryEditor label="Search in logs" language={language} value={draft} placeholder='timeout     or     {service_name="checkout"} |= "declined"' onChange={setDraft} onRun={run} />
      </div>
      <Button look="primary" icon="search" onClick={run} className={styles.run}>Search</Button>
      {view.trace !== "" && (
        <div className={styles.chips}>
          <Badge tone="accent">Trace {view.trace.slice(0, 8)}…</Badge>
          {view.span !== "" && <Badge tone="accent">Span {view.span}</Badge>}
          <Button small look="quiet" icon="close" onClick={() => onChange({ ...view, trace: "", span: "", row: "" })}>Show the logs of all traces</Button>
          {view.span !== "" && <Button small look="quiet" onClick={() => onChange({ ...view, span: "", row: "" })}>Show the whole trace</Button>}
        </div>
      )}
    </div>
  );
}

function SeverityFilter({ view, onChange }: { view: LogsView; onChange: (view: LogsView) => void }): ReactNode {
  const toggle = (severity: Severity): void => {
    const severities = SEVERITIES.filter((each) => (each === severity) !== view.severities.includes(each));
    onChange({ ...view, severities, row: "" });
  };
  return (
    <div role="group" aria-label="Severities" className={styles.severities}>
      {SEVERITIES.map((severity) => (
        <button key={severity} type="button" aria-pressed={view.severities.includes(severity)} className={classes(styles.severity, view.severities.length > 0 && !view.severities.includes(severity) && styles.off)} onClick={() => toggle(severity)}>
          <span className={styles.severityDot} style={{ background: `var(--severity-${severity})` }} />
          {severity}
        </button>
      ))}
    </div>
  );
}

function Rows({ entries, services, view, pages, onOpen, onNarrow }: {
  entries: readonly Entry[];
  services: readonly string[];
  view: LogsView;
  pages: ReturnType<typeof useLogPages>;
  onOpen: (view: LogsView) => void;
  onNarrow: (view: LogsView) => void;
}): ReactNode {
  const colors = useMemo(() => distinctColors(services), [services]);
  // Bring the open row into view when the page is opened with one, and not again when rows are added.
  const [reveal] = useState(() => entries.findIndex((entry) => entry.key === view.row));
  return (
    <VirtualList
      label="Log records"
      count={entries.length}
      estimate={ROW_HEIGHT}
      keyOf={(index) => entries[index]?.key ?? index}
      reveal={reveal}
      onEnd={pages.loadOlder}
      render={(index) => {
        const entry = entries[index];
        return entry === undefined ? null : (
          <LogRowView
            entry={entry}
            color={colors.get(entry.service) ?? nameColor(entry.service)}
            open={entry.key === view.row}
            onToggle={() => onOpen({ ...view, row: entry.key === view.row ? "" : entry.key })}
            onNarrow={(label, value, wanted) => onNarrow(narrowed(view, label, value, wanted))}
          />
        );
      }}
      footer={
        <div className={styles.footer} role="status">
          {pages.loadingOlder ? "Loading older records…" : !pages.complete ? <Button small onClick={pages.loadOlder}>Load {PAGE_ROWS} older</Button>
            : entries.length >= ROWS_MAX ? <Notice>The page holds {count(entries.length, "row")}, which is its limit: narrow the range or the query.</Notice>
              : `${count(entries.length, "record")}, all there are in this range`}
        </div>
      }
    />
  );
}

function NoRows({ view, onClear }: { view: LogsView; onClear: () => void }): ReactNode {
  const filtered = view.query !== "" || view.service !== "" || view.severities.length > 0 || view.trace !== "";
  return (
    <Empty icon="logs" title={filtered ? "No records match" : "No logs in this range"}>
      {filtered
        ? <Button onClick={onClear}>Clear the search</Button>
        : <p>Send logs by OTLP to port 4317 (gRPC) or 4318 (HTTP), or choose a longer range.</p>}
    </Empty>
  );
}
