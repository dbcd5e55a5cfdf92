/** Our own API of alerting below `/api/v1/alerting`: what happened to alerts, why, and who was told. */

import type { TimeWindow } from "../time/range.ts";
import { ApiError, getJson, isObject, list, postJson, text, texts, type Query } from "./client.ts";
import { parseValue, type Labels } from "./prometheus.ts";

const BASE = "/api/v1/alerting";

/** A change of one alert. */
export interface AlertEvent {
  atMs: number;
  file: string;
  group: string;
  rule: string;
  fingerprint: string;
  labels: Labels;
  /**
   * `pending`, `firing`, `kept` (its expression finds nothing, and it goes on), `found` (again), `resolved`, `cleared`; `silenced`,
   * `inhibited`, `muted`, `unmuted`, `untold` (a firing that was over before its group was told); of the rule, without a fingerprint, `error` and `recovered`.
   */
  change: string;
  /** The state after it. */
  state: string;
  /** NaN where the change has none. */
  value: number;
  /** Whether it was made up for after the server had been away. */
  late: boolean;
  error: string;
  /** Of a change that says what keeps the alert quiet: whom it keeps from being told, and what does. */
  receiver: string;
  silencedBy: string[];
  inhibitedBy: string[];
  mutedBy: string[];
}

export interface Attempt {
  atMs: number;
  ok: boolean;
  /** What the channel said. */
  answer: string;
}

export interface Notification {
  id: string;
  atMs: number;
  receiver: string;
  channel: string;
  groupKey: string;
  groupLabels: Labels;
  /** Why it was sent: a new alert, a repetition. */
  reason: string;
  /** `pending`, `delivered` or `dead`. */
  outcome: string;
  firing: number;
  resolved: number;
  attempts: Attempt[];
  alerts: { fingerprint: string; labels: Labels; status: string }[];
}

/** When a group is notified, as durations are written. */
export interface Timings {
  groupBy: string[];
  groupWait: string;
  groupInterval: string;
  repeatInterval: string;
}

/** How an alert came to a receiver. */
export interface Routed extends Timings {
  receiver: string;
  path: { matchers: string[]; receiver: string; continues: boolean }[];
  groupKey: string;
}

export interface Evaluation {
  atMs: number;
  /** NaN where the rule gave nothing for this alert. */
  value: number;
  state: string;
  error: string;
}

/** Why one alert is as it is. */
export interface Explanation {
  labels: Labels;
  /** The labels that routes, silences and receivers see, after relabelling; null when nobody is told. */
  toldAs: Labels | null;
  fingerprint: string;
  rule: { file: string; group: string; name: string; query: string; lang: string; hold: string; keepFiring: string };
  atMs: number;
  state: string;
  evaluations: Evaluation[];
  events: AlertEvent[];
  routes: Routed[];
  silencedBy: string[];
  inhibitedBy: string[];
  mutedBy: string[];
  notifications: Notification[];
}

async function ask(path: string, query: Query, signal: AbortSignal): Promise<unknown> {
  return unwrapped(await getJson(`${BASE}/${path}`, query.filter(([, value]) => value !== ""), signal));
}

/** The data of an answer. */
export function unwrapped(body: unknown): unknown {
  if (!isObject(body) || body["status"] !== "success") throw new ApiError("The answer is not one of the alerting API.", 200, "format");
  return body["data"];
}

const seconds = (ms: number): string => String(ms / 1_000);
const within = (window: TimeWindow): Query => [["start", seconds(window.startMs)], ["end", seconds(window.endMs)]];

export interface HistoryWanted {
  group: string;
  rule: string;
  fingerprint: string;
  limit: number;
}

/** Changes of alerts, newest first. */
export async function alertHistory(wanted: Partial<HistoryWanted>, window: TimeWindow, signal: AbortSignal): Promise<AlertEvent[]> {
  const { group = "", rule = "", fingerprint = "", limit = 500 } = wanted;
  return list(await ask("history", [...within(window), ["group", group], ["rule", rule], ["fingerprint", fingerprint], ["limit", String(limit)]], signal)).filter(isObject).map(toEvent);
}

