/** Lines over time on a canvas. The values go to uPlot as they are: typed arrays, never copied into component state. */

import { useEffect, useLayoutEffect, useRef, type ReactNode } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { TimeWindow } from "../../time/range.ts";
import { formatTick } from "../../time/format.ts";
import { onThemeChange } from "../../ui/theme.ts";
import { resolveColor, seriesColor } from "../color.ts";
import { formatUnit, type Unit } from "../unit.ts";
import { drawBands, drawMarks } from "./marks.ts";
import { extent, gapsOf, lonely, reaching, valueRange } from "./model.ts";
import { attachTooltip } from "./tooltip.ts";
import styles from "./time_series.module.css";

export interface Line {
  label: string;
  values: Float64Array;
}

/** A value that is drawn across: a threshold. */
export interface Mark {
  value: number;
  label: string;
  tone: "bad" | "good";
}

/** A stretch of time behind the lines: when something fired. */
export interface Band {
  startMs: number;
  endMs: number;
  tone: "bad" | "warn";
}

interface Props {
  /** Accessible name. */
  label: string;
  /** Seconds since the epoch. */
  times: Float64Array;
  lines: readonly Line[];
  window: TimeWindow;
  height: number;
  unit: Unit;
  hidden?: ReadonlySet<number>;
  /** The line that stands out. */
  focus?: number | null;
  /** Charts with the same key move their cursors together. */
  syncKey?: string;
  onZoom?: (window: TimeWindow) => void;
  marks?: readonly Mark[];
  bands?: readonly Band[];
}

/** Steps of an axis of bytes: whole KiB, MiB and so on. */
const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const NONE: ReadonlySet<number> = new Set();

export function TimeSeries(props: Props): ReactNode {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const { label, times, lines, window, height, unit, hidden = NONE, focus = null, marks, bands } = props;

  // A plot lives as long as its lines: other data means other series, and building one costs a millisecond.
  useLayoutEffect(() => {
    const element = host.current;
    if (element === null) return;
    const built = build(element, latest);
    plot.current = built;
    const resize = new ResizeObserver(() => built.setSize({ width: element.clientWidth, height: latest.current.height }));
    resize.observe(element);
    const stopTheme = onThemeChange(() => built.redraw(false));
    return () => {
      resize.disconnect();
      stopTheme();
      built.destroy();
      plot.current = null;
    };
  }, [times, lines, unit, height]);

  useEffect(() => {
    plot.current?.setScale("x", { min: window.startMs / 1_000, max: window.endMs / 1_000 });
  }, [window, times]);

  useEffect(() => {
    const built = plot.current;
    if (built === null) return;
    built.batch(() => {
      lines.forEach((_, index) => {
        if (built.series[index + 1]?.show !== !hidden.has(index)) built.setSeries(index + 1, { show: !hidden.has(index) });
      });
    });
    built.redraw(false);
  }, [hidden, focus, lines, bands]);

  // A mark may lie outside of what the lines reach: the axis has to reach it.
  useEffect(() => plot.current?.redraw(true, true), [marks]);

  const said = (marks ?? []).map((mark) => `, ${mark.label}`).join("");
  return <div ref={host} role="img" aria-label={`${label}: ${lines.length} lines${said}`} className={styles.chart} style={{ height }} data-chart="time-series" />;
}

function build(element: HTMLElement, latest: { readonly current: Props }): uPlot {
  const { times, lines, window, height, unit, syncKey } = latest.current;
  const chartText = (): string => resolveColor("var(--chart-text)");
  const grid = { stroke: () => resolveColor("var(--chart-grid)"), width: 1 };
  const font = `11px ${resolveColor("var(--font)")}`;
  const options: uPlot.Options = {
    width: element.clientWidth,
    height,
    padding: [10, 12, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
      focus: { prox: 24 },
      ...(syncKey === undefined ? {} : { sync: { key: syncKey, setSeries: false } }),
    },
    focus: { alpha: 0.25 },
    scales: {
      x: { time: true, min: window.startMs / 1_000, max: window.endMs / 1_000, auto: false },
      // uPlot's own minimum and maximum are spoiled by a line that begins with a gap.
      y: { range: (self) => valueRange(...reaching(extent(lines.filter((_, index) => self.series[index + 1]?.show !== false).map((line) => line.values), ...(self.series[0]?.idxs ?? [0, times.length - 1])), latest.current.marks ?? [])) },
    },
    axes: [
      {
        stroke: chartText,
        grid,
        ticks: { show: false },
        font,
        gap: 6,
        size: 26,
        space: 64,
        values: (_, splits) => splits.map((split) => formatTick(split * 1_000, latest.current.window)),
      },
      {
        stroke: chartText,
        grid,
        ticks: { show: false },
        font,
        gap: 6,
        ...(unit === "bytes" || unit === "bytes-per-second" ? { incrs: BINARY_STEPS } : {}),
        size: (_, values) => 14 + Math.max(24, ...(values ?? []).map((value) => value.length * 6.4)),
        values: (_, splits) => splits.map((split) => formatUnit(split, unit)),
      },
    ],
    series: [{}, ...lines.map((line, index) => seriesOptions(line, index, latest))],
    hooks: {
      setSelect: [(self) => zoom(self, latest.current)],
      drawClear: [(self) => drawBands(self, latest.current.bands ?? [])],
      draw: [(self) => drawMarks(self, latest.current.marks ?? [])],
    },
  };
  const plot = new uPlot(options, [times, ...lines.map((line) => line.values)] as uPlot.AlignedData, element);
  attachTooltip(plot, latest);
  return plot;
}

function seriesOptions(line: Line, index: number, latest: { readonly current: Props }): uPlot.Series {
  const color = (): string => {
    const { focus } = latest.current;
    const base = resolveColor(seriesColor(index));
    return focus === undefined || focus === null || focus === index ? base : `color-mix(in srgb, ${base} 18%, transparent)`;
  };
  return {
    label: line.label,
    stroke: color,
    width: 1.5,
    show: latest.current.hidden?.has(index) !== true,
    spanGaps: false,
    gaps: (self, _series, from, to) => gapsOf(line.values, from, to).map(([before, after]) => [position(self, before), position(self, after)]),
    points: { show: true, size: 4, filter: () => lonely(line.values) },
  };
}

function position(plot: uPlot, index: number): number {
  return Math.round(plot.valToPos(Number(plot.data[0][index]), "x", true));
}

function zoom(plot: uPlot, props: Props): void {
  const { left, width } = plot.select;
  if (width < 4 || props.onZoom === undefined) return;
  const [start, end] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
  plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  if (end - start >= 1) props.onZoom({ startMs: Math.round(start * 1_000), endMs: Math.round(end * 1_000) });
}
