/** The chart of a metric query, and its lines with their statistics. */

import { useMemo, useState, type ReactNode } from "react";
import type { Matrix } from "../../../api/prometheus.ts";
import { lineNames, seriesName } from "../../../charts/names.ts";
import { SeriesTable } from "../../../charts/SeriesTable/SeriesTable.tsx";
import { TimeSeries, type Line } from "../../../charts/TimeSeries/TimeSeries.tsx";
import { QueryFailure } from "../../../editor/QueryFailure.tsx";
import { useTime, type Time } from "../../../location.tsx";
import { printSeconds } from "../../../time/duration.ts";
import { Panel } from "../../../ui/layout.tsx";
import { count } from "../../../ui/number.ts";
import { Empty, Notice, Progress, Skeleton } from "../../../ui/states.tsx";
import { useLogMatrix } from "../queries.ts";
import type { LogsView } from "../url.ts";

/** More lines than this no eye tells apart. The table shows all. */
const LINES_MAX = 200;
const HEIGHT = 300;

export function MetricResult({ view, onChange }: { view: LogsView; onChange: (view: LogsView) => void }): ReactNode {
  const time = useTime();
  const { data, error, loading, reload, step } = useLogMatrix(view, time);
  if (error !== null && !loading) return <QueryFailure query={view.query} error={error} retry={reload} />;
  return (
    <Panel title="Chart" note={data === undefined ? undefined : `${count(data.series.length, "line")}, a point every ${printSeconds(step)}`}>
      <Progress on={loading} label="Running the query" />
      {data === undefined ? <Skeleton lines={10} /> : data.series.length === 0
        ? <Empty icon="metrics" title="No data"><p>The query is correct, and nothing matches it in this range.</p></Empty>
        : <Chart data={data} view={view} time={time} onChange={onChange} />}
    </Panel>
  );
}

function Chart({ data, view, time, onChange }: { data: Matrix; view: LogsView; time: Time; onChange: (view: LogsView) => void }): ReactNode {
  const [focus, setFocus] = useState<number | null>(null);
  const hidden = useMemo(() => new Set(view.hidden), [view.hidden]);
  const names = useMemo(() => lineNames(data.series.map((series) => series.labels)), [data]);
  const lines = useMemo<Line[]>(() => data.series.slice(0, LINES_MAX).map((series, index) => ({ label: names[index] ?? "", values: series.values })), [data, names]);
  const toggle = (index: number, only: boolean): void => {
    const others = data.series.map((_, each) => each).filter((each) => each !== index);
    const isAlone = others.every((each) => hidden.has(each)) && !hidden.has(index);
    onChange({ ...view, hidden: only ? (isAlone ? [] : others) : hidden.has(index) ? view.hidden.filter((each) => each !== index) : [...view.hidden, index] });
  };
  return (
    <>
      {data.warnings.map((warning) => <Notice key={warning}>{warning}</Notice>)}
      {data.series.length > LINES_MAX && <Notice>The chart draws the first {LINES_MAX} of {data.series.length} lines; the table has all.</Notice>}
      <TimeSeries label={view.query} times={data.times} lines={lines} window={time.window} height={HEIGHT} unit="none" hidden={hidden} focus={focus} onZoom={time.setWindow} />
      <SeriesTable series={data.series} names={names} titles={data.series.map((series) => seriesName(series.labels))} unit="none" hidden={hidden} onToggle={toggle} onFocus={setFocus} />
    </>
  );
}
