/** Values with their counts as bars; a click narrows to one, Alt and click leaves it out. */

import type { ReactNode } from "react";
import { IconButton } from "../../../ui/controls.tsx";
import { formatExact, formatNumber, formatShare } from "../../../ui/number.ts";
import styles from "../facets.module.css";

export function ValueBars({ field, values, total, onNarrow }: {
  field: string;
  values: readonly { value: string; count: number }[];
  /** What a full bar stands for. */
  total: number;
  onNarrow: (field: string, value: string, wanted: boolean) => void;
}): ReactNode {
  return (
    <ul className={styles.values} aria-label={`Values of ${field}`}>
      {values.map(({ value, count }) => (
        <li key={value} className={styles.value}>
          <span className={styles.valueBar} style={{ width: `${total === 0 ? 0 : Math.max(1, (count / total) * 100)}%` }} />
          <button
            type="button"
            data-testid="facet-value"
            className={styles.valueButton}
            title={`${value === "" ? "empty" : value}\n${formatExact(count)} records, ${formatShare(total === 0 ? 0 : count / total)}\nAlt and click leaves them out`}
            aria-label={`Only ${field} = ${value}, ${formatExact(count)} records`}
            onClick={(event) => onNarrow(field, value, !event.altKey)}
          >
            <span className={styles.valueName}>{value === "" ? <i>empty</i> : value}</span>
            <span className={styles.valueCount}>{formatNumber(count)}</span>
          </button>
          <IconButton small icon="minus" label={`Without ${field} = ${value}`} className={styles.valueMinus} onClick={() => onNarrow(field, value, false)} />
        </li>
      ))}
    </ul>
  );
}
