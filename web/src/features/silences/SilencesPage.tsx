/** Silences: those that hold, those to come, those that ended; made, changed and ended here. */

import { useMemo, type ReactNode } from "react";
import { SILENCE_STATES, deskAlerts, silences, type Silence } from "../../api/alertmanager.ts";
import { useResource } from "../../api/use_resource.ts";
import { useTime, useUrlState } from "../../location.tsx";
import { Button, Input } from "../../ui/controls.tsx";
import { CountFilter } from "../../ui/CountFilter.tsx";
import { Panel, type Tone } from "../../ui/layout.tsx";
import { count } from "../../ui/number.ts";
import { Empty, Failure, Progress, Skeleton } from "../../ui/states.tsx";
import { counts, shown, silencedBy } from "./model.ts";
import { SilenceForm } from "./parts/SilenceForm.tsx";
import { SilenceRow } from "./parts/SilenceRow.tsx";
import styles from "./silences.module.css";
import { SILENCES_URL, type SilencesView } from "./url.ts";

const TONES: Record<(typeof SILENCE_STATES)[number], Tone> = { active: "accent", pending: "warn", expired: "plain" };

export function SilencesPage(): ReactNode {
  const time = useTime();
  const { state: view, update, replace } = useUrlState(SILENCES_URL);
  const { data, error, loading, reload } = useResource(`silences ${time.version}`, async (signal) => {
    const [all, alerts] = await Promise.all([silences(signal), deskAlerts([], signal)]);
    return { all, quiet: silencedBy(alerts), nowMs: Date.now() };
  });
  const found = useMemo(() => shown(data?.all ?? [], view), [data, view]);
  const close = (): void => update({ ...view, form: "", id: "", labels: {} });
  return (
    <div className={styles.page}>
      <div className={styles.filters}>
        <CountFilter label="States" states={SILENCE_STATES} chosen={view.states} numbers={data === undefined ? {} : counts(data.all)} tones={TONES} onChange={(states) => update({ ...view, states })} />
        <Input data-search="" className={styles.find} aria-label="Find silences" placeholder="Find silences by matcher, comment, creator" value={view.find} onChange={(event) => replace({ ...view, find: event.target.value })} />
        <Button look="primary" icon="plus" onClick={() => update({ ...view, form: "new", id: "", labels: {} })}>New silence</Button>
      </div>
      {error !== null && !loading && <Failure title="The silences could not be loaded" error={error} retry={reload} />}
      {view.form !== "" && <Form view={view} all={data?.all} onClose={close} onSaved={() => { close(); reload(); }} />}
      <Panel title="Silences" note={data === undefined ? undefined : count(found.length, "silence")}>
        <Progress on={loading} label="Loading the silences" />
        {data === undefined ? (loading && <Skeleton lines={6} />) : data.all.length === 0
          ? <Empty icon="silence" title="Nothing is silenced"><p>A silence keeps alerts from being notified while it lasts. They are evaluated and shown as ever.</p></Empty>
          : found.length === 0 ? <Empty icon="silence" title="No silence fits the filter" />
            : <ul aria-label="Silences">{found.map((silence) => <SilenceRow key={silence.id} silence={silence} quiet={data.quiet.get(silence.id) ?? 0} nowMs={data.nowMs} view={view} onChange={update} onExpired={reload} />)}</ul>}
      </Panel>
    </div>
  );
}

/** The form, once it is known what it begins with. */
function Form({ view, all, onClose, onSaved }: { view: SilencesView; all: readonly Silence[] | undefined; onClose: () => void; onSaved: () => void }): ReactNode {
  const original = view.id === "" ? null : all?.find((silence) => silence.id === view.id);
  const title = view.form === "edit" ? "Edit the silence" : "New silence";
  if (original === undefined) return <Panel title={title}>{all === undefined ? <Skeleton lines={6} /> : <Empty icon="silence" title="There is no such silence"><Button onClick={onClose}>Close</Button></Empty>}</Panel>;
  return <SilenceForm key={`${view.form} ${view.id} ${JSON.stringify(view.labels)}`} title={title} view={view} original={original} onClose={onClose} onSaved={onSaved} />;
}
