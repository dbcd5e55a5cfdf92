/** The history of alerts as stretches of time: from changes to bars. */

import type { AlertEvent } from "../../api/alerting.ts";
import type { ActiveAlert, Labels } from "../../api/prometheus.ts";
import type { Stretch, StretchTone } from "../../charts/Timeline/model.ts";
import type { TimeWindow } from "../../time/range.ts";
import { formatNumber } from "../../ui/number.ts";
import { holdsAll, timeOf } from "./model.ts";

/** The history of one alert, its newest change first. */
export interface Track {
  key: string;
  labels: Labels;
  stretches: Stretch[];
}

/** States in which nothing is wrong: no bar. */
const CALM = new Set(["", "inactive", "resolved", "cleared", "normal", "ok"]);
/** What an alert was before a change, where nothing older is known. */
const BEFORE: Record<string, string> = { resolved: "firing", cleared: "pending", kept: "firing", found: "firing" };
/** Changes of who is told, and of the rule: the alert stays what it was. */
const ASIDE = new Set(["silenced", "inhibited", "muted", "unmuted", "untold", "error", "recovered"]);

export function toneOf(state: string): StretchTone {
  if (state === "firing") return "bad";
  return state === "pending" ? "warn" : "plain";
}

/** One name for the same labels in any order. */
export function labelsKey(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** A track for each alert of the changes and of those that are active; those that changed last come first. */
export function tracks(events: readonly AlertEvent[], active: readonly ActiveAlert[], nowMs: number): Track[] {
  const byAlert = new Map<string, AlertEvent[]>();
  for (const event of events.filter(moves).sort((left, right) => left.atMs - right.atMs)) {
    const key = labelsKey(event.labels);
    byAlert.set(key, [...(byAlert.get(key) ?? []), event]);
  }
  const found = [...byAlert].map(([key, own]) => ({ key, labels: own[0]?.labels ?? {}, last: own.at(-1)?.atMs ?? 0, stretches: stretches(own, nowMs) }));
  for (const alert of active) {
    const key = labelsKey(alert.labels);
    const since = timeOf(alert.activeAt);
    // History has the labels of the server besides.
    if (since === null || found.some((track) => holdsAll(track.labels, alert.labels))) continue;
    found.push({ key, labels: alert.labels, last: since, stretches: [{ state: alert.state, tone: toneOf(alert.state), startMs: since, endMs: nowMs, isOpen: true, note: "" }] });
  }
  return found.sort((left, right) => right.last - left.last).map(({ key, labels, stretches: own }) => ({ key, labels, stretches: own }));
}

/** Whether a change is one of the state of an alert. */
function moves(event: AlertEvent): boolean {
  return !ASIDE.has(event.change);
}

/** Bars of one alert. */
export function stretches(changes: readonly AlertEvent[], nowMs: number): Stretch[] {
  const events = changes.filter(moves).sort((left, right) => left.atMs - right.atMs);
  const found: Stretch[] = [];
  const add = (state: string, startMs: number, endMs: number, isOpen: boolean, note: string): void => {
    if (CALM.has(state) || endMs < startMs) return;
    const last = found.at(-1);
    // A change that kept the state makes no new bar.
    if (last !== undefined && last.state === state && last.endMs === startMs) {
      last.endMs = endMs;
      last.isOpen = isOpen;
    } else found.push({ state, tone: toneOf(state), startMs, endMs, isOpen, note });
  };
  const [first] = events;
  if (first !== undefined) add(BEFORE[first.change] ?? "", Number.NEGATIVE_INFINITY, first.atMs, false, "");
  events.forEach((event, index) => {
    const next = events[index + 1];
    const value = Number.isNaN(event.value) ? "" : `value ${formatNumber(event.value)}`;
    add(event.state, event.atMs, next?.atMs ?? nowMs, next === undefined, [value, event.late ? "made up for later" : ""].filter((part) => part !== "").join(", "));
  });
  return found;
}

/** The stretches of a chart that are shaded. */
export function bandsOf(found: readonly Stretch[]): { startMs: number; endMs: number; tone: "bad" | "warn" }[] {
  return found.flatMap(({ tone, startMs, endMs }) => (tone === "plain" ? [] : [{ startMs, endMs, tone }]));
}

/** The window moved so that it shows what led to an instant: three quarters of it before. */
export function explainedWindow(window: TimeWindow, atMs: number): TimeWindow {
  if (Number.isNaN(atMs)) return window;
  const wide = window.endMs - window.startMs;
  return { startMs: atMs - wide * 0.75, endMs: atMs + wide * 0.25 };
}
