/** The conditions of a search. The form holds what is being typed; the URL holds what was asked. */

import { useState, type ReactNode } from "react";
import { useLocation } from "wouter";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { parseDuration } from "../../../time/duration.ts";
import { Button, Field, Input, Select } from "../../../ui/controls.tsx";
import { parseTags } from "../model.ts";
import { pastedTrace } from "../pasted.ts";
import { useOperations } from "../queries.ts";
import styles from "../traces.module.css";
import { LIMITS, type SearchView } from "../url.ts";

export function SearchForm({ view, services, onChange }: { view: SearchView; services: readonly string[]; onChange: (view: SearchView) => void }): ReactNode {
  const time = useTime();
  const [, navigate] = useLocation();
  const [draft, setDraft] = useState(view);
  const [id, setId] = useState("");
  const operations = useOperations(draft.service);
  const tagsError = parseTags(draft.tags).error;
  const [minBad, maxBad] = [draft.min, draft.max].map((text) => text !== "" && parseDuration(text) === null);
  const speaksTraceql = draft.query.trim() !== "";
  const valid = speaksTraceql || (tagsError === null && minBad !== true && maxBad !== true);
  const serviceChoices = including(services, view.service);
  const operationChoices = including(operations, draft.operation);
  const submit = (): void => {
    // Whichever field it was pasted into.
    const pasted = pastedTrace(id) ?? pastedTrace(draft.query) ?? pastedTrace(draft.tags);
    if (pasted !== null) navigate(paths.trace(pasted.trace, pasted.span, time.range));
    else if (id.trim() !== "") navigate(paths.trace(id.trim(), null, time.range));
    else if (!valid) return;
    else if (JSON.stringify(draft) === JSON.stringify(view)) time.reload();
    else onChange(draft);
  };
  return (
    <form className={styles.form} role="search" onSubmit={(event) => { event.preventDefault(); submit(); }}>
      <Field label="Service">
        <Select value={draft.service} onChange={(event) => onChange({ ...draft, service: event.target.value, operation: "" })}>
          <option value="">All services</option>
          {serviceChoices.map((service) => <option key={service} value={service}>{service}</option>)}
        </Select>
      </Field>
      <Field label="Operation">
        <Select value={draft.operation} disabled={draft.service === ""} onChange={(event) => onChange({ ...draft, operation: event.target.value })}>
          <option value="">All operations</option>
          {operationChoices.map((operation) => <option key={operation} value={operation}>{operation}</option>)}
        </Select>
      </Field>
      <Field label={tagsError ?? "Attributes of one span"} className={styles.tags}>
        <Input data-search="" value={draft.tags} invalid={tagsError !== null} placeholder="http.response.status_code=500 error=true" onChange={(event) => setDraft({ ...draft, tags: event.target.value })} />
      </Field>
      <Field label="At least"><Input className={styles.short} value={draft.min} invalid={minBad === true} placeholder="100ms" onChange={(event) => setDraft({ ...draft, min: event.target.value.trim() })} /></Field>
      <Field label="At most"><Input className={styles.short} value={draft.max} invalid={maxBad === true} placeholder="2s" onChange={(event) => setDraft({ ...draft, max: event.target.value.trim() })} /></Field>
      <Field label="Limit">
        <Select value={draft.limit} onChange={(event) => onChange({ ...draft, limit: Number(event.target.value) })}>
          {LIMITS.map((limit) => <option key={limit} value={limit}>{limit}</option>)}
        </Select>
      </Field>
      <Field label="Or TraceQL, alone" className={styles.tags}>
        <Input value={draft.query} placeholder='{ resource.service.name = "cart" } >> { status = error }' onChange={(event) => setDraft({ ...draft, query: event.target.value })} />
      </Field>
      <Field label="Or a trace id"><Input className={styles.id} value={id} placeholder="5b8efff798038103…" onChange={(event) => setId(event.target.value)} /></Field>
      <Button look="primary" icon="search" type="submit" disabled={!valid && id === "" && pastedTrace(draft.tags) === null}>Search</Button>
    </form>
  );
}

function including(choices: readonly string[], chosen: string): readonly string[] {
  return chosen === "" || choices.includes(chosen) ? choices : [chosen, ...choices];
}
