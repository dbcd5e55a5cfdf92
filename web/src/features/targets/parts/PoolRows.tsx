/** The head of a pool, and the targets that relabelling dropped from it. */

import type { ReactNode } from "react";
import type { DroppedTarget } from "../../../api/targets.ts";
import { Icon } from "../../../ui/Icon.tsx";
import { Badge } from "../../../ui/layout.tsx";
import { count } from "../../../ui/number.ts";
import { droppedSummary, type Pool } from "../model.ts";
import { RelabelSteps } from "./RelabelSteps.tsx";
import { Side } from "./TargetRow.tsx";
import styles from "../targets.module.css";

export function PoolHead({ pool, folded, onToggle }: { pool: Pool; folded: boolean; onToggle: () => void }): ReactNode {
  const { up, down, unknown } = pool.counts;
  const total = up + down + unknown;
  return (
    <button type="button" data-row="" className={styles.pool} aria-expanded={!folded} onClick={onToggle} data-testid="pool-row">
      <Icon name={folded ? "chevronRight" : "chevronDown"} size={12} />
      <span className={styles.poolName}>{pool.name}</span>
      <Badge tone={total === 0 ? "plain" : down > 0 ? "bad" : unknown > 0 ? "plain" : "good"} dot>{total === 0 ? "no targets" : `${up} of ${total} up`}</Badge>
    </button>
  );
}

export function DroppedHead({ pool, open, onToggle }: { pool: Pool; open: boolean; onToggle: () => void }): ReactNode {
  const { dropped } = pool.counts;
  return (
    <button type="button" data-row="" className={styles.droppedHead} aria-expanded={open} onClick={onToggle} data-testid="dropped-row">
      <Icon name={open ? "chevronDown" : "chevronRight"} size={12} />
      {count(dropped, "target")} dropped by relabelling
      {open && pool.dropped.length < dropped && <i>, {pool.dropped.length} remembered</i>}
    </button>
  );
}

export function DroppedRow({ target, open, onToggle }: { target: DroppedTarget; open: boolean; onToggle: () => void }): ReactNode {
  return (
    <div className={styles.target} data-testid="dropped-target">
      <button type="button" data-row="" className={styles.line} aria-expanded={open} onClick={onToggle}>
        <Icon name={open ? "chevronDown" : "chevronRight"} size={12} />
        <span className={styles.badge}><Badge>dropped</Badge></span>
        <span className={styles.url}>{target.discovered["__address__"] ?? ""}</span>
        <span className={styles.summary}>{droppedSummary(target.discovered)}</span>
      </button>
      {open && (
        <div className={styles.details}>
          <RelabelSteps pool={target.pool} discovered={target.discovered} />
          <Side title="Before relabelling" note="as discovered" labels={target.discovered} other={{}} />
        </div>
      )}
    </div>
  );
}
