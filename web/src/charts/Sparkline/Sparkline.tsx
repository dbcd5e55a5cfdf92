/** A line the size of a word. */

import type { ReactNode } from "react";
import { sparkPath } from "./model.ts";

export function Sparkline({ values, color, width, height, fill = false }: { values: ArrayLike<number>; color: string; width: number; height: number; fill?: boolean }): ReactNode {
  const path = sparkPath(values, width, height);
  return (
    <svg width="100%" height={height} viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true" focusable="false" style={{ display: "block" }}>
      {fill && path !== "" && !path.slice(1).includes("M") && <path d={`${path}L${width} ${height}L0 ${height}Z`} fill={color} opacity="0.12" />}
      <path d={path} fill="none" stroke={color} strokeWidth="1.4" vectorEffect="non-scaling-stroke" strokeLinejoin="round" />
    </svg>
  );
}
