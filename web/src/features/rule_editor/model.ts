/** The pure half of the rule editor: one group as YAML, and where in it something is wrong. */

import type { Rule, RuleGroup } from "../../api/prometheus.ts";
import type { Firing, Remark, Tried } from "../../api/ruler.ts";
import type { Band } from "../../charts/TimeSeries/TimeSeries.tsx";
import type { Stretch } from "../../charts/Timeline/model.ts";
import { printSeconds } from "../../time/duration.ts";
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

/** A group as YAML, from how it is in force. */
export function printGroup(group: RuleGroup): string {
  const head = [`name: ${scalar(group.name)}`, ...(group.intervalSeconds > 0 ? [`interval: ${printSeconds(group.intervalSeconds)}`] : []), "rules:"];
  return `${[...head, ...group.rules.flatMap(printRule)].join("\n")}\n`;
}

function printRule(rule: Rule): string[] {
  const lines = [
    `${rule.kind === "recording" ? "record" : "alert"}: ${scalar(rule.name)}`,
    ...(rule.lang === "promql" ? [] : [`lang: ${rule.lang}`]),
    ...text("expr", rule.query),
    ...(rule.forSeconds > 0 ? [`for: ${printSeconds(rule.forSeconds)}`] : []),
    ...(rule.keepFiringSeconds > 0 ? [`keep_firing_for: ${printSeconds(rule.keepFiringSeconds)}`] : []),
    ...map("labels", rule.labels),
    ...map("annotations", rule.annotations),
  ];
  return lines.map((line, index) => (index === 0 ? `  - ${line}` : `    ${line}`));
}

function map(name: string, entries: Readonly<Record<string, string>>): string[] {
  const lines = Object.entries(entries).flatMap(([key, value]) => text(scalar(key), value)).map((line) => `  ${line}`);
  return lines.length === 0 ? [] : [`${name}:`, ...lines];
}

/** A key with a text, which may have several lines. */
function text(name: string, value: string): string[] {
  const isBlock = value.includes("\n") && /^\S/.test(value) && !/[^\n\t\x20-\x7e\u00a0-\uffff]/.test(value);
  if (!isBlock) return [`${name}: ${scalar(value)}`];
  const chomp = value.endsWith("\n") ? "" : "-";
  const body = value.replace(/\n$/, "");
  if (body.endsWith("\n")) return [`${name}: ${JSON.stringify(value)}`];
  return [`${name}: |${chomp}`, ...body.split("\n").map((line) => (line === "" ? "" : `  ${line}`))];
}

const RESERVED = /^(true|false|null|yes|no|on|off|y|n)$/i;

/** A text of one line: plain where YAML reads it as itself, else between quotes. */
function scalar(value: string): string {
  const isPlain = /^[A-Za-z_][^\n:#{}[\]"'`,&*!|>%@\\]*$/.test(value) || /^[A-Za-z_][\w:]*\w$/.test(value);
  if (isPlain && !/\s$/.test(value) && !RESERVED.test(value)) return value;
  // What has quotes in it reads best between the other ones.
  const isVerbatim = value.includes('"') && /^[\x20-\x7e\u00a0-\uffff]*$/.test(value);
  return isVerbatim ? `'${value.replaceAll("'", "''")}'` : JSON.stringify(value);
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
