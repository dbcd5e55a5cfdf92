/** The pure half of the Alerts page. */

import type { DeskAlert } from "../../api/alertmanager.ts";
import type { ActiveAlert, Labels, Rule, RuleGroup } from "../../api/prometheus.ts";
import type { AlertsView, State } from "./url.ts";

/** A rule with what the page needs to know of its group. */
export interface Entry {
  /** The same from load to load. */
  key: string;
  group: string;
  file: string;
  rule: Rule;
  state: State;
}

const ORDER: readonly State[] = ["firing", "broken", "pending", "inactive", "recording"];

/** A rule whose last evaluation failed is broken, whatever it said before. */
export function stateOf(rule: Rule): State {
  if (rule.health === "err" || rule.lastError !== "") return "broken";
  if (rule.kind === "recording") return "recording";
  return rule.state === "firing" || rule.state === "pending" ? rule.state : "inactive";
}

/** All rules, what needs a human first; within a state in the order of the files. */
export function entries(groups: readonly RuleGroup[]): Entry[] {
  const found = groups.flatMap((group) => group.rules.map((rule, index) => ({
    key: `${group.name}/${rule.name}/${index}`, group: group.name, file: group.file, rule, state: stateOf(rule),
  })));
  return found.sort((left, right) => ORDER.indexOf(left.state) - ORDER.indexOf(right.state));
}

export function counts(all: readonly Entry[]): Record<State, number> {
  const found: Record<State, number> = { firing: 0, pending: 0, inactive: 0, recording: 0, broken: 0 };
  for (const entry of all) found[entry.state] += 1;
  return found;
}

/** The rules that a view shows: in one of its states, and with every word in name, group, expression or labels. */
export function shown(all: readonly Entry[], view: AlertsView): Entry[] {
  const words = view.find.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return all.filter((entry) => {
    if (view.states.length > 0 && !view.states.includes(entry.state)) return false;
    const text = [entry.rule.name, entry.group, entry.rule.query, JSON.stringify(entry.rule.labels)].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** Milliseconds of an ISO time; null for none, and for Go's zero time, which means never. */
export function timeOf(text: string): number | null {
  const parsed = Date.parse(text);
  return Number.isNaN(parsed) || parsed <= 0 ? null : parsed;
}

/** The service that an alert is about, as far as its labels tell; null when they do not. */
export function serviceOf(labels: Readonly<Record<string, string>>): string | null {
  const named = labels["service_name"] ?? labels["service"] ?? labels["job"];
  return named === undefined || named === "" ? null : named.slice(named.lastIndexOf("/") + 1);
}

/** What a rule is about in one line: its summary; of one that is a template, what the first alert made of it; else the expression. */
export function summaryOf(rule: Rule): string {
  const own = rule.annotations["summary"];
  if (own !== undefined && !own.includes("{{")) return own;
  return rule.alerts.find((alert) => alert.annotations["summary"] !== undefined)?.annotations["summary"] ?? rule.query;
}

/** Whether a set has all labels of another with the same values: alerts are notified with labels that the rule does not know of. */
export function holdsAll(set: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => set[name] === value);
}

/** An alert of a rule as it is notified; null when nobody is told of it. */
export function deskAlertOf({ toldAs }: ActiveAlert, desk: readonly DeskAlert[]): DeskAlert | null {
  return toldAs === null ? null : desk.find((alert) => holdsAll(alert.labels, toldAs)) ?? null;
}

/** Alerts that come from no rule of this server: other rulers sent them, or their rule is gone. */
export function foreign(desk: readonly DeskAlert[], all: readonly Entry[]): DeskAlert[] {
  const own = all.flatMap((entry) => entry.rule.alerts);
  return desk.filter((alert) => !own.some(({ toldAs }) => toldAs !== null && holdsAll(alert.labels, toldAs)));
}

/** What keeps an alert quiet, in words; none for one that is loud. */
export function quietBy(alert: DeskAlert | null): string[] {
  if (alert === null) return [];
  return [
    ...(alert.silencedBy.length > 0 ? ["silenced"] : []),
    ...(alert.inhibitedBy.length > 0 ? ["inhibited"] : []),
    ...(alert.mutedBy.length > 0 ? [`muted by ${alert.mutedBy.join(", ")}`] : []),
  ];
}
