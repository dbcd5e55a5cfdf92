/** Icons drawn on a 16 by 16 grid with one stroke. They are decoration: the name of a control is its label. */

import type { ReactNode } from "react";

const SHAPES = {
  home: "M2.5 7 8 2.5 13.5 7M4 6v7h8V6M6.75 13V9.5h2.5V13",
  metrics: "M2 13.5h12M2.5 10.5l3-4 3 2.5 5-6.5",
  logs: "M2.5 3.5h11M2.5 6.5h7M2.5 9.5h11M2.5 12.5h5",
  traces: "M2 3.5h7M5 8h6M9 12.5h5",
  alerts: "M8 2.5c2.3 0 3.8 1.7 3.8 4 0 3 1.2 4 1.2 4H3s1.2-1 1.2-4c0-2.3 1.5-4 3.8-4zM6.7 13.2c.6.7 2 .7 2.6 0",
  targets: "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11zM8 6.3a1.7 1.7 0 1 1 0 3.4 1.7 1.7 0 0 1 0-3.4zM8 1v2.5M8 12.5V15M1 8h2.5M12.5 8H15",
  cardinality: "M2.5 3.5h11M2.5 6.8h8M2.5 10.1h5M2.5 13.4h2.5M13.5 3.5v10l-2-2M13.5 13.5l2-2",
  status: "M2.5 3.5h11v4h-11zM2.5 9.5h11v4h-11zM5 5.5v.1M5 11.5v.1M8 5.5h3.5M8 11.5h3.5",
  silence: "M8 2.5c2.3 0 3.8 1.7 3.8 4 0 3 1.2 4 1.2 4H3s1.2-1 1.2-4c0-2.3 1.5-4 3.8-4zM6.7 13.2c.6.7 2 .7 2.6 0M2.5 2.5l11 11",
  send: "M13.5 2.5 2.5 7l4.5 2 2 4.5zM7 9l6.5-6.5",
  route: "M3.5 3.5h3v3h-3zM9.5 9.5h3v3h-3zM5 6.5V11h4.5M6.5 5h4.5v4.5",
  search: "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.3 10.3 13.5 13.5",
  clock: "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11zM8 5v3.2l2 1.3",
  refresh: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v2.7h-2.7",
  sun: "M8 5.3a2.7 2.7 0 1 1 0 5.4 2.7 2.7 0 0 1 0-5.4zM8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  moon: "M13 9.5A5.5 5.5 0 1 1 6.5 3a4.5 4.5 0 0 0 6.5 6.5z",
  system: "M2.5 3.5h11v7h-11zM6 13h4M8 10.5V13",
  help: "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11zM6.4 6.4c.2-2 3.2-1.9 3.2 0 0 1.2-1.6 1.3-1.6 2.6M8 11.2v.1",
  chevronRight: "M6 3.5 10.5 8 6 12.5",
  chevronDown: "M3.5 6 8 10.5 12.5 6",
  chevronLeft: "M10 3.5 5.5 8l4.5 4.5",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  check: "M3 8.5 6.5 12 13 4.5",
  play: "M5 3.5v9l7.5-4.5z",
  plus: "M8 3.5v9M3.5 8h9",
  minus: "M3.5 8h9",
  filter: "M2.5 3.5h11L9.5 8.5v4l-3 1v-5z",
  link: "M6.5 9.5l3-3M7 4.5l1-1a3 3 0 0 1 4.3 4.3l-1 1M9 11.5l-1 1a3 3 0 0 1-4.3-4.3l1-1",
  warning: "M8 2.5 14.3 13.5H1.7zM8 6.5v3.3M8 11.6v.1",
  zoomOut: "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.3 10.3 13.5 13.5M5 7h4",
  table: "M2.5 3.5h11v9h-11zM2.5 6.5h11M6.5 6.5v6",
  service: "M8 2.2 13.2 5v6L8 13.8 2.8 11V5zM2.8 5 8 7.8 13.2 5M8 7.8v6",
} as const;

export type IconName = keyof typeof SHAPES;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): ReactNode {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      <path d={SHAPES[name]} />
    </svg>
  );
}
