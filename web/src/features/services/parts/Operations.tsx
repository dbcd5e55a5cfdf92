/** The operations of a service: what it serves, then what it calls. */

import { useMemo, useState, type ReactNode } from "react";
import { Link } from "wouter";
import type { Operation } from "../../../api/service_map.ts";
import type { Time } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { Button, Input } from "../../../ui/controls.tsx";
import { Badge, Panel } from "../../../ui/layout.tsx";
import { count } from "../../../ui/number.ts";
import { Empty, Failure, Progress, Skeleton } from "../../../ui/states.tsx";
import { errorShare, healthOf, ranked } from "../model.ts";
import { useOperations } from "../queries.ts";
import styles from "../services.module.css";
import type { ServicesView } from "../url.ts";
import { duration, perSecond, share } from "./numbers.ts";

const SHOWN = 50;

export function Operations({ view, time, onFind }: { view: ServicesView; time: Time; onFind: (view: ServicesView) => void }): ReactNode {
  const { data, error, loading, reload } = useOperations(view.service, time);
  const [isWhole, setIsWhole] = useState(false);
  const found = useMemo(() => ranked(data ?? [], view.find), [data, view.find]);
  return (
    <Panel
      title="Operations"
      note={data === undefined ? undefined : count(found.length, "operation")}
      actions={<Input data-search="" aria-label="Find operations" placeholder="Find operations" value={view.find} onChange={(event) => onFind({ ...view, find: event.target.value })} />}
    >
      <Progress on={loading} label="Loading the operations" />
      {error !== null && !loading && <Failure title="The operations could not be loaded" error={error} retry={reload} />}
      {data === undefined ? (loading && <Skeleton lines={6} />) : found.length === 0 ? <Empty icon="traces" title="No operations" /> : (
        <div className={styles.scroll}>
          <table className={styles.table} aria-label="Operations">
            <thead><tr><th>Operation</th><th>Kind</th><th className={styles.number}>Calls/s</th><th className={styles.number}>Errors</th><th className={styles.number}>Median</th><th className={styles.number}>95 %</th><th className={styles.number}>99 %</th></tr></thead>
            <tbody>{found.slice(0, isWhole ? undefined : SHOWN).map((operation) => <Row key={`${operation.name} ${operation.kind}`} operation={operation} time={time} />)}</tbody>
          </table>
        </div>
      )}
      {!isWhole && found.length > SHOWN && <div className={styles.more}><Button onClick={() => setIsWhole(true)}>Show all {found.length}</Button></div>}
    </Panel>
  );
}

function Row({ operation, time }: { operation: Operation; time: Time }): ReactNode {
  const view = { service: operation.service, operation: operation.name };
  const failed = errorShare(operation);
  return (
    <tr data-testid="operation-row">
      <td><Link href={paths.traces(view, time.range)} className={styles.name} title="Its traces">{operation.name}</Link></td>
      <td><Badge>{operation.kind}</Badge></td>
      <td className={styles.number}>{perSecond(operation.rate)}</td>
      <td className={styles.number}>{failed > 0 ? <Link href={paths.traces({ ...view, tags: "error=true" }, time.range)} data-health={healthOf(operation)} className={styles.errors}>{share(failed)}</Link> : share(failed)}</td>
      <td className={styles.number}>{duration(operation.p50)}</td>
      <td className={styles.number}>{duration(operation.p95)}</td>
      <td className={styles.number}>{duration(operation.p99)}</td>
    </tr>
  );
}
