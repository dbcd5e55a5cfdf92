/** The pure half of the Cardinality page. */

import type { Cardinality, MetricCount, Order, PairCount } from "../../api/cardinality.ts";
import type { Stack } from "../../charts/Bars/model.ts";
import type { CardinalityView, Only, Sort } from "./url.ts";

export const METRIC_NAME = "__name__";

/** A name of a label as it stands in a selector. */
function labelName(name: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : JSON.stringify(name);
}

/** The selector of series that have all pairs; of none the empty text. */
export function selectorOf(only: readonly Only[]): string {
  if (only.length === 0) return "";
  const metric = only.find(([label]) => label === METRIC_NAME)?.[1];
  const isPlain = metric !== undefined && /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(metric);
  const rest = only.filter(([label]) => label !== METRIC_NAME || !isPlain).map(([label, value]) => `${labelName(label)}=${JSON.stringify(value)}`);
  return `${isPlain ? metric : ""}${rest.length === 0 ? "" : `{${rest.join(",")}}`}`;
}

/** A selector that finds something even when nothing was chosen: PromQL has none for all series. */
export function queryOf(only: readonly Only[]): string {
  return only.length === 0 ? `{${METRIC_NAME}!=""}` : selectorOf(only);
}

/** How many series each value of a label has. */
export function countBy(label: string, only: readonly Only[]): string {
  return `sort_desc(count by (${labelName(label)}) (${queryOf(only)}))`;
}

/** One step further down. The label that was listed is left: it has one value now. */
export function narrowed(view: CardinalityView, label: string, value: string): CardinalityView {
  const only = [...view.only.filter(([name]) => name !== label), [label, value] as const];
  return { ...view, only, label: view.label === label ? "" : view.label, find: "", unasked: false };
}

/** One step back up. */
export function widened(view: CardinalityView, label: string): CardinalityView {
  return { ...view, only: view.only.filter(([name]) => name !== label) };
}

/** What the server is to sort by, so that its first entries are the first of the page. */
export function orderOf(sort: Sort): Order {
  return sort === "bytes" || sort === "created" ? sort : "series";
}

/** The metrics of a view, sorted. */
export function metricsOf(counted: Cardinality, view: CardinalityView): MetricCount[] {
  const words = wordsOf(view.find);
  const found = counted.metrics.filter((metric) => (!view.unasked || metric.queries === 0) && contains(metric.name, words));
  const by = (left: MetricCount, right: MetricCount): number => {
    if (view.sort === "name") return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
    return right[view.sort] - left[view.sort] || right.series - left.series || (left.name < right.name ? -1 : 1);
  };
  return found.sort(by);
}

/** The pairs of a view: of one label, or the largest of all but the name of the metric. */
export function pairsOf(counted: Cardinality, view: CardinalityView): PairCount[] {
  const words = wordsOf(view.find);
  const wanted = (pair: PairCount): boolean => (view.label === "" ? pair.name !== METRIC_NAME : pair.name === view.label);
  const by = (left: PairCount, right: PairCount): number => (view.sort === "bytes" ? right.bytes - left.bytes : 0) || right.series - left.series;
  return counted.pairs.filter((pair) => wanted(pair) && contains(`${pair.name} ${pair.value}`, words)).sort(by);
}

/** The metric that was drilled into; null when there is none. */
export function metricOf(view: CardinalityView): string | null {
  return view.only.find(([label]) => label === METRIC_NAME)?.[1] ?? null;
}

/** New series as bars. */
export function churn(counted: Cardinality): Stack {
  const [first] = counted.createdByStep;
  return { startMs: first?.[0] ?? 0, stepMs: Math.max(1, counted.stepMs), layers: ["new series"], counts: [Float64Array.from(counted.createdByStep, ([, created]) => created)] };
}

/** Bytes of a sample; NaN when there are none in segments. */
export function bytesPerRow({ rows, bytes }: { rows: number; bytes: number }): number {
  return rows === 0 || bytes === 0 ? Number.NaN : bytes / rows;
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().split(/\s+/).filter((word) => word !== "");
}

function contains(text: string, words: readonly string[]): boolean {
  const lower = text.toLowerCase();
  return words.every((word) => lower.includes(word));
}
