/** When the alerts of a rule were pending and firing. */

import { useMemo, type ReactNode } from "react";
import { Link } from "wouter";
import type { ActiveAlert } from "../../../api/prometheus.ts";
import { Timeline } from "../../../charts/Timeline/Timeline.tsx";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { LabelList } from "../../../ui/LabelList.tsx";
import { count } from "../../../ui/number.ts";
import { Failure, Progress, Skeleton } from "../../../ui/states.tsx";
import { tracks } from "../history.ts";
import { useHistory } from "../queries.ts";
import styles from "../alerts.module.css";

const ROWS_MAX = 20;

export function History({ group, rule, active, added }: { group: string; rule: string; active: readonly ActiveAlert[]; added: readonly string[] }): ReactNode {
  const time = useTime();
  const { data, error, loading, reload } = useHistory(group, rule, time);
  const found = useMemo(() => tracks(data ?? [], active, Math.min(time.window.endMs, Date.now())), [data, active, time.window]);
  return (
    <section aria-label={`History of ${rule}`} className={styles.history}>
      <h3>History</h3>
      <Progress on={loading} label="Loading the history" />
      {error !== null && !loading && <Failure title="The history could not be loaded" error={error} retry={reload} />}
      {data === undefined ? (loading && <Skeleton lines={2} />) : found.length === 0 ? <p className={styles.quiet}>Nothing was active in this range.</p> : (
        <Timeline
          label={`Alerts of ${rule} over time`}
          window={time.window}
          rows={found.slice(0, ROWS_MAX).map((track) => ({
            key: track.key,
            label: <Link href={paths.alert(track.labels, null, time.range)} className={styles.trackName}><LabelList labels={track.labels} without={added} /></Link>,
            stretches: track.stretches,
          }))}
        />
      )}
      {found.length > ROWS_MAX && <p className={styles.quiet}>and {count(found.length - ROWS_MAX, "alert")} more</p>}
    </section>
  );
}
