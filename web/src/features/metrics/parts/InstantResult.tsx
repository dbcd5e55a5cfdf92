/** An expression at the end of the range, as a table. */

import { useMemo, type ReactNode } from "react";
import type { Instant, InstantSample } from "../../../api/prometheus.ts";
import type { Time } from "../../../location.tsx";
import { formatDateTime } from "../../../time/format.ts";
import { CopyButton } from "../../../ui/controls.tsx";
import { Panel } from "../../../ui/layout.tsx";
import { count, formatExact } from "../../../ui/number.ts";
import { Empty, Notice, Progress, Skeleton } from "../../../ui/states.tsx";
import { VirtualList } from "../../../ui/VirtualList.tsx";
import { seriesName } from "../../../charts/names.ts";
import { useInstant } from "../queries.ts";
import styles from "../metrics.module.css";
import type { MetricsView } from "../url.ts";
import { QueryFailure } from "../../../editor/QueryFailure.tsx";

const ROW_HEIGHT = 28;

export function InstantResult({ view, time }: { view: MetricsView; time: Time }): ReactNode {
  const result = useInstant(view.query, time, true);
  const { data } = result;
  if (result.error !== null && !result.loading) return <QueryFailure query={view.query} error={result.error} retry={result.reload} />;
  return (
    <Panel title="Result" note={data === undefined ? undefined : `${describe(data)} at ${formatDateTime(time.window.endMs)}`} className={styles.fill}>
      <Progress on={result.loading} label="Running the query" />
      {data === undefined ? <Skeleton lines={8} /> : <Result data={data} />}
    </Panel>
  );
}

function describe(data: Instant): string {
  return data.type === "vector" || data.type === "matrix" ? count(data.samples.length, "series").replace("seriess", "series") : data.type;
}

function Result({ data }: { data: Instant }): ReactNode {
  const rows = useMemo(() => data.samples.map((sample) => ({ sample, name: seriesName(sample.labels) })).sort((left, right) => right.sample.value - left.sample.value), [data]);
  if (data.type === "string") return <pre className={styles.text}>{data.text}</pre>;
  if (rows.length === 0) return <Empty icon="metrics" title="No data"><p>The expression is correct, and nothing matches it at this time.</p></Empty>;
  return (
    <>
      {data.warnings.map((warning) => <Notice key={warning}>{warning}</Notice>)}
      <VirtualList
        label="Samples"
        count={rows.length}
        estimate={ROW_HEIGHT}
        keyOf={(index) => rows[index]?.name ?? index}
        render={(index) => {
          const row = rows[index];
          return row === undefined ? null : (
            <div className={styles.sample} data-row="" tabIndex={0}>
              <code>{row.name}</code>
              <CopyButton value={row.name} label="Copy the series" />
              <b>{shown(row.sample)}</b>
            </div>
          );
        }}
      />
    </>
  );
}

function shown({ value, histogram }: InstantSample): string {
  return histogram === null ? formatExact(value) : `count ${formatExact(histogram.count)}, sum ${formatExact(histogram.sum)}`;
}
