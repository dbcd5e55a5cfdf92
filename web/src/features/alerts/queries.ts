/** What the pages of alerts load. */

import { alertHistory, explain, notifications, type AlertEvent, type Explanation, type Notification } from "../../api/alerting.ts";
import { deskAlerts, type DeskAlert } from "../../api/alertmanager.ts";
import { rules, type Labels, type Matrix, type RuleGroup } from "../../api/prometheus.ts";
import { isDrawable, ruleMatrix } from "../../api/rule_matrix.ts";
import { useResource, type Resource } from "../../api/use_resource.ts";
import type { Time } from "../../location.tsx";
import type { TimeWindow } from "../../time/range.ts";
import { grid, niceStep } from "../../time/step.ts";
import type { LogView } from "./url.ts";

const POINTS = 240;
/** Changes that a history shows at most. */
const HISTORY_MAX = 1_000;
/** Notifications that the log shows at most. */
export const LOG_MAX = 500;

export interface Overview {
  groups: RuleGroup[];
  /** Alerts as they are notified; none where nobody can say. */
  desk: DeskAlert[];
  nowMs: number;
}

export function useOverview(time: Time): Resource<Overview> {
  return useResource(`rules ${time.version}`, async (signal) => {
    const [groups, desk] = await Promise.all([rules(signal), deskAlerts([], signal).catch(() => [])]);
    return { groups, desk, nowMs: Date.now() };
  });
}

/** What the expression of a rule gives over a window. */
export function useRuleMatrix(lang: string, expression: string, window: TimeWindow, version: number): Resource<Matrix> {
  const step = niceStep(window, POINTS);
  const { start, end } = grid(window, step);
  const key = isDrawable(lang) && expression !== "" ? ["rule matrix", lang, expression, start, end, step, version].join(" ") : null;
  return useResource(key, (signal) => ruleMatrix(lang, expression, { start, end, step }, signal));
}

export function useHistory(group: string, rule: string, time: Time): Resource<AlertEvent[]> {
  const { window, version } = time;
  return useResource(`history ${group} ${rule} ${window.startMs} ${window.endMs} ${version}`, (signal) => alertHistory({ group, rule, limit: HISTORY_MAX }, window, signal));
}

export function useExplanation(labels: Labels, atMs: number | null, time: Time): Resource<Explanation> {
  const key = Object.keys(labels).length === 0 ? null : `explain ${JSON.stringify(labels)} ${atMs ?? "now"} ${time.version}`;
  return useResource(key, (signal) => explain(labels, atMs, signal));
}

export function useNotifications(view: LogView, time: Time): Resource<Notification[]> {
  const { window, version } = time;
  const { receiver, outcome, group, fingerprint } = view;
  return useResource(["log", receiver, outcome, group, fingerprint, window.startMs, window.endMs, version].join(" "), (signal) => (
    notifications({ receiver, outcome, groupKey: group, fingerprint, limit: LOG_MAX }, window, signal)
  ));
}
