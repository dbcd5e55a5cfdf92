/** The pure half of the pages of traces: the tree of spans, its rows, summaries, the language of tags. */

import type { Span, Trace } from "../../api/jaeger.ts";
import type { FoundTrace } from "../../api/tempo.ts";
import { printSeconds } from "../../time/duration.ts";
import type { Sort } from "./url.ts";

/** A span in its tree. */
export interface Node {
  span: Span;
  depth: number;
  children: Node[];
  /** Spans below it, at any depth. */
  descendants: number;
  /** Whether a span below it failed. */
  failedBelow: boolean;
}

export interface Tree {
  roots: Node[];
  startMicros: number;
  endMicros: number;
}

/** Spans as a tree. A span whose parent is missing is a root; a ring of parents is cut where it is entered. */
export function toTree(spans: readonly Span[]): Tree {
  const nodes = new Map<string, Node>();
  for (const span of spans) nodes.set(span.spanId, { span, depth: 0, children: [], descendants: 0, failedBelow: false });
  const roots: Node[] = [];
  for (const node of nodes.values()) {
    const parent = node.span.parentId === "" ? undefined : nodes.get(node.span.parentId);
    if (parent === undefined || parent === node) roots.push(node);
    else parent.children.push(node);
  }
  const reached = order(roots);
  for (const node of nodes.values()) {
    if (reached.has(node)) continue;
    roots.push(node);
    for (const member of order([node], reached)) reached.add(member);
  }
  roots.sort(byStart);
  const [startMicros, endMicros] = extent(spans);
  return { roots, startMicros, endMicros };
}

/** Walks the nodes not yet in `seen`, sets depths and sums, cuts edges to nodes already seen. Without recursion: traces are deep. */
function order(roots: readonly Node[], seen: ReadonlySet<Node> = new Set()): Set<Node> {
  const walked = new Set<Node>();
  const stack = [...roots];
  for (const root of roots) walked.add(root);
  while (stack.length > 0) {
    const node = stack.pop();
    if (node === undefined) break;
    node.children = node.children.filter((child) => !walked.has(child) && !seen.has(child));
    node.children.sort(byStart);
    for (const child of node.children) {
      child.depth = node.depth + 1;
      walked.add(child);
      stack.push(child);
    }
  }
  for (const node of [...walked].reverse()) {
    for (const child of node.children) {
      node.descendants += child.descendants + 1;
      node.failedBelow ||= child.span.failed || child.failedBelow;
    }
  }
  return walked;
}

function byStart(left: Node, right: Node): number {
  return left.span.startMicros - right.span.startMicros;
}

/** First start and last end of the spans. */
export function extent(spans: readonly Span[]): [number, number] {
  let [start, end] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const span of spans) {
    start = Math.min(start, span.startMicros);
    end = Math.max(end, span.startMicros + span.durationMicros);
  }
  return spans.length === 0 ? [0, 0] : [start, Math.max(end, start)];
}

/** The rows that are seen: the tree from top to bottom without what is folded. */
export function visibleRows(tree: Tree, folded: ReadonlySet<string>): Node[] {
  const rows: Node[] = [];
  const stack = [...tree.roots].reverse();
  while (stack.length > 0) {
    const node = stack.pop();
    if (node === undefined) break;
    rows.push(node);
    if (!folded.has(node.span.spanId)) for (let index = node.children.length - 1; index >= 0; index -= 1) stack.push(node.children[index] as Node);
  }
  return rows;
}

/** Whether a span contains the text: in its operation, service, or an attribute. */
export function matchesText(span: Span, text: string): boolean {
  const wanted = text.toLowerCase();
  return [span.operation, span.service, ...span.attributes.flatMap((each) => [each.key, each.value])].some((each) => each.toLowerCase().includes(wanted));
}

/** Whether the clock of a span disagrees with that of its parent, by what the server says of it: it was moved, or would have to be. */
export function isSkewed(span: Span): boolean {
  return span.warnings.some((warning) => /timestamps were adjusted|calculated delta/u.test(warning));
}

