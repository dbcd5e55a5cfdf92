/** What the same stream said before and after a record. */

import { useState, type ReactNode } from "react";
import type { SearchRecord } from "../../../api/logs.ts";
import { formatClockMillis, nanosToMs } from "../../../time/format.ts";
import { Button } from "../../../ui/controls.tsx";
import { Failure } from "../../../ui/states.tsx";
import { streamOf, type Entry } from "../model.ts";
import styles from "../logs.module.css";
import { useContextRows } from "../queries.ts";
import { severityOf } from "../severity.ts";

const AMOUNT = 5;
const AMOUNT_MAX = 100;

export function ContextRows({ entry }: { entry: Entry }): ReactNode {
  const [amount, setAmount] = useState(AMOUNT);
  const { data, error, loading, reload } = useContextRows(streamOf(entry), entry.nanos, amount);
  if (error !== null) return <Failure title="What came before and after could not be loaded" error={error} retry={reload} />;
  return (
    <section className={styles.context} aria-label="Before and after" data-testid="context" aria-busy={loading} style={{ minHeight: (2 * AMOUNT + 1) * 20 + 34 }}>
      {data !== undefined && (
        <>
          {[...data.after].reverse().map((record, index) => <Row key={`after ${index}`} record={record} isThis={false} />)}
          <Row record={entry} isThis />
          {data.before.map((record, index) => <Row key={`before ${index}`} record={record} isThis={false} />)}
          <div className={styles.contextFoot}>
            {data.after.length < amount && <span>nothing newer of this stream</span>}
            {data.before.length < amount && <span>nothing older of this stream</span>}
            {amount < AMOUNT_MAX && (data.before.length === amount || data.after.length === amount) && <Button small look="quiet" onClick={() => setAmount(Math.min(AMOUNT_MAX, amount * 3))}>Show more</Button>}
          </div>
        </>
      )}
    </section>
  );
}

function Row({ record, isThis }: { record: SearchRecord; isThis: boolean }): ReactNode {
  return (
    <div className={styles.contextRow} aria-current={isThis ? "true" : undefined} title={record.line}>
      <span className={styles.bar} style={{ background: `var(--severity-${severityOf(record.level)})` }} />
      <time className={styles.time}>{formatClockMillis(nanosToMs(record.nanos))}</time>
      <span className={styles.message}>{record.line}</span>
    </div>
  );
}
