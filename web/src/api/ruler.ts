/** Rules that are written here: checked, tried on what is stored, kept by the ruler's API in Mimir's form (one group as YAML). */

import { unwrapped } from "./alerting.ts";
import type { TimeWindow } from "../time/range.ts";
import { change, getJson, getText, isObject, list, postJson, text, texts } from "./client.ts";
import { parseValue, type Labels } from "./prometheus.ts";

const BASE = "/api/v1/alerting/rules";
/** Mimir's path takes groups of every language that they name; the old one shows them, whatever their language. */
const RULER = "/prometheus/config/v1/rules";
const ALL = "/api/prom/rules";

/** What is wrong with a text, or doubtful. Lines and columns count from 1; 0 where they are unknown. */
export interface Remark {
  line: number;
  column: number;
  message: string;
}

export interface CheckedRule {
  name: string;
  kind: string;
  lang: string;
  query: string;
}

export interface Checked {
  groups: { name: string; rules: CheckedRule[] }[];
  errors: Remark[];
  warnings: Remark[];
}

/** Reads the text of a rule file. */
export async function checkRules(file: string, signal: AbortSignal): Promise<Checked> {
  const answer = unwrapped(await postJson(`${BASE}/check`, { text: file }, signal));
  return toChecked(isObject(answer) ? answer : {});
}

export function toChecked(answer: Record<string, unknown>): Checked {
  return {
    groups: list(answer["groups"]).filter(isObject).map((group) => ({
      name: text(group["name"]),
      rules: list(group["rules"]).filter(isObject).map((rule) => ({ name: text(rule["name"]), kind: text(rule["type"]), lang: text(rule["lang"]) || "promql", query: text(rule["query"]) })),
    })),
    errors: list(answer["errors"]).filter(isObject).map(toRemark),
    warnings: list(answer["warnings"]).filter(isObject).map(toRemark),
  };
}

function toRemark(remark: Record<string, unknown>): Remark {
  return { line: Number(remark["line"] ?? 0), column: Number(remark["column"] ?? 0), message: text(remark["message"]) };
}

/** When a rule would have fired for one set of labels. */
export interface Firing {
  labels: Labels;
  pendingAtMs: number;
  /** Null when it stayed pending. */
  firedAtMs: number | null;
  /** Null while it goes on at the end of the range. */
  resolvedAtMs: number | null;
  valueMax: number;
}

export interface Tried {
  group: string;
  rule: string;
  evaluations: number;
  errors: string[];
  firings: Firing[];
  notifications: { atMs: number; receiver: string; reason: string; firing: number; resolved: number }[];
  notificationCount: number;
}

/** What the rules of a file would have done over a range. */
export async function backtest(file: string, window: TimeWindow, signal: AbortSignal): Promise<Tried[]> {
  const answer = unwrapped(await postJson(`${BASE}/backtest`, { text: file, start: window.startMs / 1_000, end: window.endMs / 1_000 }, signal));
  return list(isObject(answer) ? answer["rules"] : []).filter(isObject).map(toTried);
}

export function toTried(each: Record<string, unknown>): Tried {
  const time = (value: unknown): number | null => (typeof value === "string" ? Date.parse(value) : null);
  const notifications = list(each["notifications"]).filter(isObject).map((told) => ({
    atMs: Date.parse(text(told["at"])), receiver: text(told["receiver"]), reason: text(told["reason"]), firing: Number(told["firing"] ?? 0), resolved: Number(told["resolved"] ?? 0),
  }));
  return {
    group: text(each["group"]),
    rule: text(each["rule"]),
    evaluations: Number(each["evaluations"] ?? 0),
    errors: list(each["errors"]).map((error) => (isObject(error) ? text(error["error"]) || text(error["message"]) : text(error))),
    firings: list(each["firings"]).filter(isObject).map((firing) => ({
      labels: texts(firing["labels"]),
      pendingAtMs: time(firing["pending_at"]) ?? Number.NaN,
      firedAtMs: time(firing["fired_at"]),
      resolvedAtMs: time(firing["resolved_at"]),
      valueMax: firing["value_max"] === null || firing["value_max"] === undefined ? Number.NaN : parseValue(firing["value_max"]),
    })),
    notifications,
    notificationCount: Number(each["notification_count"] ?? notifications.length),
  };
}

const path = (base: string, ...parts: string[]): string => [base, ...parts.map(encodeURIComponent)].join("/");

/** Names of files and namespaces that hold rules: those that were made by the API are stored, and can be changed by it. */
export async function ruleSources(signal: AbortSignal): Promise<{ name: string; isStored: boolean }[]> {
  const answer = unwrapped(await getJson(`${BASE}/export`, [], signal));
  return list(answer).filter(isObject).map((source) => ({ name: text(source["namespace"]), isStored: source["source"] === "api" }));
}

/** The YAML of a group of a file or a namespace. */
export function groupText(source: string, group: string, signal: AbortSignal): Promise<string> {
  return getText(path(ALL, source, group), signal);
}

/** Keeps a group: a new one, or in place of the one of its name. */
export async function saveGroup(namespace: string, yaml: string, signal: AbortSignal): Promise<void> {
  await change("POST", path(RULER, namespace), { type: "application/yaml", text: yaml }, signal);
}

export async function deleteGroup(namespace: string, group: string, signal: AbortSignal): Promise<void> {
  await change("DELETE", path(RULER, namespace, group), null, signal);
}
