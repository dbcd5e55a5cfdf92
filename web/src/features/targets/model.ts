/** The pure half of the Targets page. */

import type { DroppedTarget, Target, Targets } from "../../api/targets.ts";
import type { Labels } from "../../api/prometheus.ts";
import { parseDuration } from "../../time/duration.ts";
import type { State, TargetsView } from "./url.ts";

export interface Pool {
  name: string;
  /** Those that the view shows, what needs a human first. */
  shown: Entry[];
  /** All of it by health. */
  counts: Record<State, number>;
  /** Dropped ones that the view shows. */
  dropped: DroppedTarget[];
}

/** A target with a key that is the same from load to load. */
export interface Entry {
  key: string;
  target: Target;
}

/** What the list shows, one after the other. */
export type Row =
  | { kind: "pool"; key: string; pool: Pool; folded: boolean }
  | { kind: "target"; key: string; entry: Entry; open: boolean }
  | { kind: "dropped"; key: string; pool: Pool; open: boolean }
  | { kind: "droppedTarget"; key: string; target: DroppedTarget; open: boolean };

const ORDER: readonly Target["health"][] = ["down", "unknown", "up"];

/** How many targets are in each state, over all pools. */
export function counts(targets: Targets): Record<State, number> {
  const found: Record<State, number> = { up: 0, down: 0, unknown: 0, dropped: 0 };
  for (const target of targets.active) found[target.health] += 1;
  for (const dropped of droppedTotals(targets).values()) found.dropped += dropped;
  return found;
}

/** The names of all pools, sorted. */
export function poolNames(targets: Targets): string[] {
  const names = [...targets.active.map((target) => target.pool), ...targets.dropped.map((target) => target.pool), ...Object.keys(targets.droppedCounts)];
  return [...new Set(names)].sort();
}

/** The pools that a view shows anything of. */
export function pools(targets: Targets, view: TargetsView): Pool[] {
  const words = view.find.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const has = (...texts: string[]): boolean => {
    const all = texts.join(" ").toLowerCase();
    return words.every((word) => all.includes(word));
  };
  const wants = (state: State): boolean => view.states.length === 0 || view.states.includes(state);
  const found = new Map<string, Pool>();
  const totals = droppedTotals(targets);
  for (const name of poolNames(targets)) {
    if (view.pool === "" || view.pool === name) found.set(name, { name, shown: [], counts: { up: 0, down: 0, unknown: 0, dropped: totals.get(name) ?? 0 }, dropped: [] });
  }
  const met = new Map<string, number>();
  for (const target of targets.active) {
    const pool = found.get(target.pool);
    if (pool === undefined) continue;
    pool.counts[target.health] += 1;
    const place = `${target.pool} ${target.url}`;
    const earlier = met.get(place) ?? 0;
    met.set(place, earlier + 1);
    if (wants(target.health) && has(target.pool, target.url, target.lastError, labelText(target.labels))) {
      pool.shown.push({ key: earlier === 0 ? place : `${place} ${earlier}`, target });
    }
  }
  for (const target of targets.dropped) {
    if (wants("dropped") && has(target.pool, labelText(target.discovered))) found.get(target.pool)?.dropped.push(target);
  }
  for (const pool of found.values()) pool.shown.sort((left, right) => ORDER.indexOf(left.target.health) - ORDER.indexOf(right.target.health));
  // A pool whose dropped targets are only counted is shown as well, unless words are looked for.
  const isShown = (pool: Pool): boolean => pool.shown.length > 0 || pool.dropped.length > 0 || (words.length === 0 && wants("dropped") && pool.counts.dropped > 0);
  return [...found.values()].filter(isShown);
}

/** The rows of pools. Dropped targets are folded away unless they are asked for. */
export function rows(shown: readonly Pool[], view: TargetsView): Row[] {
  return shown.flatMap((pool): Row[] => {
    const folded = view.folded.includes(pool.name);
    const head: Row = { kind: "pool", key: `pool ${pool.name}`, pool, folded };
    if (folded) return [head];
    const targets = pool.shown.map((entry): Row => ({ kind: "target", key: `target ${entry.key}`, entry, open: view.open.includes(entry.key) }));
    const wantsDropped = view.states.length === 0 || view.states.includes("dropped");
    if (!wantsDropped || pool.counts.dropped === 0) return [head, ...targets];
    const open = view.states.includes("dropped") || view.open.includes(droppedKey(pool));
    const dropped = open ? pool.dropped.map((target, index): Row => {
      const key = `${droppedKey(pool)} ${index}`;
      return { kind: "droppedTarget", key, target, open: view.open.includes(key) };
    }) : [];
    return [head, ...targets, { kind: "dropped", key: droppedKey(pool), pool, open }, ...dropped];
  });
}

