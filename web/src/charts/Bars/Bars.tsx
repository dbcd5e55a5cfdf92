/** Stacked bars over time; dragging over them zooms. */

import { memo, useRef, useState, type PointerEvent, type ReactNode } from "react";
import { formatDateTime, formatTick } from "../../time/format.ts";
import type { TimeWindow } from "../../time/range.ts";
import { axisTicks } from "../../time/step.ts";
import { count, formatNumber } from "../../ui/number.ts";
import { bucketCount, bucketWindow, highest, total, totalAt, type Stack } from "./model.ts";
import styles from "./bars.module.css";

/** A tick further to the right would stick out. */
const AXIS_END = 0.98;
const TICKS = 12;

export const Bars = memo(function Bars({ label, stacked, colors, height, noun, onZoom }: {
  label: string;
  stacked: Stack;
  /** Colour of each layer. */
  colors: readonly string[];
  height: number;
  /** What is counted, singular. */
  noun: string;
  onZoom: (window: TimeWindow) => void;
}): ReactNode {
  const area = useRef<HTMLDivElement>(null);
  const [hover, setHover] = useState<number | null>(null);
  const [drag, setDrag] = useState<number | null>(null);
  const buckets = bucketCount(stacked);
  const maximum = highest(stacked);
  const at = (event: PointerEvent): number => {
    const box = area.current?.getBoundingClientRect();
    if (box === undefined || box.width === 0) return 0;
    return Math.min(buckets - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * buckets)));
  };
  return (
    <div className={styles.root}>
      <span className={styles.maximum}>{formatNumber(maximum)}</span>
      <div
        ref={area}
        role="img"
        aria-label={`${label}: ${count(total(stacked), noun)}`}
        data-chart="bars"
        className={styles.area}
        style={{ height }}
        onPointerMove={(event) => setHover(at(event))}
        onPointerLeave={() => setHover(null)}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag(at(event));
        }}
        onPointerUp={(event) => {
          if (drag !== null) onZoom(bucketWindow(stacked, drag, at(event)));
          setDrag(null);
        }}
      >
        <Columns stacked={stacked} colors={colors} height={height} maximum={maximum} />
        {hover !== null && <Marker from={drag ?? hover} to={hover} buckets={buckets} />}
        {hover !== null && <Tip stacked={stacked} colors={colors} bucket={hover} />}
      </div>
      <Axis stacked={stacked} />
    </div>
  );
});

const Columns = memo(function Columns({ stacked, colors, height, maximum }: { stacked: Stack; colors: readonly string[]; height: number; maximum: number }): ReactNode {
  const buckets = bucketCount(stacked);
  const columns: ReactNode[] = [];
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    let base = height;
    stacked.counts.forEach((layer, index) => {
      const value = layer[bucket] ?? 0;
      if (value === 0) return;
      const size = Math.max(1, (value / maximum) * (height - 2));
      base -= size;
      columns.push(<rect key={`${bucket} ${index}`} x={bucket + 0.08} width={0.84} y={base} height={size} fill={colors[index]} />);
    });
  }
  return <svg className={styles.columns} viewBox={`0 0 ${buckets} ${height}`} preserveAspectRatio="none" aria-hidden="true">{columns}</svg>;
});

function Marker({ from, to, buckets }: { from: number; to: number; buckets: number }): ReactNode {
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  return <div className={styles.marker} style={{ left: `${(first / buckets) * 100}%`, width: `${((last - first + 1) / buckets) * 100}%` }} />;
}

function Tip({ stacked, colors, bucket }: { stacked: Stack; colors: readonly string[]; bucket: number }): ReactNode {
  const share = (bucket + 0.5) / bucketCount(stacked);
  return (
    <div className={styles.tip} style={share > 0.6 ? { right: `${(1 - share) * 100 + 1}%` } : { left: `${share * 100 + 1}%` }}>
      <div className={styles.tipTime}>{formatDateTime(stacked.startMs + bucket * stacked.stepMs)}</div>
      {stacked.layers.map((layer, index) => {
        const value = stacked.counts[index]?.[bucket] ?? 0;
        return value === 0 ? null : (
          <div key={layer} className={styles.tipRow}>
            <span className={styles.swatch} style={{ background: colors[index] }} />
            {layer}
            <b>{formatNumber(value)}</b>
          </div>
        );
      }).reverse()}
      {totalAt(stacked, bucket) === 0 && <div>nothing</div>}
    </div>
  );
}

function Axis({ stacked }: { stacked: Stack }): ReactNode {
  const buckets = bucketCount(stacked);
  const window = { startMs: stacked.startMs, endMs: stacked.startMs + buckets * stacked.stepMs };
  const share = (tick: number): number => (tick - window.startMs) / (window.endMs - window.startMs);
  return (
    <div className={styles.axis} aria-hidden="true">
      {axisTicks(window, TICKS, new Date(window.endMs).getTimezoneOffset()).filter((tick) => share(tick) < AXIS_END).map((tick) => (
        <span key={tick} style={{ left: `${share(tick) * 100}%` }}>{formatTick(tick, window)}</span>
      ))}
    </div>
  );
}
