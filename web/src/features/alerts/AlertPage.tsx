/** One alert explained: its values, what happened to it, which way it went, what kept it quiet, and who was told. */

import { useMemo, type ReactNode } from "react";
import { Link } from "wouter";
import type { Explanation } from "../../api/alerting.ts";
import { useTime, useUrlState } from "../../location.tsx";
import { paths } from "../../paths.ts";
import { formatDateTime } from "../../time/format.ts";
import { buttonClass } from "../../ui/controls.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { LabelList } from "../../ui/LabelList.tsx";
import { Badge, Panel, type Tone } from "../../ui/layout.tsx";
import { count } from "../../ui/number.ts";
import { Empty, Failure, Progress, Skeleton } from "../../ui/states.tsx";
import { bandsOf, explainedWindow, stretches } from "./history.ts";
import styles from "./alert.module.css";
import { Evaluations } from "./parts/Evaluations.tsx";
import { Events } from "./parts/Events.tsx";
import { NotificationList } from "./parts/NotificationList.tsx";
import { Pivots } from "./parts/Pivots.tsx";
import { Routes } from "./parts/Routes.tsx";
import { RuleChart } from "./parts/RuleChart.tsx";
import { Source } from "./parts/RuleRow.tsx";
import { useExplanation } from "./queries.ts";
import { ALERT_URL } from "./url.ts";

export function AlertPage(): ReactNode {
  const time = useTime();
  const { state: view } = useUrlState(ALERT_URL);
  const { data, error, loading, reload } = useExplanation(view.labels, view.atMs, time);
  if (Object.keys(view.labels).length === 0) return <Empty icon="alerts" title="No alert was chosen"><Link href={paths.alerts(time.range)}>All alerts</Link></Empty>;
  return (
    <div className={styles.page}>
      <Progress on={loading} label="Explaining the alert" />
      {error !== null && !loading && <Failure title="The alert could not be explained" error={error} retry={reload} />}
      {data === undefined ? (loading && <Skeleton lines={12} />) : <Explained data={data} atMs={view.atMs} />}
    </div>
  );
}

function toneOf(state: string): Tone {
  return state === "firing" ? "bad" : state === "pending" ? "warn" : "plain";
}

function Explained({ data, atMs }: { data: Explanation; atMs: number | null }): ReactNode {
  const { range, window } = useTime();
  const shown = useMemo(() => (atMs === null ? window : explainedWindow(window, data.atMs)), [atMs, window, data]);
  const bands = useMemo(() => bandsOf(stretches(data.events, data.atMs)), [data]);
  const newest = useMemo(() => [...data.events].sort((left, right) => right.atMs - left.atMs), [data]);
  const began = newest.find((event) => event.change === "pending" || event.change === "firing")?.atMs ?? null;
  return (
    <>
      <header className={styles.head}>
        <div className={styles.heading}>
          <Badge tone={toneOf(data.state)} dot>{data.state === "" ? "unknown" : data.state}</Badge>
          <h2>{data.labels["alertname"] ?? data.rule.name}</h2>
          <LabelList labels={data.labels} without={["alertname"]} />
        </div>
        <div className={styles.actions}>
          {data.toldAs !== null && <Link href={paths.newSilence(data.toldAs, range)} className={buttonClass("normal", true)}><Icon name="silence" size={13} />Silence</Link>}
          <Link href={paths.routing(data.toldAs ?? data.labels, range)} className={buttonClass("normal", true)}><Icon name="route" size={13} />Route</Link>
          <Link href={paths.alerts(range, data.rule.name)} className={buttonClass("normal", true)}>Rule</Link>
          <Pivots lang={data.rule.lang} query={data.rule.query} labels={data.labels} added={{}} sinceMs={began} />
          <span className={styles.at}>
            {Number.isNaN(data.atMs) ? "" : `as it was ${formatDateTime(data.atMs)}`}
            {atMs !== null && <> · <Link href={paths.alert(data.labels, null, range)}>now</Link></>}
          </span>
        </div>
      </header>
      <Panel title="What it looks at" note={`${data.rule.group}, ${data.rule.file}`}>
        <div className={styles.rule}>
          <code>{data.rule.query}</code>
          <Source rule={data.rule} />
        </div>
        <RuleChart rule={{ kind: "alerting", recovery: "", ...data.rule }} window={shown} only={data.labels} bands={bands} />
      </Panel>
      <div className={styles.columns}>
        <Panel title="What happened" note={count(newest.length, "change")}><Events events={newest} labels={data.labels} /></Panel>
        <Panel title="Evaluations" note={`the latest ${data.evaluations.length}`}><Evaluations evaluations={data.evaluations} query={data.rule.query} /></Panel>
      </div>
      <Routes data={data} />
      <Panel title="Who was told" note={count(data.notifications.length, "notification")} actions={data.fingerprint === "" ? undefined : <Link href={paths.notifications({ fingerprint: data.fingerprint }, range)}>In the log</Link>}>
        {data.notifications.length === 0
          ? <Empty icon="send" title="Nobody was told"><p>{data.state === "pending" ? "It is told when it fires." : "Nothing about this alert was sent to a channel."}</p></Empty>
          : <NotificationList notifications={data.notifications} openAll />}
      </Panel>
    </>
  );
}
