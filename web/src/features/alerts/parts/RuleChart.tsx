/** What a rule looks at, against the number that it compares with. */

import { useMemo, type ReactNode } from "react";
import type { Labels, Rule } from "../../../api/prometheus.ts";
import { lineNames } from "../../../charts/names.ts";
import { printThreshold } from "../../../charts/threshold.ts";
import { TimeSeries, type Band, type Mark } from "../../../charts/TimeSeries/TimeSeries.tsx";
import { unitOf } from "../../../charts/unit.ts";
import { useTime } from "../../../location.tsx";
import type { TimeWindow } from "../../../time/range.ts";
import { Empty, Failure, Notice, Progress, Skeleton } from "../../../ui/states.tsx";
import { drawn } from "../evidence.ts";
import { useRuleMatrix } from "../queries.ts";
import styles from "../alerts.module.css";

/** More lines than this say nothing in a chart of this size. */
const LINES_MAX = 50;
const HEIGHT = 170;

export function RuleChart({ rule, window, only, bands }: {
  rule: Pick<Rule, "kind" | "lang" | "name" | "query" | "recovery">;
  window: TimeWindow;
  /** Only the line of the alert with these labels. */
  only?: Labels;
  bands?: readonly Band[];
}): ReactNode {
  const time = useTime();
  const { kind, lang, name, query, recovery } = rule;
  const { limit, back, ...shown } = useMemo(() => drawn({ kind, lang, name, query, recovery }), [kind, lang, name, query, recovery]);
  const { data, error, loading, reload } = useRuleMatrix(shown.lang, shown.expression, window, time.version);
  const marks = useMemo<Mark[]>(() => [
    ...(limit === null ? [] : [{ value: limit.value, label: printThreshold(limit), tone: "bad" as const }]),
    ...(back === null ? [] : [{ value: back.value, label: `recovers ${printThreshold(back)}`, tone: "good" as const }]),
  ], [limit, back]);
  const chosen = useMemo(() => {
    const own = (data?.series ?? []).filter(({ labels }) => only === undefined || Object.entries(labels).every(([label, value]) => label === "__name__" || only[label] === value));
    // Labels may have been replaced by the rule: then no line is that of the alert, and all are shown.
    return own.length > 0 ? own : (data?.series ?? []);
  }, [data, only]);
  const lines = useMemo(() => {
    const names = lineNames(chosen.map((series) => series.labels));
    return chosen.slice(0, LINES_MAX).map((series, index) => ({ label: names[index] ?? "", values: series.values }));
  }, [chosen]);
  return (
    <div className={styles.chart}>
      <Progress on={loading} label={`Loading the chart of ${name}`} />
      {error !== null && !loading ? <Failure title="The chart could not be loaded" error={error} retry={reload} />
        : data === undefined ? <Skeleton lines={4} />
          : lines.length === 0 ? <Empty icon="metrics" title="No data in this range"><p>{lang === "sql" ? "Values of SQL are known from its evaluations, while something is active." : "The expression gives nothing here, so nothing can fire."}</p></Empty>
            : <TimeSeries label={name} times={data.times} lines={lines} window={window} height={HEIGHT} unit={lang === "promql" ? unitOf(shown.expression) : "none"} onZoom={time.setWindow} marks={marks} {...(bands === undefined ? {} : { bands })} />}
      {chosen.length > LINES_MAX && <Notice>The chart draws the first {LINES_MAX} of {chosen.length} lines.</Notice>}
    </div>
  );
}
