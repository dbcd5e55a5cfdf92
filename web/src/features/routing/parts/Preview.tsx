/** Which way an alert with some labels goes. */

import { useState, type FormEvent, type ReactNode } from "react";
import { Link } from "wouter";
import type { RouteMatch, RouteNode } from "../../../api/alerting.ts";
import { parseLabels, printLabels } from "../../../api/matchers.ts";
import type { Resource } from "../../../api/use_resource.ts";
import { useTime } from "../../../location.tsx";
import { paths } from "../../../paths.ts";
import { Button, Field, Input, Select } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import { ChipList, LabelList } from "../../../ui/LabelList.tsx";
import { Badge, Panel } from "../../../ui/layout.tsx";
import { Empty, Failure, Progress } from "../../../ui/states.tsx";
import { ownTimings, stepsTo, type choices } from "../model.ts";
import styles from "../routing.module.css";
import type { RoutingView } from "../url.ts";

export function Preview({ view, offered, tree, ways, onChange }: {
  view: RoutingView;
  offered: ReturnType<typeof choices>;
  tree: RouteNode | undefined;
  ways: Resource<RouteMatch[]>;
  onChange: (view: RoutingView) => void;
}): ReactNode {
  const [text, setText] = useState(printLabels(view.labels));
  const labels = parseLabels(text);
  const key = JSON.stringify(view.labels);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (labels !== null) onChange({ labels });
  };
  return (
    <Panel title="Where does an alert go?">
      <Progress on={ways.loading} label="Asking for the way" />
      <form className={styles.ask} aria-label="Where does an alert go?" onSubmit={submit}>
        <Field label={labels === null ? "Labels: want name=\"value\", name=\"value\"" : "Labels"} className={styles.grow}>
          <Input data-search="" value={text} invalid={labels === null} placeholder={'alertname="HighLatency", severity="page", team="shop"'} onChange={(event) => setText(event.target.value)} />
        </Field>
        <Field label="or one that fires">
          <Select value={offered.some((each) => each.key === key) ? key : ""} onChange={(event) => onChange({ labels: offered.find((each) => each.key === event.target.value)?.labels ?? {} })}>
            <option value="">{offered.length === 0 ? "nothing fires" : "Choose an alert"}</option>
            {offered.map((each) => <option key={each.key} value={each.key}>{each.name}</option>)}
          </Select>
        </Field>
        <Button type="submit" look="primary" disabled={labels === null}>Show the way</Button>
      </form>
      {ways.error !== null && !ways.loading && <Failure title="The way could not be found" error={ways.error} retry={ways.reload} />}
      {ways.data !== undefined && key !== "{}" && (ways.data.length === 0
        ? <Empty icon="route" title="No route takes it" />
        : <ol className={styles.ways} aria-label="Receivers of it">{ways.data.map((way, index) => <Way key={index} way={way} tree={tree} />)}</ol>)}
    </Panel>
  );
}

function Way({ way, tree }: { way: RouteMatch; tree: RouteNode | undefined }): ReactNode {
  const { range } = useTime();
  return (
    <li className={styles.way} data-testid="way">
      <div className={styles.nodeHead}>
        <b>{way.receiver}</b>
        {way.isMutedNow && <Badge tone="warn">muted now</Badge>}
        <span className={styles.quiet}>{way.channels.length === 0 ? "no channel: nobody is told" : `through ${way.channels.join(", ")}`}</span>
        <Link className={styles.log} href={paths.notifications({ receiver: way.receiver }, range)}>Its log</Link>
      </div>
      <div className={styles.nodeHead}>
        <span className={styles.all}>every alert</span>
        {tree !== undefined && stepsTo(tree, way.path).map((step, index) => <span key={index} className={styles.nodeHead}><Icon name="chevronRight" size={11} /><ChipList texts={step} /></span>)}
      </div>
      <p className={styles.quiet}>{ownTimings(way, null).join(" · ")}{Object.keys(way.groupLabels).length > 0 && <> · in the group <LabelList labels={way.groupLabels} /></>}</p>
    </li>
  );
}
