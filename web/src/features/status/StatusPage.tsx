/** Status: which build runs where, what it was told, and what lies on disk. */

import type { ReactNode } from "react";
import { status, type Status } from "../../api/status.ts";
import { useResource } from "../../api/use_resource.ts";
import { useTime } from "../../location.tsx";
import { formatDateTime } from "../../time/format.ts";
import { CopyButton } from "../../ui/controls.tsx";
import { Pairs, Panel } from "../../ui/layout.tsx";
import { count, formatNumber } from "../../ui/number.ts";
import { Empty, Failure, Notice, Progress, Skeleton } from "../../ui/states.tsx";
import { factsOf, levelsOf, sortedPairs } from "./model.ts";
import styles from "./status.module.css";

export function StatusPage(): ReactNode {
  const time = useTime();
  const { data, error, loading, reload } = useResource(`status ${time.version}`, status);
  return (
    <div className={styles.page}>
      {error !== null && !loading && <Failure title="The status could not be loaded" error={error} retry={reload} />}
      {data?.notices.map((notice) => <Notice key={notice}>{notice}</Notice>)}
      <Panel title="Server">
        <Progress on={loading} label="Loading the status" />
        {data === undefined ? (loading && <Skeleton lines={6} />) : <div className={styles.inner}><Pairs pairs={factsOf(data, Date.now())} /></div>}
      </Panel>
      {data !== undefined && <Rest data={data} />}
    </div>
  );
}

function Rest({ data }: { data: Status }): ReactNode {
  return (
    <>
      <Segments data={data} />
      <div className={styles.columns}>
        <Panel title="In force" note="by the names that Prometheus has for it"><div className={styles.inner}><Pairs pairs={sortedPairs(data.flags)} /></div></Panel>
        <Panel title="Configuration" note="as a prometheus.yml" actions={<CopyButton value={data.configuration} label="Copy the configuration" />}>
          <pre className={styles.configuration}>{data.configuration}</pre>
        </Panel>
      </div>
    </>
  );
}

function Segments({ data }: { data: Status }): ReactNode {
  const levels = levelsOf(data.segments);
  return (
    <Panel title="Segments of metrics" note={count(data.segments.length, "segment")}>
      {levels.length === 0 ? <Empty icon="table" title="Everything is still in memory and in the write-ahead log" /> : (
        <div className={styles.scroll}>
          <table className={styles.table} aria-label="Segments by level">
            <thead><tr><th>Level</th><th className={styles.number}>Segments</th><th className={styles.number}>Samples</th><th>From</th><th>To</th></tr></thead>
            <tbody>
              {levels.map((level) => (
                <tr key={level.level}>
                  <td>{level.level}</td>
                  <td className={styles.number}>{formatNumber(level.segments)}</td>
                  <td className={styles.number}>{formatNumber(level.samples)}</td>
                  <td>{formatDateTime(level.startMs)}</td>
                  <td>{formatDateTime(level.endMs)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
