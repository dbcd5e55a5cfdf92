/** The pure half of the notices of alerts: which are new since somebody last looked. */

import type { DeskAlert } from "../api/alertmanager.ts";

/** More than this are not remembered as seen. */
const SEEN_MAX = 2_000;

/** One alert that fires, the same until it has resolved. */
export function episode(alert: DeskAlert): string {
  return `${alert.fingerprint}@${alert.startsAtMs}`;
}

/** Alerts that nobody has seen yet, the newest first. */
export function fresh(alerts: readonly DeskAlert[], seen: ReadonlySet<string>): DeskAlert[] {
  return alerts.filter((alert) => !seen.has(episode(alert))).sort((left, right) => right.startsAtMs - left.startsAtMs);
}

/** What is remembered as seen once some more are: only what still fires, so that it does not grow. */
export function seenAfter(seen: ReadonlySet<string>, more: readonly DeskAlert[], firing: readonly DeskAlert[]): string[] {
  const known = new Set(firing.map(episode));
  return [...new Set([...[...seen].filter((id) => known.has(id)), ...more.map(episode)])].slice(-SEEN_MAX);
}

/** Remembered texts; none when they cannot be read. */
export function parseSeen(text: string | null): Set<string> {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return new Set(Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : []);
  } catch {
    return new Set();
  }
}
