/** What a rule looks at, against its threshold, with the times at which it would have fired behind. */

import { useMemo, type ReactNode } from "react";
import type { CheckedRule, Tried } from "../../../api/ruler.ts";
import { isDrawable, ruleMatrix } from "../../../api/rule_matrix.ts";
import { useResource } from "../../../api/use_resource.ts";
import { lineNames } from "../../../charts/names.ts";
import { printThreshold, threshold } from "../../../charts/threshold.ts";
import { TimeSeries } from "../../../charts/TimeSeries/TimeSeries.tsx";
import { unitOf } from "../../../charts/unit.ts";
import type { Time } from "../../../location.tsx";
import { grid, niceStep } from "../../../time/step.ts";
import { Failure, Progress, Skeleton } from "../../../ui/states.tsx";
import { firingBands } from "../model.ts";

const POINTS = 240;
const LINES_MAX = 50;
const HEIGHT = 150;

export function TriedChart({ rule, tried, time }: { rule: CheckedRule; tried: Tried; time: Time }): ReactNode {
  const { window } = time;
  const limit = useMemo(() => threshold(rule.query), [rule.query]);
  const expression = limit?.expression ?? rule.query;
  const step = niceStep(window, POINTS);
  const { start, end } = grid(window, step);
  const key = isDrawable(rule.lang) ? ["tried", rule.lang, expression, start, end, step].join(" ") : null;
  const { data, error, loading, reload } = useResource(key, (signal) => ruleMatrix(rule.lang, expression, { start, end, step }, signal));
  const marks = useMemo(() => (limit === null ? [] : [{ value: limit.value, label: printThreshold(limit), tone: "bad" as const }]), [limit]);
  const bands = useMemo(() => firingBands(tried, window.endMs), [tried, window]);
  const lines = useMemo(() => {
    const names = lineNames((data?.series ?? []).map((series) => series.labels));
    return (data?.series ?? []).slice(0, LINES_MAX).map((series, index) => ({ label: names[index] ?? "", values: series.values }));
  }, [data]);
  if (key === null) return null;
  return (
    <>
      <Progress on={loading} label={`Loading the chart of ${rule.name}`} />
      {error !== null && !loading ? <Failure title="The chart could not be loaded" error={error} retry={reload} />
        : data === undefined ? <Skeleton lines={4} />
          : lines.length > 0 && <TimeSeries label={rule.name} times={data.times} lines={lines} window={window} height={HEIGHT} unit={rule.lang === "promql" ? unitOf(expression) : "none"} onZoom={time.setWindow} marks={marks} bands={bands} />}
    </>
  );
}
