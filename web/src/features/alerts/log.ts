/** The pure half of the log of notifications. */

import type { Notification } from "../../api/alerting.ts";
import { OUTCOMES, type Outcome } from "./url.ts";

/** Notifications with every word in labels, channel, reason or answers. */
export function logged(all: readonly Notification[], find: string): Notification[] {
  const words = find.toLowerCase().split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) return [...all];
  return all.filter((each) => {
    const labels = [each.groupLabels, ...each.alerts.map((alert) => alert.labels)].map((set) => JSON.stringify(set));
    const text = [each.receiver, each.channel, each.reason, each.outcome, ...labels, ...each.attempts.map((attempt) => attempt.answer)].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export function outcomeCounts(all: readonly Notification[]): Record<Outcome, number> {
  const found: Record<Outcome, number> = { delivered: 0, pending: 0, dead: 0 };
  for (const each of all) {
    const outcome = OUTCOMES.find((one) => one === each.outcome);
    if (outcome !== undefined) found[outcome] += 1;
  }
  return found;
}

/** Receivers to choose from: those of the log, and the one that is chosen. */
export function receiverNames(all: readonly Notification[], chosen: string): string[] {
  return [...new Set([...all.map((each) => each.receiver), chosen])].filter((name) => name !== "").sort();
}
