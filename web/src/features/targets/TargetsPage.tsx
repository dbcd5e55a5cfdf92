/** Targets: what is scraped, how it does, and what relabelling made of it. */

import { useMemo, type ReactNode } from "react";
import { targets, type Targets } from "../../api/targets.ts";
import { useResource } from "../../api/use_resource.ts";
import { useTime, useUrlState } from "../../location.tsx";
import { CountFilter } from "../../ui/CountFilter.tsx";
import { Input, Select } from "../../ui/controls.tsx";
import { Panel, type Tone } from "../../ui/layout.tsx";
import { count } from "../../ui/number.ts";
import { Empty, Failure, Progress, Skeleton } from "../../ui/states.tsx";
import { VirtualList } from "../../ui/VirtualList.tsx";
import { counts, droppedKey, poolNames, pools, rows, type Row } from "./model.ts";
import { DroppedHead, DroppedRow, PoolHead } from "./parts/PoolRows.tsx";
import { Start } from "./parts/Start.tsx";
import { TargetRow } from "./parts/TargetRow.tsx";
import styles from "./targets.module.css";
import { STATES, TARGETS_URL, type State, type TargetsView } from "./url.ts";

const ROW_HEIGHT = 34;
const TONES: Record<State, Tone> = { up: "good", down: "bad", unknown: "plain", dropped: "plain" };
const NOTHING: Targets = { active: [], dropped: [], droppedCounts: {}, atMs: 0 };

export function TargetsPage(): ReactNode {
  const time = useTime();
  const { state: view, update, replace } = useUrlState(TARGETS_URL);
  const { data, error, loading, reload } = useResource(`targets ${time.version}`, targets);
  const all = data ?? NOTHING;
  const shown = useMemo(() => pools(all, view), [all, view]);
  const list = useMemo(() => rows(shown, view), [shown, view]);
  const numbers = useMemo(() => (data === undefined ? {} : counts(data)), [data]);
  const names = useMemo(() => poolNames(all), [all]);
  const found = shown.reduce((sum, pool) => sum + pool.shown.length, 0);
  return (
    <div className={styles.page}>
      <div className={styles.filters}>
        <CountFilter label="States" states={STATES} chosen={view.states} numbers={numbers} tones={TONES} onChange={(states) => update({ ...view, states })} />
        <Select aria-label="Pool" value={view.pool} onChange={(event) => update({ ...view, pool: event.target.value })}>
          <option value="">All pools</option>
          {[...new Set([...names, view.pool])].filter((name) => name !== "").map((name) => <option key={name} value={name}>{name}</option>)}
        </Select>
        <Input data-search="" className={styles.find} aria-label="Find targets" placeholder="Find targets by address, label, error" value={view.find} onChange={(event) => replace({ ...view, find: event.target.value })} />
      </div>
      {error !== null && !loading && <Failure title="The targets could not be loaded" error={error} retry={reload} />}
      {(data !== undefined || loading) && <Panel className={styles.panel} title="Targets" note={data === undefined ? undefined : `${count(found, "target")} in ${count(shown.length, "pool")}`}>
        <Progress on={loading} label="Loading the targets" />
        {data === undefined ? (loading && <Skeleton lines={10} />) : names.length === 0 ? <Start />
          : list.length === 0 ? <Empty icon="targets" title="No target fits the filter" />
            : (
              <VirtualList
                label="Targets"
                className={styles.list}
                count={list.length}
                estimate={ROW_HEIGHT}
                keyOf={(index) => list[index]?.key ?? index}
                render={(index) => <AnyRow row={list[index]} atMs={all.atMs} view={view} onChange={replace} />}
              />
            )}
      </Panel>}
    </div>
  );
}

/** The key, among the open rows, of the rules that made a target. */
const stepsKey = (key: string): string => `steps ${key}`;
const toggled = (keys: readonly string[], key: string): string[] => (keys.includes(key) ? keys.filter((each) => each !== key) : [...keys, key]);

function AnyRow({ row, atMs, view, onChange }: { row: Row | undefined; atMs: number; view: TargetsView; onChange: (view: TargetsView) => void }): ReactNode {
  if (row === undefined) return null;
  const toggle = (key: string): void => onChange({ ...view, open: toggled(view.open, key) });
  switch (row.kind) {
    case "pool":
      return <PoolHead pool={row.pool} folded={row.folded} onToggle={() => onChange({ ...view, folded: toggled(view.folded, row.pool.name) })} />;
    case "target":
      return <TargetRow target={row.entry.target} open={row.open} steps={view.open.includes(stepsKey(row.entry.key))} atMs={atMs} onToggle={() => toggle(row.entry.key)} onSteps={() => toggle(stepsKey(row.entry.key))} />;
    case "dropped":
      return <DroppedHead pool={row.pool} open={row.open} onToggle={() => toggle(droppedKey(row.pool))} />;
    case "droppedTarget":
      return <DroppedRow target={row.target} open={row.open} onToggle={() => toggle(row.key)} />;
  }
}
