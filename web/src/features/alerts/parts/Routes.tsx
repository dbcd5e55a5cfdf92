/** Which way an alert goes to its receivers, and what keeps it from them. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Explanation, Routed } from "../../../api/alerting.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { Icon } from "../../../ui/Icon.tsx";
import { ChipList, LabelList } from "../../../ui/LabelList.tsx";
import { Badge, Panel } from "../../../ui/layout.tsx";
import { Empty } from "../../../ui/states.tsx";
import { holdsAll } from "../model.ts";
import styles from "../alert.module.css";

export function Routes({ data }: { data: Explanation }): ReactNode {
  const { range } = useTime();
  const quiet = data.silencedBy.length + data.inhibitedBy.length + data.mutedBy.length > 0;
  return (
    <Panel title="Which way it goes" actions={<Link href={paths.routing(data.toldAs ?? data.labels, range)}>In the tree</Link>}>
      {data.toldAs === null && <p className={styles.timings}>Nobody is told: alert_relabel_configs drop it.</p>}
      {data.toldAs !== null && !(holdsAll(data.toldAs, data.labels) && holdsAll(data.labels, data.toldAs)) && (
        <div className={styles.steps} aria-label="Told as"><span>Told as</span><LabelList labels={data.toldAs} /></div>
      )}
      {quiet && (
        <ul className={styles.muted} aria-label="What keeps it quiet">
          {data.silencedBy.map((id) => <li key={id}><Badge tone="warn">silenced</Badge> by <Link href={paths.silence(id, range)}>silence {id}</Link></li>)}
          {data.inhibitedBy.map((id) => <li key={id}><Badge tone="warn">inhibited</Badge> by the alert with the fingerprint <code>{id}</code></li>)}
          {data.mutedBy.map((name) => <li key={name}><Badge tone="warn">muted</Badge> by the time interval <code>{name}</code></li>)}
        </ul>
      )}
      {data.routes.length === 0 ? <Empty icon="route" title="No route takes it" />
        : <ul aria-label="Routes">{data.routes.map((route, index) => <Way key={`${route.receiver} ${index}`} route={route} />)}</ul>}
    </Panel>
  );
}

function Way({ route }: { route: Routed }): ReactNode {
  const { range } = useTime();
  const timings = [
    ["grouped by", route.groupBy.length === 0 ? "" : route.groupBy.join(", ")],
    ["first told after", route.groupWait],
    ["changes after", route.groupInterval],
    ["repeated after", route.repeatInterval],
  ].filter(([, value]) => value !== "");
  return (
    <li className={styles.way}>
      <div className={styles.steps}>
        {route.path.map((step, index) => (
          <span key={index} className={styles.step}>
            {index > 0 && <Icon name="chevronRight" size={11} />}
            {step.matchers.length === 0 ? <span className={styles.root}>every alert</span> : <ChipList texts={step.matchers} />}
            {step.continues && <i>and on</i>}
          </span>
        ))}
        <Icon name="send" size={13} />
        <Link href={paths.notifications({ receiver: route.receiver }, range)}><b>{route.receiver}</b></Link>
      </div>
      <p className={styles.timings}>{timings.map(([name, value]) => `${name} ${value}`).join(" · ")}</p>
    </li>
  );
}
