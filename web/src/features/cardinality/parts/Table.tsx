/** What the tables of the page have in common: heads that sort, a share of the largest behind a number. */

import type { ReactNode } from "react";
import { classes } from "../../../ui/controls.tsx";
import { Icon } from "../../../ui/Icon.tsx";
import styles from "../cardinality.module.css";
import type { CardinalityView, Sort } from "../url.ts";

export function Head({ sort, title, view, onChange, hint }: { sort: Sort; title: string; view: CardinalityView; onChange: (view: CardinalityView) => void; hint?: string }): ReactNode {
  const isSorted = view.sort === sort;
  return (
    <th className={classes(sort !== "name" && styles.number)} aria-sort={isSorted ? (sort === "name" ? "ascending" : "descending") : "none"} title={hint}>
      <button type="button" className={classes(styles.head, isSorted && styles.sorted)} onClick={() => onChange({ ...view, sort })}>
        {title}
        {isSorted && <Icon name="chevronDown" size={11} />}
      </button>
    </th>
  );
}

/** A number with a bar as long as its share of the whole. */
export function Share({ part, whole, children }: { part: number; whole: number; children: ReactNode }): ReactNode {
  const percent = whole > 0 ? Math.min(100, (part / whole) * 100) : 0;
  return (
    <td className={classes(styles.number, styles.share)}>
      <span className={styles.fill} style={{ width: `${percent}%` }} />
      <span className={styles.over}>{children}</span>
    </td>
  );
}
