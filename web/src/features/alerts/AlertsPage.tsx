/** Alerts: every rule with its state, what is active now, what it looked like, and what went wrong. */

import { useMemo, useState, type ReactNode } from "react";
import { useTime, useUrlState } from "../../location.tsx";
import { Button, Input } from "../../ui/controls.tsx";
import { CountFilter } from "../../ui/CountFilter.tsx";
import { Panel } from "../../ui/layout.tsx";
import { count } from "../../ui/number.ts";
import { Empty, Failure, Progress, Skeleton } from "../../ui/states.tsx";
import { counts, entries, foreign, shown } from "./model.ts";
import { ForeignAlerts } from "./parts/ForeignAlerts.tsx";
import { RuleRow, TONES } from "./parts/RuleRow.tsx";
import { useOverview } from "./queries.ts";
import styles from "./alerts.module.css";
import { ALERTS_URL, STATES } from "./url.ts";

/** Rules that are shown at once: what needs a human comes first, and a server may have ten thousand. */
const SHOWN = 200;

export function AlertsPage(): ReactNode {
  const time = useTime();
  const { state: view, update, replace } = useUrlState(ALERTS_URL);
  const { data, error, loading, reload } = useOverview(time);
  const all = useMemo(() => entries(data?.groups ?? []), [data]);
  const found = useMemo(() => shown(all, view), [all, view]);
  const others = useMemo(() => foreign(data?.desk ?? [], all), [data, all]);
  const [isWhole, setIsWhole] = useState(false);
  const toggle = (key: string): void => {
    replace({ ...view, open: view.open.includes(key) ? view.open.filter((each) => each !== key) : [...view.open, key] });
  };
  return (
    <div className={styles.page}>
      <div className={styles.filters}>
        <CountFilter label="States" states={STATES} chosen={view.states} numbers={counts(all)} tones={TONES} onChange={(states) => update({ ...view, states })} />
        <Input data-search="" className={styles.find} aria-label="Find rules" placeholder="Find rules by name, expression, label" value={view.find} onChange={(event) => replace({ ...view, find: event.target.value })} />
      </div>
      {error !== null && !loading && <Failure title="The rules could not be loaded" error={error} retry={reload} />}
      <Panel title="Rules" note={data === undefined ? undefined : `${count(found.length, "rule")} in ${count(new Set(found.map((entry) => entry.group)).size, "group")}`}>
        <Progress on={loading} label="Loading the rules" />
        {data === undefined ? (loading && <Skeleton lines={10} />) : all.length === 0
          ? <Empty icon="alerts" title="No rules"><p>Put Prometheus rule files into the folder of rules that the configuration names, or write one in the rule editor. Recording and alerting rules are evaluated as they are.</p></Empty>
          : found.length === 0 ? <Empty icon="alerts" title="No rule fits the filter" />
            : <ul aria-label="Rules">{found.filter((entry, index) => isWhole || index < SHOWN || view.open.includes(entry.key)).map((entry) => <RuleRow key={entry.key} entry={entry} desk={data.desk} open={view.open.includes(entry.key)} nowMs={data.nowMs} onToggle={() => toggle(entry.key)} />)}</ul>}
        {!isWhole && found.length > SHOWN && <div className={styles.more}><Button onClick={() => setIsWhole(true)}>Show all {count(found.length, "rule")}</Button></div>}
      </Panel>
      {others.length > 0 && view.states.length === 0 && <ForeignAlerts alerts={others} nowMs={data?.nowMs ?? 0} />}
    </div>
  );
}