export function toEvent(event: Record<string, unknown>): AlertEvent {
  return {
    atMs: Date.parse(text(event["at"])),
    file: text(event["file"]),
    group: text(event["group"]),
    rule: text(event["rule"]),
    fingerprint: text(event["fingerprint"]),
    labels: texts(event["labels"]),
    change: text(event["change"]),
    state: text(event["state"]),
    value: optionalValue(event["value"]),
    late: event["late"] === true,
    error: text(event["error"]),
    receiver: text(event["receiver"]),
    silencedBy: list(event["silenced_by"]).map(text),
    inhibitedBy: list(event["inhibited_by"]).map(text),
    mutedBy: list(event["muted_by"]).map(text),
  };
}

function optionalValue(value: unknown): number {
  return value === null || value === undefined || value === "" ? Number.NaN : parseValue(value);
}

/** What there is to say of the alert with these labels, at an instant or now. */
export async function explain(labels: Labels, atMs: number | null, signal: AbortSignal): Promise<Explanation> {
  const answer = await ask("explain", [["labels", JSON.stringify(labels)], ["at", atMs === null ? "" : seconds(atMs)]], signal);
  return toExplanation(isObject(answer) ? answer : {});
}

export function toExplanation(answer: Record<string, unknown>): Explanation {
  const rule = isObject(answer["rule"]) ? answer["rule"] : {};
  const muted = isObject(answer["muted"]) ? answer["muted"] : {};
  return {
    labels: texts(answer["labels"]),
    toldAs: answer["told_as"] === undefined ? texts(answer["labels"]) : isObject(answer["told_as"]) ? texts(answer["told_as"]) : null,
    fingerprint: text(answer["fingerprint"]),
    rule: {
      file: text(rule["file"]), group: text(rule["group"]), name: text(rule["name"]), query: text(rule["query"]), lang: text(rule["lang"]) || "promql",
      hold: duration(rule["for"]), keepFiring: duration(rule["keep_firing_for"]),
    },
    atMs: Date.parse(text(answer["at"])),
    state: text(answer["state"]),
    evaluations: list(answer["evaluations"]).filter(isObject).map((each) => ({ atMs: Date.parse(text(each["at"])), value: optionalValue(each["value"]), state: text(each["state"]), error: text(each["error"]) })),
    events: list(answer["events"]).filter(isObject).map(toEvent),
    routes: list(answer["routes"]).filter(isObject).map((each) => ({
      receiver: text(each["receiver"]),
      path: list(each["path"]).filter(isObject).map((step) => ({ matchers: list(step["matchers"]).map(text), receiver: text(step["receiver"]), continues: step["continue"] === true })),
      groupKey: text(each["group_key"]),
      ...toTimings(each),
    })),
    silencedBy: list(muted["silenced_by"]).map(text),
    inhibitedBy: list(muted["inhibited_by"]).map(text),
    mutedBy: list(muted["muted_by"]).map(text),
    notifications: list(answer["notifications"]).filter(isObject).map(toNotification),
  };
}

/** A duration as written, or whole seconds. */
function duration(value: unknown): string {
  return typeof value === "number" ? `${value}s` : text(value);
}

export function toTimings(route: Record<string, unknown>): Timings {
  return { groupBy: list(route["group_by"]).map(text), groupWait: duration(route["group_wait"]), groupInterval: duration(route["group_interval"]), repeatInterval: duration(route["repeat_interval"]) };
}

export interface NotificationsWanted {
  receiver: string;
  outcome: string;
  groupKey: string;
  fingerprint: string;
  limit: number;
}

/** The log of notifications, newest first. */
export async function notifications(wanted: Partial<NotificationsWanted>, window: TimeWindow, signal: AbortSignal): Promise<Notification[]> {
  const { receiver = "", outcome = "", groupKey = "", fingerprint = "", limit = 200 } = wanted;
  const query: Query = [...within(window), ["receiver", receiver], ["outcome", outcome], ["group_key", groupKey], ["fingerprint", fingerprint], ["limit", String(limit)]];
  return list(await ask("notifications", query, signal)).filter(isObject).map(toNotification);
}

