/** The service map: boxes in columns from callers to called, lines as thick as they are busy and red where they fail. */

import { useMemo, type ReactNode } from "react";
import type { ServiceEdge, ServiceMap, ServiceNode } from "../../../api/service_map.ts";
import { formatMicros } from "../../../time/duration.ts";
import { formatNumber, formatShare } from "../../../ui/number.ts";
import { layout, type Point } from "../layout.ts";
import { errorShare, healthOf, merged, thickness } from "../model.ts";
import styles from "../services.module.css";

const BOX = { width: 148, height: 44 };
const GAP = { column: 84, row: 20 };
const MARGIN = 12;
/** Longer names are cut in the box; the whole name is in the tooltip. */
const NAME_MAX = 20;
const KIND_WORDS: Record<ServiceNode["kind"], string> = { service: "service", database: "database", external: "not traced", user: "from outside" };

const left = ({ column }: Point): number => MARGIN + column * (BOX.width + GAP.column);
const middle = ({ row }: Point): number => MARGIN + row * (BOX.height + GAP.row) + BOX.height / 2;

export function Map({ map, chosen, onChoose }: { map: ServiceMap; chosen: string; onChoose: (service: string) => void }): ReactNode {
  const edges = useMemo(() => merged(map.edges), [map]);
  const placed = useMemo(() => layout(map.nodes.map((node) => node.name), edges), [map, edges]);
  const most = Math.max(0, ...edges.map((edge) => edge.rate));
  const width = 2 * MARGIN + placed.columns * BOX.width + Math.max(0, placed.columns - 1) * GAP.column;
  const height = 2 * MARGIN + placed.rows * (BOX.height + GAP.row) - GAP.row;
  return (
    <div className={styles.mapScroll}>
      <svg className={styles.map} width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="group" aria-label="Service map" data-chart="service-map">
        {edges.map((edge, index) => <Line key={`${edge.client} ${edge.server}`} edge={edge} points={placed.paths[index] ?? []} most={most} />)}
        {map.nodes.map((node) => {
          const place = placed.places.get(node.name);
          return place === undefined ? null : <Box key={node.name} node={node} x={left(place)} y={middle(place) - BOX.height / 2} isChosen={node.name === chosen} onChoose={onChoose} />;
        })}
      </svg>
    </div>
  );
}

function Line({ edge, points, most }: { edge: ServiceEdge; points: readonly Point[]; most: number }): ReactNode {
  if (points.length < 2) return null;
  const said = `${edge.client} calls ${edge.server}: ${words(edge)}`;
  const path = curve(points);
  const last = points.at(-1);
  const isBack = last !== undefined && points[0] !== undefined && last.column < points[0].column;
  const tip = last === undefined ? "" : isBack ? arrow(left(last) + BOX.width, middle(last), 1) : arrow(left(last), middle(last), -1);
  return (
    <g className={styles.edge} data-health={healthOf(edge)} role="img" aria-label={said} data-testid="map-edge">
      <title>{said}</title>
      <path d={path} className={styles.reach} />
      <path d={path} className={styles.line} strokeWidth={thickness(edge.rate, most)} />
      <path d={tip} className={styles.tip} />
    </g>
  );
}

/** A line through the points: out of one side of a box, straight along free places, into the other. */
function curve(points: readonly Point[]): string {
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined) return "";
  const isBack = last.column < first.column;
  const out = (point: Point): number => left(point) + (isBack ? 0 : BOX.width);
  const into = (point: Point): number => left(point) + (isBack ? BOX.width : 0);
  let text = `M${out(first)} ${middle(first)}`;
  let from = { x: out(first), y: middle(first) };
  points.slice(1).forEach((point, index) => {
    const to = { x: into(point), y: middle(point) };
    const bend = (to.x - from.x) / 2;
    text += `C${from.x + bend} ${from.y} ${to.x - bend} ${to.y} ${to.x} ${to.y}`;
    if (index < points.length - 2) text += `H${out(point)}`;
    from = { x: out(point), y: to.y };
  });
  return text;
}

function arrow(x: number, y: number, direction: 1 | -1): string {
  return `M${x} ${y}l${direction * 8} -4.5v9z`;
}

function Box({ node, x, y, isChosen, onChoose }: { node: ServiceNode; x: number; y: number; isChosen: boolean; onChoose: (service: string) => void }): ReactNode {
  const canOpen = node.kind === "service";
  const choose = canOpen ? { role: "button", tabIndex: 0, onClick: () => onChoose(isChosen ? "" : node.name) } : { role: "img" };
  const name = node.name.length > NAME_MAX ? `${node.name.slice(0, NAME_MAX - 1)}…` : node.name;
  const said = `${node.name}, ${KIND_WORDS[node.kind]}: ${words(node)}`;
  return (
    <g
      {...choose}
      className={styles.box}
      data-kind={node.kind}
      data-health={healthOf(node)}
      data-chosen={isChosen}
      data-testid="map-node"
      aria-label={said}
      onKeyDown={(event) => {
        if (!canOpen || (event.key !== "Enter" && event.key !== " ")) return;
        event.preventDefault();
        onChoose(isChosen ? "" : node.name);
      }}
    >
      <title>{said}</title>
      <rect x={x} y={y} width={BOX.width} height={BOX.height} rx={node.kind === "database" ? 14 : 6} />
      <text x={x + 11} y={y + 18} className={styles.boxName}>{name}</text>
      <text x={x + 11} y={y + 34} className={styles.boxNote}>{node.kind === "service" ? short(node) : KIND_WORDS[node.kind]}</text>
      <rect x={x} y={y + 6} width={3} height={BOX.height - 12} rx={1.5} className={styles.boxHealth} />
    </g>
  );
}

function short(node: ServiceNode): string {
  const rate = `${formatNumber(node.rate)}/s`;
  return errorShare(node) > 0 ? `${rate}, ${formatShare(errorShare(node))} fail` : Number.isNaN(node.p95) ? rate : `${rate}, ${formatMicros(node.p95 * 1e6)}`;
}

function words(measured: ServiceNode | ServiceEdge): string {
  const share = errorShare(measured);
  return [
    `${formatNumber(measured.rate)} a second`,
    Number.isNaN(share) ? "" : `${formatShare(share)} fail`,
    Number.isNaN(measured.p50) ? "" : `median ${formatMicros(measured.p50 * 1e6)}`,
    Number.isNaN(measured.p95) ? "" : `95 % below ${formatMicros(measured.p95 * 1e6)}`,
  ].filter((part) => part !== "").join(", ");
}
