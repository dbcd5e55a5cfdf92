/** Routing: the tree that alerts go down, the way of one of them, and the receivers at the ends. */

import { useMemo, type ReactNode } from "react";
import { deskAlerts } from "../../api/alertmanager.ts";
import { receivers, routeTree, testRoutes } from "../../api/alerting.ts";
import { useResource } from "../../api/use_resource.ts";
import { useTime, useUrlState } from "../../location.tsx";
import { Panel } from "../../ui/layout.tsx";
import { count } from "../../ui/number.ts";
import { Failure, Progress, Skeleton } from "../../ui/states.tsx";
import { choices, size } from "./model.ts";
import { Preview } from "./parts/Preview.tsx";
import { Receivers } from "./parts/Receivers.tsx";
import { Tree } from "./parts/Tree.tsx";
import styles from "./routing.module.css";
import { ROUTING_URL } from "./url.ts";

export function RoutingPage(): ReactNode {
  const time = useTime();
  const { state: view, update } = useUrlState(ROUTING_URL);
  const tree = useResource(`routes ${time.version}`, routeTree);
  const ends = useResource(`receivers ${time.version}`, receivers);
  const alerts = useResource(`alerts to choose from ${time.version}`, (signal) => deskAlerts([], signal));
  const isAsked = Object.keys(view.labels).length > 0;
  const ways = useResource(isAsked ? `ways ${JSON.stringify(view.labels)} ${time.version}` : null, (signal) => testRoutes(view.labels, signal));
  const offered = useMemo(() => choices(alerts.data ?? []), [alerts.data]);
  const matches = isAsked ? ways.data ?? [] : [];
  return (
    <div className={styles.page}>
      <Preview key={JSON.stringify(view.labels)} view={view} offered={offered} tree={tree.data} ways={ways} onChange={update} />
      {tree.error !== null && !tree.loading && <Failure title="The routes could not be loaded" error={tree.error} retry={tree.reload} />}
      <div className={styles.columns}>
        <Panel title="Routes" note={tree.data === undefined ? undefined : count(size(tree.data), "node")}>
          <Progress on={tree.loading} label="Loading the routes" />
          {tree.data === undefined ? (tree.loading && <Skeleton lines={8} />) : <Tree node={tree.data} matches={matches} />}
        </Panel>
        <Receivers resource={ends} chosen={matches.map((match) => match.receiver)} />
      </div>
    </div>
  );
}