export function toNotification(each: Record<string, unknown>): Notification {
  return {
    id: String(each["id"] ?? ""),
    atMs: Date.parse(text(each["at"])),
    receiver: text(each["receiver"]),
    channel: text(each["channel"]),
    groupKey: text(each["group_key"]),
    groupLabels: texts(each["group_labels"]),
    reason: text(each["reason"]),
    outcome: text(each["outcome"]),
    firing: Number(each["firing"] ?? 0),
    resolved: Number(each["resolved"] ?? 0),
    attempts: list(each["attempts"]).filter(isObject).map((attempt) => ({ atMs: Date.parse(text(attempt["at"])), ok: attempt["ok"] === true, answer: text(attempt["answer"]) })),
    alerts: list(each["alerts"]).filter(isObject).map((alert) => ({ fingerprint: text(alert["fingerprint"]), labels: texts(alert["labels"]), status: text(alert["status"]) })),
  };
}

/** A node of the routing tree. */
export interface RouteNode extends Timings {
  receiver: string;
  matchers: string[];
  continues: boolean;
  muteTimeIntervals: string[];
  activeTimeIntervals: string[];
  labels: Labels;
  routes: RouteNode[];
}

export async function routeTree(signal: AbortSignal): Promise<RouteNode> {
  const answer = await ask("routes", [], signal);
  return toRoute(isObject(answer) ? answer : {});
}

export function toRoute(node: Record<string, unknown>): RouteNode {
  return {
    receiver: text(node["receiver"]),
    matchers: list(node["matchers"]).map(text),
    continues: node["continue"] === true,
    muteTimeIntervals: list(node["mute_time_intervals"]).map(text),
    activeTimeIntervals: list(node["active_time_intervals"]).map(text),
    labels: texts(node["labels"]),
    routes: list(node["routes"]).filter(isObject).map(toRoute),
    ...toTimings(node),
  };
}

/** Where an alert with these labels would go. */
export interface RouteMatch extends Timings {
  receiver: string;
  /** Which child, from the root down. */
  path: number[];
  groupLabels: Labels;
  isMutedNow: boolean;
  channels: string[];
}

export async function testRoutes(labels: Labels, signal: AbortSignal): Promise<RouteMatch[]> {
  const answer = unwrapped(await postJson(`${BASE}/routes/test`, { labels }, signal));
  return list(answer).filter(isObject).map((each) => ({
    receiver: text(each["receiver"]),
    path: list(each["path"]).map(Number),
    groupLabels: texts(each["group_labels"]),
    isMutedNow: each["is_muted_now"] === true,
    channels: list(each["channels"]).map((channel) => (isObject(channel) ? text(channel["name"]) || text(channel["kind"]) : text(channel))),
    ...toTimings(each),
  }));
}

export interface Receiver {
  name: string;
  channels: { name: string; kind: string }[];
}

export async function receivers(signal: AbortSignal): Promise<Receiver[]> {
  return list(await ask("receivers", [], signal)).filter(isObject).map((each) => ({
    name: text(each["name"]),
    channels: list(each["channels"]).filter(isObject).map((channel) => ({ name: text(channel["name"]), kind: text(channel["kind"]) })),
  }));
}

/** What a channel answered to a test. */
export interface TestAnswer {
  channel: string;
  ok: boolean;
  answer: string;
  /** After how long it would take another one; null when it did not say. */
  retryAfterMs: number | null;
}

/** Sends a test through every channel of a receiver, for real. */
export async function testReceiver(receiver: string, signal: AbortSignal): Promise<TestAnswer[]> {
  const answer = unwrapped(await postJson(`${BASE}/receivers/test`, { receiver }, signal));
  return list(answer).filter(isObject).map((each) => ({
    channel: text(each["channel"]),
    ok: each["ok"] === true,
    answer: text(each["answer"]),
    retryAfterMs: typeof each["retry_after_ms"] === "number" ? each["retry_after_ms"] : null,
  }));
}
