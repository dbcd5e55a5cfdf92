/** The pure half of the rule editor: one group as YAML, and where in it something is wrong. */

import type { RuleGroup } from "../../api/prometheus.ts";
import type { Firing, Remark, Tried } from "../../api/ruler.ts";
import type { Band } from "../../charts/TimeSeries/TimeSeries.tsx";
import type { Stretch } from "../../charts/Timeline/model.ts";
import { formatNumber } from "../../ui/number.ts";

/** What a new group begins with. */
export const TEMPLATE = `name: example
interval: 1m
rules:
  - alert: ServiceDown
    expr: up == 0
    for: 5m
    labels:
      severity: page
    annotations:
      summary: "{{ $labels.job }} does not answer"
`;

/** Whether a text is a whole file of groups instead of one group. */
export function isFile(text: string): boolean {
  return /^groups\s*:/m.test(text);
}

/** The text as a rule file: one group is made an entry of the list of groups. */
export function fileOf(text: string): string {
  if (isFile(text)) return text;
  const lines = text.replace(/\s+$/, "").split("\n");
  return `groups:\n${lines.map((line, index) => (index === 0 ? `- ${line}` : line === "" ? "" : `  ${line}`)).join("\n")}\n`;
}

/** A remark on `fileOf(text)` as one on the text. */
export function located(remark: Remark, text: string): Remark {
  if (isFile(text)) return remark;
  const lines = Math.max(1, text.replace(/\s+$/, "").split("\n").length);
  return { ...remark, line: Math.min(lines, Math.max(1, remark.line - 1)), column: remark.column <= 0 ? 0 : Math.max(1, remark.column - 2) };
}

/** The name that a text gives its group; the empty text for none. */
export function nameOf(text: string): string {
  const written = /^name\s*:\s*(.*?)\s*(?:\s#.*)?$/m.exec(text)?.[1] ?? "";
  return /^"(.*)"$/.exec(written)?.[1] ?? /^'(.*)'$/.exec(written)?.[1] ?? written;
}

/** Files and namespaces with their groups: those that can be changed first. */
export function sourcesOf(groups: readonly RuleGroup[], sources: readonly { name: string; isStored: boolean }[]): { name: string; isStored: boolean; groups: RuleGroup[] }[] {
  const stored = new Set(sources.filter((source) => source.isStored).map((source) => source.name));
  const names = [...new Set(groups.map((group) => group.file))];
  const found = names.map((name) => ({ name, isStored: stored.has(name), groups: groups.filter((group) => group.file === name) }));
  return [...found.filter((source) => source.isStored), ...found.filter((source) => !source.isStored)];
}

/** The bars of what would have fired, by labels. */
export function firingStretches(firing: Firing, endMs: number): Stretch[] {
  const end = firing.resolvedAtMs ?? endMs;
  const isOpen = firing.resolvedAtMs === null;
  const note = Number.isNaN(firing.valueMax) ? "" : `at most ${formatNumber(firing.valueMax)}`;
  const pending: Stretch = { state: "pending", tone: "warn", startMs: firing.pendingAtMs, endMs: firing.firedAtMs ?? end, isOpen: isOpen && firing.firedAtMs === null, note: "" };
  if (firing.firedAtMs === null) return [pending];
  const fired: Stretch = { state: "firing", tone: "bad", startMs: firing.firedAtMs, endMs: end, isOpen, note };
  return firing.pendingAtMs < firing.firedAtMs ? [pending, fired] : [fired];
}

/** Stretches of a chart in which anything fired. */
export function firingBands(tried: Tried, endMs: number): Band[] {
  return tried.firings.flatMap(({ firedAtMs, resolvedAtMs }) => (firedAtMs === null ? [] : [{ startMs: firedAtMs, endMs: resolvedAtMs ?? endMs, tone: "bad" as const }]));
}

/** Firings of the same labels in one row, in the order in which they first appear. */
export function rowsOf(tried: Tried): { key: string; labels: Firing["labels"]; firings: Firing[] }[] {
  const found = new Map<string, Firing[]>();
  for (const firing of tried.firings) {
    const key = JSON.stringify(firing.labels);
    found.set(key, [...(found.get(key) ?? []), firing]);
  }
  return [...found].map(([key, firings]) => ({ key, labels: firings[0]?.labels ?? {}, firings }));
}
