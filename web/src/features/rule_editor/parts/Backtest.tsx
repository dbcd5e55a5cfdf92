/** What the rules of a text would have done over the range of the page: firings, and how often somebody would have been told. */

import { useMemo, type ReactNode } from "react";
import { backtest, checkRules, type CheckedRule, type Tried } from "../../../api/ruler.ts";
import { useResource } from "../../../api/use_resource.ts";
import { Timeline } from "../../../charts/Timeline/Timeline.tsx";
import type { Time } from "../../../location.tsx";
import { describeRange, formatDateTime } from "../../../time/format.ts";
import { IconButton } from "../../../ui/controls.tsx";
import { LabelList } from "../../../ui/LabelList.tsx";
import { Badge, Panel } from "../../../ui/layout.tsx";
import { count } from "../../../ui/number.ts";
import { Empty, Failure, Notice, Progress, Skeleton } from "../../../ui/states.tsx";
import { fileOf, firingStretches, rowsOf } from "../model.ts";
import styles from "../rule_editor.module.css";
import { TriedChart } from "./TriedChart.tsx";

const ROWS_MAX = 20;
const TOLD_MAX = 100;

export function Backtest({ text, isOld, time, onClose }: { text: string; isOld: boolean; time: Time; onClose: () => void }): ReactNode {
  const { window } = time;
  const { data, error, loading, reload } = useResource(`backtest ${window.startMs} ${window.endMs} ${text}`, async (signal) => {
    const [tried, checked] = await Promise.all([backtest(fileOf(text), window, signal), checkRules(fileOf(text), signal)]);
    return { tried, rules: checked.groups.flatMap((group) => group.rules), window };
  });
  return (
    <Panel title="Backtest" note={describeRange(time.range, window)} actions={<IconButton small icon="close" label="Close the backtest" onClick={onClose} />}>
      <Progress on={loading} label="Trying the rules" />
      {isOld && <Notice>The text has changed since: press Backtest to try it as it is now.</Notice>}
      {error !== null && !loading && <Failure title="The rules could not be tried" error={error} retry={reload} />}
      {data === undefined ? (loading && <Skeleton lines={6} />) : data.tried.length === 0 ? <Empty icon="alerts" title="There is no rule to try" />
        : <ul aria-label="Tried rules">{data.tried.map((tried, index) => <TriedRule key={`${tried.rule} ${index}`} tried={tried} rule={data.rules.find((rule) => rule.name === tried.rule)} time={time} />)}</ul>}
    </Panel>
  );
}

function TriedRule({ tried, rule, time }: { tried: Tried; rule: CheckedRule | undefined; time: Time }): ReactNode {
  const { window } = time;
  const rows = useMemo(() => rowsOf(tried), [tried]);
  const fired = tried.firings.filter((firing) => firing.firedAtMs !== null).length;
  return (
    <li className={styles.tried} data-testid="tried-rule">
      <div className={styles.triedHead}>
        <b>{tried.rule}</b>
        <Badge tone={fired > 0 ? "bad" : "good"} dot>{fired === 0 ? "never fired" : `fired ${count(fired, "time")}`}</Badge>
        <Badge>{count(tried.notificationCount, "notification")}</Badge>
        <span className={styles.quiet}>{count(tried.evaluations, "evaluation")}</span>
      </div>
      {tried.errors.map((error, index) => <pre key={index} className={styles.error} role="alert">{error}</pre>)}
      {rule !== undefined && <TriedChart rule={rule} tried={tried} time={time} />}
      {rows.length > 0 && (
        <Timeline
          label={`When ${tried.rule} would have fired`}
          window={window}
          rows={rows.slice(0, ROWS_MAX).map((row) => ({ key: row.key, label: <LabelList labels={row.labels} without={["alertname"]} />, stretches: row.firings.flatMap((firing) => firingStretches(firing, window.endMs)) }))}
        />
      )}
      {rows.length > ROWS_MAX && <p className={styles.quiet}>and {count(rows.length - ROWS_MAX, "alert")} more</p>}
      {tried.notifications.length > 0 && (
        <details className={styles.told}>
          <summary>Who would have been told</summary>
          <ul>
            {tried.notifications.slice(0, TOLD_MAX).map((told, index) => (
              <li key={index}><span>{formatDateTime(told.atMs)}</span> <b>{told.receiver}</b> <span>{told.reason}</span> <span>{[told.firing > 0 ? `${told.firing} firing` : "", told.resolved > 0 ? `${told.resolved} resolved` : ""].filter((part) => part !== "").join(", ")}</span></li>
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}
