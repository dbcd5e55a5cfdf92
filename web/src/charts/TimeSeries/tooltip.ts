/** The box beside the cursor of a chart of lines. Written to the DOM directly: it changes with every move of the mouse. */

import type uPlot from "uplot";
import { formatDateTime } from "../../time/format.ts";
import { seriesColor } from "../color.ts";
import { formatUnit, type Unit } from "../unit.ts";
import { readings } from "./model.ts";
import styles from "./time_series.module.css";

const LINES_MAX = 12;

interface Source {
  readonly current: {
    lines: readonly { label: string; values: Float64Array }[];
    hidden?: ReadonlySet<number>;
    unit: Unit;
  };
}

export function attachTooltip(plot: uPlot, source: Source): void {
  const box = document.createElement("div");
  box.className = styles.tooltip ?? "";
  box.hidden = true;
  plot.over.append(box);

  const show = (self: uPlot): void => {
    const { idx, left, top } = self.cursor;
    // Synced charts move their cursors too; only the one under the mouse explains itself.
    const foreign = !self.over.matches(":hover");
    if (foreign || idx === null || idx === undefined || left === undefined || left < 0) {
      box.hidden = true;
      return;
    }
    const { lines, hidden, unit } = source.current;
    const { top: shown, more } = readings(lines.map((line) => line.values), hidden ?? new Set(), idx, LINES_MAX);
    const head = element("div", styles.tooltipTime, formatDateTime(Number(self.data[0][idx]) * 1_000));
    const rows = shown.map(({ line, value }) => {
      const row = element("div", styles.tooltipRow);
      const swatch = element("span", styles.swatch);
      swatch.style.background = seriesColor(line);
      row.append(swatch, element("span", styles.tooltipLabel, lines[line]?.label ?? ""), element("b", undefined, formatUnit(value, unit)));
      return row;
    });
    if (more > 0) rows.push(element("div", styles.tooltipTime, `and ${more} more`));
    box.replaceChildren(head, ...rows);
    box.hidden = shown.length === 0;
    place(box, self.over, left, top ?? 0);
  };
  (plot.hooks.setCursor ??= []).push(show);
}

function place(box: HTMLElement, area: HTMLElement, left: number, top: number): void {
  const right = left + box.offsetWidth + 24 > area.clientWidth;
  box.style.left = `${right ? Math.max(0, left - box.offsetWidth - 12) : left + 12}px`;
  box.style.top = `${Math.max(-6, Math.min(top - 10, area.clientHeight - box.offsetHeight))}px`;
}

function element(tag: string, className?: string, text?: string): HTMLElement {
  const made = document.createElement(tag);
  if (className !== undefined) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
