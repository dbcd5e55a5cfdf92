/** The lines of a chart as rows: the legend, with statistics. */

import { useMemo, type ReactNode } from "react";
import { seriesColor } from "../color.ts";
import { statistics, type Statistics } from "../TimeSeries/model.ts";
import { formatUnit, type Unit } from "../unit.ts";
import { classes } from "../../ui/controls.tsx";
import { VirtualList } from "../../ui/VirtualList.tsx";
import styles from "./series_table.module.css";

const ROW_HEIGHT = 26;
const ROWS_SEEN = 12;
const COLUMNS = ["last", "mean", "minimum", "maximum"] as const satisfies readonly (keyof Statistics)[];

export function SeriesTable({ series, names, titles, unit, hidden, onToggle, onFocus, className }: {
  series: readonly { values: Float64Array }[];
  names: readonly string[];
  titles: readonly string[];
  unit: Unit;
  hidden: ReadonlySet<number>;
  onToggle: (index: number, only: boolean) => void;
  onFocus: (index: number | null) => void;
  className?: string | undefined;
}): ReactNode {
  const figures = useMemo(() => series.map((each) => statistics(each.values)), [series]);
  return (
    <div className={classes(styles.series, className)}>
      <div className={styles.seriesHead} aria-hidden="true">
        <span>Line</span>
        {COLUMNS.map((column) => <span key={column}>{column}</span>)}
      </div>
      <div className={styles.seriesBody} style={{ height: Math.min(series.length, ROWS_SEEN) * ROW_HEIGHT + 2 }} onPointerLeave={() => onFocus(null)}>
        <VirtualList
          label="Lines"
          count={series.length}
          estimate={ROW_HEIGHT}
          keyOf={(index) => index}
          render={(index) => (
            <button
              type="button"
              data-row=""
              className={styles.seriesRow}
              aria-pressed={!hidden.has(index)}
              title={`${titles[index] ?? ""}\nClick: only this line. Ctrl and click: hide or show.`}
              onClick={(event) => onToggle(index, !(event.ctrlKey || event.metaKey))}
              onPointerEnter={() => onFocus(index)}
              onFocus={() => onFocus(index)}
              onBlur={() => onFocus(null)}
            >
              <span className={styles.seriesName}>
                <span className={styles.swatch} style={{ background: seriesColor(index) }} />
                <span>{names[index]}</span>
              </span>
              {COLUMNS.map((column) => <span key={column} className={styles.figure}>{formatUnit(figures[index]?.[column] ?? Number.NaN, unit)}</span>)}
            </button>
          )}
        />
      </div>
    </div>
  );
}
