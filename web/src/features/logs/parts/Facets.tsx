/** Fields of what was found, with their most frequent values. */

import { useState, type ReactNode } from "react";
import type { Facet, SearchRecord } from "../../../api/logs.ts";
import { useTime } from "../../../location.tsx";
import { Button, IconButton, Input } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { Panel } from "../../../ui/layout.tsx";
import { formatNumber } from "../../../ui/number.ts";
import { Failure, Progress, Skeleton } from "../../../ui/states.tsx";
import { narrowed } from "../language.ts";
import styles from "../facets.module.css";
import { FACET_VALUES, useFacets, useTopValues } from "../queries.ts";
import type { LogsView } from "../url.ts";
import { ValueBars } from "./ValueBars.tsx";

/** Fields that show their values at once. */
const OPEN_FIRST = 5;

export function Facets({ view, rows, isFailed, onChange, onClose }: { view: LogsView; rows: readonly SearchRecord[] | undefined; isFailed: boolean; onChange: (view: LogsView) => void; onClose: () => void }): ReactNode {
  const time = useTime();
  // Records come first: nothing waits for the fields.
  const { data, error, loading, reload } = useFacets(view, time, rows, rows !== undefined && !isFailed);
  const [find, setFind] = useState("");
  const shown = ranked(data?.facets ?? [], data?.total ?? 0).filter((facet) => facet.field.toLowerCase().includes(find.trim().toLowerCase()));
  return (
    <Panel
      title="Fields"
      note={data === undefined ? undefined : data.exact ? `of ${formatNumber(data.total)}` : `of ${formatNumber(data.total)} loaded`}
      actions={<IconButton small icon="close" label="Hide the fields" onClick={onClose} />}
      className={styles.facets}
    >
      <Progress on={loading} label="Counting fields" />
      {error !== null && <Failure title="The fields could not be counted" error={error} retry={reload} />}
      {data === undefined ? error === null && !isFailed && <Skeleton lines={10} /> : (
        <div className={styles.facetList}>
          <Input className={styles.facetFind} placeholder="Find a field" aria-label="Find a field" value={find} onChange={(event) => setFind(event.target.value)} />
          {shown.map((facet, index) => (
            <FacetGroup key={facet.field} facet={facet} total={data.total} isOpenFirst={index < OPEN_FIRST || find !== ""} view={view} rows={rows ?? []} onChange={onChange} />
          ))}
          {shown.length === 0 && <p className={styles.facetNote}>No field{find === "" ? "s" : ` is called “${find}”`}.</p>}
        </div>
      )}
    </Panel>
  );
}

/** Service and level first, if there are any; what every record has the same value of tells nothing and comes last. */
function ranked(facets: readonly Facet[], total: number): Facet[] {
  const isSame = (facet: Facet, index: number): boolean => index > 1 && facet.distinct === 1 && facet.count === total;
  const known = facets.filter((facet) => facet.distinct > 0);
  return [...known.filter((facet, index) => !isSame(facet, index)), ...known.filter(isSame)];
}

function FacetGroup({ facet, total, isOpenFirst, view, rows, onChange }: { facet: Facet; total: number; isOpenFirst: boolean; view: LogsView; rows: readonly SearchRecord[]; onChange: (view: LogsView) => void }): ReactNode {
  const time = useTime();
  const [toggled, setToggled] = useState(false);
  const [isWhole, setIsWhole] = useState(false);
  const isOpen = isOpenFirst !== toggled;
  const whole = useTopValues(facet.field, view, time, rows, isWhole && isOpen);
  const { values } = (isWhole ? whole.data : undefined) ?? facet;
  const distinct = `${formatNumber(facet.distinct)}${facet.isCut ? "+" : ""}`;
  return (
    <section className={styles.facet} data-testid="facet" aria-label={facet.field}>
      <button type="button" className={styles.facetHead} aria-expanded={isOpen} title={`${facet.field}: ${distinct} ${facet.distinct === 1 ? "value" : "values"} in ${formatNumber(facet.count)} records`} onClick={() => setToggled(!toggled)}>
        <Icon name={isOpen ? "chevronDown" : "chevronRight"} size={11} />
        <span className={styles.facetName}>{facet.field}</span>
        <span className={styles.facetDistinct}>{distinct}</span>
      </button>
      {isOpen && <ValueBars field={facet.field} values={values} total={total} onNarrow={(field, value, wanted) => onChange(narrowed(view, field, value, wanted))} />}
      {isOpen && !isWhole && facet.distinct > FACET_VALUES && <Button small look="quiet" onClick={() => setIsWhole(true)}>More values</Button>}
      {isOpen && isWhole && whole.data === undefined && whole.loading && <p className={styles.facetNote}>Counting…</p>}
      {isOpen && isWhole && whole.data !== undefined && facet.distinct > values.length && <p className={styles.facetNote}>the most frequent {values.length} of {distinct}</p>}
    </section>
  );
}
