/** The pure half of the Routing page. */

import type { DeskAlert } from "../../api/alertmanager.ts";
import type { RouteMatch, RouteNode, Timings } from "../../api/alerting.ts";
import type { Labels } from "../../api/prometheus.ts";

/** How the way of an alert touches a node: it ends there, passes through, or does not come by. */
export type Touch = "end" | "through" | "none";

export function touchOf(path: readonly number[], matches: readonly RouteMatch[]): Touch {
  const begins = (match: RouteMatch): boolean => path.every((step, index) => match.path[index] === step);
  const touching = matches.filter(begins);
  if (touching.some((match) => match.path.length === path.length)) return "end";
  return touching.length > 0 ? "through" : "none";
}

/** What a node says of its timings that its parent does not say; everything of the root. */
export function ownTimings(node: Timings, parent: Timings | null): string[] {
  const said: [string, string, string][] = [
    ["grouped by", grouping(node), parent === null ? "" : grouping(parent)],
    ["first told after", node.groupWait, parent?.groupWait ?? ""],
    ["changes after", node.groupInterval, parent?.groupInterval ?? ""],
    ["repeated after", node.repeatInterval, parent?.repeatInterval ?? ""],
  ];
  return said.filter(([, own, above]) => own !== "" && own !== above).map(([name, own]) => `${name} ${own}`);
}

function grouping({ groupBy }: Timings): string {
  if (groupBy.includes("...")) return "all labels";
  return groupBy.length === 0 ? "nothing" : groupBy.join(", ");
}

/** Nodes of the tree. */
export function size(node: RouteNode): number {
  return 1 + node.routes.reduce((sum, child) => sum + size(child), 0);
}

/** The matchers on the way to a node, one set a step; empty where the path leads nowhere. */
export function stepsTo(tree: RouteNode, path: readonly number[]): string[][] {
  const steps: string[][] = [];
  let node: RouteNode | undefined = tree;
  for (const index of path) {
    node = node.routes[index];
    if (node === undefined) return [];
    steps.push(node.matchers);
  }
  return steps;
}

/** Alerts to choose from: one of each set of labels, by name. */
export function choices(alerts: readonly DeskAlert[]): { key: string; name: string; labels: Labels }[] {
  const found = new Map(alerts.map(({ labels }) => [JSON.stringify(labels), labels]));
  return [...found].map(([key, labels]) => {
    const others = Object.entries(labels).filter(([name]) => name !== "alertname").map(([name, value]) => `${name}=${value}`);
    return { key, name: [labels["alertname"] ?? "alert", ...others].join(" "), labels };
  }).sort((left, right) => (left.name < right.name ? -1 : 1));
}
