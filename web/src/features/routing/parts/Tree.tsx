/** A node of the routing tree with those below it. */

import type { ReactNode } from "react";
import type { RouteMatch, RouteNode } from "../../../api/alerting.ts";
import { Icon } from "../../../ui/Icon.tsx";
import { ChipList, LabelList } from "../../../ui/LabelList.tsx";
import { Badge } from "../../../ui/layout.tsx";
import { ownTimings, touchOf } from "../model.ts";
import styles from "../routing.module.css";

export function Tree({ node, matches }: { node: RouteNode; matches: readonly RouteMatch[] }): ReactNode {
  return <ul className={styles.tree} aria-label="Routes"><Node node={node} parent={null} path={[]} matches={matches} /></ul>;
}

function Node({ node, parent, path, matches }: { node: RouteNode; parent: RouteNode | null; path: readonly number[]; matches: readonly RouteMatch[] }): ReactNode {
  const touch = touchOf(path, matches);
  const timings = ownTimings(node, parent);
  return (
    <li>
      <div className={styles.node} data-touch={touch} data-testid="route-node">
        <div className={styles.nodeHead}>
          {node.matchers.length === 0 ? <span className={styles.all}>every alert</span> : <ChipList texts={node.matchers} />}
          <Icon name="send" size={12} />
          <b>{node.receiver}</b>
          {node.continues && <Badge>continues</Badge>}
          {node.muteTimeIntervals.map((name) => <Badge key={name} tone="warn">muted in {name}</Badge>)}
          {node.activeTimeIntervals.map((name) => <Badge key={name} tone="accent">only in {name}</Badge>)}
          {touch === "end" && <span className={styles.hit}><Icon name="check" size={13} />takes it</span>}
        </div>
        {timings.length > 0 && <p className={styles.quiet}>{timings.join(" · ")}</p>}
        {Object.keys(node.labels).length > 0 && <p className={styles.quiet}>adds <LabelList labels={node.labels} /></p>}
      </div>
      {node.routes.length > 0 && <ul>{node.routes.map((child, index) => <Node key={index} node={child} parent={node} path={[...path, index]} matches={matches} />)}</ul>}
    </li>
  );
}