export interface Summary {
  id: string;
  service: string;
  operation: string;
  startMs: number;
  durationMicros: number;
  spans: number;
  errors: number;
  /** Services with how many spans each, most first. */
  services: [string, number][];
}

const METRICS = /\s*\|\s*(?:rate|count_over_time|(?:min|max|avg|sum|quantile|histogram)_over_time|compare)\s*\(.*$/su;

/** The search in a TraceQL query: of one that makes series, such as an alert's, the spans it makes them of. */
export function searchOf(query: string): string {
  const search = query.replace(METRICS, "");
  return search === query ? query : search.replace(/^\s*\(+\s*(?=\{)/u, "");
}

/** The same of a trace that TraceQL found. */
export function summarizeFound(found: FoundTrace): Summary {
  const sum = (each: (service: FoundTrace["services"][number]) => number): number => found.services.reduce((total, service) => total + each(service), 0);
  const services = found.services.map(({ service, spans }): [string, number] => [service, spans]);
  return {
    id: found.id,
    service: found.service,
    operation: found.operation,
    startMs: found.startMs,
    durationMicros: found.durationMs * 1_000,
    spans: sum((service) => service.spans),
    errors: sum((service) => service.errors),
    services: services.sort((left, right) => right[1] - left[1]),
  };
}

export function summarize(trace: Trace): Summary {
  const [start, end] = extent(trace.spans);
  const ids = new Set(trace.spans.map((span) => span.spanId));
  const root = trace.spans.find((span) => span.parentId === "") ?? trace.spans.find((span) => !ids.has(span.parentId)) ?? trace.spans[0];
  const services = new Map<string, number>();
  for (const span of trace.spans) services.set(span.service, (services.get(span.service) ?? 0) + 1);
  return {
    id: trace.id,
    service: root?.service ?? "",
    operation: root?.operation ?? "",
    startMs: start / 1_000,
    durationMicros: end - start,
    spans: trace.spans.length,
    errors: trace.spans.filter((span) => span.failed).length,
    services: [...services].sort(([leftName, left], [rightName, right]) => right - left || (leftName < rightName ? -1 : 1)),
  };
}

const ORDERS: Record<Sort, (left: Summary, right: Summary) => number> = {
  newest: (left, right) => right.startMs - left.startMs,
  longest: (left, right) => right.durationMicros - left.durationMicros,
  spans: (left, right) => right.spans - left.spans,
  errors: (left, right) => right.errors - left.errors || right.startMs - left.startMs,
};

export function sorted(summaries: readonly Summary[], sort: Sort): Summary[] {
  return [...summaries].sort(ORDERS[sort]);
}

/** `key=value` pairs, values in quotes where they hold spaces; an error says what is wrong. */
export function parseTags(text: string): { tags: Record<string, string>; error: string | null } {
  const tags: Record<string, string> = {};
  let rest = text.trim();
  while (rest !== "") {
    const pair = /^([^\s="]+)=("((?:[^"\\]|\\.)*)"|[^\s"]*)(?=\s|$)/.exec(rest);
    if (pair?.[1] === undefined) return { tags: {}, error: `Write key=value, found: ${rest.split(/\s/)[0] ?? rest}` };
    tags[pair[1]] = pair[3] === undefined ? (pair[2] ?? "") : pair[3].replace(/\\(.)/g, "$1");
    rest = rest.slice(pair[0].length).trim();
  }
  return { tags, error: null };
}

/** One more pair at the end of tags. */
export function withTag(tags: string, key: string, value: string): string {
  const pair = `${key}=${/[\s"]/.test(value) || value === "" ? JSON.stringify(value) : value}`;
  return tags.trim() === "" ? pair : `${tags.trim()} ${pair}`;
}

/** A margin around a trace that shows its surroundings in other signals: as long as itself, at least a minute. */
export function marginMs(durationMicros: number): number {
  return Math.max(60_000, durationMicros / 1_000);
}

/** `at +12.3 ms` of an event within its span, as seconds of the whole text where long. */
export function offsetLabel(micros: number): string {
  return micros >= 60_000_000 ? `+${printSeconds(micros / 1_000_000)}` : `+${Number((micros / 1_000).toPrecision(4))} ms`;
}
