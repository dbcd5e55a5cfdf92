/** A silence that is written: matchers, time, who and why; beside it the alerts that it would keep quiet now. */

import { useMemo, useState, type FormEvent, type ReactNode } from "react";
import { saveSilence, type Silence, type SilenceDraft } from "../../../api/alertmanager.ts";
import { useAction } from "../../../api/use_action.ts";
import { formatDateTime } from "../../../time/format.ts";
import { Button, Field, IconButton, Input } from "../../../ui/controls.tsx";
import { Panel } from "../../../ui/layout.tsx";
import { Failure } from "../../../ui/states.tsx";
import { rememberedName, rememberName } from "../creator.ts";
import { DURATIONS, formFor, formLike, formOf, read, type Form } from "../model.ts";
import styles from "../silences.module.css";
import type { SilencesView } from "../url.ts";
import { MatcherRows } from "./MatcherRows.tsx";
import { Preview } from "./Preview.tsx";

export function SilenceForm({ title, view, original, onClose, onSaved }: { title: string; view: SilencesView; original: Silence | null; onClose: () => void; onSaved: () => void }): ReactNode {
  const [form, setForm] = useState<Form>(() => (
    original === null ? formFor(view.labels, rememberedName()) : view.form === "edit" ? formOf(original, formatDateTime) : formLike(original, rememberedName())
  ));
  const [tried, setTried] = useState(false);
  const save = useAction((draft: SilenceDraft, signal) => saveSilence(draft, signal), onSaved);
  const { draft, faults } = useMemo(() => read(form, Date.now()), [form]);
  const change = (part: Partial<Form>): void => setForm({ ...form, ...part });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setTried(true);
    const { draft: current } = read(form, Date.now());
    if (current === null) return;
    rememberName(current.createdBy);
    save.run(current);
  };
  return (
    <Panel title={title} actions={<IconButton small icon="close" label="Close the form" onClick={onClose} />}>
      <form className={styles.form} aria-label={title} onSubmit={submit} noValidate>
        <div className={styles.fields}>
          <MatcherRows matchers={form.matchers} onChange={(matchers) => change({ matchers })} />
          <TimeFields form={form} onChange={change} />
          <div className={styles.pair}>
            <Field label="Creator"><Input value={form.createdBy} placeholder="ada@example.com" onChange={(event) => change({ createdBy: event.target.value })} /></Field>
            <Field label="Comment" className={styles.grow}><Input value={form.comment} placeholder="Why is it silenced, and until what is done?" onChange={(event) => change({ comment: event.target.value })} /></Field>
          </div>
          {tried && faults.length > 0 && <ul className={styles.faults} role="alert">{faults.map((fault) => <li key={fault}>{fault}</li>)}</ul>}
          {save.error !== null && <Failure title="The silence could not be saved" error={save.error} />}
          <div className={styles.actions}>
            <Button type="submit" look="primary" disabled={save.running}>{view.form === "edit" ? "Save" : "Silence"}</Button>
            <Button look="quiet" onClick={onClose}>Cancel</Button>
            {draft !== null && <span className={styles.until}>until {formatDateTime(draft.endsAtMs)}</span>}
          </div>
        </div>
        <Preview matchers={form.matchers} />
      </form>
    </Panel>
  );
}

function TimeFields({ form, onChange }: { form: Form; onChange: (part: Partial<Form>) => void }): ReactNode {
  return (
    <div className={styles.times}>
      <div role="group" aria-label="Duration" className={styles.presets}>
        {DURATIONS.map((duration) => (
          <button key={duration} type="button" aria-pressed={form.duration === duration} className={styles.preset} onClick={() => onChange({ duration, end: "" })}>{duration}</button>
        ))}
      </div>
      <div className={styles.pair}>
        <Field label="From"><Input value={form.start} placeholder="now" onChange={(event) => onChange({ start: event.target.value })} /></Field>
        <Field label="For"><Input className={styles.short} value={form.duration} placeholder="2h" onChange={(event) => onChange({ duration: event.target.value })} /></Field>
        <Field label="or until"><Input value={form.end} placeholder="2026-11-24 18:00:00" onChange={(event) => onChange({ end: event.target.value, duration: "" })} /></Field>
      </div>
    </div>
  );
}