/** The key of the dropped targets of a pool, among the open rows. */
export function droppedKey(pool: Pool): string {
  return `dropped ${pool.name}`;
}

/** Dropped targets by pool: as many as the server counted, at least those that it remembers. */
function droppedTotals(targets: Targets): Map<string, number> {
  const totals = new Map<string, number>();
  for (const { pool } of targets.dropped) totals.set(pool, (totals.get(pool) ?? 0) + 1);
  for (const [pool, counted] of Object.entries(targets.droppedCounts)) totals.set(pool, Math.max(counted, totals.get(pool) ?? 0));
  return totals;
}

export function labelText(labels: Labels): string {
  return Object.entries(labels).map(([name, value]) => `${name}=${value}`).join(" ");
}

/** The labels of a target that its place in the list does not tell already. */
export function summaryOf(target: Target): string {
  const { job, instance, ...rest } = target.labels;
  return labelText({
    ...(job === undefined || job === target.pool ? {} : { job }),
    ...(instance === undefined || target.url.includes(instance) ? {} : { instance }),
    ...rest,
  });
}

/** What tells a dropped target from others: its labels without those that every target has. */
export function droppedSummary(discovered: Labels): string {
  return labelText(Object.fromEntries(Object.entries(discovered).filter(([name]) => !/^__.*__$/.test(name))));
}

/** Milliseconds of an ISO time; null for none, and for Go's zero time, which means never. */
export function timeOf(text: string): number | null {
  const parsed = Date.parse(text);
  return Number.isNaN(parsed) || parsed <= 0 ? null : parsed;
}

/** Whether a scrape takes so long that it will soon not fit. */
export function isSlow(target: Target): boolean {
  const timeout = parseDuration(target.timeout);
  return timeout !== null && target.lastScrapeSeconds * 1_000 > timeout * 0.8;
}

/** Whether the last scrape is so old that some must have been missed. */
export function isOverdue(target: Target, atMs: number): boolean {
  const [interval, last] = [parseDuration(target.interval), timeOf(target.lastScrape)];
  return interval !== null && last !== null && atMs - last > 3 * interval;
}

/** The selector of all series of a target. */
export function selectorOf(labels: Labels): string {
  const chosen = ["job", "instance"].filter((name) => labels[name] !== undefined);
  return `{${chosen.map((name) => `${name}=${JSON.stringify(labels[name])}`).join(",")}}`;
}

/** A URL that a browser may be sent to; null for what is none. */
export function webUrl(url: string): string | null {
  return /^https?:\/\//i.test(url) ? url : null;
}

/** Labels with the name of each, and whether the other side has it with the same value. */
export function compared(labels: Labels, other: Labels): { name: string; value: string; differs: boolean }[] {
  return Object.keys(labels).sort().map((name) => ({ name, value: labels[name] ?? "", differs: other[name] !== labels[name] }));
}

/** What a rule did to one label; `null` where there is none. */
export interface Change {
  name: string;
  before: string | null;
  after: string | null;
}

/** The labels that differ. */
export function changes(before: Labels, after: Labels): Change[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.map((name) => ({ name, before: before[name] ?? null, after: after[name] ?? null })).filter((change) => change.before !== change.after);
}

const RULE_ORDER: readonly string[] = ["action", "source_labels", "separator", "regex", "modulus", "target_label", "replacement"];

/** A rule in one line, without what is at its default. */
export function ruleText(rule: Readonly<Record<string, unknown>>): string {
  const defaults: Record<string, unknown> = { separator: ";", regex: "(.*)", replacement: "$1", action: "replace", modulus: 0, target_label: "" };
  const value = (given: unknown): string => (Array.isArray(given) ? `[${given.map(String).join(", ")}]` : String(given));
  const place = (name: string): number => (RULE_ORDER.includes(name) ? RULE_ORDER.indexOf(name) : RULE_ORDER.length);
  const words = Object.entries(rule)
    .filter(([name, given]) => given !== null && given !== defaults[name] && !(Array.isArray(given) && given.length === 0))
    .sort(([left], [right]) => place(left) - place(right));
  return words.map(([name, given]) => `${name}: ${value(given)}`).join("  ");
}
