/** The editor of the expression and how it is evaluated. */

import { useEffect, useMemo, useState, type ReactNode } from "react";
import { QueryEditor, type Language } from "../../../editor/QueryEditor.tsx";
import type { Time } from "../../../location.tsx";
import { printSeconds } from "../../../time/duration.ts";
import { Button, Field, Segmented, Select } from "../../../ui/controls.tsx";
import { promqlLookup, stepOf } from "../queries.ts";
import styles from "../metrics.module.css";
import type { MetricsView } from "../url.ts";

const STEPS = ["5s", "15s", "30s", "1m", "5m", "15m", "1h"];
/** How many points the chart aims at when the step is not chosen. */
export const CHART_POINTS = 240;

export function QueryBar({ view, time, onChange }: { view: MetricsView; time: Time; onChange: (view: MetricsView) => void }): ReactNode {
  const [draft, setDraft] = useState(view.query);
  useEffect(() => setDraft(view.query), [view.query]);
  const language = useMemo<Language>(() => ({ name: "promql", lookup: promqlLookup(time.window) }), [time.window]);
  const run = (): void => {
    if (draft.trim() === view.query) time.reload();
    else onChange({ ...view, query: draft.trim(), hidden: [] });
  };
  const steps = view.step === "" || STEPS.includes(view.step) ? STEPS : [...STEPS, view.step];
  return (
    <div className={styles.bar} role="search">
      <QueryEditor label="PromQL expression" language={language} value={draft} placeholder="sum by (job) (rate(http_server_request_duration_seconds_count[5m]))" onChange={setDraft} onRun={run} />
      <Button look="primary" icon="play" onClick={run} className={styles.run}>Run</Button>
      <div className={styles.options}>
        <Segmented label="Evaluation" value={view.mode} options={[{ value: "range", label: "Range" }, { value: "instant", label: "Instant" }]} onChange={(mode) => onChange({ ...view, mode })} />
        {view.mode === "range" && (
          <Field label="Step" className={styles.step}>
            <Select value={view.step} onChange={(event) => onChange({ ...view, step: event.target.value })}>
              <option value="">auto, {printSeconds(stepOf("", time.window, CHART_POINTS))}</option>
              {steps.map((step) => <option key={step} value={step}>{step}</option>)}
            </Select>
          </Field>
        )}
        {view.query !== "" && <Button look="quiet" icon="table" onClick={() => onChange({ ...view, query: "", hidden: [] })}>All metrics</Button>}
      </div>
    </div>
  );
}
