/** The chart of an expression over the range, and its lines with their statistics. */

import { useMemo, useState, type ReactNode } from "react";
import type { Matrix } from "../../../api/prometheus.ts";
import { TimeSeries, type Line } from "../../../charts/TimeSeries/TimeSeries.tsx";
import { unitOf } from "../../../charts/unit.ts";
import type { Time } from "../../../location.tsx";
import { printSeconds } from "../../../time/duration.ts";
import { Panel } from "../../../ui/layout.tsx";
import { count } from "../../../ui/number.ts";
import { Empty, Notice, Progress, Skeleton } from "../../../ui/states.tsx";
import { lineNames, seriesName } from "../../../charts/names.ts";
import { stepOf, useRange } from "../queries.ts";
import type { MetricsView } from "../url.ts";
import { CHART_POINTS } from "./QueryBar.tsx";
import { QueryFailure } from "../../../editor/QueryFailure.tsx";
import { SeriesTable } from "../../../charts/SeriesTable/SeriesTable.tsx";

/** More lines than this no eye tells apart, and no canvas draws in a frame. The table shows all. */
const LINES_MAX = 200;
const HEIGHT = 320;

export function RangeResult({ view, time, onChange }: { view: MetricsView; time: Time; onChange: (view: MetricsView) => void }): ReactNode {
  const step = stepOf(view.step, time.window, CHART_POINTS);
  const result = useRange(view.query, step, time, true);
  const { data } = result;
  if (result.error !== null && !result.loading) return <QueryFailure query={view.query} error={result.error} retry={result.reload} />;
  return (
    <>
      <Panel title="Chart" note={data === undefined ? undefined : `${count(data.series.length, "line")}, a point every ${printSeconds(step)}`}>
        <Progress on={result.loading} label="Running the query" />
        {data === undefined ? <Skeleton lines={8} /> : data.series.length === 0
          ? <Empty icon="metrics" title="No data"><p>The expression is correct, and nothing matches it in this range.</p></Empty>
          : <Chart data={data} view={view} time={time} onChange={onChange} />}
      </Panel>
    </>
  );
}

function Chart({ data, view, time, onChange }: { data: Matrix; view: MetricsView; time: Time; onChange: (view: MetricsView) => void }): ReactNode {
  const [focus, setFocus] = useState<number | null>(null);
  const hidden = useMemo(() => new Set(view.hidden), [view.hidden]);
  const names = useMemo(() => lineNames(data.series.map((series) => series.labels)), [data]);
  const lines = useMemo<Line[]>(() => data.series.slice(0, LINES_MAX).map((series, index) => ({ label: names[index] ?? "", values: series.values })), [data, names]);
  const unit = unitOf(view.query);
  const toggle = (index: number, only: boolean): void => {
    const all = data.series.map((_, each) => each);
    const others = all.filter((each) => each !== index);
    const alone = others.every((each) => hidden.has(each)) && !hidden.has(index);
    const next = only ? (alone ? [] : others) : hidden.has(index) ? view.hidden.filter((each) => each !== index) : [...view.hidden, index];
    onChange({ ...view, hidden: next });
  };
  return (
    <>
      {data.warnings.map((warning) => <Notice key={warning}>{warning}</Notice>)}
      {data.series.length > LINES_MAX && <Notice>The chart draws the first {LINES_MAX} of {data.series.length} lines; the table has all.</Notice>}
      <TimeSeries label={view.query} times={data.times} lines={lines} window={time.window} height={HEIGHT} unit={unit} hidden={hidden} focus={focus} onZoom={time.setWindow} />
      <SeriesTable
        series={data.series}
        names={names}
        titles={data.series.length > 2_000 ? names : data.series.map((series) => seriesName(series.labels))}
        unit={unit}
        hidden={hidden}
        onToggle={toggle}
        onFocus={setFocus}
      />
    </>
  );
}
