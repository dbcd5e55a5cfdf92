/** Lines across and stretches of time behind a chart of lines, drawn on its canvas. */

import type uPlot from "uplot";
import { resolveColor } from "../color.ts";

/** Stretches that are shorter than this many pixels could not be seen. */
const BAND_MIN = 2;

export function drawBands(plot: uPlot, bands: readonly { startMs: number; endMs: number; tone: "bad" | "warn" }[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  for (const band of bands) {
    const left = Math.max(bbox.left, plot.valToPos(band.startMs / 1_000, "x", true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(band.endMs / 1_000, "x", true));
    if (!(right >= bbox.left) || !(left <= bbox.left + bbox.width)) continue;
    ctx.fillStyle = resolveColor(band.tone === "bad" ? "var(--bad-soft)" : "var(--warn-soft)");
    ctx.fillRect(left, bbox.top, Math.max(BAND_MIN, right - left), bbox.height);
  }
  ctx.restore();
}

export function drawMarks(plot: uPlot, marks: readonly { value: number; label: string; tone: "bad" | "good" }[]): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = `${11 * ratio}px ${resolveColor("var(--font)")}`;
  ctx.textAlign = "right";
  for (const mark of marks) {
    const top = Math.round(plot.valToPos(mark.value, "y", true)) + 0.5;
    if (top < bbox.top - 1 || top > bbox.top + bbox.height + 1) continue;
    const color = resolveColor(`var(--${mark.tone})`);
    ctx.strokeStyle = color;
    ctx.lineWidth = ratio;
    ctx.setLineDash([5 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, top);
    ctx.lineTo(bbox.left + bbox.width, top);
    ctx.stroke();
    ctx.fillStyle = color;
    // Above the line where there is room, below it at the upper edge.
    const isHigh = top - bbox.top < 16 * ratio;
    ctx.textBaseline = isHigh ? "top" : "bottom";
    ctx.fillText(mark.label, bbox.left + bbox.width - 4 * ratio, top + (isHigh ? 3 : -2) * ratio);
  }
  ctx.restore();
}
