/** What is asked: the service, the text in either language, and what came from other pages. */

import { useCallback, useEffect, useMemo, useState, type ReactNode } from "react";
import { QueryEditor, type Language } from "../../../editor/QueryEditor.tsx";
import { useTime } from "../../../location.tsx";
import { Button, Field, Select } from "../../../ui/controls.tsx";
import { Badge } from "../../../ui/layout.tsx";
import { Popover } from "../../../ui/Popover.tsx";
import { languageOf } from "../language.ts";
import styles from "../logs.module.css";
import { useLookup } from "../queries.ts";
import type { LogsView } from "../url.ts";

const NAMES = { search: "Search", logql: "LogQL", metric: "LogQL, counted over time" } as const;

export function SearchBar({ view, services, onChange }: { view: LogsView; services: readonly string[]; onChange: (view: LogsView) => void }): ReactNode {
  const time = useTime();
  const [draft, setDraft] = useState(view.query);
  useEffect(() => setDraft(view.query), [view.query]);
  const run = useCallback(() => {
    if (draft.trim() === view.query) time.reload();
    else onChange({ ...view, query: draft.trim(), row: "", context: false, hidden: [] });
  }, [draft, view, onChange, time]);
  const lookup = useLookup(view, time);
  const language = useMemo<Language>(() => ({ name: "logs", lookup }), [lookup]);
  const choices = view.service !== "" && !services.includes(view.service) ? [view.service, ...services] : services;
  return (
    <div className={styles.search} role="search">
      <Field label="Service" className={styles.serviceField}>
        <Select value={view.service} onChange={(event) => onChange({ ...view, service: event.target.value, row: "", context: false })}>
          <option value="">All services</option>
          {choices.map((service) => <option key={service} value={service}>{service}</option>)}
        </Select>
      </Field>
      <div className={styles.query}>
        <span className={styles.queryLabel}>{NAMES[languageOf(draft)]}</span>
        <QueryEditor label="Search in logs" language={language} value={draft} placeholder={'level:error "timed out" -path:/health'} onChange={setDraft} onRun={run} />
      </div>
      <div className={styles.searchActions}>
        <Button look="primary" icon="search" onClick={run} className={styles.run}>Search</Button>
        <Popover label="How to search" icon="help" text="Syntax">
          {(close) => (
            <SearchHelp
              onPick={(query) => {
                close();
                onChange({ ...view, query, row: "", context: false, hidden: [] });
              }}
            />
          )}
        </Popover>
      </div>
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

const EXAMPLES: readonly { title: string; rows: readonly (readonly [query: string, meaning: string])[] }[] = [
  {
    title: "Search",
    rows: [
      ["timeout", "the word, in the line or in a value"],
      ['"timed out"', "the phrase"],
      ["tim* OR /time(d|out)/", "a part of a word, or a regular expression"],
      ["service:checkout level:>=warn", "fields; both must hold"],
      ["http.response.status_code:[500 TO 599]", "a range; also >=500"],
      ["level:error -host.name:node-1", "without; also NOT"],
      ["trace_id:*", "has the field at all"],
      ["service:(cart OR payment) AND order", "groups"],
    ],
  },
  {
    title: "LogQL, when it starts with {",
    rows: [
      ['{service_name="checkout"} |= "order"', "lines of streams that contain a text"],
      ['{service_name=~".+"} | detected_level="error"', "a label of the record"],
      ['sum by (service_name) (count_over_time({service_name=~".+"}[1m]))', "a chart"],
    ],
  },
];

function SearchHelp({ onPick }: { onPick: (query: string) => void }): ReactNode {
  return (
    <div className={styles.help}>
      {EXAMPLES.map(({ title, rows }) => (
        <section key={title} aria-label={title}>
          <h3>{title}</h3>
          {rows.map(([query, meaning]) => (
            <button key={query} type="button" className={styles.example} title="Search for this" onClick={() => onPick(query)}>
              <code>{query}</code>
              <span>{meaning}</span>
            </button>
          ))}
        </section>
      ))}
      <p>Enter searches, Shift and Enter starts a line, Ctrl and Space completes fields and values.</p>
    </div>
  );
}
