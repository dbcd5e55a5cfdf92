/** Alerts: every rule with its state, what is active now, and what went wrong. */

import { useMemo, type ReactNode } from "react";
import { rules } from "../../api/prometheus.ts";
import { useResource } from "../../api/use_resource.ts";
import { useTime, useUrlState } from "../../location.tsx";
import { Input, classes } from "../../ui/controls.tsx";
import { Panel } from "../../ui/layout.tsx";
import { count } from "../../ui/number.ts";
import { Empty, Failure, Progress, Skeleton } from "../../ui/states.tsx";
import { counts, entries, shown } from "./model.ts";
import { RuleRow } from "./parts/RuleRow.tsx";
import styles from "./alerts.module.css";
import { ALERTS_URL, STATES, type AlertsView, type State } from "./url.ts";

export function AlertsPage(): ReactNode {
  const time = useTime();
  const { state: view, update, replace } = useUrlState(ALERTS_URL);
  const { data, error, loading, reload } = useResource(`rules ${time.version}`, rules);
  const all = useMemo(() => entries(data ?? []), [data]);
  const found = useMemo(() => shown(all, view), [all, view]);
  const toggle = (key: string): void => {
    replace({ ...view, open: view.open.includes(key) ? view.open.filter((each) => each !== key) : [...view.open, key] });
  };
  return (
    <div className={styles.page}>
      <div className={styles.filters}>
        <StateFilter view={view} numbers={counts(all)} onChange={update} />
        <Input data-search="" className={styles.find} aria-label="Find rules" placeholder="Find rules by name, expression, label" value={view.find} onChange={(event) => replace({ ...view, find: event.target.value })} />
      </div>
      {error !== null && !loading && <Failure title="The rules could not be loaded" error={error} retry={reload} />}
      <Panel title="Rules" note={data === undefined ? undefined : `${count(found.length, "rule")} in ${count(new Set(found.map((entry) => entry.group)).size, "group")}`}>
        <Progress on={loading} label="Loading the rules" />
        {data === undefined ? (loading && <Skeleton lines={10} />) : all.length === 0
          ? <Empty icon="alerts" title="No rules"><p>Put Prometheus rule files into the folder of rules that the configuration names. Recording and alerting rules are evaluated as they are.</p></Empty>
          : found.length === 0 ? <Empty icon="alerts" title="No rule fits the filter" />
            : <ul aria-label="Rules">{found.map((entry) => <RuleRow key={entry.key} entry={entry} open={view.open.includes(entry.key)} now={time.window.endMs} onToggle={() => toggle(entry.key)} />)}</ul>}
      </Panel>
    </div>
  );
}

function StateFilter({ view, numbers, onChange }: { view: AlertsView; numbers: Record<State, number>; onChange: (view: AlertsView) => void }): ReactNode {
  const toggle = (state: State): void => onChange({ ...view, states: STATES.filter((each) => (each === state) !== view.states.includes(each)) });
  return (
    <div role="group" aria-label="States" className={styles.states}>
      {STATES.map((state) => (
        <button key={state} type="button" aria-pressed={view.states.includes(state)} className={classes(styles.state, styles[state])} onClick={() => toggle(state)}>
          <b>{numbers[state]}</b>
          {state}
        </button>
      ))}
    </div>
  );
}
